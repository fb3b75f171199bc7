//! What goes wrong with `sqlx`, as one word of a short list.

use ::sqlx::Error;
use ::sqlx::error::ErrorKind;

/// The kind of an error, as it is a tag. It holds nothing of the query, its parameters or the database's answer.
///
/// ```
/// use radiosonde_pool::sqlx::error_kind;
///
/// assert_eq!(error_kind(&sqlx::Error::PoolTimedOut), "timed_out");
/// ```
#[must_use]
pub fn error_kind(error: &Error) -> &'static str {
    match error {
        Error::PoolTimedOut => "timed_out",
        Error::PoolClosed => "closed",
        Error::Database(error) => match error.kind() {
            ErrorKind::UniqueViolation => "unique_violation",
            ErrorKind::ForeignKeyViolation => "foreign_key_violation",
            ErrorKind::NotNullViolation => "not_null_violation",
            ErrorKind::CheckViolation => "check_violation",
            _ => "database",
        },
        Error::Io(_) => "io",
        Error::Tls(_) => "tls",
        Error::Protocol(_) => "protocol",
        Error::Configuration(_) => "configuration",
        Error::RowNotFound => "row_not_found",
        Error::Encode(_) => "encode",
        Error::TypeNotFound { .. }
        | Error::ColumnIndexOutOfBounds { .. }
        | Error::ColumnNotFound(_)
        | Error::ColumnDecode { .. }
        | Error::Decode(_) => "decode",
        Error::WorkerCrashed => "worker_crashed",
        _ => "other",
    }
}

//! The [`GrafanaError`]: what can go wrong with an upload or an annotation, and what to do about it.

use std::fmt;

use radiosonde_delivery::EndpointError;

/// Why something was not sent to Grafana, or not taken by it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrafanaError {
    /// The URL cannot be used.
    Endpoint(EndpointError),
    /// There is no token, or it has characters that a token cannot have.
    Token,
    /// It cannot be reached, or has not answered in time.
    Unreachable {
        /// Why not.
        reason: String,
    },
    /// It has answered that it does not take it.
    Refused {
        /// What it was asked for: a `dashboard`, a `folder`, an `annotation`.
        what: &'static str,
        /// The status of the answer.
        status: u16,
        /// What it says.
        message: String,
    },
    /// It was not waited for any longer.
    Deadline,
}

impl fmt::Display for GrafanaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(error) => error.fmt(f),
            Self::Token => f.write_str(
                "the token for Grafana is empty or has spaces in it: give that of a service account, `glsa_…`",
            ),
            Self::Unreachable { reason } => {
                write!(f, "Grafana cannot be reached ({reason}): is the URL its root?")
            }
            Self::Deadline => f.write_str("Grafana has not answered in time"),
            Self::Refused { what, status, message } => {
                let hint = match status {
                    300..=399 => "the URL leads to another one: give that",
                    401 => "the token is wrong, or has expired or been deleted",
                    403 => "the service account lacks the permission: dashboards and folders need the role Editor",
                    404 => "the URL is not the root of a Grafana, or the folder is gone",
                    412 => "another dashboard or folder has that name, or it is provisioned from a file, which no upload changes",
                    500..=599 => "Grafana or its database is in trouble; try again later",
                    _ => "it does not take what was sent",
                };
                write!(f, "Grafana answered {status} to the {what}: {hint}; it says: {message}")
            }
        }
    }
}

impl std::error::Error for GrafanaError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Endpoint(error) => Some(error),
            _ => None,
        }
    }
}

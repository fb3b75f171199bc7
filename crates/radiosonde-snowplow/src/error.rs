//! Why the reporter may not start.

use std::error::Error;
use std::fmt;

use radiosonde::AttachError;
use radiosonde_delivery as delivery;
use radiosonde_delivery::EndpointError;

/// Why the reporter cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An environment variable is not Unicode.
    NotUnicode {
        /// Its name.
        variable: String,
    },
    /// The application's id cannot be one.
    AppId,
    /// The namespace cannot be one.
    Namespace,
    /// The collector's URL is no endpoint that may be sent to.
    Endpoint(EndpointError),
    /// A field of the subject cannot be one.
    Subject {
        /// What is wrong with it.
        problem: String,
    },
    /// An entity's schema is none.
    Entity {
        /// The schema.
        schema: String,
    },
    /// Anonymous tracking was asked for with [`Method::Get`](crate::Method::Get), where no header protects the address.
    AnonymousGet,
    /// A rule cannot work.
    Rule {
        /// The rule's bus event.
        event: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The bus refused a rule's event name or the reporter's id.
    Attach(AttachError),
    /// The delivery could not be started.
    Delivery(delivery::StartError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnicode { variable } => {
                write!(f, "the variable `{variable}` is not Unicode: set it again")
            }
            Self::AppId => f.write_str(
                "the application's id cannot be used: give it 1 to 255 ASCII characters, and no quote or backslash",
            ),
            Self::Namespace => f.write_str(
                "the namespace cannot be used: give it 1 to 128 ASCII characters, and no quote, backslash, colon or semicolon",
            ),
            Self::Endpoint(error) => {
                write!(f, "the Snowplow collector's URL cannot be used: {error}")
            }
            Self::Subject { problem } => {
                write!(f, "the subject cannot be used: {problem}: change it")
            }
            Self::Entity { schema } => write!(
                f,
                "the entity `{schema}` cannot be used: its schema must be like `iglu:com.acme/user/jsonschema/1-0-0`"
            ),
            Self::AnonymousGet => f.write_str(
                "anonymous tracking is for requests of `Method::Post`: collectors keep the address of a GET",
            ),
            Self::Rule { event, problem } => {
                write!(f, "the rule for `{event}` cannot be used: {problem}")
            }
            Self::Attach(error) => {
                write!(f, "the Snowplow reporter could not be attached: {error}")
            }
            Self::Delivery(error) => error.fmt(f),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Endpoint(error) => Some(error),
            Self::Attach(error) => Some(error),
            Self::Delivery(error) => Some(error),
            Self::NotUnicode { .. }
            | Self::AppId
            | Self::Namespace
            | Self::Subject { .. }
            | Self::Entity { .. }
            | Self::AnonymousGet
            | Self::Rule { .. } => None,
        }
    }
}

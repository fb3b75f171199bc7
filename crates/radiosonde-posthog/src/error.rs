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
    /// The API key cannot be a project's key.
    Key {
        /// Why not.
        problem: &'static str,
    },
    /// The URL is no endpoint that may be sent to.
    Endpoint(EndpointError),
    /// A super property cannot be one.
    SuperProperty {
        /// Its name.
        name: String,
    },
    /// A rule cannot work.
    Rule {
        /// The rule's bus event.
        event: String,
        /// What is wrong with it.
        problem: &'static str,
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
            Self::Key { problem } => {
                write!(
                    f,
                    "the PostHog API key cannot be used: {problem}: use the project's `phc_` key"
                )
            }
            Self::Endpoint(error) => write!(f, "the PostHog URL cannot be used: {error}"),
            Self::SuperProperty { name } => write!(
                f,
                "the super property `{name}` cannot be used: its name must have 1 to 200 bytes, and be neither that of an object such as `$set` nor, for a text, that of a credential such as `token`"
            ),
            Self::Rule { event, problem } => {
                write!(f, "the rule for `{event}` cannot be used: {problem}")
            }
            Self::Attach(error) => write!(f, "the PostHog reporter could not be attached: {error}"),
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
            | Self::Key { .. }
            | Self::SuperProperty { .. }
            | Self::Rule { .. } => None,
        }
    }
}

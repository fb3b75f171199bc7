//! Why the reporter could not start.

use std::error::Error;
use std::fmt;
use std::io;

use radiosonde::AttachError;
use radiosonde_metrics::DefinitionError;

use crate::answer::HEALTH_PATH;

/// Why the reporter could not start. Once it has started, nothing fails any more.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Something is wrong with the definitions of the metrics.
    Definitions(DefinitionError),
    /// The address cannot be listened on: it is not one, it is not of this machine, or somebody else has it.
    Listen {
        /// The address as it was given to `.listen(..)`.
        address: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The path cannot be one where the metrics are.
    Path {
        /// The path as it was given to `.path(..)`.
        path: String,
    },
    /// What clients are to authorize themselves with cannot be used. None of it is repeated.
    Credentials {
        /// What it has to be.
        problem: &'static str,
    },
    /// The certificate or its key cannot be used. Neither is repeated.
    #[cfg(feature = "tls")]
    Tls {
        /// What is wrong.
        problem: String,
    },
    /// The thread of the scrape server could not be started.
    Server(io::Error),
    /// The metrics could not be attached to the bus.
    Attach(AttachError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Definitions(error) => error.fmt(f),
            Self::Listen { address, source } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "cannot listen on `{address}`: the port is in use")?;
                if address.ends_with(":9091") {
                    f.write_str(
                        ", most likely by a Prometheus Pushgateway, whose default port it is",
                    )?;
                }
                f.write_str("; stop what uses it, or give another address to `.listen(..)`")
            }
            Self::Listen { address, source } => {
                write!(
                    f,
                    "cannot listen on `{address}`: {source}; give an address of this machine with a port to `.listen(..)`"
                )
            }
            Self::Path { path } => write!(
                f,
                "the path `{path}` cannot be used: give one that begins with `/`, has no `?`, `#`, space or control character, and is not `{HEALTH_PATH}`, to `.path(..)`"
            ),
            Self::Credentials { problem } => {
                write!(f, "the credentials cannot be used: {problem}")
            }
            #[cfg(feature = "tls")]
            Self::Tls { problem } => write!(
                f,
                "the certificate or its key cannot be used: {problem}; give both in PEM to `.tls(..)`"
            ),
            Self::Server(error) => {
                write!(f, "cannot start the thread of the scrape server: {error}")
            }
            Self::Attach(error) => write!(f, "cannot attach the metrics: {error}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Definitions(error) => Some(error),
            Self::Listen { source, .. } => Some(source),
            Self::Server(error) => Some(error),
            Self::Attach(error) => Some(error),
            Self::Path { .. } | Self::Credentials { .. } => None,
            #[cfg(feature = "tls")]
            Self::Tls { .. } => None,
        }
    }
}

impl From<DefinitionError> for StartError {
    fn from(error: DefinitionError) -> Self {
        Self::Definitions(error)
    }
}

impl From<AttachError> for StartError {
    fn from(error: AttachError) -> Self {
        Self::Attach(error)
    }
}

//! Why the usage ping may not start, or not send.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use radiosonde::AttachError;
use radiosonde_delivery as delivery;
use radiosonde_delivery::EndpointError;

use crate::definition::DefinitionError;

/// Why the usage ping cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The definitions are wrong, or the code is not as they say.
    Definitions(DefinitionError),
    /// The URL is no endpoint that may be sent to.
    Endpoint(EndpointError),
    /// An option is zero that must not be.
    ZeroOption {
        /// The option, as its setter is named.
        option: &'static str,
    },
    /// Another process, or another usage ping of this one, has the state directory.
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// The state directory cannot be used.
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The bus refused the reporter's id.
    Attach(AttachError),
    /// The delivery could not be started.
    Delivery(delivery::StartError),
    /// The operating system gave no thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Definitions(error) => error.fmt(f),
            Self::Endpoint(error) => write!(f, "the usage ping cannot be sent there: {error}"),
            Self::ZeroOption { option } => {
                write!(f, "the usage ping cannot work with `{option}` zero: set more")
            }
            Self::InUse { directory } => write!(
                f,
                "the usage ping's directory `{}` is in use: one process of an installation counts and sends, so start it in that one alone",
                directory.display()
            ),
            Self::Directory { directory, error } => write!(
                f,
                "the usage ping's directory `{}` cannot be used ({error}): name one that this user can read and write",
                directory.display()
            ),
            Self::Attach(error) => write!(f, "the usage ping could not be attached: {error}"),
            Self::Delivery(error) => error.fmt(f),
            Self::Thread(error) => write!(
                f,
                "the usage ping's thread could not be started ({error}): check the process's thread limit"
            ),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Definitions(error) => Some(error),
            Self::Endpoint(error) => Some(error),
            Self::Directory { error, .. } | Self::Thread(error) => Some(error),
            Self::Attach(error) => Some(error),
            Self::Delivery(error) => Some(error),
            Self::ZeroOption { .. } | Self::InUse { .. } => None,
        }
    }
}

/// Why a report is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// It is off by configuration, and nothing that runs can turn it on.
    Off {
        /// What turned it off.
        reason: String,
    },
    /// The operator has not opted in.
    NotOptedIn,
    /// Earlier reports still wait.
    Busy,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off { reason } => {
                write!(f, "the usage ping is off, as {reason}: change that and start again")
            }
            Self::NotOptedIn => {
                f.write_str("the operator has not opted in to the usage ping: ask for it first")
            }
            Self::Busy => {
                f.write_str("earlier reports of the usage ping still wait: try again later")
            }
        }
    }
}

impl Error for SendError {}

/// Why a flush is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushError {
    /// It was not done in time.
    Timeout,
    /// What was counted could not be written to disk. It is kept in memory, and written once that is possible.
    NotWritten,
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => {
                "the flush of the usage ping was not done in time: allow more time, or ask `stats` for the last failure"
            }
            Self::NotWritten => {
                "the usage ping could not write what it has counted: make room where its directory is, and see that it may write there"
            }
        })
    }
}

impl Error for FlushError {}

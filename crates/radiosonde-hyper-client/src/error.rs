//! Why there is no response, or not all of it: the types [`Error`] and [`ErrorKind`].

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// Any error, as connectors and bodies have theirs.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// In which way a request failed. As text it is the metadata `error` of the events, and fit for a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It is no request that this client makes: its URI names no server, or it is a `CONNECT`. Nothing was done.
    Request,
    /// All connections of the pool were in use for too long. Nothing was sent.
    QueueTimeout,
    /// No connection could be opened. Nothing was sent.
    Connect,
    /// Opening a connection took too long. Nothing was sent.
    ConnectTimeout,
    /// The request's own body failed.
    Body,
    /// The request could not be written.
    Send,
    /// The server closed the connection before the response was there to its end.
    Closed,
    /// What the server sent is no HTTP response, or could not be read.
    Receive,
    /// The server kept still for too long.
    Timeout,
    /// Something that a service inside [`RequestLayer`](crate::RequestLayer) reports and this crate does not know.
    Other,
}

impl ErrorKind {
    /// The kind as text: `queue_timeout`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::QueueTimeout => "queue_timeout",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Body => "body",
            Self::Send => "send",
            Self::Closed => "closed",
            Self::Receive => "receive",
            Self::Timeout => "timeout",
            Self::Other => "other",
        }
    }

    /// That of any client's error, by what is among its causes, and which of them said so.
    pub(crate) fn among_causes<'a>(
        error: &'a (dyn StdError + 'static),
    ) -> (Self, Option<&'a (dyn StdError + 'static)>) {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(error) = cause.downcast_ref::<Error>() {
                return (error.kind, Some(cause));
            }
            if let Some(error) = cause.downcast_ref::<hyper::Error>() {
                return (Self::of_exchange(error, Self::Receive), Some(cause));
            }
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                let kind = Self::of_io(error);
                match error.get_ref() {
                    // An error that wraps another says less than that.
                    Some(wrapped) if kind == Self::Other => {
                        next = Some(wrapped);
                        continue;
                    }
                    _ => return (kind, Some(cause)),
                }
            }
            next = cause.source();
        }
        (Self::Other, None)
    }

    /// That of an error on a connection; `otherwise` if it is not known to be another.
    pub(crate) fn of_exchange(error: &hyper::Error, otherwise: Self) -> Self {
        if error.is_user() {
            return Self::Body;
        }
        if error.is_timeout() {
            return Self::Timeout;
        }
        if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return Self::Closed;
        }
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        match cause.map(Self::of_io) {
            Some(Self::Closed) => Self::Closed,
            _ => otherwise,
        }
    }

    fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => Self::Connect,
            io::ErrorKind::TimedOut => Self::Timeout,
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no response, or not all of its body. It names the server, and never the path, the query or a header.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    /// The server, or what is wrong with the request.
    subject: String,
    cause: Option<BoxError>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, subject: impl fmt::Display) -> Self {
        Self { kind, subject: subject.to_string(), cause: None }
    }

    pub(crate) fn caused_by(mut self, cause: impl Into<BoxError>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// In which way the request failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.subject;
        match self.kind {
            ErrorKind::Request => f.write_str(server),
            ErrorKind::QueueTimeout => write!(
                f,
                "all connections to `{server}` were in use for too long; raise `pool_size` or `queue_timeout`"
            ),
            ErrorKind::Connect => write!(f, "no connection to `{server}` could be opened"),
            ErrorKind::ConnectTimeout => {
                write!(f, "no connection to `{server}` was open in time; see `connect_timeout`")
            }
            ErrorKind::Body => write!(f, "the body of the request to `{server}` failed"),
            ErrorKind::Send => write!(f, "the request to `{server}` could not be written"),
            ErrorKind::Closed => {
                write!(f, "`{server}` closed the connection before the end of the response")
            }
            ErrorKind::Receive | ErrorKind::Other => {
                write!(f, "what `{server}` sent could not be read as a response")
            }
            ErrorKind::Timeout => {
                write!(f, "`{server}` kept still for too long; see `response_timeout`")
            }
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// An error with its causes, each after a colon.
pub(crate) struct Causes<'a>(pub(crate) &'a dyn StdError);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_wrapped_says_more_than_what_wraps_it() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let ours = Error::new(ErrorKind::Closed, "http://example.org:80").caused_by(refused());
        for (error, kind) in [
            (io::Error::other(ours), ErrorKind::Closed),
            (io::Error::other(refused()), ErrorKind::Connect),
            (io::Error::other("the disk is gone"), ErrorKind::Other),
            (io::Error::from(io::ErrorKind::PermissionDenied), ErrorKind::Other),
        ] {
            let (found, known) = ErrorKind::among_causes(&error);
            assert_eq!(found, kind, "{error:?}");
            assert_eq!(known.is_some(), kind != ErrorKind::Other || error.get_ref().is_none());
        }
    }
}

//! Where requests may go: https, or http on this machine, or what the operator allows by name.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ureq::http::Uri;

/// A checked destination. It holds no secret: URLs with a user, a password or a query are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, host and port, and a path without a slash at its end.
    base: String,
    is_loopback: bool,
}

impl Endpoint {
    /// Checks a URL: `https`, or `http` to a loopback address or `localhost`.
    ///
    /// # Errors
    ///
    /// When it is no such URL. The error never repeats more of it than scheme and host.
    ///
    /// ```
    /// use radiosonde_delivery::Endpoint;
    /// assert!(Endpoint::parse("http://127.0.0.1:8000/ingest").is_ok());
    /// assert!(Endpoint::parse("http://collector.example").is_err());
    /// ```
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        Self::check(url, false)
    }

    /// Checks a URL as [`parse`](Self::parse) does, and also takes `http` to any host: whoever is on the way can
    /// then read and change what is sent, keys included.
    ///
    /// # Errors
    ///
    /// When it is no http or https URL.
    pub fn parse_allowing_plain_http(url: &str) -> Result<Self, EndpointError> {
        Self::check(url, true)
    }

    /// The same destination with `path`, which begins with a slash, added.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let base = format!("{}{}", self.base, path);
        Self { base, is_loopback: self.is_loopback }
    }

    /// The URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Whether it is on this machine, which no proxy leads to.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    fn check(url: &str, allow_plain_http: bool) -> Result<Self, EndpointError> {
        let url = url.trim();
        let uri: Uri = url.parse().map_err(|_| EndpointError::Malformed)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(EndpointError::Malformed);
        };
        if authority.host().is_empty() {
            return Err(EndpointError::Malformed);
        }
        // Behind a password with a `/` in it what seems to be the host is a part of that.
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if uri.path().contains('@') || !port.strip_prefix(':').is_none_or(is_port) {
            return Err(EndpointError::Malformed);
        }
        if authority.as_str().contains('@') || uri.query().is_some() || url.contains('#') {
            return Err(EndpointError::CarriesMore { host: authority.host().to_owned() });
        }
        let is_loopback = is_loopback(authority.host());
        match scheme {
            "https" if cfg!(feature = "tls") => {}
            "https" => return Err(EndpointError::WithoutTls),
            "http" if is_loopback || allow_plain_http => {}
            "http" => return Err(EndpointError::PlainHttp { host: authority.host().to_owned() }),
            other => return Err(EndpointError::Scheme { scheme: other.to_owned() }),
        }
        let path = uri.path().trim_end_matches('/');
        Ok(Self { base: format!("{scheme}://{authority}{path}"), is_loopback })
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

/// Why a URL is not an [`Endpoint`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is not a URL with a scheme and a host.
    Malformed,
    /// It has another scheme than http or https.
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// It is plain http to another machine.
    PlainHttp {
        /// The machine.
        host: String,
    },
    /// It is https, and the crate was built without its feature `tls`.
    WithoutTls,
    /// It has a user, a password, a query or a fragment, where secrets end up in logs.
    CarriesMore {
        /// The host in it.
        host: String,
    },
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(
                "the endpoint is not a URL: write it as `https://host` or `https://host/path`",
            ),
            Self::Scheme { scheme } => {
                write!(f, "the endpoint's scheme `{scheme}` is not supported: use `https`")
            }
            Self::PlainHttp { host } => write!(
                f,
                "the endpoint on `{host}` is plain http to another machine: use `https`, or allow plain http explicitly"
            ),
            Self::WithoutTls => {
                f.write_str("the endpoint is `https`, which needs the feature `tls`: switch it on")
            }
            Self::CarriesMore { host } => write!(
                f,
                "the endpoint on `{host}` has a user, a query or a fragment: give scheme, host, port and path alone"
            ),
        }
    }
}

impl std::error::Error for EndpointError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_http_on_this_machine_are_taken() {
        for url in
            ["http://127.0.0.1:1", "http://127.8.8.8/x/", "http://localhost", "http://[::1]:80/"]
        {
            assert!(Endpoint::parse(url).is_ok_and(|endpoint| endpoint.is_loopback()), "{url}");
        }
        #[cfg(feature = "tls")]
        {
            let endpoint = Endpoint::parse(" https://eu.example:8443/in/ ").unwrap();
            assert_eq!(endpoint.join("/batch/").url(), "https://eu.example:8443/in/batch/");
            assert!(!endpoint.is_loopback());
        }
    }

    #[test]
    fn plain_http_to_another_machine_needs_to_be_allowed() {
        for url in [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "http://[::2]",
        ] {
            assert!(matches!(Endpoint::parse(url), Err(EndpointError::PlainHttp { .. })), "{url}");
            assert!(Endpoint::parse_allowing_plain_http(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn anything_else_is_refused_without_repeating_a_secret() {
        for url in [
            "",
            "example.com",
            "/path",
            "https://",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://user:hunter2@example.com",
            "https://example.com/?key=hunter2",
            "https://example.com/#hunter2",
            "not a url hunter2",
            "https://user:p@hunter2/2@example.com",
            "https://user:p@ss@hunter2/@example.com",
            "https://user:hunter2/2@example.com",
            "http://localhost:hunter2/",
        ] {
            let error = Endpoint::parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}

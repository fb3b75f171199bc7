//! Whom a request is for: scheme, host and port, of which each set has a pool.

use std::fmt;

use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::{Authority, Scheme};
use hyper::{Method, Request, Uri, Version};

use crate::error::{Error, ErrorKind};

/// A server, as a URI names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) scheme: &'static str,
    /// In lower case, an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// That of a URI; empty and 0 is what it does not say.
    pub(crate) fn of(uri: &Uri) -> Self {
        let (scheme, default_port) = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => ("http", 80),
            Some(scheme) if *scheme == Scheme::HTTPS => ("https", 443),
            Some(_) => ("other", 0),
            None => ("", 0),
        };
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        Self { scheme, host, port: uri.port_u16().unwrap_or(default_port) }
    }

    /// Takes the server out of a request's URI, as a request to the server itself wants it, and leaves it in the header `Host`.
    pub(crate) fn take<B>(request: &mut Request<B>) -> Result<Self, Error> {
        let refused = |why: &str| Err(Error::new(ErrorKind::Request, why));
        if request.method() == Method::CONNECT {
            return refused("a tunnel is not opened with this client: it makes no `CONNECT`");
        }
        let origin = Self::of(request.uri());
        if !matches!(origin.scheme, "http" | "https") || origin.host.is_empty() {
            return refused("the URI of a request has to be a whole one: `http://host/path`");
        }
        if has_bad_port(request.uri()) {
            return refused("the port in the URI of a request has to be a number up to 65535");
        }
        if !request.headers().contains_key(HOST) {
            let Ok(host) = HeaderValue::try_from(origin.authority(request.uri().port_u16())) else {
                return refused("the host of the URI cannot be sent in a header");
            };
            request.headers_mut().insert(HOST, host);
        }
        *request.uri_mut() = match request.uri().path_and_query() {
            Some(path) => path.clone().into(),
            None => Uri::default(),
        };
        *request.version_mut() = Version::HTTP_11;
        Ok(origin)
    }

    /// The URI of the server, for a connector.
    pub(crate) fn uri(&self) -> Result<Uri, Error> {
        let authority = Authority::try_from(self.authority(Some(self.port)));
        let authority =
            authority.map_err(|error| Error::new(ErrorKind::Connect, self).caused_by(error))?;
        let uri = Uri::builder().scheme(self.scheme).authority(authority).path_and_query("/");
        uri.build().map_err(|error| Error::new(ErrorKind::Connect, self).caused_by(error))
    }

    fn authority(&self, port: Option<u16>) -> String {
        match port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

/// Whether there is a port that is none, which [`Uri::port`] does not tell from there being none.
fn has_bad_port(uri: &Uri) -> bool {
    let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else { return false };
    let server = authority.as_str().rsplit('@').next().unwrap_or_default();
    uri.port().is_none() && server.len() > host.len() + ":".len()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// The method as a tag: of the requests of other methods one does not know how many there are.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(uri: &str) -> Result<(String, String, String), Error> {
        let mut request = Request::get(uri).body(()).unwrap();
        let origin = Origin::take(&mut request)?;
        let host = request.headers()[HOST].to_str().unwrap().to_owned();
        Ok((origin.to_string(), host, request.uri().to_string()))
    }

    #[test]
    fn the_server_moves_from_the_uri_into_the_header_and_no_password_with_it() {
        for (uri, origin, host, rest) in [
            ("http://Example.org", "http://example.org:80", "example.org", "/"),
            ("http://example.org:80/a?b=c", "http://example.org:80", "example.org:80", "/a?b=c"),
            ("https://ada:secret@example.org?q", "https://example.org:443", "example.org", "/?q"),
            ("http://[::1]:8080/", "http://[::1]:8080", "[::1]:8080", "/"),
            ("http://[::1]/", "http://[::1]:80", "[::1]", "/"),
            ("http://example.org:/", "http://example.org:80", "example.org", "/"),
        ] {
            let taken = taken(uri).unwrap();
            assert_eq!(taken, (origin.to_owned(), host.to_owned(), rest.to_owned()));
        }
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for uri in [
            "/path",
            "ftp://example.org/",
            "example.org:80",
            "http://example.org:65536/",
            "http://ada:1@example.org:99999/",
            "http://[::1]:99999/",
        ] {
            assert_eq!(taken(uri).unwrap_err().kind(), ErrorKind::Request, "{uri}");
        }
        let mut connect = Request::connect("http://example.org").body(()).unwrap();
        assert_eq!(Origin::take(&mut connect).unwrap_err().kind(), ErrorKind::Request);
    }

    #[test]
    fn a_connector_is_given_the_server_alone() {
        let origin = Origin::of(&"https://ada:secret@example.org/path?query".parse().unwrap());
        assert_eq!(origin.uri().unwrap().to_string(), "https://example.org:443/");
    }
}

//! What HTTP has in small numbers, as text of the program itself.

use http::{Method, StatusCode, Version};

/// The method, or `_OTHER`: a client can invent as many as it likes. These are the methods that OpenTelemetry's conventions know.
pub(crate) fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

pub(crate) fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "_OTHER",
    }
}

pub(crate) fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "_OTHER",
    }
}

/// Whether the response to such a request has no body on the wire, whatever the handler made.
pub(crate) fn has_no_body(method: &Method, status: StatusCode) -> bool {
    let is_tunnel = *method == Method::CONNECT && status.is_success();
    let is_bare = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    *method == Method::HEAD || is_tunnel || is_bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_is_not_known_is_other() {
        assert_eq!(method(&Method::PATCH), "PATCH");
        for invented in ["get", "PROPFIND", "XGET"] {
            assert_eq!(method(&invented.parse().unwrap()), "_OTHER");
        }
    }

    #[test]
    fn a_status_is_of_the_class_of_its_first_digit() {
        let class = |code| status_class(StatusCode::from_u16(code).unwrap());
        assert_eq!([100, 204, 302, 499, 503].map(class), ["1xx", "2xx", "3xx", "4xx", "5xx"]);
        assert_eq!(class(999), "_OTHER");
    }

    #[test]
    fn no_body_follows_some_heads() {
        let bare = |method: Method, code| has_no_body(&method, StatusCode::from_u16(code).unwrap());
        assert!(bare(Method::HEAD, 200) && bare(Method::CONNECT, 200) && bare(Method::GET, 101));
        assert!(bare(Method::GET, 204) && bare(Method::GET, 304));
        assert!(!bare(Method::GET, 200) && !bare(Method::CONNECT, 404) && !bare(Method::POST, 205));
    }
}

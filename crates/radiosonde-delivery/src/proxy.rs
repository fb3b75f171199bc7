//! The proxy of the environment: one that cannot be used must not be passed over, as events would go past it.

use std::env;
use std::ffi::OsString;

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

/// Where the client looks for a proxy, and in which order.
const VARIABLES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Where it looks for what is reached without one.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The variable of the environment that should name a proxy for `url`, and does not name one that can be used.
pub(crate) fn unusable(url: &str) -> Option<&'static str> {
    find_unusable(url, env::var_os)
}

fn find_unusable(
    url: &str,
    variable: impl Fn(&'static str) -> Option<OsString>,
) -> Option<&'static str> {
    let text = |name| Some(variable(name)?.to_str()?.to_owned());
    let exceptions = EXCEPTIONS.into_iter().find_map(text).unwrap_or_default();
    let any = Proxy::builder(ProxyProtocol::Http);
    let any = exceptions.split(',').fold(any, |any, exception| any.no_proxy(exception));
    if let (Ok(any), Ok(url)) = (any.build(), url.parse::<Uri>())
        && any.is_no_proxy(&url)
    {
        return None;
    }
    for name in VARIABLES {
        let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
        let proxy = value.to_str().and_then(|value| Proxy::new(value).ok());
        return match proxy.map(|proxy| proxy.protocol()) {
            Some(ProxyProtocol::Http) => None,
            Some(ProxyProtocol::Https) if cfg!(feature = "tls") => None,
            _ => Some(name),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://collector.example/in";

    /// What is found in an environment of these variables.
    fn found(set: &[(&str, &str)]) -> Option<&'static str> {
        find_unusable(URL, |name| {
            set.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_by_its_variable() {
        for value in
            ["not a url", "ftp://proxy", "http://", "socks5://proxy", "socks4://proxy", " "]
        {
            for name in VARIABLES {
                assert_eq!(found(&[(name, value)]), Some(name), "{value}");
            }
        }
        assert_eq!(found(&[("http_proxy", "http://proxy"), ("ALL_PROXY", "?")]), Some("ALL_PROXY"));
        for set in [
            &[][..],
            &[("HTTPS_PROXY", "")],
            &[("HTTPS_PROXY", ""), ("http_proxy", "http://user:password@proxy:3128")],
            &[("ALL_PROXY", "proxy:3128"), ("HTTP_PROXY", "not looked at")],
        ] {
            assert_eq!(found(set), None, "{set:?}");
        }
        #[cfg(feature = "tls")]
        assert_eq!(found(&[("ALL_PROXY", "https://proxy")]), None);
    }

    #[test]
    fn what_is_reached_without_a_proxy_needs_none_that_can_be_used() {
        for exceptions in ["collector.example", "other.example,.example", "*"] {
            for name in EXCEPTIONS {
                assert_eq!(found(&[("ALL_PROXY", "?"), (name, exceptions)]), None, "{exceptions}");
            }
        }
        assert_eq!(found(&[("ALL_PROXY", "?"), ("NO_PROXY", "other.example")]), Some("ALL_PROXY"));
    }

    #[cfg(unix)]
    #[test]
    fn a_proxy_that_is_not_unicode_cannot_be_used() {
        use std::os::unix::ffi::OsStringExt as _;

        let proxy =
            |name| (name == "HTTPS_PROXY").then(|| OsString::from_vec(b"http://\xff".to_vec()));
        assert_eq!(find_unusable(URL, proxy), Some("HTTPS_PROXY"));
    }
}

//! What no reporter may let out: which keys look secret, and what is cut from URLs.

use std::borrow::Cow;

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Fragments of keys that name secrets, in lower case and without separators.
const SECRET_FRAGMENTS: [&str; 12] = [
    "authorization",
    "cookie",
    "token",
    "password",
    "passwd",
    "secret",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "bearer",
    "jwt",
];

/// Whether a key looks as if its value were a secret, whatever its declared privacy.
///
/// Case and separators do not matter. `token` alone is enough, so `token_count` is taken for a secret too: a number
/// lost from a log is cheaper than a token found in it.
///
/// ```
/// use radiosonde_delivery::redact::looks_secret;
/// assert!(looks_secret("X-Api-Key") && looks_secret("refresh_token") && looks_secret("http.cookies"));
/// assert!(!looks_secret("api") && !looks_secret("status"));
/// ```
#[must_use]
pub fn looks_secret(key: &str) -> bool {
    let bare: String =
        key.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    bare == "auth" || bare == "pwd" || SECRET_FRAGMENTS.iter().any(|secret| bare.contains(secret))
}

/// The text without what URLs in it may hide: query strings, fragments, user names and passwords.
///
/// A URL is a word with `://` in it, or a path: a word with a `/` before its first `?`. The rest is left as it is.
///
/// ```
/// use radiosonde_delivery::redact::without_queries;
/// assert_eq!(without_queries("GET https://u:p@a.example/x?key=1#f failed"), "GET https://a.example/x failed");
/// assert_eq!(without_queries("/download?signature=abc"), "/download");
/// assert_eq!(without_queries("ready?"), "ready?");
/// ```
#[must_use]
pub fn without_queries(text: &str) -> Cow<'_, str> {
    if !text.contains('/') || !text.contains(['?', '#', '@']) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    for word in text.split_inclusive(ends_url) {
        let end = word.strip_suffix(ends_url).map_or(word.len(), str::len);
        clean_word(&word[..end], &mut clean);
        clean.push_str(&word[end..]);
    }
    Cow::Owned(clean)
}

/// What no URL contains unescaped, and what quotes one in prose.
fn ends_url(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '<' | '>' | '`')
}

fn clean_word(word: &str, clean: &mut String) {
    let Some((scheme, rest)) = word.split_once("://") else {
        let kept = match word.split_once('?') {
            Some((path, _)) if path.contains('/') => path,
            _ => word,
        };
        return clean.push_str(kept);
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // What stands before the scheme may be a query itself: `/go?to=https://…`.
    let scheme = match scheme.split_once('?') {
        Some((path, _)) if path.contains('/') => return clean.push_str(path),
        _ => scheme,
    };
    for part in [scheme, "://", host, path] {
        clean.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_name_secrets_are_recognised_in_every_spelling() {
        for key in [
            "authorization",
            "Proxy-Authorization",
            "cookie",
            "Set-Cookie",
            "token",
            "access_token",
            "accessToken",
            "password",
            "db.password",
            "client_secret",
            "api_key",
            "APIKEY",
            "x-api-key",
            "aws_access_key_id",
            "private-key",
            "credentials",
            "jwt",
            "auth",
            "pwd",
        ] {
            assert!(looks_secret(key), "{key}");
        }
        for key in ["api", "author", "status", "key", "name", "ticket_id", "auth_method", "url"] {
            assert!(!looks_secret(key), "{key}");
        }
    }

    #[test]
    fn queries_fragments_and_user_information_are_cut_from_urls() {
        for (text, clean) in [
            ("https://a.example/x?token=s", "https://a.example/x"),
            ("https://a.example?token=s", "https://a.example"),
            ("https://a.example/#access_token=s", "https://a.example/"),
            ("postgres://user:s@db.example:5432/app", "postgres://db.example:5432/app"),
            ("https://user:p@s@a.example/x", "https://a.example/x"),
            ("/x/y?sig=s and /z?sig=s", "/x/y and /z"),
            (
                "error for url (\"https://a.example/x?k=s\"): refused",
                "error for url (\"https://a.example/x\"): refused",
            ),
            ("x/y?to=https://b.example/?k=s", "x/y"),
            ("a\nhttps://a.example/?k=s\nb", "a\nhttps://a.example/\nb"),
        ] {
            assert_eq!(without_queries(text), clean);
        }
    }

    #[test]
    fn text_without_urls_is_borrowed() {
        for text in ["", "plain", "is it ready?", "a/b", "someone@example.org"] {
            assert!(matches!(without_queries(text), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(without_queries("why? a/b"), "why? a/b");
    }
}

//! Keys that name secrets.

/// Fragments of keys that name credentials, in lower case and without separators, by their first letter.
const fn credentials(first: u8) -> &'static [&'static [u8]] {
    match first {
        b'a' => &[b"authorization", b"apikey", b"accesskey", b"accountkey"],
        b'b' => &[b"bearer"],
        b'c' => &[b"cookie", b"credential"],
        b'e' => &[b"encryptionkey"],
        b'j' => &[b"jwt"],
        b'p' => &[b"password", b"passwd", b"passphrase", b"privatekey"],
        b's' => &[b"secret", b"signature", b"signingkey"],
        b't' => &[b"token"],
        _ => &[],
    }
}

/// Words that name credentials if they are a key, or its last part.
const WORDS: [&[u8]; 6] = [b"auth", b"pwd", b"pass", b"sig", b"otp", b"pin"];

/// What names a secret in a log, and what analytics group by.
const fn sessions(first: u8) -> &'static [&'static [u8]] {
    if first == b's' { &[b"sessionid"] } else { &[] }
}

/// What names a header whose secret takes the rest of its line.
const fn headers(first: u8) -> &'static [&'static [u8]] {
    match first {
        b'a' => &[b"authorization"],
        b'c' => &[b"cookie"],
        _ => &[],
    }
}

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
    names_credential(key) || contains(key.as_bytes(), sessions)
}

/// Whether a key looks as if its value were a credential: [`looks_secret`] without ids of sessions, by which analytics
/// group what belongs together.
///
/// ```
/// use radiosonde_delivery::redact::names_credential;
/// assert!(names_credential("db.password") && names_credential("smtp_pass"));
/// assert!(!names_credential("session_id"));
/// ```
#[must_use]
pub fn names_credential(key: &str) -> bool {
    let key = key.as_bytes();
    let mut parts = key.rsplit(|byte| is_separator(*byte));
    let last = parts.find(|part| !part.is_empty()).unwrap_or_default();
    WORDS.iter().any(|word| last.eq_ignore_ascii_case(word)) || contains(key, credentials)
}

/// Whether a key names a header with credentials.
pub(super) fn names_header(key: &str) -> bool {
    contains(key.as_bytes(), headers)
}

/// Whether one of the fragments that begin with a letter is in the key, whatever stands between its letters.
fn contains(key: &[u8], fragments: impl Fn(u8) -> &'static [&'static [u8]]) -> bool {
    (0..key.len()).any(|start| {
        let fragments = fragments(key[start].to_ascii_lowercase());
        fragments.iter().any(|fragment| begins(&key[start..], fragment))
    })
}

fn begins(key: &[u8], fragment: &[u8]) -> bool {
    let mut letters = key.iter().filter(|byte| !is_separator(**byte));
    fragment
        .iter()
        .all(|letter| letters.next().is_some_and(|byte| byte.eq_ignore_ascii_case(letter)))
}

/// What is in no key but between its parts.
fn is_separator(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric()
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
            "passphrase",
            "session_id",
            "X-Amz-Signature",
            "auth",
            "pwd",
            "PASS",
            "sig",
            "otp",
            "user.PIN",
            "db.pwd",
            "SMTP_PASS",
            "pa--ss_wo rd",
            "AccountKey",
        ] {
            assert!(looks_secret(key), "{key}");
        }
        for key in [
            "api",
            "author",
            "status",
            "key",
            "name",
            "ticket_id",
            "auth_method",
            "url",
            "",
            "-",
            "pint",
            "bypass",
            "tökén",
        ] {
            assert!(!looks_secret(key), "{key}");
        }
    }

    #[test]
    fn ids_of_sessions_are_secret_in_a_log_and_no_credentials() {
        for key in ["session_id", "sessionId", "$session_id"] {
            assert!(looks_secret(key) && !names_credential(key), "{key}");
        }
        assert!(names_credential("session_token"));
    }
}

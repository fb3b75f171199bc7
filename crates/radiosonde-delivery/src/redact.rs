//! What no reporter may let out: values of keys that name secrets, secrets in texts, and what URLs hide.
//!
//! It is a second line behind what events declare and rules permit, and no guarantee: a secret that neither looks like one
//! nor stands behind a word that says so is not recognised.

use std::borrow::Cow;

mod keys;
mod secrets;
mod tokens;
mod urls;
mod words;

use secrets::redacted;
use words::is_plain;

pub use keys::{looks_secret, names_credential};
pub use secrets::without_secrets;
pub use urls::without_queries;

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The text [`without_secrets`] and [`without_queries`]: what may leave the process of it.
///
/// ```
/// use radiosonde_delivery::redact::clean;
/// assert_eq!(clean("GET https://u:p@a.example/x?key=1 with token=abc"), "GET https://a.example/x with token=[redacted]");
/// ```
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    // In this order, as a query may be cut in the middle of what a secret is known by.
    match redacted(text) {
        Cow::Borrowed(text) => without_queries(text),
        Cow::Owned(text) => {
            let cut = match without_queries(&text) {
                Cow::Owned(cut) => Some(cut),
                Cow::Borrowed(_) => None,
            };
            Cow::Owned(cut.unwrap_or(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample;

    use super::*;

    const BEGINNINGS: &[&str] =
        &["eyJ", "ghp_", "hf_", "AKIA", "sk-", "-----BEGIN", "Bearer", "-u", "password", "--token"];

    #[test]
    fn the_rest_of_a_query_with_a_credential_in_it_is_not_left_behind() {
        assert_eq!(clean("/x?a=Bearer planted"), "/x [redacted]");
        assert_eq!(clean("password=planted at /x?a=b"), "password=[redacted] at /x");
        assert!(matches!(clean("plain"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn a_text_that_is_quickly_seen_to_be_plain_has_nothing_to_redact(
            parts in vec(prop_oneof!["[A-Za-z0-9/_-]{0,6}", sample::select(BEGINNINGS).prop_map(str::to_owned), "[ -~]"], 0..8)
        ) {
            let text = parts.concat();
            if is_plain(&text) {
                prop_assert!(matches!(redacted(&text), Cow::Borrowed(_)));
                prop_assert!(matches!(without_queries(&text), Cow::Borrowed(_)));
            }
        }
    }

    #[test]
    fn most_texts_are_quickly_seen_to_be_plain() {
        for text in ["", "user-42", "/accounts/tuist/previews/17", "multipart_upload_completed"] {
            assert!(is_plain(text), "{text}");
        }
        for text in [
            "ghp_abcdefghijk1",
            "a/eyJhbGciOiJub_eyJ",
            "a=b",
            "/x?y",
            "a b",
            "hooks.slack.com/x",
            "ü",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }
}

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
    // In this order, as a query may be cut in the middle of what a secret is known by.
    match without_secrets(text) {
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
    use super::*;

    #[test]
    fn the_rest_of_a_query_with_a_credential_in_it_is_not_left_behind() {
        assert_eq!(clean("/x?a=Bearer planted"), "/x [redacted]");
        assert_eq!(clean("password=planted at /x?a=b"), "password=[redacted] at /x");
        assert!(matches!(clean("plain"), Cow::Borrowed(_)));
    }
}

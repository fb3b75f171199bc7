//! URLs that carry their own permission: whoever has one may do what it says, until it expires.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How long a signed URL is good.
const VALIDITY: Duration = Duration::from_secs(600);

/// The query of a signed URL: `query` (empty, or ending in `&`), the moment of expiry, and the signature over all that.
pub(super) fn sign(key: &str, method: &str, path: &str, query: &str) -> String {
    let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + VALIDITY;
    let query = format!("{query}expires={}", expires.as_secs());
    let signature = signature(key, &format!("{method} {path}?{query}"));
    format!("{query}&signature={signature}")
}

fn signature(key: &str, text: &str) -> String {
    let mut signature = String::new();
    // Keys of every length are good, so this always signs.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
        mac.update(text.as_bytes());
        for byte in mac.finalize().into_bytes() {
            // Writing to a string cannot fail.
            let _ = write!(signature, "{byte:02x}");
        }
    }
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_rfc_4231() {
        assert_eq!(
            signature("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_signature_covers_method_path_and_query() {
        let signature_of = |url: String| url.split_once("signature=").unwrap().1.to_owned();
        let signed = |method, path, query| signature_of(sign("key", method, path, query));
        assert_ne!(signed("GET", "a", ""), signed("PUT", "a", ""));
        assert_ne!(signed("GET", "a", ""), signed("GET", "b", ""));
        assert_ne!(signed("GET", "a", "x=1&"), signed("GET", "a", "x=2&"));
    }
}

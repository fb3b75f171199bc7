//! Whether a URL is signed with the store's key, and not yet expired.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Checks the last parameter of the query, which signs all that comes before it.
pub(super) fn is_good(key: &str, method: &str, path: &str, query: &str) -> bool {
    let Some((signed, signature)) = query.rsplit_once("&signature=") else { return false };
    let expires = signed.rsplit_once("expires=").and_then(|(_, expires)| expires.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if expires.is_none_or(|expires: u64| expires < now) {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return false };
    mac.update(format!("{method} {path}?{signed}").as_bytes());
    bytes(signature).is_some_and(|signature| mac.verify_slice(&signature).is_ok())
}

/// The bytes of a hexadecimal text.
fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    let pairs = hexadecimal.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

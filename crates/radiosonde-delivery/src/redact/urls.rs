//! What URLs hide: query strings, fragments, user names and passwords.

use std::borrow::Cow;

use super::REDACTED;

/// What a text has that may have a URL in it, and something to cut from that.
const ENDS_PATH: u8 = 1;
const IS_URL: u8 = 2;

static MARKS: [u8; 256] = marks();

const fn marks() -> [u8; 256] {
    let mut marks = [0; 256];
    marks[b'?' as usize] = ENDS_PATH;
    marks[b'#' as usize] = ENDS_PATH;
    marks[b'@' as usize] = ENDS_PATH;
    marks[b'%' as usize] = ENDS_PATH;
    marks[b'/' as usize] = IS_URL;
    marks[b'=' as usize] = IS_URL;
    marks
}

/// The text without what URLs in it may hide: query strings, fragments, user names and passwords.
///
/// A URL is a word with `://` in it, a word with a `/` before its first `?` or `#`, or a word with a `=` after its first
/// `?`; percent-encoded `?` and `#` count too. The rest is left as it is.
///
/// ```
/// use radiosonde_delivery::redact::without_queries;
/// assert_eq!(without_queries("GET https://u:p@a.example/x?key=1#f failed"), "GET https://a.example/x failed");
/// assert_eq!(without_queries("/download?signature=abc"), "/download");
/// assert_eq!(without_queries("ready?"), "ready?");
/// ```
#[must_use]
pub fn without_queries(text: &str) -> Cow<'_, str> {
    let has = text.bytes().fold(0, |has, byte| has | MARKS[usize::from(byte)]);
    if has != ENDS_PATH | IS_URL {
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
    let kept = without_query(word);
    let has_user = word.contains('@');
    let mut urls = kept.split("://");
    clean.push_str(urls.next().unwrap_or_default());
    // There may be more than one, as in a list, or behind the address of a proxy.
    for rest in urls {
        clean.push_str("://");
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        match authority.rsplit_once('@') {
            Some((_, host)) => clean.push_str(host),
            // A password with a `/`, a `?` or a `#` in it, which goes on behind that.
            None if has_user && !has_port(authority) => return clean.push_str(REDACTED),
            None => clean.push_str(authority),
        }
        clean.push_str(path);
    }
}

/// The word up to its query or fragment, if what is before or behind that makes it a URL.
fn without_query(word: &str) -> &str {
    let ends = word.char_indices().find(|&(index, c)| match c {
        '?' | '#' => true,
        '%' => matches!(word.as_bytes().get(index + 1..index + 3), Some(b"3f" | b"3F" | b"23")),
        _ => false,
    });
    let Some((end, _)) = ends else { return word };
    let (path, query) = word.split_at(end);
    let is_url = path.contains('/') || (!query.starts_with('#') && query.contains('='));
    if is_url { path } else { word }
}

/// Whether what follows the host's colon, if it has one, is a port.
fn has_port(authority: &str) -> bool {
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("/callback#access_token=s", "/callback"),
            ("a.example?token=s", "a.example"),
            ("?token=s&x=1", ""),
            ("https://a.example/x%3Ftoken%3Ds", "https://a.example/x"),
            ("/go%3fto%3Ds", "/go"),
            ("https://a.example/x%20y%", "https://a.example/x%20y%"),
            (
                "https://a.example/x,https://u:s@b.example/y",
                "https://a.example/x,https://b.example/y",
            ),
            ("http://proxy/https://u:s@b.example/?k=s", "http://proxy/https://b.example/"),
            ("postgres://u:s/s@db.example/app", "postgres://[redacted]"),
            ("postgres://u:s#s@db.example/app", "postgres://[redacted]"),
            ("postgres://u:s?s@db.example/app", "postgres://[redacted]"),
            ("http://[::1]/@scope/x#s", "http://[::1]/@scope/x"),
            ("http://a.example:8080/@scope/x", "http://a.example:8080/@scope/x"),
            (r#"{\"url\":\"https://u:s@a.example/?k=s\"}"#, r#"{\"url\":\"https://a.example/"}"#),
            (r#"{"url":"https://u:s@a.example/?k=s"}"#, r#"{"url":"https://a.example/"}"#),
        ] {
            assert_eq!(without_queries(text), clean);
        }
    }

    #[test]
    fn a_text_takes_time_as_it_is_long_and_no_more() {
        let fastest = |urls: usize| {
            let text = format!("{}?a=b", "://".repeat(urls));
            let time = || {
                let start = std::time::Instant::now();
                assert_eq!(without_queries(&text).len(), 3 * urls);
                start.elapsed()
            };
            (0..5).map(|_| time()).min().unwrap()
        };
        let (short, long) = (fastest(1 << 12), fastest(1 << 17));
        assert!(long < 256 * short, "32 times the text took {long:?} instead of {short:?}");
    }

    #[test]
    fn text_without_urls_is_borrowed() {
        for text in ["", "plain", "is it ready?", "a/b", "a=b", "someone@example.org"] {
            assert!(matches!(without_queries(text), Cow::Borrowed(same) if same == text));
        }
        for text in ["why? a/b", "a/b is 5 % of c=d", "see #12 and a=b"] {
            assert_eq!(without_queries(text), text);
        }
    }
}

//! Secrets in the middle of texts: found by how they look, or by what stands before them.

use std::borrow::Cow;

use radiosonde_delivery::redact::{REDACTED, looks_secret};

/// What tokens of well-known issuers begin with.
const PREFIXES: [&str; 24] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxs-",
    "xapp-",
    "npm_",
    "pypi-",
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "AKIA",
    "ASIA",
    "AIza",
    "phx_",
    "phs_",
    "fo1_",
];

/// What follows such a beginning is at least so long.
const PREFIXED: usize = 12;

/// The text with `[redacted]` for the secrets in it: values behind keys that look secret (`password=…`,
/// `"api_key": "…"`, `--token …`), credentials behind `Bearer` and `Basic`, JWTs, tokens of well-known issuers, and
/// private keys.
///
/// In doubt more is taken than less: a quote that is not closed ends with the text.
pub(crate) fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut clean: Option<String> = None;
    let mut kept = 0;
    let mut at = 0;
    while let Some(start) = text[at..].find(in_word).map(|offset| at + offset) {
        let end = end_of(text, start, in_word);
        at = end;
        if let Some((from, to)) = secret(text, start, end) {
            let clean = clean.get_or_insert_with(|| String::with_capacity(text.len()));
            clean.push_str(&text[kept..from]);
            clean.push_str(REDACTED);
            (kept, at) = (to, to);
        }
    }
    match clean {
        None => Cow::Borrowed(text),
        Some(mut clean) => {
            clean.push_str(&text[kept..]);
            Cow::Owned(clean)
        }
    }
}

/// What keys and most tokens are made of.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Where a run of such characters ends.
fn end_of(text: &str, start: usize, is_in: impl Fn(char) -> bool) -> usize {
    text[start..].find(|c| !is_in(c)).map_or(text.len(), |length| start + length)
}

/// The secret that is this word, or that it announces.
fn secret(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let word = &text[start..end];
    if word.len() < 3 {
        return None;
    }
    if word.starts_with("-----BEGIN") {
        let label: String = text[end..].chars().take(40).collect();
        return label.contains("PRIVATE KEY").then(|| (start, end_of_key(text, end)));
    }
    if let Some(offset) = token(word) {
        return Some((start + offset, end_of(text, end, in_credential)));
    }
    if let Some(credential) = credential(text, word, end) {
        return Some(credential);
    }
    let last = word.rsplit_once('.').map(|(_, last)| last);
    if !looks_secret(word) && !last.is_some_and(looks_secret) {
        return None;
    }
    let from = value_start(text, word, end)?;
    let to = value_end(text, word, from);
    // What is redacted already, or not there, stays as it is.
    (to > from && &text[from..to] != REDACTED).then_some((from, to))
}

/// Where the private key's text ends: behind its last line, or with the text, if it was cut off.
fn end_of_key(text: &str, start: usize) -> usize {
    let Some(last) = text[start..].find("-----END") else { return text.len() };
    end_of(text, start + last, |c| !matches!(c, '\n' | '"' | '\\'))
}

/// Where in the word a JWT or a token of a well-known issuer begins.
fn token(word: &str) -> Option<usize> {
    // `eyJ` is `{"` in base64.
    let jwt = word.find("eyJ").filter(|start| word.len() - start >= 16);
    let prefixed = PREFIXES.iter().filter_map(|prefix| {
        let start = word.find(prefix)?;
        let rest = &word[start + prefix.len()..];
        let begins = !word[..start].ends_with(char::is_alphanumeric);
        let is_random = rest.len() >= PREFIXED && rest.contains(|c: char| c.is_ascii_digit());
        (begins && is_random).then_some(start)
    });
    jwt.into_iter().chain(prefixed).min()
}

/// What base64 and percent-encoding add to the characters of words.
fn in_credential(c: char) -> bool {
    in_word(c) || matches!(c, '~' | '+' | '/' | '=' | '%')
}

/// What an authorization scheme has behind it.
fn credential(text: &str, word: &str, end: usize) -> Option<(usize, usize)> {
    let is_bearer = word.eq_ignore_ascii_case("bearer");
    if !is_bearer && !word.eq_ignore_ascii_case("basic") {
        return None;
    }
    let is_between = |c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\\' | '<' | '[' | '(' | '{' | '$')
    };
    let from = match text[end..].strip_prefix("%20") {
        Some(_) => end + 3,
        None => end_of(text, end, is_between),
    };
    let to = end_of(text, from, in_credential);
    let credential = &text[from..to];
    let is_credential = is_bearer
        || credential.len() >= 6
            && credential
                .contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase() || c == '=');
    (from > end && !credential.is_empty() && is_credential).then_some((from, to))
}

/// Where the value of a key begins, if one does: behind what closes the key, and a separator.
fn value_start(text: &str, key: &str, end: usize) -> Option<usize> {
    let mut at = end;
    while let Some(closing) =
        ["%22", "%27", "%5D", "%5d"].iter().find(|c| text[at..].starts_with(**c))
    {
        at += closing.len();
    }
    let closes = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\\' | ']' | ')');
    at = end_of(text, at, closes);
    let separators = ["=>", ":=", "->", "==", "=", ":", ">", "%3D", "%3d", "%3A", "%3a"];
    match separators.iter().find(|separator| text[at..].starts_with(**separator)) {
        Some(separator) => at += separator.len(),
        // An option of a command line.
        None if key.starts_with("--") && text[end..].starts_with(char::is_whitespace) => {}
        None => return None,
    }
    Some(end_of(text, at, char::is_whitespace))
}

/// Where the value that begins here ends: a quoted one behind its quote, another one at what separates values, and a
/// header's with its line.
fn value_end(text: &str, key: &str, start: usize) -> usize {
    let bare: String =
        key.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let is_header = bare.contains("authorization") || bare.contains("cookie");
    let mut at = start;
    let mut depth = 0_usize;
    let mut backslashes = 0;
    while let Some(c) = text[at..].chars().next() {
        let next = at + c.len_utf8();
        match c {
            '"' | '\'' | '`' => {
                at = end_of_quoted(text, next, c, backslashes);
                backslashes = 0;
                if depth == 0 && !is_header && !text[at..].starts_with(in_word) {
                    return at;
                }
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' | ',' | ';' | '&' | '<' | '|' if depth == 0 && !is_header => return at,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '\n' | '\r' if depth == 0 && is_header => return at,
            c if c.is_whitespace() && depth == 0 && !is_header && !is_scheme(&text[start..at]) => {
                return at;
            }
            _ => {}
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        at = next;
    }
    text.len()
}

/// Whether this is no value, but what announces one.
fn is_scheme(text: &str) -> bool {
    ["bearer", "basic", "digest", "token", "apikey", "negotiate"]
        .iter()
        .any(|scheme| text.trim().eq_ignore_ascii_case(scheme))
}

/// Where a quoted value ends whose quote had so many backslashes before it: behind the next one with no more of them.
fn end_of_quoted(text: &str, start: usize, quote: char, backslashes: usize) -> usize {
    let mut before = 0;
    for (offset, c) in text[start..].char_indices() {
        if c == quote && before <= backslashes {
            return start + offset + c.len_utf8();
        }
        before = if c == '\\' { before + 1 } else { 0 };
    }
    text.len()
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;

//! Secrets in the middle of texts: found by how they look, or by what stands before them.

use std::borrow::Cow;

use super::REDACTED;
use super::keys::{looks_secret, names_header};
use super::tokens::token;
use super::words::{Word, in_word, is_plain};

/// Hosts, and paths on them behind which everything is the secret.
const WEBHOOKS: [(&str, &str); 5] = [
    ("hooks.slack.com", "/services/"),
    ("hooks.slack.com", "/workflows/"),
    ("discord.com", "/api/webhooks/"),
    ("discordapp.com", "/api/webhooks/"),
    ("api.telegram.org", "/bot"),
];

/// The text with `[redacted]` for the secrets in it: values behind keys that [look secret](looks_secret)
/// (`password=…`, `"api_key": "…"`, `--token …`), credentials behind `Bearer`, `Basic` and `-u`, JWTs, tokens of
/// well-known issuers, URLs of webhooks, and private keys.
///
/// In doubt more is taken than less: a quote that is not closed ends with the text. It takes time as the text is long,
/// and no memory if there is nothing to redact.
///
/// ```
/// use radiosonde_delivery::redact::without_secrets;
/// assert_eq!(without_secrets("sent Bearer abc.def to a"), "sent Bearer [redacted] to a");
/// assert_eq!(without_secrets("login?password=abc&page=2"), "login?password=[redacted]&page=2");
/// assert_eq!(without_secrets("the token has expired"), "the token has expired");
/// ```
#[must_use]
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    if is_plain(text) { Cow::Borrowed(text) } else { redacted(text) }
}

/// The same of a text that is not plain.
pub(super) fn redacted(text: &str) -> Cow<'_, str> {
    let mut clean: Option<String> = None;
    let mut kept = 0;
    let mut at = 0;
    let mut no_login_before = 0;
    while let Some(word) = Word::next(text, at) {
        at = word.end;
        if let Some((from, to)) = secret(text, &word, &mut no_login_before) {
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

/// Where a run of such characters ends.
fn end_of(text: &str, start: usize, is_in: impl Fn(char) -> bool) -> usize {
    text[start..].find(|c| !is_in(c)).map_or(text.len(), |length| start + length)
}

/// The secret that is this word, or that it announces. `no_login_before` remembers from word to word how far [`login`]
/// has looked.
fn secret(text: &str, word: &Word, no_login_before: &mut usize) -> Option<(usize, usize)> {
    let &Word { start, end, may_be_token } = word;
    let bytes = text.as_bytes();
    let is_escaped = start > 0 && bytes[start - 1] == b'\\';
    let word = &text[start..end];
    let may_begin_key = bytes[start] == b'-' || is_escaped;
    if may_begin_key && (begins_key(word) || word.get(1..).is_some_and(begins_key)) {
        let label: String = text[end..].chars().take(40).collect();
        return label.contains("PRIVATE KEY").then(|| (start, end_of_key(text, end)));
    }
    if may_be_token && let Some(offset) = token(word.as_bytes(), is_escaped) {
        return Some((start + offset, end_of(text, end, in_credential)));
    }
    match bytes.get(end..)? {
        [] => None,
        [b'/', ..] => webhook(text, word, end),
        // Most words of a sentence.
        [b' ', next, ..] if next.is_ascii_alphanumeric() && !announces(word) => None,
        _ => credential(text, word, end)
            .or_else(|| login(text, word, end, no_login_before))
            .or_else(|| value(text, word, end)),
    }
}

/// Whether a word may have a secret behind it with nothing but a space between them: an option or a scheme.
fn announces(word: &str) -> bool {
    matches!(word.as_bytes()[0], b'-' | b'b' | b'B')
}

fn begins_key(word: &str) -> bool {
    word.starts_with("-----BEGIN")
}

/// Where the private key's text ends: behind its last line, or with the text, if it was cut off.
fn end_of_key(text: &str, start: usize) -> usize {
    let Some(last) = text[start..].find("-----END") else { return text.len() };
    end_of(text, start + last, |c| !matches!(c, '\n' | '"' | '\\'))
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
    if from == end {
        return None;
    }
    let to = end_of(text, from, in_credential);
    let credential = &text[from..to];
    let is_credential = is_bearer
        || credential.len() >= 6
            && credential
                .contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase() || c == '=');
    let is_redacted = text[..to].ends_with(&REDACTED[..REDACTED.len() - 1]);
    (!credential.is_empty() && is_credential && !is_redacted).then_some((from, to))
}

/// User and password behind the option of a command line, such as `curl -u user:password`. Numbers alone are a user and
/// a group.
///
/// Of what has no space in it only the first option is looked at: if that has no login, those behind it have none, and
/// each would be read to the end.
fn login(
    text: &str,
    word: &str,
    end: usize,
    no_login_before: &mut usize,
) -> Option<(usize, usize)> {
    if !matches!(word, "-u" | "-U" | "--user" | "--proxy-user") {
        return None;
    }
    let from = end_of(text, end, |c| c.is_whitespace() || c == '=');
    if from == end {
        return None;
    }
    let to = match text[from..].chars().next() {
        Some(quote @ ('"' | '\'' | '`')) => end_of_quoted(text, from + 1, quote, 0),
        _ if from < *no_login_before => return None,
        _ => {
            *no_login_before = end_of(text, from, |c| !c.is_whitespace());
            *no_login_before
        }
    };
    let login = &text[from..to];
    let is_ids = login.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    // What ends in a separator has its secret behind it.
    let is_whole = !login.ends_with([':', '=', '>']);
    (login.contains(':') && is_whole && !is_ids).then_some((from, to))
}

/// What comes behind the path of a webhook.
fn webhook(text: &str, word: &str, end: usize) -> Option<(usize, usize)> {
    let is_of = |(host, path): &(&str, &str)| word.ends_with(host) && text[end..].starts_with(path);
    let (_, path) = WEBHOOKS.into_iter().find(is_of)?;
    let from = end + path.len();
    let to = end_of(text, from, |c| in_credential(c) || c == ':');
    (to > from).then_some((from, to))
}

/// The value of this key, if it is one that looks secret.
fn value(text: &str, key: &str, end: usize) -> Option<(usize, usize)> {
    // Of all keys most are those of a URL.
    if key.len() < 3 || matches!(key, "http" | "https") {
        return None;
    }
    let from = value_start(text, key, end)?;
    // What is redacted already stays as it is.
    if !looks_secret(key) || text[from..].starts_with(REDACTED) {
        return None;
    }
    let is_quote = |c: char| matches!(c, '"' | '\'' | '`' | '\\');
    let is_quoted = text[end..].starts_with(is_quote) && text[from..].starts_with(is_quote);
    let to = value_end(text, from, names_header(key) && !is_quoted);
    (to > from).then_some((from, to))
}

/// Where the value of a key begins, if one does: behind what closes the key, and a separator.
fn value_start(text: &str, key: &str, end: usize) -> Option<usize> {
    let mut at = behind_index(text, end);
    while text[at..].starts_with('%')
        && ["%22", "%27", "%5B", "%5b", "%5D", "%5d"]
            .iter()
            .any(|closing| text[at..].starts_with(closing))
    {
        at += 3;
    }
    let closes = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '\\' | ']' | ')');
    at = end_of(text, at, closes);
    let separators = ["=>", ":=", "->", "==", "=", ":", ">", "%3D", "%3d", "%3A", "%3a"];
    let may_separate = text[at..].starts_with(['=', ':', '-', '>', '%']);
    match separators.iter().find(|it| may_separate && text[at..].starts_with(**it)) {
        Some(separator) => at += separator.len(),
        // An option of a command line.
        None if key.starts_with("--") && text[end..].starts_with(char::is_whitespace) => {}
        None => return None,
    }
    Some(end_of(text, at, char::is_whitespace))
}

/// Behind the index of a key, if it has one: `[]` or `[0]`, as in the keys of forms.
fn behind_index(text: &str, end: usize) -> usize {
    let start = if text[end..].starts_with(']') { end + 1 } else { end };
    if !text[start..].starts_with('[') || text[start..].starts_with(REDACTED) {
        return end;
    }
    let last = end_of(text, start + 1, in_word);
    if text[last..].starts_with(']') { last + 1 } else { end }
}

/// Where the value that begins here ends: a quoted one behind its quote, another one at what separates values, and that of
/// a header with its line.
fn value_end(text: &str, start: usize, is_line: bool) -> usize {
    let mut at = behind_scheme(text, start);
    let mut depth = 0_usize;
    let mut backslashes = 0;
    while let Some(c) = text[at..].chars().next() {
        let next = at + c.len_utf8();
        match c {
            '"' | '\'' | '`' => {
                at = end_of_quoted(text, next, c, backslashes);
                backslashes = 0;
                if depth == 0 && !is_line && !text[at..].starts_with(in_word) {
                    return at;
                }
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' | ',' | ';' | '&' | '<' | '|' if depth == 0 && !is_line => return at,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '\n' | '\r' if depth == 0 && is_line => return at,
            c if c.is_whitespace() && depth == 0 && !is_line => return at,
            _ => {}
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        at = next;
    }
    text.len()
}

/// Where a value goes on behind the word that only says of what kind it is.
fn behind_scheme(text: &str, start: usize) -> usize {
    let end = end_of(text, start, in_word);
    let is_scheme = ["bearer", "basic", "digest", "token", "apikey", "negotiate"]
        .iter()
        .any(|scheme| text[start..end].eq_ignore_ascii_case(scheme));
    let is_space = |c: char| c.is_whitespace() && !matches!(c, '\n' | '\r');
    if is_scheme { end_of(text, end, is_space) } else { start }
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
mod tests;

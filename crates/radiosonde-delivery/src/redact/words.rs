//! The words of a text, and what they are made of: found byte by byte, as every text that leaves is read.

use super::tokens;

/// What a word is made of.
const IN_WORD: u8 = 1;
const DIGIT: u8 = 2;
/// A letter that is no hexadecimal digit: there is one in what every issuer's token begins with.
const LETTER: u8 = 4;
/// Of `eyJ`.
const JAY: u8 = 8;
/// A character of several bytes.
const WIDE: u8 = 16;
/// What may announce a secret, or end the path of a URL.
const LOUD: u8 = 32;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut index = 0;
    while index < 256 {
        classes[index] = match index as u8 {
            b'0'..=b'9' => IN_WORD | DIGIT,
            b'a'..=b'f' | b'_' | b'-' => IN_WORD,
            b'.' => IN_WORD | LOUD,
            b'/' => 0,
            b'J' => IN_WORD | LETTER | JAY,
            b'A'..=b'Z' | b'g'..=b'z' => IN_WORD | LETTER,
            0x80.. => WIDE | LOUD,
            _ => LOUD,
        };
        index += 1;
    }
    classes
}

/// What keys and most tokens are made of.
pub(super) fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Whether the text can neither hold a secret nor announce one, nor be a URL with something to cut from it: there is
/// nothing in it but words and `/`, and no word can be a token. That is quick to see, and true of most texts.
pub(super) fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has = bytes.iter().fold(0, |has, byte| has | CLASSES[usize::from(*byte)]);
    let are_short = || bytes.split(|byte| *byte == b'/').all(|word| word.len() < tokens::SHORTEST);
    has & LOUD == 0 && (has & (DIGIT | JAY) == 0 || are_short())
}

/// A run of such characters.
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it has what all tokens have: length, and a digit beside letters, or the `J` of `eyJ`.
    pub(super) may_be_token: bool,
}

impl Word {
    /// The next one at or behind this place.
    pub(super) fn next(text: &str, at: usize) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut start = at;
        loop {
            let class = CLASSES[usize::from(*bytes.get(start)?)];
            if class & IN_WORD != 0 {
                break;
            }
            match wide(text, start, class) {
                Some(c) if in_word(c) => break,
                Some(c) => start += c.len_utf8(),
                None => start += 1,
            }
        }
        let (mut end, mut has) = (start, 0);
        loop {
            for byte in &bytes[end..] {
                let class = CLASSES[usize::from(*byte)];
                has |= class;
                if class & IN_WORD == 0 {
                    break;
                }
                end += 1;
            }
            let class = bytes.get(end).map_or(0, |byte| CLASSES[usize::from(*byte)]);
            match wide(text, end, class) {
                Some(c) if in_word(c) => end += c.len_utf8(),
                _ => break,
            }
        }
        let is_long = end - start >= tokens::SHORTEST;
        let is_mixed = has & (DIGIT | LETTER) == DIGIT | LETTER || has & JAY != 0;
        Some(Self { start, end, may_be_token: is_long && is_mixed })
    }
}

/// The character there, if it has several bytes.
#[inline]
fn wide(text: &str, at: usize, class: u8) -> Option<char> {
    if class & WIDE == 0 { None } else { text[at..].chars().next() }
}

//! The text of a compile error, which is put together at compile time.

/// A text of bounded length: a panic at compile time cannot format, only show a finished string.
pub(crate) struct Message {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

impl Message {
    const CAPACITY: usize = 256;

    pub(crate) const fn new(text: &str) -> Self {
        Self { bytes: [0; Self::CAPACITY], length: 0 }.push(text)
    }

    pub(crate) const fn push(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut index = 0;
        while index < bytes.len() && self.length < Self::CAPACITY {
            // A text too long to show whole is cut, and not inside a character.
            self.bytes[self.length] = if bytes[index].is_ascii() { bytes[index] } else { b'?' };
            self.length += 1;
            index += 1;
        }
        self
    }

    pub(crate) const fn push_number(self, number: usize) -> Self {
        let this = if number >= 10 { self.push_number(number / 10) } else { self };
        this.push(match number % 10 {
            0 => "0",
            1 => "1",
            2 => "2",
            3 => "3",
            4 => "4",
            5 => "5",
            6 => "6",
            7 => "7",
            8 => "8",
            _ => "9",
        })
    }

    pub(crate) const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "what is wrong cannot be shown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers_follow_each_other() {
        let message = Message::new("segment ").push_number(120).push(" of ").push_number(0);
        assert_eq!(message.as_str(), "segment 120 of 0");
    }

    #[test]
    fn what_is_too_long_is_cut_and_what_is_not_ascii_replaced() {
        let message = Message::new("ü").push(&"x".repeat(1000));
        assert_eq!(message.as_str().len(), Message::CAPACITY);
        assert!(message.as_str().starts_with("??xxx"));
    }
}

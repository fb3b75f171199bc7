//! Texts, numbers and values as bytes, for records that can be spooled.

use std::time::Duration;

use radiosonde::OwnedValue;

/// Writes a text, and before it its length.
pub fn write_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// Writes a value: its kind, and what it is. Durations become what they are on every wire: integer nanoseconds.
pub fn write_value(value: &OwnedValue, bytes: &mut Vec<u8>) {
    let (kind, number) = match value {
        OwnedValue::Bool(truth) => (1, u64::from(*truth)),
        OwnedValue::I64(number) => (2, u64::from_ne_bytes(number.to_ne_bytes())),
        OwnedValue::U64(number) => (3, *number),
        OwnedValue::F64(number) => (4, number.to_bits()),
        OwnedValue::Duration(duration) => (3, nanoseconds(*duration)),
        OwnedValue::Text(text) => {
            bytes.push(5);
            return write_text(text, bytes);
        }
        // Secrets are never taken; what a later kind of value is shall not be guessed.
        _ => (0, 0),
    };
    bytes.push(kind);
    bytes.extend(number.to_le_bytes());
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What is left to read. Where that is not what was asked for, there is none: the record is damaged.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// Everything is left.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A byte that is 0 or 1.
    pub fn truth(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// As many bytes as the array has.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    /// A number, written as its little-endian bytes.
    pub fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// What [`write_text`] has written.
    pub fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    /// What [`write_value`] has written.
    pub fn value(&mut self) -> Option<OwnedValue> {
        let kind = self.byte()?;
        if kind == 5 {
            return self.text().map(Into::into);
        }
        let number = self.number()?;
        match kind {
            0 => Some(OwnedValue::Null),
            1 => Some(OwnedValue::Bool(number != 0)),
            2 => Some(OwnedValue::I64(i64::from_ne_bytes(number.to_ne_bytes()))),
            3 => Some(OwnedValue::U64(number)),
            4 => Some(OwnedValue::F64(f64::from_bits(number))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_ends_too_soon_is_not() {
        let values = [
            OwnedValue::Null,
            true.into(),
            (-3).into(),
            u64::MAX.into(),
            (0.1 + 0.2).into(),
            "ü".into(),
        ];
        for value in values {
            let mut bytes = Vec::new();
            write_value(&value, &mut bytes);
            let mut all = Bytes::new(&bytes);
            assert!(all.value() == Some(value) && all.is_empty());
            assert!((0..bytes.len()).all(|end| Bytes::new(&bytes[..end]).value().is_none()));
        }
        let mut bytes = Vec::new();
        write_value(&Duration::from_millis(1).into(), &mut bytes);
        assert_eq!(Bytes::new(&bytes).value(), Some(1_000_000_u64.into()));
    }

    #[test]
    fn a_length_that_cannot_be_is_no_text() {
        let mut bytes = u64::MAX.to_le_bytes().to_vec();
        bytes.push(b'x');
        assert_eq!(Bytes::new(&bytes).text(), None);
        assert_eq!(Bytes::new(&[2]).truth(), None);
    }
}

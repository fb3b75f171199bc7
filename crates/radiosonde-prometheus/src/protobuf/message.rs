//! Writing protobuf: fields with their numbers, and messages in messages.

/// A message that is being written to the end of these bytes.
#[derive(Debug)]
pub(super) struct Message<'a>(pub(super) &'a mut Vec<u8>);

/// How the value of a field is written, as its key has it.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Delimited = 2,
}

impl Message<'_> {
    pub(super) fn unsigned(&mut self, number: u32, value: u64) {
        self.key(number, Wire::Varint);
        self.varint(value);
    }

    /// A signed integer in the zigzag encoding, `sint32` or `sint64`.
    pub(super) fn signed(&mut self, number: u32, value: i64) {
        self.unsigned(number, zigzag(value));
    }

    pub(super) fn packed_signed(&mut self, number: u32, values: &[i64]) {
        self.message(number, |packed| {
            values.iter().for_each(|value| packed.varint(zigzag(*value)));
        });
    }

    pub(super) fn double(&mut self, number: u32, value: f64) {
        self.key(number, Wire::Fixed64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn text(&mut self, number: u32, text: &str) {
        self.key(number, Wire::Delimited);
        self.varint(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn message(&mut self, number: u32, write: impl FnOnce(&mut Message<'_>)) {
        self.key(number, Wire::Delimited);
        self.delimited(write);
    }

    /// What is written, behind its length.
    pub(super) fn delimited(&mut self, write: impl FnOnce(&mut Message<'_>)) {
        // The length is known only afterwards. Most are one byte, for which there is a place.
        let start = self.0.len();
        self.0.push(0);
        write(&mut Message(self.0));
        let end = self.0.len();
        let length = end - start - 1;
        if length < 0x80 {
            self.0[start] = length as u8;
        } else {
            // A longer one is written behind, and changes places with what it is the length of.
            self.varint(length as u64);
            let width = self.0.len() - end;
            self.0.remove(start);
            self.0[start..].rotate_right(width);
        }
    }

    fn key(&mut self, number: u32, wire: Wire) {
        self.varint(u64::from(number) << 3 | wire as u64);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

//! The form of a record on disk.
//!
//! A file begins with [`HEADER`]. Then come frames, all numbers little-endian: checksum (CRC-32 of all that follows
//! in the frame), length of the record (4 bytes each), number, age as milliseconds since 1970 (8 bytes each), record.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What every segment begins with; the last byte is the version of this form.
pub(crate) const HEADER: [u8; 8] = *b"rspool\0\x01";

/// The bytes of a frame before the record.
const FIXED: usize = 24;

/// One record on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) number: u64,
    pub(crate) since: SystemTime,
    pub(crate) record: &'a [u8],
}

/// Appends a frame, whose record `write` appends. False, and nothing is appended, if the record is too large to have
/// a length.
pub(crate) fn append(
    bytes: &mut Vec<u8>,
    number: u64,
    since: SystemTime,
    write: impl FnOnce(&mut Vec<u8>),
) -> bool {
    let start = bytes.len();
    bytes.resize(start + FIXED, 0);
    write(bytes);
    let Ok(length) = u32::try_from(bytes.len() - start - FIXED) else {
        bytes.truncate(start);
        return false;
    };
    let milliseconds = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX);
    bytes[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    bytes[start + 8..start + 16].copy_from_slice(&number.to_le_bytes());
    bytes[start + 16..start + 24].copy_from_slice(&milliseconds.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[start + 4..]);
    bytes[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
    true
}

impl<'a> Frame<'a> {
    /// The frame at the beginning of `bytes`, and how long it is; none if there is none that is whole and sound.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>()?;
        let length = usize::try_from(u32_at(fixed, 4)).ok()?;
        let record = rest.get(..length)?;
        let size = FIXED + length;
        let is_sound = crc32fast::hash(&bytes[4..size]) == u32_at(fixed, 0);
        let since = UNIX_EPOCH.checked_add(Duration::from_millis(u64_at(fixed, 16)))?;
        is_sound.then_some((Self { number: u64_at(fixed, 8), since, record }, size))
    }

    /// Where the first sound frame after the beginning of `bytes` is, whose number is one of `numbers`.
    pub(crate) fn find(bytes: &[u8], numbers: std::ops::Range<u64>) -> Option<usize> {
        (1..bytes.len().saturating_sub(FIXED - 1)).find(|at| {
            let bytes = &bytes[*at..];
            // The checksum is looked at only where there may be a frame at all.
            bytes.get(8..16).is_some_and(|number| numbers.contains(&u64_at(number, 0)))
                && Frame::parse(bytes).is_some()
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u64, record: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let since = UNIX_EPOCH + Duration::from_millis(77);
        assert!(append(&mut bytes, number, since, |bytes| bytes.extend_from_slice(record)));
        bytes
    }

    #[test]
    fn a_frame_is_read_as_it_was_written_and_no_damage_passes() {
        let bytes = frame(7, b"a record");
        let (read, size) = Frame::parse(&bytes).unwrap();
        assert_eq!((read.number, read.record, size), (7, &b"a record"[..], bytes.len()));
        assert_eq!(read.since, UNIX_EPOCH + Duration::from_millis(77));
        for at in 0..bytes.len() {
            assert_eq!(Frame::parse(&bytes[..at]), None, "cut at {at}");
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(Frame::parse(&damaged), None, "bit {bit} of byte {at}");
            }
        }
        assert_eq!(Frame::parse(&[0; 64]), None, "zeros are no frame");
    }

    #[test]
    fn the_next_sound_frame_is_found_behind_damage() {
        let bytes = [&frame(1, b"one")[3..], &frame(2, b"two")].concat();
        let at = Frame::find(&bytes, 1..10).unwrap();
        assert_eq!(Frame::parse(&bytes[at..]).unwrap().0.number, 2);
        assert_eq!(Frame::find(&bytes, 3..10), None, "numbers only grow");
        assert_eq!(Frame::find(&[], 0..10), None);
    }
}

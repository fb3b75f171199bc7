//! Event ids: UUID version 7, so that ids sort by the time at which they were made.

use std::cell::RefCell;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::random::Random;

/// A UUID version 7 (RFC 9562): milliseconds, then a fraction of a millisecond, then 62 random bits.
///
/// It is made once, on the emitting thread, and stays with its record over all retries, so that the receiver
/// can recognise a duplicate. It identifies; it is not hard to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(u128);

impl Uuid {
    /// A new id for something that happened at `time`.
    ///
    /// A time before 1970 counts as 1970.
    ///
    /// ```
    /// use radiosonde_delivery::Uuid;
    /// let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(0x0190_0000_0000);
    /// let id = Uuid::at(time).to_string();
    /// assert!(id.starts_with("01900000-0000-7000-"));
    /// ```
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        thread_local! {
            static RANDOM: RefCell<Random> = RefCell::new(Random::from_system());
        }
        // While the thread's locals are torn down a fresh generator serves; it is only slower.
        let random = RANDOM
            .try_with(|random| random.borrow_mut().next())
            .unwrap_or_else(|_| Random::from_system().next());
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        // 12 bits for the fraction: steps of 244 ns keep the ids of a busy thread in order.
        let fraction = u128::from(since.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
        let milliseconds = since.as_millis() & 0xffff_ffff_ffff;
        Self(milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | u128::from(random >> 2))
    }

    /// The id as it is written to a spool.
    ///
    /// ```
    /// use radiosonde_delivery::Uuid;
    /// let id = Uuid::at(std::time::SystemTime::now());
    /// assert_eq!(Uuid::from_bytes(id.to_bytes()), id);
    /// ```
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// An id that was made before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // In one piece, because it is written once for each record: `{:08x}` and the like take ten times as long.
        let mut text = [b'-'; 36];
        // Where the two digits of each byte are.
        let places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        for (byte, place) in self.to_bytes().into_iter().zip(places) {
            text[place] = DIGITS[usize::from(byte >> 4)];
            text[place + 1] = DIGITS[usize::from(byte & 0xf)];
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_id_carries_version_variant_and_time() {
        let time = UNIX_EPOCH + Duration::new(1_795_226_006, 750_500_000);
        let text = Uuid::at(time).to_string();
        assert_eq!(text.len(), 36);
        assert_eq!(&text[..8], format!("{:08x}", 1_795_226_006_750_u64 >> 16));
        assert_eq!(&text[14..18], "7800", "version 7, then half a millisecond of 4096");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "variant of {text}");
    }

    #[test]
    fn an_id_is_written_as_every_uuid_is() {
        let id = Uuid(0x0123_4567_89ab_7def_8123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "01234567-89ab-7def-8123-456789abcdef");
    }

    #[test]
    fn ids_of_one_moment_differ_on_all_threads() {
        let time = UNIX_EPOCH + Duration::from_secs(1);
        let made: Vec<Uuid> = (0..4)
            .map(|_| std::thread::spawn(move || (0..1_000).map(|_| Uuid::at(time)).collect()))
            .collect::<Vec<std::thread::JoinHandle<Vec<Uuid>>>>()
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), 4_000);
    }

    #[test]
    fn ids_sort_by_time() {
        let early = Uuid::at(UNIX_EPOCH + Duration::from_nanos(1_000_000));
        let late = Uuid::at(UNIX_EPOCH + Duration::from_nanos(1_000_500));
        assert!(early < late);
    }
}

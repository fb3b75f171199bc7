//! Times as the wire wants them: RFC 3339.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const DAY: u64 = 86_400;

/// A moment, displayed as RFC 3339 in UTC with microseconds.
///
/// ```
/// use radiosonde_delivery::Timestamp;
/// let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_709_164_800, 5_000);
/// assert_eq!(Timestamp(time).to_string(), "2024-02-29T00:00:00.000005Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub SystemTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (year, month, day) = civil_from_days(since.as_secs() / DAY);
        let second = since.as_secs() % DAY;
        // In one piece, because it is written once for each record: `{:02}` and the like take five times as long.
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let micros = u64::from(since.subsec_micros());
        for (end, width, mut number) in [
            (4, 4, year),
            (7, 2, month),
            (10, 2, day),
            (13, 2, second / 3_600),
            (16, 2, second / 60 % 60),
            (19, 2, second % 60),
            (26, 6, micros),
        ] {
            for digit in text[end - width..end].iter_mut().rev() {
                *digit += (number % 10) as u8;
                number /= 10;
            }
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

/// Year, month and day of a day counted from 1970-01-01, after Howard Hinnant's `civil_from_days`:
/// years begin in March, so that the leap day comes last.
pub(crate) fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn timestamps_are_rfc_3339_in_utc() {
        assert_eq!(Timestamp(UNIX_EPOCH).to_string(), "1970-01-01T00:00:00.000000Z");
        let time = at(1_795_226_006) + Duration::from_micros(739_675);
        assert_eq!(Timestamp(time).to_string(), "2026-11-21T01:53:26.739675Z");
        assert_eq!(Timestamp(at(951_782_399)).to_string(), "2000-02-28T23:59:59.000000Z");
        assert_eq!(Timestamp(at(4_107_542_400)).to_string(), "2100-03-01T00:00:00.000000Z");
    }
}

//! The `Retry-After` header: seconds, or an HTTP date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::DAY;

/// How long a `Retry-After` header asks to wait from `now`: it holds seconds or an HTTP date.
pub(crate) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // What is too large for a number is longer than anybody waits.
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    Some(http_date(header)?.duration_since(now).unwrap_or_default())
}

/// Reads the one form of HTTP date that may still be sent: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, date) = text.split_once(", ")?;
    let mut parts = date.strip_suffix(" GMT")?.split([' ', ':']);
    let number = |parts: &mut std::str::Split<'_, [char; 2]>| parts.next()?.parse::<u64>().ok();
    let day = number(&mut parts).filter(|day| (1..=31).contains(day))?;
    let name = parts.next().filter(|name| name.len() == 3)?;
    let month = MONTHS.find(name).filter(|at| at % 3 == 0)? as u64 / 3 + 1;
    let year = number(&mut parts).filter(|year| *year < 10_000)?;
    let hour = number(&mut parts).filter(|hour| *hour < 24)?;
    let minute = number(&mut parts).filter(|minute| *minute < 60)?;
    let second = number(&mut parts).filter(|second| *second <= 60)?;
    let seconds = days_from_civil(year, month, day)? * DAY + hour * 3_600 + minute * 60 + second;
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The inverse of [`civil_from_days`](crate::time::civil_from_days), for years from 1970 on.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let year_of_era = year % 400;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (year / 400 * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::civil_from_days;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn every_day_of_four_centuries_survives_the_round_trip() {
        for day in 0..146_097 {
            let (year, month, dom) = civil_from_days(day);
            assert_eq!(days_from_civil(year, month, dom), Some(day), "{year}-{month}-{dom}");
        }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() {
        assert_eq!(retry_after(" 120 ", at(0)), Some(Duration::from_secs(120)));
        for endless in ["18446744073709551615", "18446744073709551616", "99999999999999999999999"] {
            assert_eq!(retry_after(endless, at(0)), Some(Duration::from_secs(u64::MAX)));
        }
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after(date, at(784_111_777 - 30)), Some(Duration::from_secs(30)));
        assert_eq!(retry_after(date, at(784_111_777 + 30)), Some(Duration::ZERO), "in the past");
    }

    #[test]
    fn a_garbled_retry_after_is_none() {
        for garbage in [
            "",
            "soon",
            "-1",
            "+1",
            "1.5",
            "Sun, 06 Nov",
            "Sun, 06 anF 1994 08:49:37 GMT",
            "Sun, 00 Jan 1970 00:00:00 GMT",
            "Sun, 01 Jan 0001 00:00:00 GMT",
            "x, 1 Jan 99999999999 0:0:0 GMT",
        ] {
            assert_eq!(retry_after(garbage, at(0)), None, "{garbage}");
        }
    }
}

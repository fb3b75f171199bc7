//! Whether memory grows with time.

use super::Check;

/// Minutes after which everything has its size.
const WARM_UP: usize = 5;
/// The fewest minutes of which something can be said.
const LEAST: usize = 10;
/// Of what it was, in an hour. What is within it in less than an hour is not told from what comes and goes.
const PERCENT_AN_HOUR: f64 = 1.0;

/// The resident memory of the last minute is what it was after five minutes, but for one percent an hour. `None` if the run was too
/// short to say.
pub(crate) fn memory_stays(minutes: &[u64]) -> Option<Check> {
    let (first, last) = (*minutes.get(WARM_UP)? as f64, *minutes.last()? as f64);
    if minutes.len() < LEAST {
        return None;
    }
    let hours = (minutes.len() - 1 - WARM_UP) as f64 / 60.0;
    let percent = (last / first - 1.0) * 100.0;
    let mut failures = Vec::new();
    if first == 0.0 {
        failures.push("nobody knows how much memory this process has".to_owned());
    } else if percent > PERCENT_AN_HOUR * hours.max(1.0) {
        failures.push(format!("it was {first} bytes, and {last} after {hours:.2} h"));
    }
    let [first, last] = [first, last].map(|bytes| bytes / 1e6);
    let what = format!(
        "resident memory was {first:.1} MB after five minutes and {last:.1} MB at the end: {percent:+.2} % in {hours:.2} h"
    );
    Some(Check { what, failures })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_grows_is_found_once_that_can_be_said() {
        let failures = |minutes: &[u64]| memory_stays(minutes).map(|check| check.failures.len());
        let mut minutes = vec![100, 200, 300, 400, 500, 1000, 1003, 990, 1004];
        assert_eq!(failures(&minutes), None);
        minutes.push(1009);
        assert_eq!(failures(&minutes), Some(0));
        minutes.push(1011);
        assert_eq!(failures(&minutes), Some(1));
        assert_eq!(failures(&[0; 10]), Some(1));
        let two_hours: Vec<_> = (0..126).map(|minute| 100_000 + minute * 16).collect();
        assert_eq!(failures(&two_hours), Some(0));
        let faster: Vec<_> = (0..126).map(|minute| 100_000 + minute * 20).collect();
        assert_eq!(failures(&faster), Some(1));
    }
}

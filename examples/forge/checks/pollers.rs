//! What bad measurements and colliding metrics have done.

use super::Check;
use crate::chaos::pollers::{COLLIDING, Seen};

/// A measurement that panics, fails or takes too long was told, was never made twice at once, and did not keep another from being made.
pub(crate) fn bad_measurements_stop_no_other(seen: &Seen) -> Check {
    let Seen { panics, fails, slow, well, told_panics, told_errors, told_slow, piled_up, .. } =
        *seen;
    let mut failures = Vec::new();
    for (what, times, told) in [("panics", panics, told_panics), ("errors", fails, told_errors)] {
        if times != told {
            failures.push(format!("{told} of {times} {what} were told"));
        }
        // The next try comes after ever more periods.
        if times >= well {
            failures.push(format!("{times} {what} in the time of {well} measurements"));
        }
    }
    if slow >= well {
        failures.push(format!("{slow} that take long in the time of {well} measurements"));
    }
    if told_slow == 0 || told_slow > slow {
        failures.push(format!("{told_slow} of {slow} that take too long were told"));
    }
    if piled_up > 0 {
        failures.push(format!("{piled_up} were made while they were being made"));
    }
    let what = format!(
        "{well} measurements were made beside {panics} that panic, {fails} that fail, {slow} that take long"
    );
    Check { what, failures }
}

/// Metrics that would be exported under one name were refused, with the names of both.
pub(crate) fn collision_is_refused(seen: &Seen) -> Check {
    let names = COLLIDING.map(|name| format!("`{name}`"));
    let missing = names.iter().filter(|name| !seen.collision.contains(*name));
    let failures = missing.map(|name| format!("{name} is not in {:?}", seen.collision));
    Check {
        what: "two metrics of one name are refused, and both are named".to_owned(),
        failures: failures.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_that_stops_others_is_found() {
        let good = || Seen {
            panics: 4,
            fails: 5,
            slow: 6,
            well: 40,
            told_panics: 4,
            told_errors: 5,
            told_slow: 1,
            piled_up: 0,
            collision: format!("{COLLIDING:?}").replace('"', "`"),
        };
        let failures = |seen: Seen| {
            [bad_measurements_stop_no_other(&seen), collision_is_refused(&seen)]
                .map(|check| check.failures.len())
        };
        assert_eq!(failures(good()), [0, 0]);
        assert_eq!(failures(Seen { told_panics: 3, ..good() }), [1, 0]);
        assert_eq!(failures(Seen { told_errors: 6, ..good() }), [1, 0]);
        assert_eq!(failures(Seen { told_slow: 0, ..good() }), [1, 0]);
        assert_eq!(failures(Seen { piled_up: 1, ..good() }), [1, 0]);
        assert_eq!(failures(Seen { well: 6, ..good() }), [1, 0]);
        assert_eq!(failures(Seen { collision: String::new(), ..good() }), [0, 2]);
    }
}

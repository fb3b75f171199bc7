//! Metrics that are read from a function when the store is read.

use std::cell::Cell;

use crate::extract::{SkipReason, guarded};
use crate::metric::Metric;

/// Takes the values of the tags, and the number for them or why there is none.
type Record<'a> = dyn FnMut(&[&str], Result<f64, SkipReason>) + 'a;

thread_local! {
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is inside a callback. One that reads its own store would otherwise do so without end.
pub(crate) fn is_running() -> bool {
    RUNNING.get()
}

/// Ends the time in which a thread is inside a callback.
struct Running;

impl Running {
    fn start() -> Self {
        RUNNING.set(true);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(false);
    }
}

impl Metric {
    /// Runs the callback, if there is one, and gives each of its numbers to `record` with the values of its tags; without
    /// values what could not be recorded, with the reason.
    pub(crate) fn observe(&self, record: &mut Record<'_>) {
        let Some(callback) = &self.callback else { return };
        if is_running() {
            return record(&[], Err(SkipReason::Nested));
        }
        let _running = Running::start();
        let outcome = guarded(|| {
            callback(&mut |values, number| {
                if values.len() == self.tags.len() {
                    match self.accept(number) {
                        Ok(number) => record(values, Ok(number)),
                        Err(reason) => record(&[], Err(reason)),
                    }
                } else {
                    record(&[], Err(SkipReason::TagCount));
                }
            });
            Ok(())
        });
        if let Err(reason) = outcome {
            record(&[], Err(reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unit::{Kilobyte, Megabyte};
    use crate::{counter, last_value, sum};

    type Observed = Vec<(Vec<String>, Result<f64, SkipReason>)>;

    fn observed(metric: &Metric) -> Observed {
        let mut observed = Vec::new();
        metric.observe(&mut |values, number| {
            observed.push((values.iter().map(ToString::to_string).collect(), number));
        });
        observed
    }

    #[test]
    fn a_callback_gives_its_numbers_with_their_tags_in_the_unit_exported() {
        let metric =
            last_value("cache.size").tags(["cache"]).unit(Kilobyte, Megabyte).callback(|observe| {
                observe(&["images"], 1_500.0);
                observe(&["runs"], 0.0);
            });
        let expected =
            vec![(vec!["images".to_owned()], Ok(1.5)), (vec!["runs".to_owned()], Ok(0.0))];
        assert_eq!(observed(&metric), expected);
        assert_eq!(observed(&metric), expected, "it is asked each time");
        assert_eq!(observed(&counter("a.b")), []);
    }

    #[test]
    fn what_a_callback_cannot_mean_is_skipped_with_its_reason_and_the_rest_counts() {
        let metric = sum("pool.taken").tags(["pool"]).callback(|observe| {
            observe(&[], 1.0);
            observe(&["a", "b"], 1.0);
            observe(&["a"], -1.0);
            observe(&["a"], f64::NAN);
            observe(&["a"], 2.0);
            panic!("after two");
        });
        let skipped = |reason| (Vec::new(), Err(reason));
        assert_eq!(
            observed(&metric),
            [
                skipped(SkipReason::TagCount),
                skipped(SkipReason::TagCount),
                skipped(SkipReason::Negative),
                skipped(SkipReason::NotFinite),
                (vec!["a".to_owned()], Ok(2.0)),
                skipped(SkipReason::Panic),
            ]
        );
    }
}

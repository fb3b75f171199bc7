//! From an event to a sample of a metric: the one place where that happens, for every reporter.

use std::panic::{AssertUnwindSafe, catch_unwind};

use radiosonde::Event;

use crate::metric::{Kind, Measurement, Metric};
use crate::tags::TagSet;

/// Why an event was not recorded in a metric that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The event has no such measurement, or the function for it returned `None`.
    MissingMeasurement,
    /// The measurement is not a number.
    NotANumber,
    /// The measurement is NaN or infinite, which would spoil a sum for ever. (A last value takes it.)
    NotFinite,
    /// The measurement is negative, and the sum is not declared a gauge.
    Negative,
    /// The sum would have become infinite.
    Overflow,
    /// A filter, a measurement, a tag function or the `Display` of a tag's value panicked.
    Panic,
}

impl SkipReason {
    /// All of them, in the order of declaration.
    pub const ALL: [Self; 6] = [
        Self::MissingMeasurement,
        Self::NotANumber,
        Self::NotFinite,
        Self::Negative,
        Self::Overflow,
        Self::Panic,
    ];

    /// The reason as a tag's value: `missing_measurement`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingMeasurement => "missing_measurement",
            Self::NotANumber => "not_a_number",
            Self::NotFinite => "not_finite",
            Self::Negative => "negative",
            Self::Overflow => "overflow",
            Self::Panic => "panic",
        }
    }
}

impl Metric {
    /// What this event means to the metric: the number to record (1 for a counter) under the tags that `tags` is filled
    /// with, or `None` when the filter leaves the event out.
    ///
    /// The order is filter, measurement, tags; what is not needed any more is not evaluated.
    ///
    /// # Errors
    /// When the event has nothing that could be recorded, with the reason. Panics of the definition's functions are
    /// caught and are one of the reasons.
    pub fn extract(&self, event: &Event<'_>, tags: &mut TagSet) -> Result<Option<f64>, SkipReason> {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if !self.takes(event) {
                return Ok(None);
            }
            let number = self.measure(event)?;
            tags.fill(self, event);
            Ok(Some(number))
        }));
        outcome.unwrap_or_else(|payload| {
            // What a panic carried may panic when it is dropped; what that carries is forgotten.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(payload);
            }
            Err(SkipReason::Panic)
        })
    }

    fn takes(&self, event: &Event<'_>) -> bool {
        self.keep.as_ref().is_none_or(|keep| keep(event))
            && !self.drop.as_ref().is_some_and(|drop| drop(event))
    }

    fn measure(&self, event: &Event<'_>) -> Result<f64, SkipReason> {
        if self.kind == Kind::Counter {
            return Ok(1.0);
        }
        let number = match &self.measurement {
            Measurement::Function(function) => {
                function(event).ok_or(SkipReason::MissingMeasurement)?
            }
            Measurement::Key(key) => {
                let value = event.measurement(key);
                if value.is_null() {
                    return Err(SkipReason::MissingMeasurement);
                }
                value.as_f64().ok_or(SkipReason::NotANumber)?
            }
        };
        let number = self.conversion.map_or(number, |conversion| conversion.apply(number));
        match self.kind {
            Kind::LastValue => Ok(number),
            _ if !number.is_finite() => Err(SkipReason::NotFinite),
            Kind::Sum if number < 0.0 && !self.gauge => Err(SkipReason::Negative),
            _ => Ok(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use parking_lot::Mutex;
    use radiosonde::{Bus, EventName, Value};

    use super::*;
    use crate::Unit::{Millisecond, Nanosecond, Native, Second};
    use crate::{counter, distribution, last_value, sum};

    /// What the metric makes of the event `a.b` with these measurements.
    fn extract(
        metric: Metric,
        measurements: &[(&'static str, Value<'_>)],
    ) -> Result<Option<f64>, SkipReason> {
        let bus = Bus::new();
        let result = Arc::new(Mutex::new(Err(SkipReason::Panic)));
        let handler = {
            let result = Arc::clone(&result);
            move |event: &Event<'_>| *result.lock() = metric.extract(event, &mut TagSet::new())
        };
        bus.attach("extract", "a.b", handler).unwrap();
        bus.execute(&EventName::new("a.b").unwrap(), measurements, &[("size", Value::from(7))]);
        let result = result.lock();
        *result
    }

    #[test]
    fn a_counter_needs_no_measurement_and_the_others_do() {
        assert_eq!(extract(counter("a.b.n"), &[]), Ok(Some(1.0)));
        assert_eq!(
            extract(counter("a.b.n"), &[("n", Value::from(17))]),
            Ok(Some(1.0)),
            "events are counted"
        );
        for metric in [sum("a.b.n"), last_value("a.b.n"), distribution("a.b.n").buckets([1.0])] {
            assert_eq!(extract(metric.clone(), &[]), Err(SkipReason::MissingMeasurement));
            assert_eq!(
                extract(metric.clone(), &[("n", Value::Null)]),
                Err(SkipReason::MissingMeasurement)
            );
            assert_eq!(
                extract(metric.clone(), &[("n", Value::from("12"))]),
                Err(SkipReason::NotANumber)
            );
            assert_eq!(
                extract(metric.clone(), &[("n", Value::from(true))]),
                Err(SkipReason::NotANumber)
            );
            assert_eq!(extract(metric, &[("n", Value::from(0.5))]), Ok(Some(0.5)));
        }
    }

    #[test]
    fn what_would_spoil_a_sum_is_skipped_with_its_reason() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let measurements = [("n", Value::from(value))];
            assert_eq!(extract(sum("a.b.n"), &measurements), Err(SkipReason::NotFinite));
            assert_eq!(extract(sum("a.b.n").as_gauge(), &measurements), Err(SkipReason::NotFinite));
            assert_eq!(
                extract(distribution("a.b.n").buckets([1.0]), &measurements),
                Err(SkipReason::NotFinite)
            );
            assert!(matches!(extract(last_value("a.b.n"), &measurements), Ok(Some(_))));
        }
        let negative = [("n", Value::from(-1))];
        assert_eq!(extract(sum("a.b.n"), &negative), Err(SkipReason::Negative));
        assert_eq!(extract(sum("a.b.n").as_gauge(), &negative), Ok(Some(-1.0)));
        assert_eq!(extract(last_value("a.b.n"), &negative), Ok(Some(-1.0)));
    }

    #[test]
    fn measurements_are_converted_and_may_be_functions_of_the_event() {
        let duration = [("n", Value::from(std::time::Duration::from_micros(1_500)))];
        assert_eq!(extract(sum("a.b.n").unit(Nanosecond, Millisecond), &duration), Ok(Some(1.5)));
        assert_eq!(extract(sum("a.b.n").unit(Native, Second), &duration), Ok(Some(0.001_5)));
        let size = sum("a.b.n")
            .measurement_with(|event| event.metadata("size").as_f64())
            .unit(Second, Millisecond);
        assert_eq!(extract(size, &[]), Ok(Some(7_000.0)));
        let missing = sum("a.b.n").measurement_with(|event| event.metadata("none").as_f64());
        assert_eq!(extract(missing, &[]), Err(SkipReason::MissingMeasurement));
        assert_eq!(extract(sum("a.b.n").measurement("m"), &[("m", Value::from(3))]), Ok(Some(3.0)));
    }

    #[test]
    fn filters_are_asked_once_and_first_then_measurement_then_tags() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let order = Arc::clone(&order);
            move || order.lock().push(what)
        };
        let metric = |status: u64| {
            let (keep, measurement, tags) = (note("filter"), note("measurement"), note("tags"));
            sum("a.b.n")
                .keep(move |event| {
                    keep();
                    event.measurement("n") >= status
                })
                .measurement_with(move |event| {
                    measurement();
                    event.measurement("n").as_f64().filter(|n| *n < 500.0)
                })
                .tags(["t"])
                .tag_values(move |_, _| tags())
        };
        let asked = |status: u64, n: u64| {
            let result = extract(metric(status), &[("n", Value::from(n))]);
            (result, std::mem::take(&mut *order.lock()))
        };
        assert_eq!(asked(400, 404), (Ok(Some(404.0)), vec!["filter", "measurement", "tags"]));
        assert_eq!(asked(400, 200), (Ok(None), vec!["filter"]));
        assert_eq!(
            asked(400, 503),
            (Err(SkipReason::MissingMeasurement), vec!["filter", "measurement"])
        );
    }

    #[test]
    fn drop_is_keep_the_other_way_round() {
        let metric = || counter("a.b.n").drop(|event| event.measurement("n") >= 400);
        assert_eq!(extract(metric(), &[("n", Value::from(404))]), Ok(None));
        assert_eq!(extract(metric(), &[("n", Value::from(200))]), Ok(Some(1.0)));
    }

    #[test]
    fn a_panic_of_any_function_is_a_reason_to_skip() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                if !std::thread::panicking() {
                    panic!("when what the panic carried is dropped");
                }
            }
        }
        let n = [("n", Value::from(1))];
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        let metrics = [
            counter("a.b.n").keep(|_| panic!("filter")),
            counter("a.b.n").drop(|_| panic!("filter")),
            sum("a.b.n").measurement_with(|_| panic!("measurement")),
            counter("a.b.n").tag_values(move |_, _| {
                count.fetch_add(1, Ordering::Relaxed);
                panic!("tags")
            }),
            counter("a.b.n").keep(|_| std::panic::panic_any(Bomb)),
        ];
        for metric in metrics {
            assert_eq!(extract(metric, &n), Err(SkipReason::Panic));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}

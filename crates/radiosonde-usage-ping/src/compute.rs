//! Values that functions compute: each in a thread of its own, so that none can stop the others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, select};
use radiosonde::OwnedValue;
use radiosonde_delivery::panic_text;
use radiosonde_delivery::redact::clean;
use serde_json::Value as Json;

use crate::definition::{TimeFrame, ValueType};
use crate::metric::Function;

/// Why there is no value. What is said of it stays home: it may hold what must not leave.
#[derive(Debug, PartialEq)]
pub(crate) struct Failure {
    /// What the payload says.
    pub(crate) kind: &'static str,
    pub(crate) reason: String,
}

impl Failure {
    pub(crate) fn new(kind: &'static str, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }
}

/// A function, and whether a call that was given up is still under way.
pub(crate) struct Computed {
    function: Function,
    is_running: Arc<AtomicBool>,
}

impl Computed {
    pub(crate) fn new(function: Function) -> Self {
        Self { function, is_running: Arc::default() }
    }

    /// Waits for the value, for as long as it may take. None if `stop` is closed meanwhile.
    pub(crate) fn compute(
        &self,
        frame: TimeFrame,
        value_type: ValueType,
        timeout: Duration,
        stop: &Receiver<()>,
    ) -> Option<Result<Json, Failure>> {
        // A function that hangs costs one thread, and not one for each report.
        if self.is_running.swap(true, Ordering::SeqCst) {
            let reason = "an earlier call has not returned yet";
            return Some(Err(Failure::new("still_running", reason)));
        }
        let (function, is_running) = (Arc::clone(&self.function), Arc::clone(&self.is_running));
        let (sender, computed) = bounded(1);
        let call = move || {
            let value = call(&function, frame);
            is_running.store(false, Ordering::SeqCst);
            // Whoever asked may have given up.
            let _ = sender.send(value);
        };
        let named = thread::Builder::new().name("radiosonde-usage-ping-metric".to_owned());
        if let Err(error) = named.spawn(call) {
            self.is_running.store(false, Ordering::SeqCst);
            return Some(Err(Failure::new(
                "error",
                format!("no thread could be started: {error}"),
            )));
        }
        let value = select! {
            recv(computed) -> value => match value {
                Ok(value) => value,
                Err(_) => Err(Failure::new("panic", "the thread has ended without a value")),
            },
            recv(stop) -> _ => return None,
            default(timeout) => Err(Failure::new("timeout", format!("it has not returned within {timeout:?}"))),
        };
        Some(value.and_then(|value| {
            json(value).filter(|value| value_type.takes(value)).ok_or_else(|| {
                Failure::new(
                    "wrong_type",
                    format!("its value is no `{value_type}`, as it is defined"),
                )
            })
        }))
    }
}

fn call(function: &Function, frame: TimeFrame) -> Result<OwnedValue, Failure> {
    // The text of an error is asked for here, too: it is as much somebody else's code.
    let called = catch_unwind(AssertUnwindSafe(|| {
        function(frame).map_err(|error| Failure::new("error", error.to_string()))
    }));
    called.unwrap_or_else(|payload| Err(Failure::new("panic", panic_text(payload))))
}

/// Secrets, nothing, and numbers that JSON does not have are no values. Of texts, what looks like a secret stays home, and of
/// URLs in them queries, users and passwords.
fn json(value: OwnedValue) -> Option<Json> {
    match value {
        OwnedValue::Bool(truth) => Some(truth.into()),
        OwnedValue::I64(number) => Some(number.into()),
        OwnedValue::U64(number) => Some(number.into()),
        OwnedValue::F64(number) => number.is_finite().then(|| number.into()),
        OwnedValue::Text(text) => Some(clean(&text).into()),
        OwnedValue::Duration(duration) => Some(u64::try_from(duration.as_nanos()).ok()?.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Sender, never};
    use radiosonde::Secret;

    use super::*;
    use crate::metric::{Instrument, Metric};

    const PATIENCE: Duration = Duration::from_secs(20);

    fn computed(metric: Metric) -> Computed {
        match metric.instrument {
            Instrument::Function(_, function) => Computed::new(function),
            _ => unreachable!("these tests are about functions"),
        }
    }

    fn compute(metric: Metric, value_type: ValueType) -> Result<Json, &'static str> {
        let value = computed(metric).compute(TimeFrame::All, value_type, PATIENCE, &never());
        value.unwrap().map_err(|failure| failure.kind)
    }

    fn setting(value: impl Into<OwnedValue> + Clone + Send + Sync + 'static) -> Metric {
        Metric::setting("a", move || value.clone())
    }

    #[test]
    fn a_value_has_the_type_that_is_defined_or_is_none() {
        use ValueType::{Boolean, Integer, Number, Text};
        assert_eq!(compute(setting(-7), Integer), Ok((-7).into()));
        assert_eq!(compute(setting(u64::MAX), Integer), Ok(u64::MAX.into()));
        assert_eq!(compute(setting(2.5), Number), Ok(2.5.into()));
        assert_eq!(compute(setting(3), Number), Ok(3.into()));
        assert_eq!(compute(setting("eu"), Text), Ok("eu".into()));
        assert_eq!(compute(setting(true), Boolean), Ok(true.into()));
        let url = "https://user:hunter2@db.example/a?key=hunter2";
        assert_eq!(compute(setting(url), Text), Ok("https://db.example/a".into()));
        assert_eq!(compute(setting("by Bearer hunter2"), Text), Ok("by Bearer [redacted]".into()));
        assert_eq!(compute(setting(Duration::from_nanos(9)), Integer), Ok(9.into()));
        for (metric, value_type) in [
            (setting("7"), Integer),
            (setting(2.5), Integer),
            (setting(f64::NAN), Number),
            (setting(f64::INFINITY), Number),
            (setting(7), Text),
            (setting(1), Boolean),
            (setting(OwnedValue::Null), Text),
            (Metric::setting("a", || Secret::from("planted")), Text),
        ] {
            assert_eq!(compute(metric, value_type), Err("wrong_type"));
        }
    }

    #[test]
    fn a_function_is_told_the_time_frame() {
        let days = Metric::function("a", |frame: TimeFrame| {
            Ok::<_, Failed>(frame.days().unwrap_or_default())
        });
        let value =
            computed(days).compute(TimeFrame::Days28, ValueType::Integer, PATIENCE, &never());
        assert_eq!(value, Some(Ok(28.into())));
    }

    #[derive(Debug)]
    struct Failed;

    impl std::fmt::Display for Failed {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("even its text fails")
        }
    }

    impl std::error::Error for Failed {}

    #[test]
    fn a_function_that_fails_or_panics_is_a_failure_and_no_more() {
        let fails = Metric::function("a", |_| Err::<u64, _>("no database"));
        let failure =
            computed(fails).compute(TimeFrame::All, ValueType::Integer, PATIENCE, &never());
        assert_eq!(failure, Some(Err(Failure::new("error", "no database"))));
        let panics = Metric::function("a", |_| -> Result<u64, Failed> { panic!("{}", "at once") });
        let failure =
            computed(panics).compute(TimeFrame::All, ValueType::Integer, PATIENCE, &never());
        assert_eq!(failure, Some(Err(Failure::new("panic", "at once"))));
        for thrown in [0, 1] {
            let panics = Metric::setting("a", move || -> u64 {
                if thrown == 0 { std::panic::panic_any(7) } else { panic!("plain") }
            });
            assert_eq!(compute(panics, ValueType::Integer), Err("panic"));
        }
        let fails = Metric::function("a", |_| Err::<u64, _>(Failed));
        assert_eq!(compute(fails, ValueType::Integer), Err("panic"));
    }

    /// A function that returns once it is told to.
    fn slow() -> (Sender<u64>, Computed) {
        let (sender, receiver) = bounded(1);
        (sender, computed(Metric::function("a", move |_| receiver.recv())))
    }

    #[test]
    fn a_function_that_hangs_is_given_up_and_not_called_again_until_it_returns() {
        let (go, function) = slow();
        let compute = |timeout| {
            let value = function.compute(TimeFrame::All, ValueType::Integer, timeout, &never());
            value.unwrap().map_err(|failure| failure.kind)
        };
        assert_eq!(compute(Duration::from_millis(1)), Err("timeout"));
        assert_eq!(compute(PATIENCE), Err("still_running"));
        go.send(1).unwrap();
        while function.is_running.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        go.send(2).unwrap();
        assert_eq!(compute(PATIENCE), Ok(2.into()));
    }

    #[test]
    fn nobody_waits_for_a_function_once_everything_stops() {
        let (_go, function) = slow();
        let (stop, stopped) = bounded(0);
        drop(stop);
        assert_eq!(function.compute(TimeFrame::All, ValueType::Integer, PATIENCE, &stopped), None);
    }
}

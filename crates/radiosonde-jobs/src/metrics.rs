//! Ready-made definitions of metrics over the events of this crate.

use radiosonde_metrics::Unit::{Nanosecond, Second};
use radiosonde_metrics::{Definitions, counter, distribution, last_value};

use crate::{events, executing};

/// The bounds of the buckets of durations and queue times, in seconds: jobs take from milliseconds to an hour.
pub const DURATIONS: [f64; 14] =
    [0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0];

/// The bounds of the buckets of attempts.
pub const ATTEMPTS: [f64; 6] = [1.0, 2.0, 3.0, 5.0, 10.0, 20.0];

/// The metrics of jobs, to be taken as they are or changed.
///
/// The gauge of jobs that run counts those that start after the first call of this.
///
/// ```
/// use radiosonde_metrics::{Store, Unit::Millisecond};
///
/// let metrics = radiosonde_jobs::metrics()
///     .change("job.attempts", |metric| metric.buckets([1.0, 5.0, 10.0]))
///     .in_unit(Millisecond)
///     .prefix("shop");
/// let store = Store::new(metrics)?;
/// assert!(store.metrics().iter().any(|metric| metric.name() == "shop.job.run.duration.milliseconds"));
/// # Ok::<(), radiosonde_metrics::DefinitionError>(())
/// ```
pub fn metrics() -> Definitions {
    executing::count();
    let ends = [events::RUN.stop(), events::RUN.exception()];
    Definitions::new([
        distribution("job.run.duration.seconds")
            .events(ends)
            .measurement("duration")
            .unit(Nanosecond, Second)
            .tags(["job", "queue", "state"])
            .buckets(DURATIONS)
            .description("How long an attempt took."),
        distribution("job.queue_time.seconds")
            .events(ends)
            .measurement("queue_time")
            .unit(Nanosecond, Second)
            .keep(|event| !event.measurement("queue_time").is_null())
            .tags(["job", "queue"])
            .buckets(DURATIONS)
            .description("How long a job had been due when an attempt began, where that is known."),
        distribution("job.attempts")
            .event(events::RUN.stop())
            .measurement("attempt")
            .tags(["job", "queue"])
            .buckets(ATTEMPTS)
            .description("At which attempt a job was done."),
        counter("job.run.total")
            .events(ends)
            .tags(["job", "queue", "state"])
            .description("Attempts that have ended."),
        counter("job.failures.total")
            .event(events::RUN.exception())
            .tags(["job", "queue", "error"])
            .description("Attempts that did not end well."),
        last_value("job.executing")
            .tags(["job", "queue"])
            .callback(executing::observe)
            .description("Jobs that run at the moment."),
    ])
}

//! Ready definitions of metrics of kinds of tasks.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use radiosonde_metrics::Unit::{Nanosecond, Second};
use radiosonde_metrics::{Definitions, Metric, distribution, exponential, last_value, sum};

use super::totals::Totals;
use super::{Outcome, TaskKind};
use crate::events;

/// The kinds whose metrics these are.
type Kinds = Arc<[&'static TaskKind]>;

/// The metrics of these kinds of tasks, whose names are the tag `task`; of several with one name the last is seen. From here on their
/// tasks are measured.
///
/// What is added up is read when the store is, from the totals of the kinds. The two distributions are those of the events
/// [`tokio.task.slow_poll`](events::SLOW_POLL) and [`tokio.task.end`](events::END), of all kinds.
///
/// ```
/// use radiosonde_metrics::{SeriesValue, Store};
/// use radiosonde_tokio::{TaskKind, task_metrics};
///
/// static FETCH: TaskKind = TaskKind::new("shop.fetch");
///
/// let store = Store::new(task_metrics([&FETCH]))?;
/// let fetch = FETCH.instrument(async {});
/// assert_eq!(store.snapshot().value("tokio.tasks.alive", &["shop.fetch"]), Some(SeriesValue::Number(1.0)));
/// drop(fetch);
/// assert_eq!(store.snapshot().value("tokio.tasks.ended.total", &["shop.fetch", "cancelled"]), Some(SeriesValue::Number(1.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn task_metrics(kinds: impl IntoIterator<Item = &'static TaskKind>) -> Definitions {
    let kinds: Kinds = kinds.into_iter().collect();
    for kind in kinds.iter() {
        kind.has_metrics.store(true, Relaxed);
    }
    Definitions::new([
        sum("tokio.tasks.started.total")
            .description("Tasks that were instrumented.")
            .of(&kinds, Totals::started),
        ended(&kinds),
        last_value("tokio.tasks.alive")
            .description("Instrumented tasks that have not ended.")
            .of(&kinds, Totals::alive),
        sum("tokio.task.polls.total")
            .description("How often tasks were polled.")
            .of(&kinds, |totals| totals.polled().polls),
        sum("tokio.task.slow_polls.total")
            .description("How often that took longer than it may.")
            .of(&kinds, |totals| totals.polled().slow_polls),
        sum("tokio.task.poll.seconds.total")
            .unit(Nanosecond, Second)
            .description("How long tasks were polled, in seconds.")
            .of(&kinds, |totals| totals.polled().poll),
        sum("tokio.task.scheduled.seconds.total")
            .unit(Nanosecond, Second)
            .description("How long tasks waited to be polled after they were woken, in seconds.")
            .of(&kinds, |totals| totals.polled().scheduled),
        sum("tokio.task.idle.seconds.total")
            .unit(Nanosecond, Second)
            .description("How long tasks waited to be woken, in seconds.")
            .of(&kinds, |totals| totals.polled().idle),
        sum("tokio.task.first_poll_delay.seconds.total")
            .unit(Nanosecond, Second)
            .description("How long tasks waited to be polled for the first time, in seconds.")
            .of(&kinds, Totals::first_poll_delay),
        distribution("tokio.task.slow_poll.duration.seconds")
            .event(&events::SLOW_POLL)
            .measurement("duration")
            .unit(Nanosecond, Second)
            .tags(["task"])
            .buckets(exponential(0.001, 4.0, 8))
            .description("How long slow polls took, in seconds."),
        distribution("tokio.task.duration.seconds")
            .event(&events::END)
            .measurement("duration")
            .unit(Nanosecond, Second)
            .tags(["task", "outcome"])
            .buckets(exponential(0.001, 4.0, 10))
            .description("How long tasks lived, in seconds."),
    ])
}

/// A number of each kind.
trait OfKinds {
    fn of(self, kinds: &Kinds, read: fn(&Totals) -> u64) -> Self;
}

impl OfKinds for Metric {
    fn of(self, kinds: &Kinds, read: fn(&Totals) -> u64) -> Self {
        let kinds = Arc::clone(kinds);
        self.tags(["task"]).callback(move |observe| {
            for kind in kinds.iter() {
                observe(&[kind.name], read(&kind.totals) as f64);
            }
        })
    }
}

fn ended(kinds: &Kinds) -> Metric {
    let kinds = Arc::clone(kinds);
    sum("tokio.tasks.ended.total")
        .description("Tasks that ended, by how they did.")
        .tags(["task", "outcome"])
        .callback(move |observe| {
            for kind in kinds.iter() {
                for outcome in Outcome::ALL {
                    let ended = kind.totals.ended(outcome);
                    observe(&[kind.name, outcome.as_str()], ended as f64);
                }
            }
        })
}

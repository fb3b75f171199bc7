//! How many jobs there are in the queues, by state.

use std::collections::BTreeMap;

use radiosonde::execute;
use radiosonde_metrics::{Metric, last_value};

use crate::events;

/// The lengths of queues that are known beforehand, by states that are, too: where none is said, it is 0 and not unknown.
///
/// The queue itself is asked by a function, which is given where to put each length: `observe(queue, state, length)`. A length of a
/// queue or a state that was not declared is taken as well.
///
/// Where it is quick to ask, as a channel is, the [`metric`](Self::metric) asks when it is read. Where it takes a query, a poller asks
/// and [`execute`](Self::execute)s `job.queue` events, of which there is [`polled_metric`](Self::polled_metric).
///
/// ```
/// use radiosonde::capture;
/// use radiosonde_jobs::QueueLengths;
///
/// let lengths = QueueLengths::new(["default", "mail"], ["available", "retryable"]);
/// let capture = capture(["job.queue"]);
/// lengths.execute(|observe| observe("mail", "available", 7));
/// let events = capture.events();
/// assert_eq!(events.len(), 4);
/// assert!(events.iter().any(|event| {
///     event.metadata("queue") == "mail" && event.metadata("state") == "available" && event.measurement("length") == 7
/// }));
/// assert!(events.iter().filter(|event| event.measurement("length") == 0).count() == 3);
/// ```
#[derive(Debug, Clone)]
pub struct QueueLengths(Vec<(String, String)>);

/// Where to put each length: the queue, the state, and how many jobs there are.
pub type Observe<'a> = dyn FnMut(&str, &str, u64) + 'a;

const NAME: &str = "job.queue.length";
const DESCRIPTION: &str = "Jobs in a queue.";

impl QueueLengths {
    /// Those of these queues in these states, each queue in each state.
    #[must_use]
    pub fn new<Q: Into<String>, S: Into<String>>(
        queues: impl IntoIterator<Item = Q>,
        states: impl IntoIterator<Item = S>,
    ) -> Self {
        let states: Vec<String> = states.into_iter().map(Into::into).collect();
        let queues = queues.into_iter().map(Into::into);
        Self(
            queues
                .flat_map(|queue: String| {
                    states.iter().map(|state| (queue.clone(), state.clone())).collect::<Vec<_>>()
                })
                .collect(),
        )
    }

    /// The gauge `job.queue.length`, for which the function is asked when it is read.
    ///
    /// ```
    /// use radiosonde_jobs::QueueLengths;
    /// use radiosonde_metrics::Store;
    ///
    /// let (sender, queue) = tokio::sync::mpsc::channel::<u32>(16);
    /// let length = QueueLengths::new(["default"], ["available"]).metric(move |observe| {
    ///     let waiting = sender.max_capacity() - sender.capacity();
    ///     observe("default", "available", waiting as u64);
    /// });
    /// let store = Store::new(radiosonde_jobs::metrics().into_iter().chain([length]))?;
    /// # drop((store, queue));
    /// # Ok::<(), radiosonde_metrics::DefinitionError>(())
    /// ```
    pub fn metric(self, read: impl Fn(&mut Observe<'_>) + Send + Sync + 'static) -> Metric {
        let metric = last_value(NAME).tags(["queue", "state"]).description(DESCRIPTION);
        metric.callback(move |observe| {
            self.read(&read, |queue, state, length| observe(&[queue, state], length as f64));
        })
    }

    /// The gauge `job.queue.length` over the `job.queue` events that a poller executes. It is 0 before the first.
    pub fn polled_metric(&self) -> Metric {
        let metric = last_value(NAME).event(events::QUEUE.name()).measurement("length");
        metric
            .tags(["queue", "state"])
            .label_sets(self.0.iter().map(|(queue, state)| [queue, state]))
            .description(DESCRIPTION)
    }

    /// Asks the function, and executes a `job.queue` event for each length.
    pub fn execute(&self, read: impl FnOnce(&mut Observe<'_>)) {
        self.read(read, |queue, state, length| {
            execute!(events::QUEUE, { length }, { queue, state });
        });
    }

    fn read(&self, read: impl FnOnce(&mut Observe<'_>), mut observe: impl FnMut(&str, &str, u64)) {
        let declared = self.0.iter().map(|(queue, state)| ((queue.clone(), state.clone()), 0));
        let mut lengths: BTreeMap<(String, String), u64> = declared.collect();
        read(&mut |queue, state, length| {
            lengths.insert((queue.to_owned(), state.to_owned()), length);
        });
        for ((queue, state), length) in &lengths {
            observe(queue, state, *length);
        }
    }
}

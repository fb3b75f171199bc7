//! What tokio tells about a runtime: as metrics that are read when the store is, and as an event for a poller.

mod readings;
#[cfg(tokio_unstable)]
mod unstable;

use std::sync::Arc;

use radiosonde_metrics::{Definitions, Metric};
use tokio::runtime::{Handle, RuntimeMetrics};

use self::readings::{READINGS, Read, Reading};

/// A runtime under the name that tells it apart.
#[derive(Debug)]
struct Named {
    name: String,
    metrics: RuntimeMetrics,
    /// The values of the tag `worker`, made once.
    workers: Vec<String>,
}

impl Named {
    fn new(name: String, handle: &Handle) -> Self {
        let metrics = handle.metrics();
        let workers = (0..metrics.num_workers()).map(|worker| worker.to_string()).collect();
        Self { name, metrics, workers }
    }
}

/// The metrics of these runtimes, each under a name of its own, which is the tag `runtime`; of several with one name the last is seen.
///
/// They are read when the store is: from atomics, without a lock. A runtime that was shut down keeps telling its last numbers, and its handle keeps some memory: give those that last as long as the store. With `--cfg tokio_unstable` there
/// are more of them, see the page of this crate in the manual.
///
/// ```
/// use radiosonde_metrics::{SeriesValue, Store};
/// use radiosonde_tokio::runtime_metrics;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let store = Store::new(runtime_metrics([("main", runtime.handle().clone())]))?;
/// assert_eq!(store.snapshot().value("tokio.workers", &["main"]), Some(SeriesValue::Number(1.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn runtime_metrics<N: Into<String>>(
    runtimes: impl IntoIterator<Item = (N, Handle)>,
) -> Definitions {
    let runtimes =
        runtimes.into_iter().map(|(name, handle)| Named::new(name.into(), &handle)).collect();
    let metrics = READINGS.iter().map(|reading| reading.metric(&runtimes));
    #[cfg(tokio_unstable)]
    let metrics = metrics.chain(unstable::metrics(&runtimes));
    metrics.collect()
}

impl Reading {
    fn metric(&self, runtimes: &Arc<[Named]>) -> Metric {
        let (metric, runtimes) = ((self.metric)(), Arc::clone(runtimes));
        match self.read {
            Read::Runtime(read) => metric.tags(["runtime"]).callback(move |observe| {
                for runtime in runtimes.iter() {
                    observe(&[&runtime.name], read(&runtime.metrics) as f64);
                }
            }),
            Read::Worker(read) => metric.tags(["runtime", "worker"]).callback(move |observe| {
                for runtime in runtimes.iter() {
                    for (index, worker) in runtime.workers.iter().enumerate() {
                        observe(&[&runtime.name, worker], read(&runtime.metrics, index) as f64);
                    }
                }
            }),
        }
    }

    /// The number of the whole runtime.
    #[cfg(any(feature = "poller", test))]
    fn total(&self, metrics: &RuntimeMetrics) -> u64 {
        match self.read {
            Read::Runtime(read) => read(metrics),
            Read::Worker(read) => {
                (0..metrics.num_workers()).map(|worker| read(metrics, worker)).sum()
            }
        }
    }
}

/// A measurement that executes [`tokio.runtime`](crate::events::RUNTIME) on the poller's bus, for those who want events: a log, or a
/// handler of your own. Metrics need none, see [`runtime_metrics`].
///
/// ```
/// use radiosonde_poller::Poller;
/// use radiosonde_tokio::runtime_measurement;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let capture = radiosonde::capture(["tokio.runtime"]);
/// let poller = Poller::builder().manual().measurements([runtime_measurement("main", runtime.handle())]).start()?;
/// assert!(capture.events()[0].measurement("workers") == 1);
/// assert_eq!(poller.list_measurements()[0].name, "tokio.runtime main");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "poller")]
pub fn runtime_measurement(
    name: impl Into<String>,
    handle: &Handle,
) -> radiosonde_poller::Measurement {
    use radiosonde::Value;

    use crate::events::RUNTIME;

    let (name, metrics) = (name.into(), handle.metrics());
    radiosonde_poller::Measurement::on_bus(format!("{} {name}", RUNTIME.name()), move |bus| {
        let measurements: [_; READINGS.len()] = std::array::from_fn(|index| {
            (READINGS[index].key, Value::from(READINGS[index].total(&metrics)))
        });
        bus.execute(RUNTIME.name(), &measurements, &[("runtime", Value::from(name.as_str()))]);
        Ok::<(), String>(())
    })
}

#[cfg(test)]
mod tests;

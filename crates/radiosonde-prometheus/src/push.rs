//! Pushing to a Pushgateway, for jobs that end before anybody scrapes them.

mod group;
mod start;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Sender, sync_channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use radiosonde_metrics::{Attached, Store};
use ureq::http::Method;

pub use start::{PushBuilder, PushStartError};
use worker::Order;

/// How long dropping it may take, as it pushes a last time.
const DROP_DEADLINE: Duration = Duration::from_secs(1);

/// For ever, as far as a request is concerned; unlike the longest duration it can be added to a moment.
const LONGEST_DEADLINE: Duration = Duration::from_secs(86_400);

/// Metrics that are pushed to a Pushgateway: when asked to, by an interval, and a last time at shutdown.
///
/// A Pushgateway keeps what was pushed, for Prometheus to scrape, until it is replaced or deleted. That is for jobs which
/// end; what runs on is better [scraped itself](crate::Prometheus).
///
/// Requests are made by a thread of its own. One that fails is counted, and nothing is lost by it: the next one has newer
/// values of the same series. Dropping it is a [shutdown](Self::shutdown) with a deadline of one second.
///
/// ```no_run
/// use std::time::Duration;
/// use radiosonde_metrics::counter;
/// use radiosonde_prometheus::Pushgateway;
///
/// let metrics = [counter("backup.file.total").event("backup.file")];
/// let gateway = Pushgateway::builder("https://pushgateway.example", "backup").metrics(metrics).start()?;
/// // The work of the job, and then:
/// gateway.shutdown(Duration::from_secs(5))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it pushes and ends"]
pub struct Pushgateway {
    /// `None` once the reporter has ended.
    running: Option<Running>,
    store: Arc<Store>,
    method: Method,
    report: Arc<Mutex<PushReport>>,
}

/// What ends with the reporter: no more events, then no more orders, with which the thread ends.
#[derive(Debug)]
struct Running {
    attached: Attached,
    orders: Sender<Order>,
}

/// What has become of the requests so far, deletions included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushReport {
    /// How many the Pushgateway has accepted.
    pub succeeded: u64,
    /// How many failed or were refused.
    pub failed: u64,
    /// Why the last of those did.
    pub last_failure: Option<String>,
}

impl Pushgateway {
    /// Metrics on the global bus, for the Pushgateway at `url` under the name of a job: nothing is pushed until the
    /// shutdown, unless an [`interval`](PushBuilder::interval) is set.
    pub fn builder(url: impl Into<String>, job: impl Into<String>) -> PushBuilder {
        PushBuilder::new(url.into(), job.into())
    }

    /// Pushes what the metrics are now, and returns when the Pushgateway has it.
    ///
    /// # Errors
    /// When it refuses it, cannot be reached, or has not answered by the deadline. It may have taken it then.
    pub fn push(&self, deadline: Duration) -> Result<(), PushError> {
        self.order(&self.method, deadline)
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What has become of the requests so far.
    #[must_use]
    pub fn stats(&self) -> PushReport {
        self.report.lock().clone()
    }

    /// Detaches from the bus, pushes a last time, and ends, by the deadline whatever happens.
    ///
    /// # Errors
    /// When the last push fails: see [`push`](Self::push).
    pub fn shutdown(mut self, deadline: Duration) -> Result<(), PushError> {
        self.end(&self.method.clone(), deadline)
    }

    /// Detaches from the bus, deletes what was pushed for the job and the labels of its group, and ends, by the deadline
    /// whatever happens.
    ///
    /// # Errors
    /// When the deletion fails: see [`push`](Self::push).
    pub fn delete(mut self, deadline: Duration) -> Result<(), PushError> {
        self.end(&Method::DELETE, deadline)
    }

    fn end(&mut self, method: &Method, deadline: Duration) -> Result<(), PushError> {
        let Some(Running { attached, orders }) = self.running.take() else { return Ok(()) };
        drop(attached);
        give(&orders, method, deadline)
    }

    fn order(&self, method: &Method, deadline: Duration) -> Result<(), PushError> {
        let Some(running) = &self.running else { return Ok(()) };
        give(&running.orders, method, deadline)
    }
}

/// Has the thread do something, and waits for it until the deadline. A request in flight is not waited for any longer: the
/// thread ends with it.
fn give(orders: &Sender<Order>, method: &Method, deadline: Duration) -> Result<(), PushError> {
    let deadline = deadline.min(LONGEST_DEADLINE);
    let (answer, answered) = sync_channel(1);
    let order = Order { method: method.clone(), deadline: Instant::now() + deadline, answer };
    // Both fail only with the thread, which ends for no other reason than that the orders do.
    orders.send(order).map_err(|_| PushError::Deadline)?;
    answered.recv_timeout(deadline).unwrap_or(Err(PushError::Deadline))
}

impl Drop for Pushgateway {
    fn drop(&mut self) {
        // Who wants to know calls `shutdown`.
        let _ = self.end(&self.method.clone(), DROP_DEADLINE);
    }
}

/// Why a push or a deletion failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushError {
    /// The Pushgateway has not answered in time.
    Deadline,
    /// It has answered that it does not take it.
    Refused {
        /// The status of the answer.
        status: u16,
        /// What it says.
        text: String,
    },
    /// It could not be asked.
    Failed {
        /// Why not.
        reason: String,
    },
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline => f.write_str("the Pushgateway has not answered in time"),
            Self::Refused { status, text } => {
                write!(f, "the Pushgateway answered {status}: {text}")
            }
            Self::Failed { reason } => write!(f, "the Pushgateway cannot be asked: {reason}"),
        }
    }
}

impl std::error::Error for PushError {}

#[cfg(test)]
mod tests;

//! The [`Annotations`]: marks on all dashboards when the application has started and stopped.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use crate::client::Grafana;
use crate::dashboard::json::TAG;
use crate::error::GrafanaError;

/// How long the start's may take; nobody waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long dropping it may take.
const DROP_DEADLINE: Duration = Duration::from_secs(1);

/// Marks in Grafana at the times when the application has started and stopped, with its version; every
/// [`Dashboard`](crate::Dashboard) shows them.
///
/// They are sent by a thread of its own: starting it waits for nothing, and nothing fails with it. What could not be sent is
/// told by the event `telemetry.grafana.request.exception`, and not repeated. Dropping it is a
/// [shutdown](Self::shutdown) with a deadline of one second.
///
/// ```no_run
/// use std::time::Duration;
/// use radiosonde_grafana::{Annotations, Grafana};
///
/// let grafana = Grafana::new("https://grafana.example", "glsa_xyz".to_owned())?;
/// let annotations = Annotations::start(&grafana, "shop", env!("CARGO_PKG_VERSION"))?;
/// // The work of the application, and then:
/// annotations.shutdown(Duration::from_secs(2))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it says that the application has stopped"]
pub struct Annotations {
    /// `None` once the stop was told.
    orders: Option<Sender<Order>>,
}

/// What the thread is asked to send at the end, and by when.
struct Order {
    at: SystemTime,
    deadline: Instant,
    answer: SyncSender<Result<(), GrafanaError>>,
}

impl Annotations {
    /// Says that this version of an application has started, now.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(grafana: &Grafana, application: &str, version: &str) -> io::Result<Self> {
        let (grafana, started) = (grafana.clone(), SystemTime::now());
        let [application, version] = [application, version].map(str::to_owned);
        let (orders, given) = channel();
        let run = move || {
            let annotation = |at, what| annotation(&application, &version, at, what);
            // Whether it was taken is told by the event.
            let _ = send(&grafana, &annotation(started, "start"), TIMEOUT);
            stop(&grafana, &given, |at| annotation(at, "stop"));
        };
        thread::Builder::new().name("radiosonde-grafana".to_owned()).spawn(run)?;
        Ok(Self { orders: Some(orders) })
    }

    /// Says that the application has stopped, now, and ends by the deadline, whatever happens.
    ///
    /// # Errors
    /// When Grafana refuses it, cannot be reached, or has not answered by the deadline. It may have taken it then.
    pub fn shutdown(mut self, deadline: Duration) -> Result<(), GrafanaError> {
        self.end(deadline)
    }

    fn end(&mut self, deadline: Duration) -> Result<(), GrafanaError> {
        let Some(orders) = self.orders.take() else { return Ok(()) };
        let (answer, answered) = sync_channel(1);
        let now = Instant::now();
        // Nothing takes longer than that, and it can be added to any moment.
        let deadline = deadline.min(TIMEOUT);
        let order = Order { at: SystemTime::now(), deadline: now + deadline, answer };
        // Both fail only with the thread, which ends for no other reason than that the order was carried out.
        orders.send(order).map_err(|_| GrafanaError::Deadline)?;
        answered.recv_timeout(deadline).unwrap_or(Err(GrafanaError::Deadline))
    }
}

impl Drop for Annotations {
    fn drop(&mut self) {
        // Who wants to know calls `shutdown`.
        let _ = self.end(DROP_DEADLINE);
    }
}

/// Waits for the end, and tells it.
fn stop(grafana: &Grafana, orders: &Receiver<Order>, annotation: impl Fn(SystemTime) -> Json) {
    let Ok(Order { at, deadline, answer }) = orders.recv() else { return };
    let rest = deadline.saturating_duration_since(Instant::now());
    // Whoever waits may have gone away meanwhile.
    let _ = answer.send(send(grafana, &annotation(at), rest));
}

fn send(grafana: &Grafana, annotation: &Json, timeout: Duration) -> Result<(), GrafanaError> {
    // One that comes too late fails as any other does, so that it is told.
    let timeout = timeout.max(Duration::from_millis(1));
    grafana.post("annotation", "/api/annotations", annotation, timeout)
}

/// One for the whole organisation, as it names no dashboard.
fn annotation(application: &str, version: &str, at: SystemTime, what: &str) -> Json {
    let time = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let done = if what == "start" { "has started" } else { "has stopped" };
    json!({
        "time": time,
        "tags": [TAG, application, what],
        "text": format!("{application} {version} {done}"),
    })
}

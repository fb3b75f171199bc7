//! The usage ping from a bus to a loopback server.

mod consent;
mod counting;
mod restarts;
mod sending;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use radiosonde::{Bus, EventName, Value};
use radiosonde_delivery::Backoff;
use serde_json::Value as Json;

use crate::builder::Builder;
use crate::clock::Clock;
use crate::{Metric, UsagePing};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A directory of one test, gone when the test is.
pub(crate) struct Temporary(pub(crate) PathBuf);

impl Temporary {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("radiosonde-usage-ping-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::create_dir_all(&self.0).unwrap();
        std::fs::write(self.0.join(name), text).unwrap();
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // A test that fails says so by itself.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A clock that stands still until it is set.
#[derive(Clone)]
pub(crate) struct Manual(Arc<Mutex<SystemTime>>);

impl Manual {
    /// A Thursday, at noon.
    pub(crate) fn new() -> Self {
        let noon = UNIX_EPOCH + Duration::from_secs(20_000 * 86_400 + 43_200);
        Self(Arc::new(Mutex::new(noon)))
    }

    pub(crate) fn set(&self, time: SystemTime) {
        *self.0.lock().unwrap() = time;
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Manual {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

/// A server that answers with one status after the other, and at last with 200. It hands over head and body.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) requests: mpsc::Receiver<(String, String)>,
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn new(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/usage_data", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let statuses: Vec<u16> = statuses.to_vec();
        std::thread::spawn(move || {
            for (stream, status) in
                listener.incoming().zip(statuses.into_iter().chain(std::iter::repeat(200)))
            {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(&stream);
                let (mut head, mut length) = (String::new(), 0);
                while !head.ends_with("\r\n\r\n") {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    head.push_str(&line);
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                write!(
                    stream,
                    "HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                .unwrap();
                if sender.send((head, String::from_utf8(body).unwrap())).is_err() {
                    return;
                }
            }
        });
        Self { url, requests, connections }
    }

    pub(crate) fn body(&self) -> String {
        self.requests.recv_timeout(PATIENCE).unwrap().1
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

pub(crate) const FILE: &str = r#"
    [[metric]]
    key_path = "counts.deploys"
    description = "Deployments."
    value_type = "integer"
    status = "active"
    time_frame = ["all", "28d", "7d"]
    source = "events"

    [[metric]]
    key_path = "counts.users"
    description = "People who have deployed."
    value_type = "integer"
    status = "active"
    time_frame = ["all", "28d", "7d"]
    source = "distinct_events"

    [[metric]]
    key_path = "counts.projects"
    description = "Projects."
    value_type = "integer"
    status = "active"
    time_frame = "all"
    source = "function"
    fallback = -1

    [[metric]]
    key_path = "settings.edition"
    description = "The edition."
    value_type = "text"
    status = "active"
    time_frame = "none"
    source = "setting"
"#;

/// Everything that a test needs: nobody else's bus, a clock that is set by hand, and a directory.
pub(crate) struct Setup {
    pub(crate) bus: Bus,
    pub(crate) clock: Manual,
    pub(crate) directory: Temporary,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self { bus: Bus::new(), clock: Manual::new(), directory: Temporary::new() }
    }

    /// A builder that lacks only metrics, definitions and consent.
    pub(crate) fn empty(&self, url: &str) -> Builder {
        Builder::new(url, &self.directory.0, None)
            .bus(&self.bus)
            .clock(Arc::new(self.clock.clone()))
            .backoff(Backoff::new().initial(Duration::from_millis(1)).attempts(2))
    }

    /// A builder with the metrics of [`FILE`].
    pub(crate) fn builder(&self, url: &str) -> Builder {
        let metrics = [
            Metric::counter("counts.deploys", "forge.deploy.stop"),
            Metric::distinct("counts.users", "forge.deploy.stop", "user"),
            Metric::function("counts.projects", |_| Ok::<_, std::fmt::Error>(42)),
            Metric::setting("settings.edition", || "free"),
        ];
        self.empty(url).definitions("usage_ping.toml", FILE).metrics(metrics)
    }

    pub(crate) fn deploy(&self, user: &str) {
        self.execute("forge.deploy.stop", &[], &[("user", user.into())]);
    }

    pub(crate) fn execute(
        &self,
        event: &str,
        measurements: &[(&'static str, Value<'_>)],
        metadata: &[(&'static str, Value<'_>)],
    ) {
        self.bus.execute(&EventName::new(event).unwrap(), measurements, metadata);
    }

    /// Sets the clock to when the next report is due, and waits until it was made.
    pub(crate) fn until_due(&self, ping: &UsagePing) {
        self.clock.set(ping.next_report().unwrap());
        ping.wake();
    }
}

pub(crate) fn preview(ping: &UsagePing) -> Json {
    serde_json::from_str(ping.preview().unwrap().body()).unwrap()
}

pub(crate) fn parse(body: &str) -> Json {
    serde_json::from_str(body).unwrap()
}

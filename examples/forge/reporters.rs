//! Everything that is attached to the bus: the application's only acquaintance with metrics, logs and analytics.

mod analytics;
mod spans;
mod usage_ping;

use std::error::Error;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use radiosonde_log::Log;
use radiosonde_prometheus::Prometheus;

pub(crate) use analytics::{Analytics, Goes};
pub(crate) use spans::{Arrivals, Ends, Spans};
pub(crate) use usage_ping::Pings;

use crate::app::parts::Parts;
use crate::chaos;
use crate::definitions::{self, ready_made};
use crate::files::Files;
use crate::options::Options;

/// How long the end of a run waits for what is still on its way.
const FLUSH: Duration = Duration::from_secs(20);

pub(crate) struct Reporters {
    prometheus: Prometheus,
    log: Log,
    log_path: PathBuf,
    analytics: Analytics,
    usage_ping: Arc<Pings>,
    receiver: SocketAddr,
    files: Files,
    spans: Spans,
    executed: Arc<AtomicU64>,
}

impl Reporters {
    /// Attaches them all, or none.
    ///
    /// # Errors
    /// When a definition is wrong, a port is taken, a variable cannot be used, or a file cannot be written.
    pub(crate) fn start(
        options: &Options,
        parts: &Parts,
        receiver: SocketAddr,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let groups = ready_made::groups(parts);
        let files = Files::write(&options.directory, &groups)?;
        let hostile = if options.chaos { chaos::bomb::metrics() } else { vec![] };
        let prometheus = Prometheus::builder()
            .metrics(definitions::metrics())
            .metrics(groups.into_iter().flat_map(|group| group.metrics))
            .metrics(hostile)
            .listen(format!("127.0.0.1:{}", options.metrics_port))
            .start()
            .map_err(|error| {
                format!("{error} (here: `--metrics-port`, where 0 takes a free one)")
            })?;
        let log_path = options.directory.join("events.jsonl");
        let log =
            Log::builder().events(logged()).json().writer(File::create(&log_path)?).start()?;
        let analytics = Analytics::start(options, receiver)?;
        let usage_ping = Arc::new(usage_ping::start(options, receiver)?);

        // The smallest reporter there is: how many events were executed at all.
        let executed = Arc::new(AtomicU64::new(0));
        let count = executed.clone();
        radiosonde::attach("forge.executed", "**", move |_| {
            count.fetch_add(1, Relaxed);
        })?;
        let spans = Spans::attach()?;
        Ok(Self {
            prometheus,
            log,
            log_path,
            analytics,
            usage_ping,
            receiver,
            files,
            spans,
            executed,
        })
    }

    /// What there is to look at, and where.
    pub(crate) fn places(&self) -> [(&'static str, String); 7] {
        let [posthog, snowplow] = self.analytics().goes();
        [
            ("metrics", self.metrics_url()),
            ("dashboards", self.files.provisioning.display().to_string()),
            ("rules", self.files.rules.display().to_string()),
            ("log", self.log_path.display().to_string()),
            ("PostHog", posthog.describe("TUIST_POSTHOG_URL")),
            ("Snowplow", snowplow.describe("TUIST_SNOWPLOW_COLLECTOR")),
            ("usage ping", self.usage_ping.describe(self.receiver)),
        ]
    }

    /// The file with a JSON line for every event that is logged.
    pub(crate) fn log_path(&self) -> &Path {
        &self.log_path
    }

    /// Where the metrics can be seen.
    pub(crate) fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.metrics_address())
    }

    /// Who serves them.
    pub(crate) fn metrics_address(&self) -> SocketAddr {
        self.prometheus.local_addr()
    }

    /// The events executed until now.
    pub(crate) fn executed(&self) -> u64 {
        self.executed.load(Relaxed)
    }

    /// The spans until now.
    pub(crate) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Where product analytics go.
    pub(crate) fn analytics(&self) -> &Analytics {
        &self.analytics
    }

    /// Who sends usage pings.
    pub(crate) fn pings(&self) -> Arc<Pings> {
        self.usage_ping.clone()
    }

    /// Sends and writes what is waiting, and a last usage ping. Of all of these it gives what was to be seen before. The metrics
    /// page stays up.
    pub(crate) fn flush(&self) -> Vec<String> {
        // What is not done in time is missing from where it should be, and the checks will say so.
        let _ = self.log.flush(FLUSH);
        self.analytics.flush(FLUSH);
        self.usage_ping.send();
        self.usage_ping.flush(FLUSH)
    }
}

/// What is logged. Thousands of tokens are read from the cache every second, so of these only the failures.
fn logged() -> [&'static str; 10] {
    [
        "ex_atlas.*.request",
        "ex_atlas.*.transport_error",
        "ex_atlas.fly.token.acquire.exception",
        "ex_atlas.fly.logs.**",
        "ex_atlas.fly.deploy.**",
        "database.query.exception",
        "tuist.run.*",
        "tuist.cache.*",
        "tuist.storage.**",
        "analytics.**",
    ]
}

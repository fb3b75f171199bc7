//! Everything that is attached to the bus: the application's only acquaintance with metrics, logs and analytics.

use std::error::Error;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use radiosonde_log::Log;
use radiosonde_posthog::{PostHog, Rule, Status};
use radiosonde_prometheus::Prometheus;

use crate::definitions;
use crate::options::Options;

/// How long the end of a run waits for what is still on its way.
const FLUSH: Duration = Duration::from_secs(5);

pub(crate) struct Reporters {
    prometheus: Prometheus,
    log: Log,
    log_path: PathBuf,
    analytics: Analytics,
    executed: Arc<AtomicU64>,
}

struct Analytics {
    posthog: PostHog,
    place: String,
    /// Whether it sends to the receiver of this program, which can then be asked what has arrived.
    to_own_receiver: bool,
}

impl Reporters {
    /// Attaches them all, or none.
    ///
    /// # Errors
    /// When a definition is wrong, a port is taken, or a variable cannot be used.
    pub(crate) fn start(
        options: &Options,
        receiver: SocketAddr,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let prometheus = Prometheus::builder()
            .metrics(definitions::metrics())
            .listen(format!("127.0.0.1:{}", options.metrics_port))
            .start()
            .map_err(|error| {
                format!("{error} (here: `--metrics-port`, where 0 takes a free one)")
            })?;
        let log_path = options.directory.join("events.jsonl");
        let log =
            Log::builder().events(logged()).json().writer(File::create(&log_path)?).start()?;
        let analytics = Analytics::start(receiver)?;

        // The smallest reporter there is: how many events were executed at all.
        let executed = Arc::new(AtomicU64::new(0));
        let count = executed.clone();
        radiosonde::attach("forge.executed", "**", move |_| {
            count.fetch_add(1, Relaxed);
        })?;
        Ok(Self { prometheus, log, log_path, analytics, executed })
    }

    /// What there is to look at, and where.
    pub(crate) fn places(&self) -> [(&'static str, String); 3] {
        [
            ("metrics", self.metrics_url()),
            ("log", self.log_path.display().to_string()),
            ("analytics", self.analytics.place.clone()),
        ]
    }

    /// The file with a JSON line for every event that is logged.
    pub(crate) fn log_path(&self) -> &Path {
        &self.log_path
    }

    /// Where the metrics can be seen.
    pub(crate) fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.prometheus.local_addr())
    }

    /// The events executed until now.
    pub(crate) fn executed(&self) -> u64 {
        self.executed.load(Relaxed)
    }

    /// Whether product analytics go to this program's own receiver, and are not turned off.
    pub(crate) fn analytics_can_be_checked(&self) -> bool {
        self.analytics.to_own_receiver && self.analytics.posthog.status() == Status::On
    }

    /// Sends and writes what is waiting. The metrics page stays up.
    pub(crate) fn flush(&self) {
        // What is not done in time is missing from where it should be, and the checks will say so.
        let _ = self.log.flush(FLUSH);
        let _ = self.analytics.posthog.flush(FLUSH);
    }
}

impl Analytics {
    /// To where the environment says, or else to the receiver.
    fn start(receiver: SocketAddr) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let from_environment = PostHog::from_env("TUIST")?;
        let to_own_receiver = from_environment.is_none();
        let own = || PostHog::builder("phc_forge", format!("http://{receiver}"));
        let posthog = from_environment
            .unwrap_or_else(own)
            .options(|options| options.batch_delay(Duration::from_secs(1)))
            .rules(rules())
            .start()?;
        let place = if posthog.status() != Status::On {
            "off, because `DO_NOT_TRACK` is set".to_owned()
        } else if to_own_receiver {
            format!("http://{receiver}, a receiver of this program")
        } else {
            "to where TUIST_POSTHOG_URL says".to_owned()
        };
        Ok(Self { posthog, place, to_own_receiver })
    }
}

/// What is logged. Thousands of tokens are read from the cache every second, so of these only the failures.
fn logged() -> [&'static str; 9] {
    [
        "ex_atlas.*.request",
        "ex_atlas.*.transport_error",
        "ex_atlas.fly.token.acquire.exception",
        "ex_atlas.fly.logs.**",
        "ex_atlas.fly.deploy.**",
        "tuist.run.*",
        "tuist.cache.*",
        "tuist.storage.**",
        "analytics.**",
    ]
}

/// What leaves, and of it these keys alone.
fn rules() -> [Rule; 3] {
    [
        Rule::event("tuist.run.command")
            .name("run")
            .distinct_id("user_id")
            .properties(["name", "is_ci", "status", "duration"]),
        Rule::event("analytics.preview.upload").name("preview_upload").distinct_id("user_id"),
        Rule::event("analytics.preview.download").name("preview_download").distinct_id("user_id"),
    ]
}

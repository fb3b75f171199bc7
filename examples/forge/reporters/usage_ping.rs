//! The usage ping: a report of what its definitions name, at the end of the run at the latest.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;
use radiosonde_usage_ping::{Metric, StartError, Status, UsagePing};

use crate::options::Options;
use crate::world::receiver;

const DEFINITIONS: &str = include_str!("usage_ping.toml");

pub(crate) struct Pings {
    ping: UsagePing,
    /// What was to be seen of each report before it was sent.
    previews: Mutex<Vec<String>>,
}

/// The operator of this program has said yes, but `FORGE_USAGE_PING=0` and `DO_NOT_TRACK=1` are stronger.
///
/// # Errors
/// When the definitions do not fit, or its directory cannot be used.
pub(super) fn start(options: &Options, receiver: SocketAddr) -> Result<Pings, StartError> {
    let seed = options.seed;
    let ping = UsagePing::builder(
        format!("http://{receiver}{}", receiver::USAGE_PING),
        options.directory.join("usage-ping"),
    )
    .environment("FORGE")
    .opt_in(true)
    .definitions("usage_ping.toml", DEFINITIONS)
    .metric(Metric::counter("counts.runs", "tuist.run.command"))
    .metric(Metric::distinct("counts.running_users", "tuist.run.command", "user_id"))
    .metric(Metric::sum("counts.cached_bytes", "analytics.cache_artifact.upload", "size"))
    .metric(Metric::counter("counts.deploys", "ex_atlas.fly.deploy.exit"))
    .metric(Metric::function("counts.archived_projects", |_| {
        Err::<i64, _>(io::Error::other("the archive is out of order"))
    }))
    .metric(Metric::setting("settings.seed", move || seed))
    .start()?;
    Ok(Pings { ping, previews: Mutex::default() })
}

impl Pings {
    /// Sends a report now, unless it is off.
    pub(crate) fn send(&self) {
        if let Some(payload) = self.ping.preview() {
            self.previews.lock().push(payload.body().to_owned());
            // What is not sent does not arrive, and the checks will say so.
            let _ = self.ping.send(payload);
        }
    }

    /// Waits until what was sent has arrived, and gives what was to be seen of it before.
    pub(super) fn flush(&self, deadline: Duration) -> Vec<String> {
        // What is not done in time has not arrived, and the checks will say so.
        let _ = self.ping.flush(deadline);
        self.previews.lock().clone()
    }

    /// For people.
    pub(super) fn describe(&self, receiver: SocketAddr) -> String {
        match self.ping.status() {
            Status::Off { reason } => format!("off: {reason}"),
            Status::NotOptedIn => "waits for consent".to_owned(),
            _ => format!("http://{receiver}{}, at the end of the run", receiver::USAGE_PING),
        }
    }
}

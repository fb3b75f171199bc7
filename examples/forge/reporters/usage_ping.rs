//! The usage ping: one report at the end of the run, of what its definitions name.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use radiosonde_usage_ping::{Metric, StartError, Status, UsagePing};

use crate::options::Options;
use crate::world::receiver;

const DEFINITIONS: &str = include_str!("usage_ping.toml");

/// The operator of this program has said yes, but `FORGE_USAGE_PING=0` and `DO_NOT_TRACK=1` are stronger.
///
/// # Errors
/// When the definitions do not fit, or its directory cannot be used.
pub(super) fn start(options: &Options, receiver: SocketAddr) -> Result<UsagePing, StartError> {
    let seed = options.seed;
    UsagePing::builder(
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
    .start()
}

/// Sends a report now, and says what was to be seen of it before. None if it is off.
pub(super) fn report(ping: &UsagePing, deadline: Duration) -> Option<String> {
    let payload = ping.preview()?;
    let preview = payload.body().to_owned();
    // What is not sent has not arrived, and the checks will say so.
    let _ = ping.send(payload);
    let _ = ping.flush(deadline);
    Some(preview)
}

/// For people.
pub(super) fn describe(ping: &UsagePing, receiver: SocketAddr) -> String {
    match ping.status() {
        Status::Off { reason } => format!("off: {reason}"),
        Status::NotOptedIn => "waits for consent".to_owned(),
        _ => format!("http://{receiver}{}, at the end of the run", receiver::USAGE_PING),
    }
}

//! What the program was built from, as a measurement that is repeated, so that those who come later see it too.

use radiosonde::Value;

use crate::events;
use crate::measurement::Measurement;

/// The version of the compiler that built this crate, and with it the program.
pub(crate) const RUSTC: &str = env!("RADIOSONDE_RUSTC");
/// The platform that the program was built for.
pub(crate) const TARGET: &str = env!("RADIOSONDE_TARGET");
/// The revision where there is none.
pub(crate) const UNKNOWN: &str = "unknown";

/// A measurement that executes [`build`](events::BUILD) at each tick, with what the program was built from: its name,
/// version and revision, the compiler and the platform. So whoever is attached later knows it after one period.
///
/// ```
/// use radiosonde_poller::build_info;
///
/// let build = build_info(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), option_env!("GIT_SHA"));
/// # let _ = build;
/// ```
pub fn build_info(
    name: impl Into<String>,
    version: impl Into<String>,
    revision: Option<&str>,
) -> Measurement {
    let (name, version) = (name.into(), version.into());
    let revision = revision.unwrap_or(UNKNOWN).to_owned();
    Measurement::on_bus(events::BUILD.name().as_str(), move |bus| {
        let metadata = [
            ("name", Value::from(name.as_str())),
            ("version", Value::from(version.as_str())),
            ("revision", Value::from(revision.as_str())),
            ("rustc", Value::from(RUSTC)),
            ("target", Value::from(TARGET)),
        ];
        bus.execute(events::BUILD.name(), &[("info", Value::from(1))], &metadata);
        Ok::<(), String>(())
    })
}

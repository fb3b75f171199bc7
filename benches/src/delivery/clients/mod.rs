//! Who takes part, each in a file that does the same work with one client.

mod alone;
mod posthog_rs;
mod radiosonde_posthog;
mod radiosonde_snowplow;
mod snowplow_tracker;
mod upload;

use std::error::Error;

use super::client::Client;
use super::probes::{Probe, Scale, probe};

/// A client, and how it is probed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Finds out about it in this process, with the sink at the given URL.
    pub(crate) probe: Prober,
}

type Prober = fn(Probe, &str, Scale) -> Result<Vec<f64>, Box<dyn Error>>;

const fn contender<C: Client>(name: &'static str) -> Contender {
    Contender { name, probe: probe::<C> }
}

/// Events of the bus, by a rule.
pub(crate) const POSTHOG: Contender =
    contender::<radiosonde_posthog::Reporter>("radiosonde-posthog");
/// The same events without a bus, as the peers make them.
const POSTHOG_DIRECT: Contender =
    contender::<radiosonde_posthog::Direct>("radiosonde-posthog, no bus");
pub(crate) const SNOWPLOW: Contender =
    contender::<radiosonde_snowplow::Reporter>("radiosonde-snowplow");
pub(crate) const POSTHOG_RS: Contender = contender::<posthog_rs::PostHogRs>("posthog-rs");
pub(crate) const SNOWPLOW_TRACKER: Contender =
    contender::<snowplow_tracker::SnowplowTracker>("snowplow_tracker");
/// The loop and the clock: what is in every other figure.
pub(crate) const ALONE: Contender = contender::<alone::Alone>("the loop alone");

/// The clients that send.
pub(crate) const CLIENTS: [Contender; 5] =
    [POSTHOG, POSTHOG_DIRECT, SNOWPLOW, POSTHOG_RS, SNOWPLOW_TRACKER];

/// The contender that is called `name`.
pub(crate) fn named(name: &str) -> Option<Contender> {
    CLIENTS.into_iter().chain([ALONE]).find(|contender| contender.name == name)
}

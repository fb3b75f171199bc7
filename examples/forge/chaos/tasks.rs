//! Futures that are given up, aborted, or panic in the middle of a span.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use radiosonde::{AttachError, Event, span};
use radiosonde_tokio::TaskKind;
use tokio::time::{sleep, timeout};

use super::{injected, panics};
use crate::workloads::Pace;
use crate::workloads::atlas::Deployer;
use crate::world::tally::Tally;

const TIMED_OUT: &str = "a future in a span is timed out";
const NOT_SELECTED: &str = "a future in a span loses a race";
const ABORTED: &str = "a task in a span is aborted";
const PANICKED: &str = "a task in a span panics";

/// Every failure of this group.
pub(super) const FAILURES: [&str; 4] = [TIMED_OUT, NOT_SELECTED, ABORTED, PANICKED];

/// Nobody ever gets the token of this app.
const APP: &str = "hanging-for-ever";

/// How long anybody waits for it.
const PATIENCE: Duration = Duration::from_millis(20);

/// Those who are sent for what cannot be had.
pub(crate) static ERRAND: TaskKind = TaskKind::new("forge.errand");

radiosonde::declare! {
    static EVENTS;

    /// What cannot be had is asked for.
    span ERRAND_SPAN = "forge.errand" {
        measurements: {},
        metadata: {},
    }
}

/// How errands have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) started: u64,
    /// By kind.
    pub(crate) exceptions: BTreeMap<String, u64>,
    /// Those of which it is not known how long they took.
    pub(crate) timeless: u64,
}

/// Whoever listens to how errands end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Errands(Arc<Mutex<Ends>>);

impl Errands {
    /// # Errors
    /// When it is attached already.
    pub(crate) fn attach() -> Result<Self, AttachError> {
        let errands = Self::default();
        let seen = errands.clone();
        radiosonde::attach_many("forge.errands", ["forge.errand.*"], move |event| seen.see(event))?;
        Ok(errands)
    }

    /// How errands have ended until now.
    pub(crate) fn ends(&self) -> Ends {
        self.0.lock().clone()
    }

    fn see(&self, event: &Event<'_>) {
        let mut ends = self.0.lock();
        if event.name() == ERRAND_SPAN.start() {
            ends.started += 1;
            return;
        }
        let kind = event.metadata("kind").as_str().unwrap_or("stop").to_owned();
        *ends.exceptions.entry(kind).or_default() += 1;
        let duration = event.measurement("duration").as_u64();
        ends.timeless += u64::from(duration.is_none_or(|duration| duration == 0));
    }
}

/// Sends somebody for what cannot be had twenty times a second, each time to another end.
pub(super) async fn run(deployer: Deployer, pace: Pace) {
    let errand = move |turn| {
        let deployer = deployer.clone();
        async move {
            match turn % 4 {
                0 => time_out(&deployer).await,
                1 => lose_race(&deployer).await,
                2 => abort(&deployer).await,
                _ => panic(deployer).await,
            }
        }
    };
    pace.turns(4, 20.0, errand).await;
}

async fn time_out(deployer: &Deployer) {
    let errand = ERRAND.instrument(timeout(PATIENCE, ask(deployer)));
    drop(errand.await);
    count(&deployer.tally, TIMED_OUT, "cancelled", "done");
}

async fn lose_race(deployer: &Deployer) {
    let race = async {
        tokio::select! {
            () = ask(deployer) => {}
            () = sleep(PATIENCE) => {}
        }
    };
    ERRAND.instrument(race).await;
    count(&deployer.tally, NOT_SELECTED, "cancelled", "done");
}

async fn abort(deployer: &Deployer) {
    let asking = deployer.clone();
    let task = tokio::spawn(ERRAND.instrument(async move { ask(&asking).await }));
    sleep(PATIENCE).await;
    task.abort();
    // One that was aborted before its first poll has not begun, and has no span.
    drop(task.await);
    count(&deployer.tally, ABORTED, "cancelled", "cancelled");
}

async fn panic(deployer: Deployer) {
    let tally = deployer.tally.clone();
    let errand = ERRAND.instrument(async move {
        let asked = async {
            tokio::join!(deployer.tokens.get(APP), async {
                sleep(PATIENCE).await;
                panics::panic("an errand")
            })
        };
        span!(ERRAND_SPAN).instrument(asked).await
    });
    drop(tokio::spawn(errand).await);
    count(&tally, PANICKED, "panic", "panic");
}

async fn ask(deployer: &Deployer) {
    // Whoever gets an answer all the same is missing from the count, and the check will say so.
    drop(span!(ERRAND_SPAN).instrument(deployer.tokens.get(APP)).await);
}

/// The call for a token inside the errand ends with it, by panic or because it is dropped.
fn count(tally: &Tally, failure: &str, kind: &str, outcome: &str) {
    injected(tally, failure);
    tally.add("forge_errands", &[("kind", kind)], 1);
    tally.add("forge_errand_tasks", &[("outcome", outcome)], 1);
    tally.add("atlas_token_acquire_started", &[], 1);
    let kind = if kind == "panic" { kind } else { "dropped" };
    tally.add("atlas_token_acquire_exceptions", &[("kind", kind)], 1);
}

//! What fails under `--chaos`: the failures of each group, and how often each of them was really injected.
//!
//! Failures happen where they happen in life: in the world, and in handlers that others attach. The application knows nothing of
//! them. Whoever injects one says so with [`injected`], and a run in chaos that has left one out does not pass.

pub(crate) mod bomb;
pub(crate) mod deploys;
pub(crate) mod handlers;
pub(crate) mod panics;
pub(crate) mod services;
pub(crate) mod tasks;
pub(crate) mod tokens;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use radiosonde::AttachError;
use tokio::task::JoinHandle;

use bomb::Bomb;
use handlers::Handlers;
use tasks::Errands;

use crate::checks::{self, Check};
use crate::page::Page;
use crate::workloads::Pace;
use crate::workloads::atlas::Deployer;
use crate::world::tally::{Series, Tally};

/// The metric of the tally that has a series for each failure that was injected.
pub(crate) const INJECTED: &str = "forge_chaos_injected";

/// All failures, by group.
pub(crate) const FAILURES: [&[&str]; 6] = [
    &services::FAILURES,
    &tokens::FAILURES,
    &deploys::FAILURES,
    &handlers::FAILURES,
    &tasks::FAILURES,
    &bomb::FAILURES,
];

/// Counts a failure where it is injected. The name is one of [`FAILURES`].
pub(crate) fn injected(tally: &Tally, failure: &str) {
    tally.add(INJECTED, &[("failure", failure)], 1);
}

/// What fails beside the services.
pub(crate) struct Chaos {
    handlers: Handlers,
    bomb: Arc<Bomb>,
    errands: Errands,
}

impl Chaos {
    /// Before anybody works.
    ///
    /// # Errors
    /// When a handler is attached already.
    pub(crate) fn start() -> Result<Self, AttachError> {
        panics::silence();
        let (handlers, bomb) = (Handlers::attach()?, Bomb::attach()?);
        Ok(Self { handlers, bomb, errands: Errands::attach()? })
    }

    /// What is done beside the workloads. The directory is where the deployer stores its tokens.
    pub(crate) fn workloads(
        &self,
        deployer: &Deployer,
        storage: PathBuf,
        pace: &Pace,
    ) -> Vec<JoinHandle<()>> {
        vec![
            tokio::spawn(self.bomb.clone().explode(pace.clone())),
            tokio::spawn(tokens::ask(deployer.clone(), storage, pace.clone())),
            tokio::spawn(deploys::start(deployer.clone(), pace.clone())),
            tokio::spawn(tasks::run(deployer.clone(), pace.clone())),
        ]
    }

    /// Says how often each failure was injected, now that all is quiet.
    pub(crate) fn count(&self, tally: &Tally) {
        let (handlers, bomb) = (self.handlers.seen().injected(), self.bomb.seen().injected());
        for (failure, times) in handlers.into_iter().chain(bomb).filter(|(_, times)| *times > 0) {
            tally.add(INJECTED, &[("failure", failure)], times);
        }
    }

    /// What holds despite all of it.
    pub(crate) fn checks(&self, page: &Page, tally: &BTreeMap<Series, u64>) -> Vec<Check> {
        let bomb = self.bomb.seen();
        vec![
            checks::bad_handlers_hurt_themselves_alone(&self.handlers.seen(), tally),
            checks::bomb_is_contained(page, &bomb),
            checks::hostile_texts_are_shown(page, &bomb),
            checks::hostile_numbers_are_skipped(page, &bomb),
            checks::failures_are_told(page, tally),
            checks::cut_off_futures_end(&self.errands.ends(), page, tally),
        ]
    }
}

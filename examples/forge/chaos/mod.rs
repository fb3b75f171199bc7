//! What fails under `--chaos`: the failures of each group, and how often each of them was really injected.
//!
//! Failures happen where they happen in life: in the world, and in handlers that others attach. The application knows nothing of
//! them. Whoever injects one says so with [`injected`], and a run in chaos that has left one out does not pass.

pub(crate) mod bomb;
pub(crate) mod deploys;
pub(crate) mod handlers;
pub(crate) mod panics;
pub(crate) mod pollers;
pub(crate) mod scrapers;
pub(crate) mod services;
mod shutdown;
mod sinks;
pub(crate) mod tasks;
pub(crate) mod tokens;

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;

use bomb::Bomb;
use handlers::Handlers;
use pollers::Pollers;
use scrapers::Scrapers;
use shutdown::{DEADLINE, Doomed};
use sinks::{Door, Told};
use tasks::Errands;

use crate::checks::{self, Check};
use crate::options::Options;
use crate::page::Page;
use crate::reporters::{Analytics, Reporters};
use crate::workloads::Pace;
use crate::workloads::atlas::Deployer;
use crate::world::tally::{Series, Tally};

/// The metric of the tally that has a series for each failure that was injected.
pub(crate) const INJECTED: &str = "forge_chaos_injected";

/// The failures that can always be injected, by group.
pub(crate) const FAILURES: [&[&str]; 8] = [
    &services::FAILURES,
    &tokens::FAILURES,
    &deploys::FAILURES,
    &handlers::FAILURES,
    &tasks::FAILURES,
    &bomb::FAILURES,
    &pollers::FAILURES,
    &scrapers::FAILURES,
];

/// Those that need something to leave, for the sinks of this program.
pub(crate) const FAILURES_OF_SINKS: [&[&str]; 2] = [&sinks::FAILURES, &shutdown::FAILURES];

/// Counts a failure where it is injected. The name is one of [`FAILURES`].
pub(crate) fn injected(tally: &Tally, failure: &str) {
    tally.add(INJECTED, &[("failure", failure)], 1);
}

/// What fails beside the services.
pub(crate) struct Chaos {
    handlers: Handlers,
    bomb: Arc<Bomb>,
    errands: Errands,
    pollers: Pollers,
    door: Arc<Door>,
    told: Arc<Told>,
    doomed: Doomed,
    scrapers: Arc<Scrapers>,
}

impl Chaos {
    /// Before anybody works. What is for the receiver has to come to [`Self::receiver`].
    ///
    /// # Errors
    /// When a handler is attached already, or no port can be had.
    pub(crate) async fn start(
        options: &Options,
        receiver: SocketAddr,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        panics::silence();
        Ok(Self {
            handlers: Handlers::attach()?,
            bomb: Bomb::attach()?,
            errands: Errands::attach()?,
            pollers: Pollers::attach()?,
            door: Door::start(receiver, options.length).await?,
            told: Told::attach()?,
            doomed: Doomed::start().await?,
            scrapers: Arc::default(),
        })
    }

    /// The way to the receiver.
    pub(crate) fn receiver(&self) -> SocketAddr {
        self.door.address()
    }

    /// What is done beside the workloads. The directory is where the deployer stores its tokens.
    pub(crate) fn workloads(
        &self,
        deployer: &Deployer,
        storage: PathBuf,
        reporters: &Reporters,
        pace: &Pace,
    ) -> Vec<JoinHandle<()>> {
        self.pollers.start();
        vec![
            tokio::spawn(self.bomb.clone().explode(pace.clone())),
            tokio::spawn(tokens::ask(deployer.clone(), storage, pace.clone())),
            tokio::spawn(deploys::start(deployer.clone(), pace.clone())),
            tokio::spawn(tasks::run(deployer.clone(), pace.clone())),
            tokio::spawn(self.scrapers.clone().scrape(
                reporters.metrics_address(),
                deployer.seed,
                pace.clone(),
            )),
            tokio::spawn(sinks::pings(reporters.pings(), self.door.period(), pace.clone())),
        ]
    }

    /// Ends what is to end, now that all else is quiet, and says how often each failure was injected.
    pub(crate) async fn end(&self, tally: &Tally, analytics: &Analytics) {
        self.pollers.end().await;
        self.doomed.end().await;
        self.told.settle(&analytics.reports()).await;
        let (handlers, bomb) = (self.handlers.seen().injected(), self.bomb.seen().injected());
        let (sinks, told) = (self.door.injected(), self.told.injected());
        let all =
            handlers.into_iter().chain(bomb).chain(sinks).chain(told).chain(self.doomed.injected());
        let all = all.chain(self.pollers.seen().injected()).chain(self.scrapers.seen().injected());
        for (failure, times) in all.filter(|(_, times)| *times > 0) {
            tally.add(INJECTED, &[("failure", failure)], times);
        }
    }

    /// What PostHog's reporter and Snowplow's said that they had lost.
    pub(crate) fn told(&self) -> [u64; 2] {
        self.told.read()
    }

    /// What holds despite all of it.
    pub(crate) fn checks(&self, page: &Page, tally: &BTreeMap<Series, u64>) -> Vec<Check> {
        let bomb = self.bomb.seen();
        let mut checks = vec![
            checks::bad_handlers_hurt_themselves_alone(&self.handlers.seen(), tally),
            checks::bomb_is_contained(page, &bomb),
            checks::hostile_texts_are_shown(page, &bomb),
            checks::hostile_numbers_are_skipped(page, &bomb),
            checks::failures_are_told(page, tally),
            checks::cut_off_futures_end(&self.errands.ends(), page, tally),
            checks::bad_measurements_stop_no_other(&self.pollers.seen()),
            checks::collision_is_refused(&self.pollers.seen()),
            checks::bad_scrapers_are_refused(&self.scrapers.seen()),
        ];
        if let Some((took, account)) = self.doomed.ended() {
            checks.push(checks::shutdown_keeps_its_deadline(took, DEADLINE, &account, tally));
        }
        checks
    }
}

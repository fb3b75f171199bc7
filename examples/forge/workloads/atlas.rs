//! Workloads of the deployer: tokens, provider calls, logs, deploys.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use radiosonde_hyper_client::Error;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::pace::panic_on;
use super::{HERD_MEMBER, Pace, rng};
use crate::app::deploys::deploy;
use crate::app::logs::{FetchError, Logs};
use crate::app::parts::DEPLOYER_CLIENT;
use crate::app::providers::Provider;
use crate::app::tokens::{Acquired, Token, Tokens};
use crate::chaos::services;
use crate::world::children::APP_PREFIX;
use crate::world::tally::Tally;

/// Apps whose tokens the command line tool issues.
pub(crate) const APPS: u64 = 20;
/// An app whose token is in storage already, as after a restart.
pub(crate) const STORED_APP: &str = "stored";
/// An app whose token is in the configuration.
pub(crate) const CONFIGURED_APP: &str = "configured";
/// An app whose token a person has entered.
pub(crate) const MANUAL_APP: &str = "manual";
/// An app that nobody has a token for.
pub(crate) const ORPHANED_APP: &str = "orphaned";

/// How long one who reads a log waits for it.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Clone)]
pub(crate) struct Deployer {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) providers: Arc<[Provider]>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) seed: u64,
    pub(crate) program: PathBuf,
    pub(crate) deploy_ledger: PathBuf,
}

fn app(number: u64) -> String {
    format!("{APP_PREFIX}{:02}", number % APPS)
}

impl Deployer {
    /// W1: for every app 50 tasks want its token at the same moment, at the start and whenever tokens have expired.
    pub(crate) async fn token_herds(self, pace: Pace, every: Duration) {
        let herd = move |_| {
            let deployer = self.clone();
            async move {
                let mut apps: Vec<_> = (0..APPS).map(app).collect();
                apps.extend([STORED_APP, CONFIGURED_APP].map(ToOwned::to_owned));
                let mut members: Vec<_> =
                    apps.iter().flat_map(|app| vec![app.clone(); 50]).collect();
                members.extend([MANUAL_APP, ORPHANED_APP].map(ToOwned::to_owned));
                deployer.one_herd(members).await;
            }
        };
        pace.turns(1, 1.0 / every.as_secs_f64(), herd).await;
    }

    async fn one_herd(&self, apps: Vec<String>) {
        let barrier = Arc::new(Barrier::new(apps.len()));
        let mut tasks = JoinSet::new();
        for app in apps {
            let (deployer, barrier) = (self.clone(), barrier.clone());
            tasks.spawn(HERD_MEMBER.instrument(async move {
                barrier.wait().await;
                deployer.token(&app).await;
            }));
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap_or_else(panic_on);
        }
    }

    /// W2: tokens are read all the time.
    pub(crate) async fn token_reads(self, pace: Pace) {
        let read = move |turn| {
            let deployer = self.clone();
            async move {
                deployer.token(&app(turn)).await;
            }
        };
        pace.turns(64, 10_000.0, read).await;
    }

    /// W3: every API of every provider is called with every method, over pools that are smaller than the crowd.
    pub(crate) async fn provider_calls(self, pace: Pace) {
        let call = move |turn| {
            let deployer = self.clone();
            async move {
                let mut rng = rng(deployer.seed, 3, turn);
                let provider = &deployer.providers[rng.usize(..deployer.providers.len())];
                let api = ["management", "runtime", "graphql"][rng.usize(..3)];
                let methods = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
                let attempts = provider.call(api, &methods[rng.usize(..4)]).await;
                deployer.count_call(&provider.name, &attempts);
            }
        };
        pace.turns(48, 500.0, call).await;
    }

    fn count_call(&self, provider: &str, attempts: &[Result<u16, Error>]) {
        let outcome = |attempt: &Result<u16, Error>| match attempt {
            Ok(status) => format!("{}xx", status / 100),
            Err(error) => error.kind().to_string(),
        };
        for error in attempts.iter().filter_map(|attempt| attempt.as_ref().err()) {
            let labels = [("provider", provider), ("error", error.kind().as_str())];
            self.tally.add("atlas_transport_errors", &labels, 1);
            self.count_client_error(error.kind().as_str());
            services::unanswered(&self.tally, error.kind());
        }
        self.tally.add("atlas_call_attempts", &[("provider", provider)], attempts.len() as u64);
        let outcome = attempts.last().map(outcome).unwrap_or_default();
        let labels = [("provider", provider), ("outcome", &outcome)];
        self.tally.add("atlas_call_total", &labels, 1);
    }

    fn count_client_error(&self, error: &str) {
        let labels = [("name", DEPLOYER_CLIENT), ("error", error)];
        self.tally.add("http_client_errors_total", &labels, 1);
    }

    /// W4: logs are read, again with a new token when the old one was refused, and not for longer than one can wait.
    pub(crate) async fn log_fetches(self, pace: Pace) {
        let fetch = move |turn| {
            let deployer = self.clone();
            async move { deployer.fetch_log(&app(turn)).await }
        };
        pace.turns(10, 20.0, fetch).await;
    }

    async fn fetch_log(&self, app: &str) {
        let Some(token) = self.token(app).await.and_then(|acquired| acquired.token) else { return };
        if self.fetch_page(app, &token).await == Some(401) {
            self.tokens.invalidate(app, &token).await;
            let Some(token) = self.token(app).await.and_then(|acquired| acquired.token) else {
                return;
            };
            // Twice refused, hung up on or kept waiting, this reader gives up; the event says which it was.
            self.fetch_page(app, &token).await;
        }
    }

    /// The status of a refusal, if it was refused. The reader counts how it ended, as the provider does not know for how long he waits.
    async fn fetch_page(&self, app: &str, token: &Token) -> Option<u16> {
        let fetched = timeout(PATIENCE, self.logs.fetch(app, token)).await;
        self.tally.add("atlas_logs_fetch_started", &[], 1);
        let failed = |kind| self.tally.add("atlas_logs_fetch_exceptions", &[("kind", kind)], 1);
        match fetched {
            Ok(Ok(entries)) => {
                self.tally.add("atlas_logs_entries", &[], entries as u64);
                self.count_page("ok");
            }
            Ok(Err(FetchError::Refused(status))) => {
                self.count_page(&format!("http_{status}"));
                return Some(status);
            }
            Ok(Err(FetchError::Transport(error))) => {
                self.count_client_error(error.kind().as_str());
                failed("error");
            }
            Err(_) => {
                self.count_client_error("cancelled");
                failed("dropped");
            }
        }
        None
    }

    fn count_page(&self, status: &str) {
        self.tally.add("atlas_logs_fetch_total", &[("status", status)], 1);
        self.tally.add("atlas_logs_fetch_duration_milliseconds_count", &[("status", status)], 1);
    }

    /// W5: twelve deploys, of which some fail and one hangs.
    pub(crate) async fn deploys(self, pace: Pace, per_second: f64) {
        let deploy = move |turn| {
            let deployer = self.clone();
            async move { deployer.one_deploy(turn).await }
        };
        pace.turns(6, per_second, deploy).await;
    }

    async fn one_deploy(&self, turn: u64) {
        let lines = rng(self.seed, 5, turn).u64(20..=400);
        let exit_code = match turn {
            2 => None,
            4 | 9 => Some(1),
            7 => Some(17),
            _ => Some(0),
        };
        let mut arguments = vec!["--fake-deploy".to_owned(), format!("--lines={lines}")];
        arguments.push(format!("--ledger={}", self.deploy_ledger.display()));
        arguments.extend(exit_code.map(|code| format!("--exit-code={code}")));
        let ticket = format!("deploy-{turn}");
        if deploy(&ticket, &self.program, &arguments).await.is_err() {
            // The ledger has no line of a child that never was, and neither has the bus.
            self.tally.add("forge_deploys_not_started", &[], 1);
        }
    }

    /// Asks for a token, and counts what it is given.
    pub(crate) async fn token(&self, app: &str) -> Option<Acquired> {
        let acquired = self.tokens.get(app).await.ok();
        self.tally.add("atlas_token_acquire_started", &[], 1);
        match &acquired {
            Some(Acquired { source, acquirer, .. }) => {
                let labels = [("source", *source), ("acquirer", *acquirer)];
                self.tally.add("atlas_token_acquire_total", &labels, 1);
                self.tally.add("atlas_token_acquire_duration_milliseconds_count", &labels, 1);
            }
            None => self.tally.add("atlas_token_acquire_exceptions", &[("kind", "error")], 1),
        }
        acquired
    }
}

//! A reporter whose sink never answers, and which has to come to its end all the same.

use std::error::Error;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use radiosonde_posthog::{PostHog, Rule, Status};
use tokio::net::TcpListener;

use crate::app::events;
use crate::checks::Account;
use crate::workloads::panic_on;

/// Every failure of this group.
pub(super) const FAILURES: [&str; 1] = ["a sink never answers a reporter that is shut down"];

/// How long its end may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);

pub(super) struct Doomed {
    posthog: Mutex<Option<PostHog>>,
    /// How long its end took, and what became of what it was given.
    ended: Mutex<Option<(Duration, Account)>>,
}

impl Doomed {
    /// # Errors
    /// When no port can be had, or the reporter cannot start.
    pub(super) async fn start() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            let mut connections = Vec::new();
            // It sends one request, and one at a time after that.
            while let Ok((connection, _)) = listener.accept().await {
                connections.truncate(8);
                connections.insert(0, connection);
            }
        });
        let posthog = PostHog::builder("phc_doomed", format!("http://{address}"))
            .id("forge.doomed")
            .rule(Rule::event(events::RUN_COMMAND.name().as_str()).name("run").without_person())
            .start()?;
        Ok(Self { posthog: Mutex::new(Some(posthog)), ended: Mutex::default() })
    }

    /// Shuts it down, unless it is off.
    pub(super) async fn end(&self) {
        let posthog = self.posthog.lock().take();
        let Some(posthog) = posthog.filter(|posthog| posthog.status() == Status::On) else {
            return;
        };
        let end = move || {
            let started = Instant::now();
            let report = posthog.shutdown(DEADLINE);
            (started.elapsed(), Account::from(&report))
        };
        let ended = tokio::task::spawn_blocking(end).await.unwrap_or_else(panic_on);
        *self.ended.lock() = Some(ended);
    }

    pub(super) fn ended(&self) -> Option<(Duration, Account)> {
        self.ended.lock().clone()
    }

    /// How often the failure was injected.
    pub(super) fn injected(&self) -> [(&'static str, u64); 1] {
        [(FAILURES[0], u64::from(self.ended.lock().is_some()))]
    }
}

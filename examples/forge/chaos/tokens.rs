//! Tokens that cannot be had, or not kept: the command line tool fails, the storage does, and operators stop actors at work.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::injected;
use crate::workloads::atlas::Deployer;
use crate::workloads::{Pace, panic_on};

pub(crate) const TOOL_REFUSES: &str = "the command line tool exits with 1";
pub(crate) const TOOL_SILENT: &str = "the command line tool prints nothing";
pub(crate) const TOOL_HANGS: &str = "the command line tool hangs";
const NOT_STORED: &str = "a token cannot be stored";
const EXPIRED: &str = "a stored token has expired";
const STOPPED: &str = "the actor of a token is stopped at work";
const STOPPED_IDLE: &str = "the actor of a cached token is stopped";

/// Every failure of this group.
pub(super) const FAILURES: [&str; 7] =
    [TOOL_REFUSES, TOOL_SILENT, TOOL_HANGS, NOT_STORED, EXPIRED, STOPPED, STOPPED_IDLE];

const SILENT_APP: &str = "silent-00";
const HANGING_APP: &str = "hanging-00";
/// Where its token is to be stored is a directory.
const NOT_STORED_APP: &str = "atlas-not-stored";
const STOPPED_APP: &str = "atlas-stopped";
/// Only the storage has ever had a token for it.
const EXPIRED_APP: &str = "expired";
/// The storage has one that has expired, and a person has entered another.
pub(crate) const RENEWED_APP: &str = "renewed";

/// Apps for which the command line tool issues tokens here.
pub(crate) const APPS: usize = 2;

/// How long the command line tool may take in a run that has not the time to wait for it.
pub(crate) const TOOL_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the tokens of an app may come from, as its callers count it in the tally.
pub(crate) const SOURCES: [(&str, &[&str]); 6] = [
    (SILENT_APP, &["none"]),
    (HANGING_APP, &["none", "nobody"]),
    (NOT_STORED_APP, &["cli", "ets"]),
    (STOPPED_APP, &["cli", "ets"]),
    (EXPIRED_APP, &["none"]),
    (RENEWED_APP, &["manual"]),
];

/// The metric of the tally that says where they came from.
pub(crate) const FOUND: &str = "forge_tokens_despite_failure";

/// Asks for tokens that cannot be had, every five seconds.
pub(crate) async fn ask(deployer: Deployer, storage: PathBuf, pace: Pace) {
    let ask = move |_| {
        let (deployer, storage) = (deployer.clone(), storage.clone());
        async move {
            let expected = ask_all(&deployer, &storage).await;
            // Without its files a failure was not injected, and the check will say so.
            drop(expected);
            stop_at_work(&deployer).await;
            found(&deployer, HANGING_APP).await;
        }
    };
    pace.turns(1, 0.2, ask).await;
}

async fn ask_all(deployer: &Deployer, storage: &Path) -> io::Result<()> {
    found(deployer, SILENT_APP).await;
    for app in [EXPIRED_APP, RENEWED_APP] {
        fs::write(storage.join(app), "expired 1")?;
        injected(&deployer.tally, EXPIRED);
        found(deployer, app).await;
    }
    fs::create_dir_all(storage.join(NOT_STORED_APP))?;
    if found(deployer, NOT_STORED_APP).await == "cli" {
        injected(&deployer.tally, NOT_STORED);
    }
    found(deployer, STOPPED_APP).await;
    deployer.tokens.stop(STOPPED_APP);
    injected(&deployer.tally, STOPPED_IDLE);
    // If the cache had lost the token, the tool would have to issue another while this is good.
    found(deployer, STOPPED_APP).await;
    Ok(())
}

/// Stops the actor until all who wait for it have heard of that.
async fn stop_at_work(deployer: &Deployer) {
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let deployer = deployer.clone();
        waiting.spawn(async move { found(&deployer, HANGING_APP).await });
    }
    loop {
        match timeout(Duration::from_millis(300), waiting.join_next()).await {
            Ok(Some(heard)) => {
                if heard.unwrap_or_else(panic_on) == "nobody" {
                    injected(&deployer.tally, STOPPED);
                }
            }
            Ok(None) => break,
            Err(_) => deployer.tokens.stop(HANGING_APP),
        }
    }
}

/// Where the app's token was found.
async fn found(deployer: &Deployer, app: &str) -> &'static str {
    let source = deployer.token(app).await.map_or("nobody", |acquired| acquired.source);
    deployer.tally.add(FOUND, &[("app", app), ("source", source)], 1);
    source
}

//! Workloads of the database: bursts of queries, and the questions that are asked now and then.

use std::io;
use std::time::Duration;

use radiosonde_hyper_client::Client;
use radiosonde_poller::{Measurement, Poller, StartError, process_measurements};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::pace::panic_on;
use super::{DATABASE_CLIENT, Pace};
use crate::app::polls;
use crate::app::repo::{NAME, POOL_SIZE, Repo};
use crate::world::canaries;
use crate::world::database::Database;
use crate::world::tally::Tally;

/// W9: 40 clients at once, on a pool of 10 connections, time and again.
pub(crate) async fn bursts(repo: Repo, pace: Pace) {
    let burst = move |_| {
        let repo = repo.clone();
        async move {
            let mut clients = JoinSet::new();
            for client in 0..40 {
                clients.spawn(DATABASE_CLIENT.instrument(query(repo.clone(), client)));
            }
            while let Some(ended) = clients.join_next().await {
                ended.unwrap_or_else(panic_on);
            }
        }
    };
    pace.turns(1, 3.0, burst).await;
}

async fn query(repo: Repo, client: usize) {
    for table in ["users", "projects", "organizations"].into_iter().cycle().skip(client).take(4) {
        let answer = match client % 2 {
            0 => repo.insert(table, canaries::ROW).await,
            _ => repo.count(table).await,
        };
        // A row that was not inserted is in nobody's count.
        drop(answer);
    }
}

/// W12: how many accounts there are, what the pools are doing, and how the process is, is asked by the clock. Those who say
/// nothing by themselves do not know that they are asked.
///
/// # Errors
/// When no thread can be had.
pub(crate) fn poll(repo: &Repo, client: &Client) -> Result<[Poller; 2], StartError> {
    let runtime = Handle::current();
    let (asked, pool, client) = (repo.clone(), repo.watcher(), client.clone());
    let accounts = move || runtime.block_on(polls::accounts(&asked));
    let slow = Poller::builder()
        .name("accounts")
        .period(Duration::from_secs(1))
        .measurements([
            Measurement::fallible("accounts", accounts),
            Measurement::new("http pools", move || client.execute_pool_events()),
        ])
        .measurements(process_measurements())
        .start()?;
    let fast = Poller::builder()
        .name("pool")
        .period(Duration::from_millis(100))
        .measurements([Measurement::new("repo pool", move || pool.execute())])
        .start()?;
    Ok([slow, fast])
}

/// Waits until no connection is being opened, and the database has heard of each that was closed.
///
/// # Errors
/// When the database cannot be reached.
pub(crate) async fn settle(repo: &Repo, database: &Database, tally: &Tally) -> io::Result<()> {
    repo.take_all().await?;
    for duration in ["checkout_duration", "idle_duration"] {
        let waits = format!("database_pool_{duration}_seconds_count");
        tally.add(&waits, &[("pool", NAME)], POOL_SIZE.into());
    }
    let is_heard = async {
        while database.connections() != repo.watcher().status().size as u64 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    // If it never does, the check will say so.
    let _ = timeout(Duration::from_secs(5), is_heard).await;
    Ok(())
}

//! Workloads of the database: bursts of queries, and the questions that are asked now and then.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Pace;
use super::pace::panic_on;
use crate::app::http::Client;
use crate::app::polls;
use crate::app::repo::Repo;

/// W9: 40 clients at once, on a pool of 10 connections, time and again.
pub(crate) async fn bursts(repo: Arc<Repo>, pace: Pace) {
    let burst = move |_| {
        let repo = repo.clone();
        async move {
            let mut clients = JoinSet::new();
            for client in 0..40 {
                clients.spawn(query(repo.clone(), client));
            }
            while let Some(ended) = clients.join_next().await {
                ended.unwrap_or_else(panic_on);
            }
        }
    };
    pace.turns(1, 3.0, burst).await;
}

async fn query(repo: Arc<Repo>, client: usize) {
    for table in ["users", "projects", "organizations"].into_iter().cycle().skip(client).take(4) {
        let verb = if client % 2 == 0 { "insert" } else { "count" };
        // A row that was not inserted is in nobody's count.
        let _ = repo.query(&format!("{verb} {table}")).await;
    }
}

/// W12: how many accounts there are, and what the pools are doing, is asked by the clock; at the end once more, when all is
/// quiet.
pub(crate) async fn polls(repo: Arc<Repo>, client: Arc<Client>, pace: Pace) {
    let (asked, pool, pools) = (repo.clone(), repo.clone(), client.clone());
    let accounts = move |_| {
        let repo = asked.clone();
        // The next turn may have more luck; what the last one missed the checks will find.
        async move { drop(polls::accounts(&repo).await) }
    };
    let repo_pool = move |_| {
        let repo = pool.clone();
        async move { repo.measure_pool() }
    };
    let http_pools = move |_| {
        let client = pools.clone();
        async move { polls::http_pools(&client) }
    };
    tokio::join!(
        pace.turns(1, 1.0, accounts),
        pace.turns(1, 10.0, repo_pool),
        pace.turns(1, 1.0, http_pools),
    );
}

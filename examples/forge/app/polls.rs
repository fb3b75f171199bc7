//! What nobody says by itself, and is asked for now and then.

use std::io;

use radiosonde::execute;

use super::events;
use super::http::{self, Client};
use super::repo::Repo;

/// Says how many projects and accounts there are.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn accounts(repo: &Repo) -> io::Result<()> {
    let total = repo.query("count projects").await?;
    execute!(events::PROJECTS, { total });
    let total = repo.query("count organizations").await?;
    execute!(events::ORGANIZATIONS, { total });
    let total = repo.query("count users").await?;
    execute!(events::USERS, { total });
    Ok(())
}

/// Says what the HTTP client's pools are doing.
pub(crate) fn http_pools(client: &Client) {
    for (index, pool) in client.pools().into_iter().enumerate() {
        let http::PoolStatus { url, available, in_use } = pool;
        execute!(
            events::HTTP_QUEUE_STATUS,
            { available_connections: available, in_use_connections: in_use },
            { url, size: http::POOL_SIZE, index }
        );
    }
}

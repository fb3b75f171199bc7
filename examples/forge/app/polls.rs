//! What nobody says by itself, and is asked for now and then.

use std::io;

use radiosonde::execute;

use super::events;
use super::repo::Repo;

/// Says how many projects and accounts there are.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn accounts(repo: &Repo) -> io::Result<()> {
    let total = repo.count("projects").await?;
    execute!(events::PROJECTS, { total });
    let total = repo.count("organizations").await?;
    execute!(events::ORGANIZATIONS, { total });
    let total = repo.count("users").await?;
    execute!(events::USERS, { total });
    Ok(())
}

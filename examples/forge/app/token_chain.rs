//! Where a token comes from when it is not in the cache: storage, config, the command line tool, a person.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::time::timeout;

use super::child;
use super::tokens::Token;

/// The places that are asked, in this order.
#[derive(Debug)]
pub(crate) struct Chain {
    /// One file per app, with what the command line tool said last.
    pub(crate) storage: PathBuf,
    pub(crate) config: HashMap<String, Token>,
    /// Program and arguments; `--app <name>` is added. Apps that it knows nothing of it refuses.
    pub(crate) cli: (PathBuf, Vec<String>),
    /// How long the command line tool may take.
    pub(crate) cli_timeout: Duration,
    pub(crate) manual: HashMap<String, Token>,
}

pub(super) struct Found {
    pub(super) token: Token,
    pub(super) source: &'static str,
    pub(super) expires: Option<Instant>,
}

impl Chain {
    pub(super) async fn walk(&self, app: &str) -> Option<Found> {
        if let Some(text) = self.stored(app).await
            && let Some(found) = parse(&text, "storage")
        {
            return Some(found);
        }
        if let Some(token) = self.config.get(app) {
            return Some(Found { token: token.clone(), source: "config", expires: None });
        }
        if let Some(text) = self.run_cli(app).await
            && let Some(found) = parse(&text, "cli")
        {
            self.store(app, text).await;
            return Some(found);
        }
        let token = self.manual.get(app)?.clone();
        Some(Found { token, source: "manual", expires: None })
    }

    /// Removes what is stored, so that a token which the provider refused does not come back.
    pub(super) async fn forget(&self, app: &str) {
        let path = self.storage.join(app);
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_file(path)).await;
    }

    async fn stored(&self, app: &str) -> Option<String> {
        let path = self.storage.join(app);
        tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await.ok()?.ok()
    }

    /// A token that cannot be stored is asked for again after a restart, and nothing else.
    async fn store(&self, app: &str, text: String) {
        let path = self.storage.join(app);
        let _ = tokio::task::spawn_blocking(move || std::fs::write(path, text)).await;
    }

    async fn run_cli(&self, app: &str) -> Option<String> {
        let (program, arguments) = &self.cli;
        let mut command = child::command(program, arguments);
        command.args(["--app", app]);
        let output = timeout(self.cli_timeout, command.output()).await.ok()?.ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Reads `<token> <expiry in nanoseconds since 1970>`; an expired token is none.
fn parse(text: &str, source: &'static str) -> Option<Found> {
    let (token, expires) = text.trim_end().split_once(' ')?;
    let expires = UNIX_EPOCH + Duration::from_nanos(expires.parse().ok()?);
    let left = expires.duration_since(SystemTime::now()).ok()?;
    Some(Found { token: Token::new(token), source, expires: Instant::now().checked_add(left) })
}

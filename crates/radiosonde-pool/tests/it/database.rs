//! A SQLite database in a file of its own, and a manager of connections to it for `bb8`.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use ::bb8::ManageConnection;
use ::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use ::sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::Semaphore;

/// Removes its files when it is dropped.
pub(crate) struct Database {
    path: PathBuf,
}

impl Database {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("radiosonde-pool-{}-{}.db", process::id(), NEXT.fetch_add(1, SeqCst));
        Self { path: env::temp_dir().join(name) }
    }

    pub(crate) fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off)
            .busy_timeout(Duration::from_secs(60))
    }

    pub(crate) fn manager(&self) -> Manager {
        Manager { options: self.options(), control: Arc::default() }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(end);
            let _ = fs::remove_file(path);
        }
    }
}

/// What a test may do to a manager, and see of it.
pub(crate) struct Control {
    /// How many connections there are, whatever the telemetry says.
    pub(crate) live: AtomicUsize,
    /// Whether connections do not pass the test any more.
    pub(crate) invalid: AtomicBool,
    /// A test of a connection takes a permit, and gives it back.
    pub(crate) tests: Semaphore,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            live: AtomicUsize::new(0),
            invalid: AtomicBool::new(false),
            tests: Semaphore::new(1000),
        }
    }
}

pub(crate) struct Manager {
    options: SqliteConnectOptions,
    pub(crate) control: Arc<Control>,
}

/// A connection that can be broken, and is counted.
pub(crate) struct Sqlite {
    pub(crate) connection: SqliteConnection,
    pub(crate) broken: bool,
    control: Arc<Control>,
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.control.live.fetch_sub(1, SeqCst);
    }
}

impl ManageConnection for Manager {
    type Connection = Sqlite;
    type Error = ::sqlx::Error;

    async fn connect(&self) -> Result<Sqlite, ::sqlx::Error> {
        let connection = self.options.connect().await?;
        self.control.live.fetch_add(1, SeqCst);
        Ok(Sqlite { connection, broken: false, control: self.control.clone() })
    }

    async fn is_valid(&self, connection: &mut Sqlite) -> Result<(), ::sqlx::Error> {
        let _permit = self.control.tests.acquire().await.unwrap();
        if self.control.invalid.load(SeqCst) {
            return Err(::sqlx::Error::WorkerCrashed);
        }
        connection.connection.ping().await
    }

    fn has_broken(&self, connection: &mut Sqlite) -> bool {
        connection.broken
    }
}

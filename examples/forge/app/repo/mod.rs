//! The database, through a pool whose connections are opened when they are needed, and closed when they are old or lost.

mod connection;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bb8::RunError;
use radiosonde_pool::bb8::Pool;
use radiosonde_pool::{Watcher, query};

use connection::Database;

/// Connections to the database, at most.
pub(crate) const POOL_SIZE: u32 = 10;

/// The pool's name.
pub(crate) const NAME: &str = "Tuist.Repo";

/// A connection that is older is closed when it is given back.
const LIFETIME: Duration = Duration::from_secs(1);

/// How often a query is tried when its connection is lost.
const ATTEMPTS: usize = 3;

#[derive(Clone)]
pub(crate) struct Repo(Pool<Database>);

impl Repo {
    /// Opens nothing yet.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let builder = bb8::Pool::builder()
            .max_size(POOL_SIZE)
            .max_lifetime(LIFETIME)
            // Idle connections are left alone, so that all is quiet when nobody asks for anything.
            .idle_timeout(None)
            .reaper_rate(Duration::from_secs(86_400));
        Self(Pool::build_unchecked(NAME, builder, Database(address)))
    }

    /// Adds a row, and gives the number of rows that there are then.
    ///
    /// # Errors
    /// When the database cannot be reached, or does not understand.
    pub(crate) async fn insert(&self, table: &str, name: &str) -> io::Result<u64> {
        self.query(table, &format!("insert into {table} values ('{name}')")).await
    }

    /// Gives the number of rows.
    ///
    /// # Errors
    /// When the database cannot be reached, or does not understand.
    pub(crate) async fn count(&self, table: &str) -> io::Result<u64> {
        self.query(table, &format!("select count(*) from {table}")).await
    }

    /// Has all connections at once that the pool may have, and gives them back: none is being opened after that.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub(crate) async fn take_all(&self) -> io::Result<()> {
        let mut connections = Vec::new();
        for _ in 0..POOL_SIZE {
            connections.push(self.0.get().await.map_err(io_error)?);
        }
        Ok(())
    }

    /// Who knows what the pool is doing.
    pub(crate) fn watcher(&self) -> Watcher {
        self.0.watcher()
    }

    /// Makes a query as soon as there is a connection, and again on another if that is lost.
    async fn query(&self, table: &str, statement: &str) -> io::Result<u64> {
        for _ in 1..ATTEMPTS {
            match self.try_query(table, statement).await {
                Err(error) if is_lost(&error) => {}
                other => return other,
            }
        }
        self.try_query(table, statement).await
    }

    async fn try_query(&self, table: &str, statement: &str) -> io::Result<u64> {
        let asked = Instant::now();
        let mut connection = self.0.get().await.map_err(io_error)?;
        let waited = asked.elapsed();
        query(NAME, statement)
            .source(table)
            .try_instrument_with(connection.query(statement), |outcome, span| {
                span.queue_time(waited);
                match outcome {
                    // In which is how many rows the table has.
                    Ok(_) => span.rows(1),
                    Err(error) if is_lost(error) => span.error_kind("connection_lost"),
                    Err(_) => {}
                }
            })
            .await
    }
}

fn is_lost(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

fn io_error(error: RunError<io::Error>) -> io::Error {
    match error {
        RunError::User(error) => error,
        RunError::TimedOut => io::ErrorKind::TimedOut.into(),
    }
}

//! The database, through a pool of connections that are opened at the start and replaced when they are old or lost.

mod connection;
pub(crate) mod events;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use radiosonde::execute;
use tokio::sync::Semaphore;

use connection::Connection;

/// Connections to the database, always.
pub(crate) const POOL_SIZE: usize = 10;

/// A connection that is older is replaced.
const LIFETIME: Duration = Duration::from_secs(3);

/// How often a query is tried when its connection is lost.
const ATTEMPTS: usize = 3;

const NAME: &str = "Tuist.Repo";

pub(crate) struct Repo {
    address: SocketAddr,
    /// One for each connection that is not in use.
    ready: Semaphore,
    /// Fewer than there are permits, if connections could not be replaced.
    connections: Mutex<VecDeque<Connection>>,
    waiting: AtomicUsize,
}

impl Repo {
    /// Opens all connections.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut connections = VecDeque::new();
        for _ in 0..POOL_SIZE {
            connections.push_back(open(address).await?);
        }
        Ok(Self {
            address,
            ready: Semaphore::new(POOL_SIZE),
            connections: Mutex::new(connections),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Makes a query as soon as there is a connection, and gives the number it is answered with.
    ///
    /// # Errors
    /// When the database cannot be reached, or does not understand.
    pub(crate) async fn query(&self, text: &str) -> io::Result<u64> {
        self.waiting.fetch_add(1, Relaxed);
        let permit = self.ready.acquire().await;
        self.waiting.fetch_sub(1, Relaxed);
        let _permit = permit.map_err(io::Error::other)?;

        for _ in 1..ATTEMPTS {
            match self.try_query(text).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                other => return other,
            }
        }
        self.try_query(text).await
    }

    async fn try_query(&self, text: &str) -> io::Result<u64> {
        let mut connection = self.young_connection().await?;
        let answer = connection.query(text).await;
        if answer.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
            execute!(events::DISCONNECTED, { count: 1 }, { tag: NAME });
            connection = open(self.address).await?;
        }
        self.connections.lock().push_back(connection);
        answer
    }

    /// A connection of the pool, or one in the place of one that was old, or could not be replaced when it was lost.
    async fn young_connection(&self) -> io::Result<Connection> {
        let connection = self.connections.lock().pop_front();
        match connection {
            Some(connection) if connection.age() < LIFETIME => Ok(connection),
            Some(old) => {
                old.close().await;
                execute!(events::DISCONNECTED, { count: 1 }, { tag: NAME });
                open(self.address).await
            }
            None => open(self.address).await,
        }
    }

    /// Says what the pool is doing: connections are ready, or queries wait; both at once is a moment's glimpse.
    pub(crate) fn measure_pool(&self) {
        let ready_conn_count = self.ready.available_permits();
        let waiting = self.waiting.load(Relaxed);
        let checkout_queue_length = if ready_conn_count > 0 { 0 } else { waiting };
        execute!(events::POOL_METRICS, { checkout_queue_length, ready_conn_count }, {
            repo: NAME, database: "postgres",
        });
    }
}

async fn open(address: SocketAddr) -> io::Result<Connection> {
    let connection = Connection::open(address).await?;
    execute!(events::CONNECTED, { count: 1 }, { tag: NAME });
    Ok(connection)
}

//! A stub database: counts its connections, its queries and its rows, takes its time, and now and then hangs up.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::canaries;
use super::tally::Tally;
use crate::chaos::{injected, services};

const OPENED: &str = "tuist_repo_pool_db_connection_connected";
const CLOSED: &str = "tuist_repo_pool_db_connection_disconnected";

/// Who the other side is.
const POOL: (&str, &str) = ("pool", "Tuist.Repo");

#[derive(Debug)]
pub(crate) struct Database {
    tally: Arc<Tally>,
    chaos: bool,
    queries: AtomicU64,
    rows: Mutex<BTreeMap<String, u64>>,
}

impl Database {
    /// # Errors
    /// When no port can be had.
    pub(crate) async fn start(
        tally: Arc<Tally>,
        chaos: bool,
    ) -> io::Result<(Arc<Self>, SocketAddr)> {
        let (queries, rows) = (AtomicU64::new(0), Mutex::default());
        let database = Arc::new(Self { tally, chaos, queries, rows });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = database.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let database = accepting.clone();
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    database.serve_and_count(BufReader::new(stream)).await;
                });
            }
        });
        Ok((database, address))
    }

    /// The connections that are open now.
    pub(crate) fn connections(&self) -> u64 {
        self.tally.total(OPENED) - self.tally.total(CLOSED)
    }

    /// The rows of a table.
    pub(crate) fn rows(&self, table: &str) -> u64 {
        self.rows.lock().get(table).copied().unwrap_or_default()
    }

    async fn serve_and_count(&self, mut stream: BufReader<TcpStream>) {
        self.tally.add(OPENED, &[], 1);
        self.tally.add("database_pool_connections_opened_total", &[POOL], 1);
        let hung_up = self.serve(&mut stream).await.is_ok_and(|hung_up| hung_up);
        // The other side closes a connection for no other reason than that it is old.
        let reason = if hung_up { "broken" } else { "max_lifetime" };
        let labels = [POOL, ("reason", reason)];
        self.tally.add("database_pool_connections_closed_total", &labels, 1);
        self.tally.add(CLOSED, &[], 1);
    }

    /// Answers one connection until either side has enough, and says whether it was this one.
    async fn serve(&self, stream: &mut BufReader<TcpStream>) -> io::Result<bool> {
        stream.write_all(b"hello\n").await?;
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            let statement = line.trim_end();
            let number = self.queries.fetch_add(1, Relaxed);
            let operation = [POOL, ("operation", statement.split(' ').next().unwrap_or_default())];
            self.count_query(&operation);
            if statement.contains(canaries::ROW) {
                canaries::planted(&self.tally, canaries::ROW, 1);
            }
            tokio::time::sleep(Duration::from_millis(1 + number % 12)).await;
            if number % (if self.chaos { 40 } else { 150 }) == 27 {
                injected(&self.tally, services::DATABASE_HANGS_UP);
                let [pool, operation] = operation;
                let labels = [pool, operation, ("error_kind", "connection_lost")];
                self.tally.add("database_query_errors_total", &labels, 1);
                return Ok(true);
            }
            let answer = self.answer(statement);
            self.tally.add("database_query_rows_count", &operation, 1);
            stream.write_all(format!("{answer}\n").as_bytes()).await?;
            line.clear();
        }
        Ok(false)
    }

    /// Every query has been waited for once, by somebody who got a connection.
    fn count_query(&self, operation: &[(&str, &str)]) {
        for duration in ["query_duration", "query_execution_duration"] {
            self.tally.add(&format!("database_{duration}_seconds_count"), operation, 1);
        }
        for duration in ["query_queue_duration", "pool_checkout_duration", "pool_idle_duration"] {
            self.tally.add(&format!("database_{duration}_seconds_count"), &[POOL], 1);
        }
    }

    fn answer(&self, statement: &str) -> String {
        let words: Vec<_> = statement.split(' ').collect();
        match words[..] {
            ["insert", "into", table, ..] => {
                let mut rows = self.rows.lock();
                let rows = rows.entry(table.to_owned()).or_default();
                *rows += 1;
                rows.to_string()
            }
            ["select", "count(*)", "from", table] => self.rows(table).to_string(),
            _ => format!("`{statement}` is not a statement"),
        }
    }
}

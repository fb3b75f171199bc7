//! A stub database: counts its connections and its rows, takes its time, and now and then hangs up.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::tally::Tally;

const OPENED: &str = "tuist_repo_pool_db_connection_connected";
const CLOSED: &str = "tuist_repo_pool_db_connection_disconnected";

#[derive(Debug)]
pub(crate) struct Database {
    tally: Arc<Tally>,
    queries: AtomicU64,
    rows: Mutex<BTreeMap<String, u64>>,
}

impl Database {
    /// # Errors
    /// When no port can be had.
    pub(crate) async fn start(tally: Arc<Tally>) -> io::Result<(Arc<Self>, SocketAddr)> {
        let database = Arc::new(Self { tally, queries: AtomicU64::new(0), rows: Mutex::default() });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = database.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let database = accepting.clone();
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    database.tally.add(OPENED, &[], 1);
                    let mut stream = BufReader::new(stream);
                    let took_leave = database.serve(&mut stream).await;
                    database.tally.add(CLOSED, &[], 1);
                    // Whoever takes leave is told that it has been counted; others see the connection close now.
                    if took_leave.is_ok_and(|took_leave| took_leave) {
                        let _ = stream.write_all(b"bye\n").await;
                    }
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

    /// Answers one connection until either side has enough, and says whether the other side took leave.
    async fn serve(&self, stream: &mut BufReader<TcpStream>) -> io::Result<bool> {
        stream.write_all(b"hello\n").await?;
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            let query = line.trim_end();
            if query == "bye" {
                return Ok(true);
            }
            let number = self.queries.fetch_add(1, Relaxed);
            tokio::time::sleep(Duration::from_millis(1 + number % 12)).await;
            if number % 150 == 77 {
                break;
            }
            let answer = self.answer(query);
            stream.write_all(format!("{answer}\n").as_bytes()).await?;
            line.clear();
        }
        Ok(false)
    }

    fn answer(&self, query: &str) -> String {
        match query.split_once(' ') {
            Some(("insert", table)) => {
                let mut rows = self.rows.lock();
                let rows = rows.entry(table.to_owned()).or_default();
                *rows += 1;
                rows.to_string()
            }
            Some(("count", table)) => self.rows(table).to_string(),
            _ => format!("`{query}` is not a query"),
        }
    }
}

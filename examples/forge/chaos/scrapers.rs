//! Clients of the metrics page that do everything but read it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::workloads::{Pace, rng};

/// What they do, in turn.
pub(super) const FAILURES: [&str; 6] = [
    "a scraper sends garbage",
    "a scraper sends too large a request",
    "a scraper asks for what is not there",
    "a scraper stops in the middle of its request",
    "a scraper reads slowly",
    "a scraper does not wait for its page",
];

const REQUEST: &str = "GET /metrics HTTP/1.1\r\nhost: forge\r\n\r\n";
/// Far longer than a server should wait for the rest of a request.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was seen of the server.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How often each was done.
    pub(crate) done: [u64; 6],
    /// Answers with the page to those who had not asked for it.
    pub(crate) wrongly_served: u64,
    /// Connections that the server has closed, as their request never came.
    pub(crate) closed: u64,
    /// Those that it has left open.
    pub(crate) left_open: u64,
}

#[derive(Default)]
pub(super) struct Scrapers {
    done: [AtomicU64; 6],
    wrongly_served: AtomicU64,
    closed: AtomicU64,
    left_open: AtomicU64,
}

impl Scrapers {
    /// Six a second, and fewer at once than the server has room for: then it would let go of others, too.
    pub(super) async fn scrape(self: Arc<Self>, page: SocketAddr, seed: u64, pace: Pace) {
        let over = pace.clone();
        let turn = move |turn: u64| {
            let (scrapers, over) = (self.clone(), over.clone());
            async move {
                // The server may hang up on clients like these whenever it likes.
                let _ = scrapers.one_scrape(page, seed, turn, &over).await;
            }
        };
        pace.turns(12, 6.0, turn).await;
    }

    async fn one_scrape(
        &self,
        page: SocketAddr,
        seed: u64,
        turn: u64,
        pace: &Pace,
    ) -> io::Result<()> {
        let mut server = TcpStream::connect(page).await?;
        let kind = turn as usize % FAILURES.len();
        self.done[kind].fetch_add(1, Relaxed);
        match kind {
            0 => {
                let mut rng = rng(seed, 13, turn);
                let garbage: Vec<u8> = (0..rng.usize(1..2_000)).map(|_| rng.u8(..)).collect();
                self.is_refused(server, &[&garbage[..], b"\r\n\r\n"].concat()).await
            }
            1 => {
                let head =
                    format!("{}x: {}\r\n\r\n", &REQUEST[..REQUEST.len() - 2], "y".repeat(1 << 16));
                self.is_refused(server, head.as_bytes()).await
            }
            2 => {
                self.is_refused(server, &REQUEST.replace("/metrics", "/etc/passwd").into_bytes())
                    .await
            }
            3 => {
                server.write_all(&REQUEST.as_bytes()[..20]).await?;
                self.is_closed(server, pace).await;
                Ok(())
            }
            4 => {
                server.write_all(REQUEST.as_bytes()).await?;
                read_slowly(server).await
            }
            _ => server.write_all(REQUEST.as_bytes()).await,
        }
    }

    async fn is_refused(&self, mut server: TcpStream, request: &[u8]) -> io::Result<()> {
        // Who does not read all of a request may have answered it.
        let _ = server.write_all(request).await;
        let mut answer = [0; 15];
        let read = timeout(PATIENCE, server.read_exact(&mut answer)).await;
        if read.is_ok() && answer.starts_with(b"HTTP/1.1 200") {
            self.wrongly_served.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// Waits until the server has had enough, or all is over.
    async fn is_closed(&self, mut server: TcpStream, pace: &Pace) {
        let started = Instant::now();
        while !pace.is_over() {
            let mut answer = [0; 1_024];
            match timeout(Duration::from_millis(100), server.read(&mut answer)).await {
                Ok(Ok(0) | Err(_)) => {
                    self.closed.fetch_add(1, Relaxed);
                    return;
                }
                _ if started.elapsed() > PATIENCE => {
                    self.left_open.fetch_add(1, Relaxed);
                    return;
                }
                _ => {}
            }
        }
    }

    pub(super) fn seen(&self) -> Seen {
        Seen {
            done: self.done.each_ref().map(|count| count.load(Relaxed)),
            wrongly_served: self.wrongly_served.load(Relaxed),
            closed: self.closed.load(Relaxed),
            left_open: self.left_open.load(Relaxed),
        }
    }
}

/// A few bytes now and then, and not to the end.
async fn read_slowly(mut server: TcpStream) -> io::Result<()> {
    for _ in 0..20 {
        server.read_exact(&mut [0; 64]).await?;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

impl Seen {
    /// How often each failure was injected.
    pub(super) fn injected(&self) -> [(&'static str, u64); 6] {
        std::array::from_fn(|place| (FAILURES[place], self.done[place]))
    }
}

//! A way to the receiver on which everything happens that happens to requests, for a third of the time.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use radiosonde::{AttachError, attach};
use radiosonde_posthog::Report;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::reporters::Pings;
use crate::workloads::{Pace, panic_on};

/// What happens to a connection.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It is closed at once.
    HungUp,
    /// This comes back, whatever was asked for.
    Answered(&'static str),
    /// The request arrives, and nothing comes back.
    TooLate,
    /// Nothing comes back.
    Silence,
}

/// They come in turn.
const FATES: [(&str, Fate); 6] = [
    ("a sink hangs up", Fate::HungUp),
    ("a sink answers garbage", Fate::Answered("\u{15}\u{3}\u{1}\r\n\r\n")),
    (
        "a sink answers 429",
        Fate::Answered("HTTP/1.1 429 \r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
    ),
    ("a sink takes what it never answers", Fate::TooLate),
    (
        "a sink answers 503",
        Fate::Answered(
            "HTTP/1.1 503 \r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        ),
    ),
    ("a sink never answers", Fate::Silence),
];
const CUT: &str = "a connection to a sink is cut";
const FULL: &str = "a queue is full";

/// Every failure of this group.
pub(super) const FAILURES: [&str; 8] = {
    let [a, b, c, d, e, f] = FATES;
    [a.0, b.0, c.0, d.0, e.0, f.0, CUT, FULL]
};

/// In the middle third of so long a time nothing gets through, again and again.
const PERIOD: Duration = Duration::from_secs(30);

/// Records that reporters said they had lost.
#[derive(Default)]
pub(super) struct Told([AtomicU64; 2]);

impl Told {
    const REPORTERS: [&str; 2] = ["posthog", "snowplow"];

    /// # Errors
    /// When its handler is attached already.
    pub(super) fn attach() -> Result<Arc<Self>, AttachError> {
        let told = Arc::new(Self::default());
        let adds = told.clone();
        attach("forge.chaos.dropped", "telemetry.delivery.dropped", move |event| {
            let reporter = event.metadata("reporter");
            let place = Self::REPORTERS.iter().position(|known| reporter == *known);
            if let Some(place) = place {
                let count = event.measurement("count").as_u64().unwrap_or_default();
                adds.0[place].fetch_add(count, Relaxed);
            }
        })?;
        Ok(told)
    }

    /// Waits until all that was lost is told, which is done by those who send.
    pub(super) async fn settle(&self, reports: &[Report; 2]) {
        let lost = reports.each_ref().map(|report| report.dropped.total());
        let is_told = async {
            while self.read() != lost {
                sleep(Duration::from_millis(1)).await;
            }
        };
        // If it never is, the check will say so.
        let _ = timeout(Duration::from_secs(5), is_told).await;
    }

    /// By PostHog's reporter, and by Snowplow's.
    pub(super) fn read(&self) -> [u64; 2] {
        self.0.each_ref().map(|count| count.load(Relaxed))
    }

    pub(super) fn injected(&self) -> [(&'static str, u64); 1] {
        [(FULL, self.read().iter().sum())]
    }
}

/// Where senders are let in, or not.
pub(super) struct Door {
    address: SocketAddr,
    started: Instant,
    period: Duration,
    failed: AtomicUsize,
    cut: AtomicU64,
}

impl Door {
    /// A door to the receiver, for a run of this length.
    ///
    /// # Errors
    /// When no port can be had.
    pub(super) async fn start(receiver: SocketAddr, length: Duration) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let door = Arc::new(Self {
            address: listener.local_addr()?,
            started: Instant::now(),
            period: length.min(PERIOD),
            failed: AtomicUsize::new(0),
            cut: AtomicU64::new(0),
        });
        let opened = door.clone();
        tokio::spawn(async move {
            // Who cannot accept has no more files, and no run either.
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(opened.clone().serve(client, receiver));
            }
        });
        Ok(door)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the end of one outage to the end of the next.
    pub(super) fn period(&self) -> Duration {
        self.period
    }

    /// When the outage of this number, from 0, begins, and when it ends.
    fn outage(&self, number: u32) -> (Instant, Instant) {
        let third = |third: u32| self.started + self.period * number + self.period * third / 3;
        (third(1), third(2))
    }

    /// Every connection gets through until the next outage begins, or gets nowhere until the one that there is ends.
    async fn serve(self: Arc<Self>, client: TcpStream, receiver: SocketAddr) {
        let number = self.started.elapsed().as_nanos() / self.period.as_nanos().max(1);
        let (begin, end) = self.outage(number as u32);
        let now = Instant::now();
        let cut = if now < begin { begin } else { self.outage(number as u32 + 1).0 };
        if (begin..end).contains(&now) {
            let number = self.failed.fetch_add(1, Relaxed);
            let (_, fate) = FATES[number % FATES.len()];
            tokio::select! {
                // Whoever hangs up itself has noticed.
                _ = fate.befall(client, receiver) => {}
                () = sleep_until(end) => {}
            }
        } else {
            tokio::select! {
                _ = pass(client, receiver) => {}
                () = sleep_until(cut) => {
                    self.cut.fetch_add(1, Relaxed);
                }
            }
        }
    }

    /// How often each failure was injected.
    pub(super) fn injected(&self) -> Vec<(&'static str, u64)> {
        let failed = self.failed.load(Relaxed);
        let turns = |place: usize| (failed + FATES.len() - 1 - place) / FATES.len();
        let fates = FATES.iter().enumerate();
        let fates = fates.map(|(place, (failure, _))| (*failure, turns(place) as u64));
        fates.chain([(CUT, self.cut.load(Relaxed))]).collect()
    }
}

/// Sends a usage ping at the beginning of each outage.
pub(super) async fn pings(pings: Arc<Pings>, period: Duration, pace: Pace) {
    let turn = move |turn: u64| {
        let pings = pings.clone();
        async move {
            if turn % 3 == 1 {
                tokio::task::spawn_blocking(move || pings.send()).await.unwrap_or_else(panic_on);
            }
        }
    };
    pace.turns(1, 3.0 / period.as_secs_f64(), turn).await;
}

async fn pass(mut client: TcpStream, receiver: SocketAddr) -> io::Result<()> {
    let mut receiver = TcpStream::connect(receiver).await?;
    // Small answers must not wait for an acknowledgement.
    client.set_nodelay(true)?;
    receiver.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut receiver).await.map(drop)
}

impl Fate {
    async fn befall(self, mut client: TcpStream, receiver: SocketAddr) -> io::Result<()> {
        match self {
            Self::HungUp => {}
            Self::Answered(answer) => {
                let mut head = [0; 16];
                client.read_exact(&mut head).await?;
                client.write_all(answer.as_bytes()).await?;
                client.shutdown().await?;
                // Who closes a connection with something unread in it takes the answer back.
                copy(&mut client, &mut sink()).await?;
            }
            Self::TooLate => {
                let mut receiver = TcpStream::connect(receiver).await?;
                let (mut answer, mut request) = receiver.split();
                let mut nowhere = sink();
                tokio::try_join!(copy(&mut client, &mut request), copy(&mut answer, &mut nowhere))?;
            }
            Self::Silence => drop(copy(&mut client, &mut sink()).await?),
        }
        Ok(())
    }
}

//! Everything a usage ping needs to know before it starts, and how it starts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::Mutex;
use radiosonde::{Bus, FailurePolicy, execute};
use radiosonde_delivery::{Backoff, Delivery, Endpoint, HttpSink, Options, Uuid};

#[cfg(feature = "tls")]
use radiosonde_delivery::Certificates;

use crate::check;
use crate::clock::{Clock, SystemClock, is_possible};
use crate::collected::{Collected, Counter, Counts};
use crate::compute::Computed;
use crate::consent::{Consent, Switch};
use crate::definition::{DefinitionError, Definitions};
use crate::error::StartError;
use crate::events;
use crate::metric::{Instrument, Metric};
use crate::random;
use crate::schedule::{Due, Schedule, milliseconds};
use crate::shared::Shared;
use crate::sink::{Bytes, LARGEST, Post, Sealed, Told, USER_AGENT};
use crate::state::{self, Book, Outcome};
use crate::store::{INSTALLATION, STATE, Store};
use crate::usage_ping::{Attached, Running, UsagePing};
use crate::worker::{Command, Worker};

/// How many reports, and how many commands, may wait.
pub(crate) const WAITING: usize = 8;

/// Everything a usage ping needs to know before it starts.
#[must_use]
pub struct Builder {
    id: String,
    endpoint: String,
    directory: PathBuf,
    bus: Bus,
    files: Vec<(String, String)>,
    metrics: Vec<Metric>,
    /// The first reason why it is off, if there is one.
    off: Option<String>,
    /// What the environment says, which is stronger than the application.
    switched_on: bool,
    opted_in: bool,
    schedule: Schedule,
    timeout: Duration,
    save_interval: Duration,
    backoff: Backoff,
    request_timeout: Duration,
    allows_plain_http: bool,
    clock: Arc<dyn Clock>,
    #[cfg(test)]
    pub(crate) write: Option<Box<crate::store::Write>>,
    #[cfg(feature = "tls")]
    authorities: Option<Certificates>,
}

impl Builder {
    pub(crate) fn new(
        endpoint: impl Into<String>,
        directory: impl Into<PathBuf>,
        do_not_track: Option<&str>,
    ) -> Self {
        let builder = Self {
            id: "usage-ping".to_owned(),
            endpoint: endpoint.into(),
            directory: directory.into(),
            bus: radiosonde::global().clone(),
            files: Vec::new(),
            metrics: Vec::new(),
            off: None,
            switched_on: false,
            opted_in: false,
            schedule: Schedule {
                period: Duration::from_secs(7 * 86_400),
                jitter: Duration::from_secs(3_600),
            },
            timeout: Duration::from_secs(15),
            save_interval: Duration::from_secs(10),
            backoff: Backoff::new(),
            request_timeout: Duration::from_secs(10),
            allows_plain_http: false,
            clock: Arc::new(SystemClock),
            #[cfg(test)]
            write: None,
            #[cfg(feature = "tls")]
            authorities: None,
        };
        builder.switch(Switch::do_not_track(do_not_track))
    }

    /// Adds a definition file: its name, for messages, and its text, best taken by `include_str!`.
    pub fn definitions(mut self, file: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.push((file.into(), text.into()));
        self
    }

    /// Adds a metric, which must be defined.
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metrics.push(metric);
        self
    }

    /// Adds metrics.
    pub fn metrics(mut self, metrics: impl IntoIterator<Item = Metric>) -> Self {
        self.metrics.extend(metrics);
        self
    }

    /// Whether the operator has opted in. Without it nothing is ever sent; [`UsagePing::opt_in`] says it later.
    pub fn opt_in(mut self, opted_in: bool) -> Self {
        self.opted_in = opted_in;
        self
    }

    /// Lets the variable `<prefix>_USAGE_PING` decide, which is stronger than what the application says: `1` opts in, `0`
    /// and whatever is not understood turns it off for good. Not set, it says nothing.
    pub fn environment(self, prefix: &str) -> Self {
        let name = format!("{prefix}_USAGE_PING");
        // What is not Unicode is not understood.
        let value = std::env::var_os(&name).map(|value| value.to_string_lossy().into_owned());
        let switch = Switch::variable(&name, value.as_deref());
        self.switch(switch)
    }

    /// Turns it off for good, as a configuration file does that says so: nothing is counted, written or sent, and nothing
    /// that runs can turn it on. The reason is for [`Status::Off`](crate::Status::Off).
    pub fn off(self, reason: impl Into<String>) -> Self {
        self.switch(Switch::Off { reason: reason.into() })
    }

    pub(crate) fn switch(mut self, switch: Switch) -> Self {
        match switch {
            Switch::Unset => {}
            Switch::On => self.switched_on = true,
            Switch::Off { reason } => {
                self.off.get_or_insert(reason);
            }
        }
        self
    }

    /// How often a report is due, a week by default. The first one falls somewhere in the first period.
    pub fn period(mut self, period: Duration) -> Self {
        self.schedule.period = period;
        self
    }

    /// How much later than due a report may be made, by chance: an hour by default, and at most half a period.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.schedule.jitter = jitter;
        self
    }

    /// How long a function or a setting may take, 15 s by default. One that takes longer yields its fallback.
    pub fn function_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often what was counted is written to disk, 10 s by default: what a process that is killed may lose.
    pub fn save_interval(mut self, interval: Duration) -> Self {
        self.save_interval = interval;
        self
    }

    /// How a report that does not arrive is repeated at once. When that is used up it is tried again 8, 16 and then every
    /// 24 hours later, until the next report is due; with another period, that much of it.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How long one request may take, 10 s by default.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// The name of the reporter in handler ids, thread names and events, `usage-ping` by default.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Attaches to this bus instead of the global one.
    pub fn bus(mut self, bus: &Bus) -> Self {
        self.bus = bus.clone();
        self
    }

    /// Also sends over plain http to other machines, where whoever is on the way can read it.
    pub fn allow_plain_http(mut self) -> Self {
        self.allows_plain_http = true;
        self
    }

    /// Trusts these authorities instead of the public ones.
    #[cfg(feature = "tls")]
    pub fn trust(mut self, authorities: Certificates) -> Self {
        self.authorities = Some(authorities);
        self
    }

    #[cfg(test)]
    pub(crate) fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks everything, reads the state, attaches the counters and starts the threads.
    ///
    /// If it is off, everything is checked too, but nothing is attached, started, read or written.
    ///
    /// # Errors
    ///
    /// When the definitions are wrong or the code is not as they say, with all problems at once; when the URL is no
    /// endpoint, an option is zero, the directory is in use or cannot be used, the id is taken, or no thread can be
    /// started. What is in the directory is never a reason: damaged files are set aside.
    pub fn start(mut self) -> Result<UsagePing, StartError> {
        let definitions = self.check()?;
        let endpoint = self.endpoint()?;
        if let Some(reason) = self.off {
            execute!(events::OFF, {}, { reason: reason });
            return Ok(UsagePing { running: Err(reason) });
        }
        let store = self.store()?;
        let installation = self.installation(&store)?;
        let consent = Arc::new(Consent::new(self.switched_on || self.opted_in));

        let mut collected = Vec::new();
        let mut counters = Vec::new();
        let mut computed = BTreeMap::new();
        for Metric { key_path, instrument } in std::mem::take(&mut self.metrics) {
            let (kind, counts) = match instrument {
                Instrument::Function(_, function) => {
                    computed.insert(key_path, Computed::new(function));
                    continue;
                }
                Instrument::Distinct(..) => ("distinct", Counts::Distinct(Mutex::default())),
                Instrument::Counter(_) => ("counter", Counts::Sum(Mutex::default())),
                Instrument::Sum(..) => ("sum", Counts::Sum(Mutex::default())),
            };
            let one = Arc::new(Collected::new(&key_path, kind, counts));
            collected.push(Arc::clone(&one));
            counters.push((one, instrument));
        }
        let mut book = self.book(&store, &collected)?;
        if let Some(last) = &mut book.last {
            last.consent = consent.given();
        }
        let salt = Arc::clone(&book.salt);
        let shared = Arc::new(Shared {
            definitions,
            collected,
            computed,
            timeout: self.timeout,
            save_interval: self.save_interval,
            schedule: self.schedule,
            clock: Arc::clone(&self.clock),
            store,
            installation,
            book: Mutex::new(book),
            consent: Arc::clone(&consent),
            // When the first report is due is worth writing down.
            has_changed: Arc::new(AtomicBool::new(true)),
            making: Mutex::new(()),
        });

        let (telling, told) = unbounded();
        let delivery = self.deliver(endpoint, consent, telling)?;
        let attached = self.attach(counters, &shared, &salt)?;
        let (stop, stopped) = bounded(0);
        let (commands, commanded) = bounded(WAITING);
        let ended = self.work(&shared, &delivery, commanded, told.clone(), stopped)?;
        let _ = commands.try_send(Command::Wake);
        let running =
            Running { attached, shared, commands, told, stop: Some(stop), ended, delivery };
        Ok(UsagePing { running: Ok(running) })
    }

    fn check(&self) -> Result<Definitions, StartError> {
        let files = self.files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let (definitions, mut problems) = Definitions::read(files);
        problems.extend(check::problems(&definitions, &self.metrics));
        if !problems.is_empty() {
            return Err(StartError::Definitions(DefinitionError { problems }));
        }
        let zero = [
            ("period", self.schedule.period),
            ("function_timeout", self.timeout),
            ("save_interval", self.save_interval),
        ];
        match zero.into_iter().find(|(_, duration)| duration.is_zero()) {
            Some((option, _)) => Err(StartError::ZeroOption { option }),
            None => Ok(definitions),
        }
    }

    fn endpoint(&self) -> Result<Endpoint, StartError> {
        let parse = if self.allows_plain_http {
            Endpoint::parse_allowing_plain_http
        } else {
            Endpoint::parse
        };
        let endpoint = parse(&self.endpoint).map_err(StartError::Endpoint)?;
        // It makes a difference to some servers, and an endpoint has none.
        let ends_in_slash = self.endpoint.trim().ends_with('/');
        Ok(if ends_in_slash { endpoint.join("/") } else { endpoint })
    }

    fn store(&mut self) -> Result<Store, StartError> {
        match Store::lock(&self.directory) {
            #[cfg(test)]
            Ok(Some(mut store)) => {
                self.write.take().into_iter().for_each(|write| store.set_write(write));
                Ok(store)
            }
            #[cfg(not(test))]
            Ok(Some(store)) => Ok(store),
            Ok(None) => Err(StartError::InUse { directory: self.directory.clone() }),
            Err(error) => Err(self.unusable(error)),
        }
    }

    fn unusable(&self, error: std::io::Error) -> StartError {
        StartError::Directory { directory: self.directory.clone(), error }
    }

    /// Who this is, for good: without that no report would be worth anything, so it must be on disk.
    fn installation(&self, store: &Store) -> Result<String, StartError> {
        let stored = store.read(INSTALLATION).map_err(|error| self.unusable(error))?;
        if let Some(bytes) = stored {
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            if is_uuid(&text) {
                return Ok(text);
            }
            store.set_aside(INSTALLATION, "it is no UUID");
        }
        let made = Uuid::at(self.clock.now()).to_string();
        store.write(INSTALLATION, made.as_bytes()).map_err(|error| self.unusable(error))?;
        Ok(made)
    }

    /// What the last process has written, or a new beginning.
    fn book(&self, store: &Store, collected: &[Arc<Collected>]) -> Result<Book, StartError> {
        let now = milliseconds(self.clock.now());
        if let Some(bytes) = store.read(STATE).map_err(|error| self.unusable(error))? {
            let read = state::decode(&bytes).and_then(|(book, counts)| {
                state::restore(&counts, collected).ok_or("its counts make no sense")?;
                Ok(book)
            });
            match read {
                Ok(mut book) => {
                    if let Some(last) = &mut book.last
                        && last.outcome == Outcome::Pending
                    {
                        // Of one that never failed nobody knows whether it arrived: the process was killed.
                        let latest =
                            if last.failures == 0 { now } else { self.schedule.again(3, now) };
                        last.again_at = last.again_at.min(latest);
                    }
                    return Ok(book);
                }
                Err(reason) => store.set_aside(STATE, reason),
            }
        }
        let due = if is_possible(self.clock.now()) {
            self.schedule.first(now, random::fraction())
        } else {
            // The worker finds it out once the clock is set.
            Due { slot: now, at: u64::MAX }
        };
        Ok(Book { since: now, salt: random::salt().into(), due, last: None })
    }

    fn deliver(
        &self,
        endpoint: Endpoint,
        consent: Arc<Consent>,
        told: Sender<Told>,
    ) -> Result<Delivery<Sealed>, StartError> {
        let http = HttpSink::new(self.id.as_str(), USER_AGENT, endpoint, Bytes);
        #[cfg(feature = "tls")]
        let http = match &self.authorities {
            Some(authorities) => http.trust(authorities),
            None => http,
        };
        let options = Options::new()
            // What is due, or asked for by several at once, needs room besides.
            .queue_records(2 * WAITING)
            .batch_records(1)
            .batch_bytes(LARGEST)
            .batch_delay(Duration::ZERO)
            .request_timeout(self.request_timeout)
            .backoff(self.backoff.clone());
        let sink = Post::new(http, consent, told);
        Delivery::start(self.id.as_str(), options, sink).map_err(StartError::Delivery)
    }

    fn attach(
        &self,
        counters: Vec<(Arc<Collected>, Instrument)>,
        shared: &Shared,
        salt: &Arc<str>,
    ) -> Result<Attached, StartError> {
        let mut attached = Attached { bus: self.bus.clone(), ids: Vec::new() };
        for (collected, instrument) in counters {
            let id = format!("{}/{}", self.id, collected.key_path);
            let counter = Counter {
                collected,
                instrument,
                clock: Arc::clone(&self.clock),
                salt: Arc::clone(salt),
                has_changed: Arc::clone(&shared.has_changed),
            };
            let events: Vec<String> = counter.events().to_vec();
            let events = events.iter().map(String::as_str);
            attached
                .bus
                // A filter that panics costs one event, not the metric.
                .attach_with_policy(id.as_str(), events, FailurePolicy::Keep, move |event| {
                    counter.count(event);
                })
                .map_err(StartError::Attach)?;
            attached.ids.push(id);
        }
        Ok(attached)
    }

    /// Starts the thread, and gives what is closed when it has ended.
    fn work(
        &self,
        shared: &Arc<Shared>,
        delivery: &Delivery<Sealed>,
        commands: Receiver<Command>,
        told: Receiver<Told>,
        stop: Receiver<()>,
    ) -> Result<Receiver<()>, StartError> {
        let worker = Worker {
            shared: Arc::clone(shared),
            queue: delivery.queue(),
            commands,
            told,
            stop,
            saved_at: Instant::now(),
        };
        shared.save();
        shared.has_changed.store(true, Ordering::Release);
        let (working, ended) = bounded(0);
        let run = move || {
            let _ended: Sender<()> = working;
            worker.run();
        };
        // A name with a zero byte would panic.
        let name = format!("radiosonde-{}-schedule", self.id).replace('\0', "");
        thread::Builder::new().name(name).spawn(run).map_err(StartError::Thread)?;
        Ok(ended)
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().zip(0..).all(|(byte, place)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

impl fmt::Debug for Builder {
    /// Without the URL: it was not checked yet, and may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("id", &self.id)
            .field("directory", &self.directory)
            .field("metrics", &self.metrics)
            .field("off", &self.off)
            .field("opted_in", &(self.opted_in || self.switched_on))
            .finish_non_exhaustive()
    }
}

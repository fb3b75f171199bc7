//! A reporter of a few lines: how many spans of each name were started, and how they ended; and whether requests arrive in the trace
//! in which they were sent.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use radiosonde::{AttachError, Declaration, DeclarationKind, Event};

use crate::app::{events, storage};

/// Spans by what has become of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) started: u64,
    pub(crate) stopped: u64,
    pub(crate) exceptions: u64,
}

/// Requests that were sent by a client of this program to a server of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrivals {
    /// Inside the client's span.
    pub(crate) in_trace: u64,
    /// Inside something else, or nothing.
    pub(crate) astray: u64,
}

#[derive(Debug)]
pub(crate) struct Spans {
    counts: BTreeMap<&'static str, Arc<[AtomicU64; 3]>>,
    traces: Arc<Traces>,
}

#[derive(Debug, Default)]
struct Traces {
    /// The contexts of requests that have been sent and not been answered.
    sent: Mutex<HashSet<String>>,
    in_trace: AtomicU64,
    astray: AtomicU64,
}

impl Spans {
    /// Attaches to every span that the application, and the crates it is made of, declare.
    ///
    /// # Errors
    /// When it is attached already.
    pub(super) fn attach() -> Result<Self, AttachError> {
        let declared = [
            events::EVENTS,
            storage::events::EVENTS,
            radiosonde_hyper_client::events::EVENTS,
            radiosonde_jobs::events::EVENTS,
            radiosonde_pool::events::EVENTS,
            radiosonde_tokio::events::EVENTS,
            radiosonde_tower::events::EVENTS,
        ];
        let is_span = |event: &&&'static Declaration| event.kind() == DeclarationKind::Span;
        let mut counts = BTreeMap::new();
        for span in declared.into_iter().flatten().filter(is_span) {
            counts.insert(span.name(), count(span.name())?);
        }
        let traces = Arc::new(Traces::default());
        let seen = traces.clone();
        let requests = ["http.client.request.*", "http.server.request.start"];
        radiosonde::attach_many("forge.traces", requests, move |event| seen.see(event))?;
        Ok(Self { counts, traces })
    }

    /// What has become of the spans of each name until now.
    pub(crate) fn ends(&self) -> BTreeMap<&'static str, Ends> {
        let read = |counts: &[AtomicU64; 3]| {
            let [started, stopped, exceptions] = [0, 1, 2].map(|end| counts[end].load(Relaxed));
            Ends { started, stopped, exceptions }
        };
        self.counts.iter().map(|(name, counts)| (*name, read(counts))).collect()
    }

    /// Where requests have arrived until now.
    pub(crate) fn arrivals(&self) -> Arrivals {
        let Traces { in_trace, astray, .. } = &*self.traces;
        Arrivals { in_trace: in_trace.load(Relaxed), astray: astray.load(Relaxed) }
    }
}

fn count(span: &str) -> Result<Arc<[AtomicU64; 3]>, AttachError> {
    let counts = Arc::new([0, 0, 0].map(AtomicU64::new));
    for (end, suffix) in ["start", "stop", "exception"].into_iter().enumerate() {
        let counted = counts.clone();
        let name = format!("{span}.{suffix}");
        radiosonde::attach(format!("forge.spans.{name}"), name.as_str(), move |_| {
            counted[end].fetch_add(1, Relaxed);
        })?;
    }
    Ok(counts)
}

impl Traces {
    fn see(&self, event: &Event<'_>) {
        let context = |key| event.metadata(key).as_str().unwrap_or_default();
        match event.name().as_str() {
            "http.client.request.start" => {
                self.sent.lock().insert(context("telemetry_span_context").to_owned());
            }
            "http.server.request.start" => {
                let is_sent = self.sent.lock().contains(context("telemetry_parent_span_context"));
                let arrived = if is_sent { &self.in_trace } else { &self.astray };
                arrived.fetch_add(1, Relaxed);
            }
            _ => {
                self.sent.lock().remove(context("telemetry_span_context"));
            }
        }
    }
}

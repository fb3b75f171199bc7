//! The way out: a report as a request, if the operator still agrees at that moment.

use std::sync::Arc;

use crossbeam_channel::Sender;
use radiosonde_delivery::{Answer, Attempt, DropReason, Encode, HttpSink, Record, Request, Sink};

use crate::consent::{Consent, Given};

pub(crate) const USER_AGENT: &str = concat!("radiosonde-usage-ping/", env!("CARGO_PKG_VERSION"));

/// The largest report, in bytes.
pub(crate) const LARGEST: usize = 1 << 20;

/// A report on its way.
pub(crate) struct Sealed {
    /// In milliseconds since 1970.
    pub(crate) recorded_at: u64,
    pub(crate) body: Arc<str>,
    pub(crate) consent: Given,
}

impl Record for Sealed {
    fn size(&self) -> usize {
        self.body.len()
    }
}

/// A report's bytes are the request's body.
pub(crate) struct Bytes;

impl Encode<Sealed> for Bytes {
    fn encode(&mut self, records: &[Sealed], _attempt: &Attempt, request: &mut Request) {
        // A batch is one report.
        records.iter().for_each(|record| request.body.extend_from_slice(record.body.as_bytes()));
    }
}

/// What became of a report that was handed over.
#[derive(Debug)]
pub(crate) enum Told {
    Delivered { recorded_at: u64, bytes: usize },
    Lost { recorded_at: u64, reason: DropReason, failure: String },
}

/// Asks for consent at every attempt, and tells what became of it.
pub(crate) struct Post<S> {
    pub(crate) http: S,
    pub(crate) consent: Arc<Consent>,
    /// Never holds more than there are reports in the queue.
    pub(crate) told: Sender<Told>,
    /// What was tried last, unless it has arrived.
    pub(crate) tried: Option<u64>,
    pub(crate) failure: String,
}

impl Post<HttpSink<Bytes>> {
    pub(crate) fn new(http: HttpSink<Bytes>, consent: Arc<Consent>, told: Sender<Told>) -> Self {
        Self { http, consent, told, tried: None, failure: String::new() }
    }
}

impl<S: Sink<Sealed>> Sink<Sealed> for Post<S> {
    fn send(&mut self, records: &[Sealed], attempt: &Attempt) -> Answer {
        self.tried = records.first().map(|record| record.recorded_at);
        let given = self.consent.given();
        let answer = if records.iter().all(|record| Some(record.consent) == given) {
            self.http.send(records, attempt)
        } else {
            Answer::Rejected { reason: "the operator has opted out".to_owned() }
        };
        match &answer {
            Answer::Delivered | Answer::Each { .. } => {
                self.tried = None;
                for record in records {
                    let told = Told::Delivered {
                        recorded_at: record.recorded_at,
                        bytes: record.body.len(),
                    };
                    // Nobody hears it after the end: the report is tried again.
                    let _ = self.told.send(told);
                }
            }
            Answer::Retry { reason, .. }
            | Answer::TooLarge { reason }
            | Answer::Invalid { reason }
            | Answer::Rejected { reason } => self.failure.clone_from(reason),
            _ => {}
        }
        answer
    }

    fn lost(&mut self, reason: DropReason, _count: u64) {
        // One that was not even tried waits for the next process.
        let Some(recorded_at) = self.tried.take() else { return };
        let failure = self.failure.clone();
        let _ = self.told.send(Told::Lost { recorded_at, reason, failure });
    }
}

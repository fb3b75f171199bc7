//! A receiver on loopback, in place of PostHog, of a Snowplow collector, and of whoever collects usage pings: counts what
//! arrives and looks for secrets in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use parking_lot::Mutex;
use serde_json::Value;

use super::canaries;
use super::server::{response, serve_and_count};

/// Where usage pings go.
pub(crate) const USAGE_PING: &str = "/usage-ping";
/// Where trackers of Snowplow send their events to.
const SNOWPLOW: &str = "/com.snowplowanalytics.snowplow/tp2";

#[derive(Debug, Default)]
pub(crate) struct Receiver {
    received: Mutex<Received>,
}

/// What has arrived until now.
#[derive(Debug, Default, Clone)]
pub(crate) struct Received {
    pub(crate) connections: u64,
    pub(crate) posthog: Arrived,
    pub(crate) snowplow: Arrived,
    pub(crate) usage_ping: Arrived,
    /// The usage pings, to the byte.
    pub(crate) reports: Vec<String>,
}

/// What has arrived of one kind.
#[derive(Debug, Default, Clone)]
pub(crate) struct Arrived {
    pub(crate) requests: u64,
    /// Requests with what had arrived before: who is not sure sends it again.
    pub(crate) repeated: u64,
    /// Events by their name.
    pub(crate) events: BTreeMap<String, u64>,
    /// The secrets that should have stayed at home.
    pub(crate) leaks: BTreeSet<&'static str>,
    /// The ids of what has arrived last, by request.
    last: VecDeque<Vec<String>>,
}

/// Requests after which one does not come again: a sender sends nothing else until it knows what has become of the last one.
const REMEMBERED: usize = 4;

impl Receiver {
    /// # Errors
    /// When no port can be had.
    pub(crate) async fn start() -> io::Result<(Arc<Self>, SocketAddr)> {
        let receiver = Arc::new(Self::default());
        let (answering, counting) = (receiver.clone(), receiver.clone());
        let answer = move |request| {
            let receiver = answering.clone();
            async move { receiver.answer(request).await }
        };
        let connected = move || counting.received.lock().connections += 1;
        Ok((receiver, serve_and_count(answer, connected).await?))
    }

    pub(crate) fn received(&self) -> Received {
        self.received.lock().clone()
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&body);
        let Ok(document) = serde_json::from_str::<Value>(&text) else {
            return Ok(response(400, "not JSON"));
        };
        let mut received = self.received.lock();
        let arrived = match path.as_str() {
            SNOWPLOW => received.snowplow.count(&document["data"], "eid", of_snowplow),
            USAGE_PING => {
                if received.usage_ping.is_new(vec![text.clone().into_owned()]) {
                    received.reports.push(text.clone().into_owned());
                }
                &mut received.usage_ping
            }
            _ => {
                let name = |event: &Value| text_of(&event["event"]);
                received.posthog.count(&document["batch"], "uuid", name)
            }
        };
        arrived.leaks.extend(canaries::found_in(&text));
        Ok(response(200, "{\"status\":1}"))
    }
}

impl Arrived {
    fn count(&mut self, events: &Value, id: &str, name: impl Fn(&Value) -> String) -> &mut Self {
        let events = || events.as_array().into_iter().flatten();
        if self.is_new(events().map(|event| text_of(&event[id])).collect()) {
            for event in events() {
                *self.events.entry(name(event)).or_default() += 1;
            }
        }
        self
    }

    /// Whether what has these ids arrives for the first time.
    fn is_new(&mut self, ids: Vec<String>) -> bool {
        let is_new = !self.last.contains(&ids);
        if is_new {
            self.requests += 1;
            self.last.push_front(ids);
            self.last.truncate(REMEMBERED);
        } else {
            self.repeated += 1;
        }
        is_new
    }
}

/// The name of the schema of a self-describing event, or the category and the action of a structured one.
fn of_snowplow(event: &Value) -> String {
    let described = serde_json::from_str::<Value>(&text_of(&event["ue_pr"])).unwrap_or_default();
    match described["data"]["schema"].as_str().and_then(|schema| schema.split('/').nth(1)) {
        Some(name) => name.to_owned(),
        None => format!("{}_{}", text_of(&event["se_ca"]), text_of(&event["se_ac"])),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

//! A receiver of product analytics on loopback, in place of PostHog: counts what arrives and looks for secrets in it.

use std::collections::{BTreeMap, BTreeSet};
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
use super::server::{response, serve};

#[derive(Debug, Default)]
pub(crate) struct Receiver {
    received: Mutex<Received>,
}

/// What has arrived until now.
#[derive(Debug, Default, Clone)]
pub(crate) struct Received {
    pub(crate) requests: u64,
    /// Events by their name.
    pub(crate) events: BTreeMap<String, u64>,
    /// The secrets that should have stayed at home.
    pub(crate) leaks: BTreeSet<&'static str>,
}

impl Receiver {
    /// # Errors
    /// When no port can be had.
    pub(crate) async fn start() -> io::Result<(Arc<Self>, SocketAddr)> {
        let receiver = Arc::new(Self::default());
        let answering = receiver.clone();
        let answer = move |request| {
            let receiver = answering.clone();
            async move { receiver.answer(request).await }
        };
        Ok((receiver, serve(answer).await?))
    }

    pub(crate) fn received(&self) -> Received {
        self.received.lock().clone()
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let body = request.into_body().collect().await?.to_bytes();
        let Ok(document) = serde_json::from_slice::<Value>(&body) else {
            return Ok(response(400, "not JSON"));
        };
        let mut received = self.received.lock();
        received.requests += 1;
        received.leaks.extend(canaries::found_in(&String::from_utf8_lossy(&body)));
        for event in document["batch"].as_array().into_iter().flatten() {
            let name = event["event"].as_str().unwrap_or_default();
            *received.events.entry(name.to_owned()).or_default() += 1;
        }
        Ok(response(200, "{\"status\":1}"))
    }
}

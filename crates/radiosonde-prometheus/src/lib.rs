//! Prometheus reporter: metrics over telemetry events, served at `/metrics` for a Prometheus server to scrape.
//!
//! ```
//! use radiosonde::{EventName, Value};
//! use radiosonde_metrics::counter;
//! use radiosonde_prometheus::Prometheus;
//!
//! let metrics = [counter("ex_atlas.runpod.request.count").tags(["api", "method"]).description("Calls to RunPod.")];
//! let prometheus = Prometheus::builder().metrics(metrics).listen("127.0.0.1:0").start()?;
//!
//! let request = EventName::new("ex_atlas.runpod.request")?;
//! radiosonde::execute(&request, &[], &[("api", Value::from("rest")), ("method", Value::from("GET"))]);
//!
//! let page = prometheus.render(None, None);
//! let page = String::from_utf8(page.body)?;
//! assert!(page.contains("# TYPE ex_atlas_runpod_request_count counter\n"));
//! assert!(page.contains("ex_atlas_runpod_request_count{api=\"rest\",method=\"GET\"} 1\n"));
//! println!("scrape http://{}/metrics", prometheus.local_addr());
//! prometheus.shutdown();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Recording happens in the thread that executes the event, in a [`Store`]. The server has one thread of its own, and
//! another one that renders pages while there are scrapes. No async runtime is needed, and none of the application's is used.
//!
//! # Without this server
//! An application that has a server shows the metrics there: it attaches a [`Store`] itself, and answers with what
//! [`render`] returns. For axum, the feature `axum` has a `router`.
//!
//! ```
//! use radiosonde_metrics::{Store, counter};
//!
//! let store = Store::new([counter("ex_atlas.runpod.request.count")])?;
//! let _attached = store.attach(radiosonde::global())?;
//!
//! let page = radiosonde_prometheus::render(&store, Some("text/plain"), None);
//! assert_eq!(page.content_type, "text/plain; version=0.0.4; charset=utf-8");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod auth;
mod builder;
mod error;
pub mod events;
mod exposition;
mod lines;
mod negotiate;
mod number;
mod openmetrics;
mod protobuf;
#[cfg(feature = "push")]
mod push;
mod render;
#[cfg(feature = "axum")]
mod router;
mod scrapes;
mod server;
mod teller;
mod text;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use radiosonde_metrics::{Attached, Store};

pub use builder::{Builder, DEFAULT_ADDRESS, DEFAULT_PATH};
pub use error::StartError;
#[cfg(feature = "push")]
pub use push::{PushBuilder, PushError, PushReport, PushStartError, Pushgateway};
pub use render::{Page, render};
#[cfg(feature = "axum")]
pub use router::router;
use server::Server;

/// The running reporter: a store attached to a bus, and a server that shows it.
///
/// Dropping it is the same as [`Prometheus::shutdown`].
#[derive(Debug)]
#[must_use = "dropping it stops the reporter"]
pub struct Prometheus {
    // Fields are dropped in this order: no more events, then no more scrapes.
    _attached: Attached,
    _server: Server,
    store: Arc<Store>,
    local_addr: SocketAddr,
}

impl Prometheus {
    /// A reporter on the global bus, with no metrics, that listens on [`DEFAULT_ADDRESS`] and shows them at
    /// [`DEFAULT_PATH`].
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The address that the server listens on; its port is the real one where port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The page that a scrape gets now: see [`render`].
    #[must_use]
    pub fn render(&self, accept: Option<&str>, accept_encoding: Option<&str>) -> Page {
        render(&self.store, accept, accept_encoding)
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Detaches from the bus, closes the port, and returns when responses under way are taken, which it waits for by
    /// two seconds at most. Dropping does the same. A handler of the reporter's own events may do it: that runs in the
    /// server's thread, which then ends after it.
    pub fn shutdown(self) {
        drop(self);
    }
}

/// The example of the README, for the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

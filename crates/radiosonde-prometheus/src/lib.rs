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
//! let page = prometheus.render();
//! assert!(page.contains("# TYPE ex_atlas_runpod_request_count counter\n"));
//! assert!(page.contains("ex_atlas_runpod_request_count{api=\"rest\",method=\"GET\"} 1\n"));
//! println!("scrape http://{}/metrics", prometheus.local_addr());
//! prometheus.shutdown();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Recording happens in the thread that executes the event, in a [`Store`]; the server has one thread of its own, which
//! reads the store when it is scraped. No async runtime is needed, and none of the application's is used.

mod error;
mod exposition;
mod number;
mod render;
mod server;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use radiosonde::Bus;
use radiosonde_metrics::{Attached, Metric, Store};

pub use error::StartError;
pub use render::{Page, render};
use server::{Limits, Server};

/// The running reporter: a store attached to a bus, and a server that shows it.
///
/// Dropping it detaches the store and frees the port.
#[derive(Debug)]
#[must_use = "dropping it stops the reporter"]
pub struct Prometheus {
    // Fields are dropped in this order: no more events, then no more scrapes.
    _attached: Attached,
    _server: Server,
    store: Arc<Store>,
    local_addr: SocketAddr,
}

/// The settings of a [`Prometheus`] that is to be started.
#[derive(Debug, Clone)]
#[must_use = "nothing happens until `.start()`"]
pub struct Builder {
    metrics: Vec<Metric>,
    bus: Bus,
    address: String,
}

/// Where the server listens unless told otherwise: on this machine alone.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:9091";

impl Prometheus {
    /// A reporter on the global bus, with no metrics, that listens on [`DEFAULT_ADDRESS`].
    pub fn builder() -> Builder {
        Builder {
            metrics: Vec::new(),
            bus: radiosonde::global().clone(),
            address: DEFAULT_ADDRESS.to_owned(),
        }
    }

    /// The address that the server listens on; its port is the real one where port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The page that a scrape gets now, in the text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        exposition::text(&self.store.snapshot())
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Detaches from the bus, closes the server, and returns when its port is free. Dropping does the same.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Builder {
    /// Adds metrics. The page shows them in this order.
    pub fn metrics(mut self, metrics: impl IntoIterator<Item = Metric>) -> Self {
        self.metrics.extend(metrics);
        self
    }

    /// Takes the events of this bus instead of the global one.
    pub fn bus(mut self, bus: &Bus) -> Self {
        self.bus = bus.clone();
        self
    }

    /// Sets the address and port to listen on. Port 0 is any free one; `0.0.0.0` shows the metrics to everybody who can
    /// reach this machine.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Starts to record and to serve.
    ///
    /// # Errors
    /// When definitions are wrong (all problems are in the error), or the address cannot be listened on. Then nothing is
    /// attached, and no port is taken.
    pub fn start(self) -> Result<Prometheus, StartError> {
        self.start_with(Limits::default())
    }

    fn start_with(self, limits: Limits) -> Result<Prometheus, StartError> {
        let store = Store::new(self.metrics)?;
        let address = self.address;
        let listen = |source| StartError::Listen { address: address.clone(), source };
        let listener = TcpListener::bind(&address).map_err(listen)?;
        let local_addr = listener.local_addr().map_err(listen)?;
        let attached = store.attach(&self.bus)?;
        let server =
            Server::start(listener, Arc::clone(&store), limits).map_err(StartError::Server)?;
        Ok(Prometheus { _attached: attached, _server: server, store, local_addr })
    }
}

/// The example of the README, for the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

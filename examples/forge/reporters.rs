//! Everything that is attached to the bus: the application's only acquaintance with metrics, logs and analytics.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use radiosonde_prometheus::Prometheus;

use crate::definitions;
use crate::options::Options;

pub(crate) struct Reporters {
    prometheus: Prometheus,
    executed: Arc<AtomicU64>,
}

impl Reporters {
    /// Attaches them all, or none.
    ///
    /// # Errors
    /// When a definition is wrong, a port is taken, or a file cannot be made.
    pub(crate) fn start(options: &Options, analytics: SocketAddr) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let prometheus = Prometheus::builder()
            .metrics(definitions::metrics())
            .listen(format!("127.0.0.1:{}", options.metrics_port))
            .start()?;

        // The smallest reporter there is: how many events were executed at all.
        let executed = Arc::new(AtomicU64::new(0));
        let count = executed.clone();
        radiosonde::attach("forge.executed", "**", move |_| {
            count.fetch_add(1, Relaxed);
        })?;
        Ok(Self { prometheus, executed })
    }

    /// What there is to look at, and where.
    pub(crate) fn places(&self) -> Vec<(&'static str, String)> {
        vec![("metrics", self.metrics_url())]
    }

    /// Where the metrics can be seen.
    pub(crate) fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.prometheus.local_addr())
    }

    /// The events executed until now.
    pub(crate) fn executed(&self) -> u64 {
        self.executed.load(Relaxed)
    }
}

//! The settings of pushing, and its start.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use radiosonde::{AttachError, Bus, Secret};
use radiosonde_delivery::{Endpoint, EndpointError};
use radiosonde_metrics::{DefinitionError, Metric, Store, exported_tag};
use ureq::Agent;
use ureq::http::Method;

use super::worker::Worker;
use super::{Pushgateway, Running, group};
use crate::auth::Credential;

/// How long a push by the interval may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of a [`Pushgateway`] that is to be started.
#[derive(Clone)]
#[must_use = "nothing happens until `.start()`"]
pub struct PushBuilder {
    url: String,
    job: String,
    labels: Vec<(String, String)>,
    metrics: Vec<Metric>,
    bus: Bus,
    method: Method,
    interval: Option<Duration>,
    credential: Option<Credential>,
    allows_plain_http: bool,
    timeout: Duration,
}

impl PushBuilder {
    pub(super) fn new(url: String, job: String) -> Self {
        Self {
            url,
            job,
            labels: Vec::new(),
            metrics: Vec::new(),
            bus: radiosonde::global().clone(),
            method: Method::PUT,
            interval: None,
            credential: None,
            allows_plain_http: false,
            timeout: TIMEOUT,
        }
    }

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

    /// Adds a label to the group of the metrics, beside the job: what is pushed replaces what was pushed with the same
    /// labels, and every series gets them. The value may be any text.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Replaces only metrics of the same names in the group, instead of the group as a whole: for several processes that
    /// share one.
    pub fn adding(mut self) -> Self {
        self.method = Method::POST;
        self
    }

    /// Pushes also by this interval, and not only at the end.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Authorizes itself with this token.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.credential = Some(Credential::bearer(token.into()));
        self
    }

    /// Authorizes itself with this name and password.
    pub fn basic_auth(mut self, user: impl AsRef<str>, password: impl Into<String>) -> Self {
        self.credential = Some(Credential::basic(user.as_ref(), &Secret::new(password.into())));
        self
    }

    /// Also pushes over plain http to other machines, where whoever is on the way can read it, credentials included.
    pub fn allow_plain_http(mut self) -> Self {
        self.allows_plain_http = true;
        self
    }

    #[cfg(test)]
    pub(super) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts to record, and the thread that pushes. Nothing is sent yet.
    ///
    /// # Errors
    /// When definitions are wrong (all problems are in the error), or the URL, the credentials, the job, a label or the
    /// interval cannot be used. Then nothing is attached.
    pub fn start(self) -> Result<Pushgateway, PushStartError> {
        let endpoint = if self.allows_plain_http {
            Endpoint::parse_allowing_plain_http(&self.url)
        } else {
            Endpoint::parse(&self.url)
        };
        let endpoint = endpoint.map_err(PushStartError::Endpoint)?;
        if let Some(problem) = self.credential.as_ref().and_then(Credential::problem) {
            return Err(PushStartError::Credentials { problem });
        }
        if self.interval.is_some_and(|interval| interval.is_zero()) {
            return Err(PushStartError::Interval);
        }
        let group = |problem| PushStartError::Group { problem };
        let path = group::path(&self.job, &self.labels).map_err(group)?;
        self.check_tags().map_err(group)?;
        let store = Store::new(self.metrics).map_err(PushStartError::Definitions)?;
        let attached = store.attach(&self.bus).map_err(PushStartError::Attach)?;

        let report = Arc::default();
        let worker = Worker {
            store: Arc::clone(&store),
            agent: agent(&endpoint),
            url: endpoint.join(&path).url().to_owned(),
            job: self.job,
            authorization: self.credential.map(|credential| credential.header()),
            method: self.method.clone(),
            interval: self.interval,
            timeout: self.timeout,
            report: Arc::clone(&report),
        };
        let (orders, given) = channel();
        thread::Builder::new()
            .name("radiosonde-push".to_owned())
            .spawn(move || worker.run(&given))
            .map_err(PushStartError::Thread)?;
        let running = Some(Running { attached, orders });
        Ok(Pushgateway { running, store, method: self.method, report })
    }
}

impl PushBuilder {
    /// The Pushgateway puts the labels of the group in place of tags of the same name, and so makes one series of several.
    fn check_tags(&self) -> Result<(), String> {
        let is_label = |tag: &str| tag == "job" || self.labels.iter().any(|(name, _)| name == tag);
        for metric in &self.metrics {
            if let Some(tag) = metric.tag_names().find(|tag| is_label(&exported_tag(tag))) {
                let name = metric.name();
                return Err(format!(
                    "the metric `{name}` has a tag `{tag}`, which is a label of the group"
                ));
            }
        }
        Ok(())
    }
}

/// A client that goes nowhere but to the endpoint, with a connection for each request: between two of them it would only
/// grow old.
fn agent(endpoint: &Endpoint) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .user_agent(concat!("radiosonde-prometheus/", env!("CARGO_PKG_VERSION")));
    if endpoint.is_loopback() {
        // A proxy from the environment is for what lies beyond this machine.
        config = config.proxy(None);
    }
    config.build().new_agent()
}

impl fmt::Debug for PushBuilder {
    /// Without the URL: it was not checked yet, and may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushBuilder")
            .field("job", &self.job)
            .field("labels", &self.labels)
            .field("metrics", &self.metrics)
            .field("method", &self.method)
            .field("interval", &self.interval)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

/// Why pushing could not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum PushStartError {
    /// Something is wrong with the definitions of the metrics.
    Definitions(DefinitionError),
    /// The URL is none that may be pushed to.
    Endpoint(EndpointError),
    /// What to authorize itself with cannot be sent. None of it is repeated.
    Credentials {
        /// What it has to be.
        problem: &'static str,
    },
    /// The job or a label cannot be part of a group.
    Group {
        /// What is wrong.
        problem: String,
    },
    /// An interval of nothing.
    Interval,
    /// The metrics could not be attached to the bus.
    Attach(AttachError),
    /// The thread could not be started.
    Thread(io::Error),
}

impl fmt::Display for PushStartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Definitions(error) => error.fmt(f),
            Self::Endpoint(error) => {
                write!(f, "the URL of the Pushgateway cannot be used: {error}")
            }
            Self::Credentials { problem } => {
                write!(f, "the credentials cannot be used: {problem}")
            }
            Self::Group { problem } => write!(
                f,
                "the group of the metrics cannot be used: {problem}; see `builder(..)` and `.label(..)`"
            ),
            Self::Interval => f.write_str(
                "the interval is zero: give the time between two pushes to `.interval(..)`",
            ),
            Self::Attach(error) => write!(f, "cannot attach the metrics: {error}"),
            Self::Thread(error) => write!(f, "cannot start the thread that pushes: {error}"),
        }
    }
}

impl Error for PushStartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Definitions(error) => Some(error),
            Self::Endpoint(error) => Some(error),
            Self::Attach(error) => Some(error),
            Self::Thread(error) => Some(error),
            Self::Credentials { .. } | Self::Group { .. } | Self::Interval => None,
        }
    }
}

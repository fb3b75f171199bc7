//! The settings of a reporter, and its start.

use std::net::TcpListener;
use std::sync::Arc;

use radiosonde::{Bus, Secret};
use radiosonde_metrics::{Metric, Store};

use crate::Prometheus;
use crate::answer::{HEALTH_PATH, Site};
use crate::auth::{Credential, Credentials};
use crate::error::StartError;
use crate::scrapes::Scrapes;
use crate::server::{Limits, Server};
use crate::tls::Tls;

/// Where the server listens unless told otherwise: on this machine alone.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:9091";

/// Where the metrics are unless told otherwise.
pub const DEFAULT_PATH: &str = "/metrics";

/// The settings of a [`Prometheus`] that is to be started.
#[derive(Debug, Clone)]
#[must_use = "nothing happens until `.start()`"]
pub struct Builder {
    metrics: Vec<Metric>,
    bus: Bus,
    address: String,
    path: String,
    credentials: Credentials,
    #[cfg(feature = "tls")]
    tls: Option<(Vec<u8>, Secret<Vec<u8>>)>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            metrics: Vec::new(),
            bus: radiosonde::global().clone(),
            address: DEFAULT_ADDRESS.to_owned(),
            path: DEFAULT_PATH.to_owned(),
            credentials: Credentials::default(),
            #[cfg(feature = "tls")]
            tls: None,
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

    /// Sets the address and port to listen on. Port 0 is any free one; `0.0.0.0` shows the metrics to everybody who can
    /// reach this machine, unless credentials are asked for.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Sets where the metrics are, `/metrics` by default.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Shows the metrics only to who has this token, sent as `Authorization: Bearer <token>`.
    ///
    /// Given several times, and together with [`basic_auth`](Self::basic_auth), any one of them is enough, so that they
    /// can be replaced without a gap.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.credentials.add(Credential::bearer(token.into()));
        self
    }

    /// Shows the metrics only to who has this name and password, sent by HTTP's basic authentication.
    ///
    /// Given several times, and together with [`bearer_token`](Self::bearer_token), any one of them is enough.
    pub fn basic_auth(mut self, user: impl AsRef<str>, password: impl Into<String>) -> Self {
        self.credentials.add(Credential::basic(user.as_ref(), &Secret::new(password.into())));
        self
    }

    /// Serves by `https` alone, with a chain of certificates and the key of the first of them, both as PEM text. TLS 1.2
    /// and 1.3 are spoken. New certificates take a new start.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.tls = Some((certificates.into(), Secret::new(key.into())));
        self
    }

    /// Starts to record and to serve.
    ///
    /// # Errors
    /// When definitions are wrong (all problems are in the error), the path, the credentials or the certificate cannot be
    /// used, or the address cannot be listened on. Then nothing is attached, and no port is taken.
    pub fn start(self) -> Result<Prometheus, StartError> {
        self.start_with(Limits::default())
    }

    pub(crate) fn start_with(self, limits: Limits) -> Result<Prometheus, StartError> {
        let tls = self.read_tls()?;
        if let Some(problem) = self.credentials.problem() {
            return Err(StartError::Credentials { problem });
        }
        if !is_path(&self.path) {
            return Err(StartError::Path { path: self.path });
        }
        let store = Store::new(self.metrics)?;
        let address = self.address;
        let listen = |source| StartError::Listen { address: address.clone(), source };
        let listener = TcpListener::bind(&address).map_err(listen)?;
        let local_addr = listener.local_addr().map_err(listen)?;
        let attached = store.attach(&self.bus)?;
        let site = Site {
            path: self.path,
            credentials: self.credentials,
            scrapes: Scrapes::of(&store),
            teller: Arc::default(),
            patience: limits.render,
        };
        let server = Server::start(listener, tls, site, limits).map_err(StartError::Server)?;
        Ok(Prometheus { _attached: attached, _server: server, store, local_addr })
    }

    #[cfg(feature = "tls")]
    fn read_tls(&self) -> Result<Option<Tls>, StartError> {
        let read = |(certificates, key): &(Vec<u8>, Secret<Vec<u8>>)| {
            Tls::new(certificates, key.expose()).map_err(|problem| StartError::Tls { problem })
        };
        self.tls.as_ref().map(read).transpose()
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    fn read_tls(&self) -> Result<Option<Tls>, StartError> {
        Ok(None)
    }
}

/// Whether a client can ask for this path. What it asks for is compared as it is, percent signs included.
fn is_path(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'?' && byte != b'#';
    path.starts_with('/') && path.bytes().all(is_plain) && path != HEALTH_PATH
}

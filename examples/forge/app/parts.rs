//! The parts of the application that know their own state: whoever reports on it asks them.

use std::net::SocketAddr;

use radiosonde_hyper_client::Client;
use radiosonde_tower::TelemetryLayer;

use super::http;
use super::jobs::Jobs;
use super::repo::Repo;

/// The name of the client with which the deployer calls the providers.
pub(crate) const DEPLOYER_CLIENT: &str = "atlas";

/// The name of the client with which the build server makes its requests, which are the ones that its own metrics count.
pub(crate) const SERVER_CLIENT: &str = "tuist";

pub(crate) struct Parts {
    /// Around the build server.
    pub(crate) server: TelemetryLayer,
    /// The client of the deployer.
    pub(crate) deployer_client: Client,
    /// The client of those who build.
    pub(crate) client: Client,
    /// The client of the build server.
    pub(crate) server_client: Client,
    pub(crate) repo: Repo,
    pub(crate) jobs: Jobs,
}

impl Parts {
    /// Parts that have done nothing yet, with a database to be.
    pub(crate) fn new(database: SocketAddr) -> Self {
        Self {
            server: TelemetryLayer::new(),
            deployer_client: http::wary_client(DEPLOYER_CLIENT),
            client: http::client("builders"),
            server_client: http::client(SERVER_CLIENT),
            repo: Repo::new(database),
            jobs: Jobs::new(),
        }
    }
}

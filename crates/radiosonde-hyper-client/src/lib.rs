#![doc = include_str!("../README.md")]
//!
//! # Which way gives which phases
//!
//! | | request | queue | connect | send | receive | pool |
//! |---|---|---|---|---|---|---|
//! | [`Client`] | yes | yes | yes | yes | yes | yes |
//! | [`RequestLayer`] around another client | yes | | | | | |
//! | [`ConnectLayer`] around another client's connector | | | yes | | | |
//!
//! The pools of `hyper-util` and reqwest cannot be looked into, and have no bound and so no queue; and of what goes over their connections
//! a layer sees the request and the response only.

mod body;
mod client;
mod connect_layer;
mod connection;
mod connector;
mod error;
pub mod events;
mod exchange;
mod metrics;
mod origin;
mod phase;
mod pool;
mod request_layer;
mod request_span;
mod wire;

pub use crate::body::Body;
pub use crate::client::{Builder, Client};
pub use crate::connect_layer::{ConnectFuture, ConnectLayer, ConnectService};
pub use crate::connector::TcpConnector;
pub use crate::error::{Error, ErrorKind};
pub use crate::metrics::{metrics, pool_metrics};
pub use crate::pool::PoolStatus;
pub use crate::request_layer::{RequestFuture, RequestLayer, RequestService, ResponseBody};

#![doc = include_str!("../README.md")]

mod builder;
mod error;
mod event;
pub mod events;
mod field;
mod outlet;
mod projection;
mod protocol;
mod reporter;
mod rule;
mod schema;
mod size;
mod spooled;
mod validate;

pub use builder::Builder;
pub use error::StartError;
pub use event::{SelfDescribing, SnowplowEvent};
pub use field::Field;
pub use protocol::Method;
pub use radiosonde_delivery::{
    Backoff, DropReason, FlushTimeout, Options, Report, Spool, SpoolError, Uuid,
};
#[cfg(feature = "tls")]
pub use radiosonde_delivery::{CertificateError, Certificates};
pub use reporter::{Snowplow, Status};
pub use rule::Rule;

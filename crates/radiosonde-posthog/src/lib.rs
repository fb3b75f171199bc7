#![doc = include_str!("../README.md")]

pub mod events;
mod opt_out;
mod protocol;
mod record;
mod reporter;
mod rule;

pub use radiosonde_delivery::{Backoff, DropReason, FlushTimeout, Options, Report};
pub use reporter::{Builder, PostHog, StartError, Status};
pub use rule::Rule;

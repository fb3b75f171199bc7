//! The instrumented application: what it does, it says on the bus, and it knows no reporter.

mod child;
pub(crate) mod client;
pub(crate) mod deploys;
pub(crate) mod events;
pub(crate) mod logs;
pub(crate) mod providers;
pub(crate) mod token_chain;
pub(crate) mod tokens;
pub(crate) mod tuist;

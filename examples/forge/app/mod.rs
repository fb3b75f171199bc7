//! The instrumented application: what it does, it says on the bus, and it knows no reporter.

mod child;
pub(crate) mod deploys;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod jobs;
pub(crate) mod logs;
pub(crate) mod parts;
pub(crate) mod polls;
pub(crate) mod providers;
pub(crate) mod repo;
pub(crate) mod storage;
pub(crate) mod token_chain;
pub(crate) mod tokens;
pub(crate) mod tuist;

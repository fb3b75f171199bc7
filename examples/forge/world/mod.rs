//! What the application talks to: servers and children that count what they do, and know nothing of the bus.

pub(crate) mod canaries;
pub(crate) mod children;
pub(crate) mod database;
pub(crate) mod fly_logs;
pub(crate) mod object_store;
pub(crate) mod providers;
pub(crate) mod receiver;
pub(crate) mod server;
mod signature;
pub(crate) mod tally;

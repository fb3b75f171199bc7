//! A whole delivery, against sinks, file systems and clocks that do what a test says.

#[cfg(feature = "http")]
mod each_fault;
#[cfg(feature = "http")]
mod faults;
mod files;
mod halving;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod lines;
#[cfg(feature = "http")]
mod loopback;
pub(crate) mod memory;
#[cfg(feature = "http")]
mod properties;
mod spool;
#[cfg(feature = "tls")]
mod tls;
mod worker;

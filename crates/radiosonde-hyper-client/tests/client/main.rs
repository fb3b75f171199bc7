//! The client and the layers against real servers over loopback sockets.

mod cancellation;
mod exchange;
mod faults;
mod layers;
mod metrics;
mod pool;
mod stress;
mod support;
mod trace;

//! Real servers and real clients over loopback sockets.

mod bodies;
mod connections;
mod endings;
mod hyper_alone;
mod metrics;
mod peers;
mod routes;
mod traces;
mod websockets;

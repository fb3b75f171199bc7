//! One binary for all tests of the bus from outside: its contract, one statement a test, and whatever else is measured here.

mod contract_attach;
mod contract_capture;
mod contract_catalogue;
mod contract_drops;
mod contract_execute;
mod contract_failure;
mod contract_futures;
mod contract_journal;
mod contract_patterns;
mod contract_spans;
mod contract_values;
mod model;
mod stress;

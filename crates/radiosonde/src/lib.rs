//! Telemetry events for Rust.

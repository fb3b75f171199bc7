//! Package of the workspace's benches.

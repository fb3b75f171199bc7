//! The workspace's own tests: what holds between its parts, and that the tree is tidy.

mod invariants;
mod prometheus;
mod tidy;

//! The crate with unsafe code once more, on loom's atomics: its tests explore every interleaving (up to a bound on
//! preemptions) of readers, replacements and frees. Run with `cargo test --release -p radiosonde-loom`.
//!
//! It is a package of its own so that `cfg(loom)` reaches nothing else: the bus makes its call sites at compile time, which
//! loom's atomics cannot.
#![allow(dead_code, unused_imports, unreachable_pub, rustdoc::private_doc_tests)]

#[path = "../../../crates/radiosonde-snapshot/src/lib.rs"]
mod snapshot;

//! Real runtimes.

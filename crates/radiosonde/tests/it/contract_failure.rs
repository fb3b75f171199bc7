//! The contract: what happens when a handler panics.

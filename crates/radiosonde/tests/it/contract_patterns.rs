//! The contract: names, matching and patterns.

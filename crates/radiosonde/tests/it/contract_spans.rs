//! The contract: spans on one thread.

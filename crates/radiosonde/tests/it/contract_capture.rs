//! The contract: the recorder for tests.

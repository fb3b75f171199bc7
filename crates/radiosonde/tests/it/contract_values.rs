//! The contract: what values are and what is kept secret.

//! The contract: who is attached, and when somebody is not.

//! The contract: how an event reaches its handlers.

//! The contract: declared events and their catalogue.

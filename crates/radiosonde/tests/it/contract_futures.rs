//! The contract: futures inside spans.

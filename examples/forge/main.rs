//! The end-to-end application.

fn main() {}

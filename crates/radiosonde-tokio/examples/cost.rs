//! What it costs to poll runtimes and to measure tasks.

fn main() {}

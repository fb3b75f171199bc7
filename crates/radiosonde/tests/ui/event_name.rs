//! Event names that are not well formed.

use radiosonde::{execute, span};

fn main() {
    execute!("");
    execute!("http..request", { count: 1 });
    execute!("http.*.request");
    span!("http.request.", { method: "get" }).stop();
}

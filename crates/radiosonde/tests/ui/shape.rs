//! Braces that are missing or too many, and an order that is not the macro's.

use radiosonde::{execute, span};

fn main() {
    let (count, method) = (1, "get");
    execute!();
    execute!("http.request", count);
    execute!("http.request", count: 1, method: "get");
    execute!("http.request", { count }, { method }, { path: "/" });
    execute!({ count: 1 }, "http.request");
    execute!("http.request" { count });
    span!();
    span!("http.request", method);
    span!("http.request", { method }, { path: "/" });
    span!("http.request", { method }, parent: None);
    span!({ method }, "http.request");
}

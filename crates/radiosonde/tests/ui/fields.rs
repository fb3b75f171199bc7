//! Keys without values, keys given twice, and keys that are neither names nor texts.

use radiosonde::{execute, span};

fn main() {
    let (count, method) = (1, "get");
    execute!("http.request", { count: });
    execute!("http.request", { count }, { "http.status" });
    execute!("http.request", { count, count: 2 });
    execute!("http.request", { count }, { method, "method": "post" });
    execute!("http.request", { count = 1 });
    execute!("http.request", { count: 1; method });
    execute!("http.request", { missing });
    execute!("http.request", { 7: 1 });
    span!("http.request", { method, method }).stop();
    span!("http.request", { "http.method" }).stop();
}

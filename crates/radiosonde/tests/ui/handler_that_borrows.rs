//! A handler outlives the function that attaches it.

use radiosonde::attach;

fn main() {
    let path = String::from("/");
    attach("paths", "http.request", |event| assert!(event.metadata("path") == path)).unwrap();
}

//! What a handler cannot be attached to.

use radiosonde::{attach, attach_many};

fn main() {
    attach("seven", 7, |_| ()).unwrap();
    attach_many("one", "http.request", |_| ()).unwrap();
}

//! Handlers that cannot be called from every thread.

use std::rc::Rc;

use radiosonde::attach;

fn main() {
    let shared = Rc::new(1);
    attach("shared", "http.request", move |_| assert_eq!(*shared, 1)).unwrap();
}

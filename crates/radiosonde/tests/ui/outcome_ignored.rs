//! Whether a handler is attached has to be looked at.
#![deny(unused_must_use)]

fn main() {
    radiosonde::attach("ignored", "http.request", |_| ());
    radiosonde::detach("ignored");
    radiosonde::span!("http.request");
}

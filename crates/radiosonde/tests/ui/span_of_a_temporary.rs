//! A span borrows what it is started with, so an owned temporary does not last.

use radiosonde::span;

fn main() {
    let (host, port) = ("localhost", 80);
    let span = span!("http.request", { url: format!("{host}:{port}") });
    span.stop();

    let path = String::from("/");
    let span = span!("http.request", { path });
    drop(path);
    span.stop();
}

//! Values of the wrong kind.

use std::path::PathBuf;

use radiosonde::{execute, span};

struct User;

fn main() {
    let (text, user, path) = ("text", User, PathBuf::new());
    execute!("http.request", { status: "200" });
    execute!("http.request", { text });
    execute!("http.request", { done: true });
    execute!("http.request", { count: 1 }, { user });
    execute!("http.request", { count: 1 }, { path: path.clone() });
    span!("http.request", { user }).stop();
    span!("http.request", { path: &path }).stop();
    span!("http.request", { path: Some(path) }).stop();
    span!("http.request").measurement("status", text);
}

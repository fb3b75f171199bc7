//! Declarations of a kind, a privacy class or a name that there is not.

radiosonde::declare! {
    /// All of them.
    pub static KINDS;

    /// Of no kind.
    pub metric REQUESTS = "http.requests" { measurements: {}, metadata: {} }
}

radiosonde::declare! {
    pub static CLASSES;

    pub event REQUEST = "http.request" { measurements: { count: "request" }, metadata: { user: private } }
}

radiosonde::declare! {
    pub static WITHOUT_METADATA;

    pub event DONE = "http.done" { measurements: { count } }
}

radiosonde::declare! {
    pub event FIRST = "http.first" { measurements: {}, metadata: {} }
}

radiosonde::declare! {
    pub static SHAPES;

    pub event SENT = "http.sent" { measurements: { size = "byte" }, metadata: { "http.status": "public" } }
}

fn main() {}

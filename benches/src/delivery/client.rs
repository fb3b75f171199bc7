//! What a client is asked to do: queue events about uploads, and send them.

use std::error::Error;

/// How many events a client's queue holds: the default of all of them.
pub(crate) const QUEUE: usize = 10_000;

/// The name of every event. It is once in what a client sends of one, by which the sink counts.
pub(crate) const NAME: &str = "preview_upload";

/// What Snowplow calls it.
pub(crate) const SCHEMA: &str = "iglu:com.example/preview_upload/jsonschema/1-0-0";

/// One client of a service for product analytics.
pub(crate) trait Client: Sized + 'static {
    /// Starts it, with a queue of [`QUEUE`] events and otherwise its defaults, sending to `url`.
    fn start(url: &str) -> Result<Self, Box<dyn Error>>;

    /// One event of a user, with five properties.
    fn capture(&mut self, upload: &Upload);

    /// Sends what is queued, and waits for that as far as the client can.
    fn flush(&mut self);

    /// Sends what is left, and ends.
    fn finish(self);
}

/// What an event is about.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) user: String,
    pub(crate) path: String,
    pub(crate) format: &'static str,
    pub(crate) size: u64,
    pub(crate) seconds: f64,
    pub(crate) is_cached: bool,
}

impl Upload {
    /// The upload with this number.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            user: format!("user-{}", number % 50),
            path: format!("/accounts/tuist/projects/app/previews/{number}"),
            format: if number.is_multiple_of(2) { "ipa" } else { "apk" },
            size: 1 << (number % 24),
            seconds: number as f64 / 16.0,
            is_cached: number.is_multiple_of(3),
        }
    }
}

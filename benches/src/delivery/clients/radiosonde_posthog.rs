//! `radiosonde-posthog`: a rule for an event of the bus, and an event that is handed over directly.

use std::error::Error;

use radiosonde_posthog::{PostHog, PostHogEvent, Rule};

use super::upload::{DEADLINE, NAME_OF_UPLOAD, PROPERTIES, execute_upload};
use crate::delivery::client::{Client, NAME, QUEUE, Upload};

fn start(url: &str) -> Result<PostHog, Box<dyn Error>> {
    let rule = Rule::event(NAME_OF_UPLOAD).distinct_id("user_id").name(NAME).properties(PROPERTIES);
    let posthog = PostHog::builder("phc_benchmark", url)
        .options(|options| options.queue_records(QUEUE))
        .rule(rule)
        .start()?;
    Ok(posthog)
}

fn flush(posthog: &PostHog) {
    // What was not sent in time, the sink misses.
    let _ = posthog.flush(DEADLINE);
}

/// Events of the bus, which a rule makes into PostHog's.
pub(crate) struct Reporter(PostHog);

impl Client for Reporter {
    fn start(url: &str) -> Result<Self, Box<dyn Error>> {
        start(url).map(Self)
    }

    fn capture(&mut self, upload: &Upload) {
        execute_upload(upload);
    }

    fn flush(&mut self) {
        flush(&self.0);
    }

    fn finish(self) {
        self.0.shutdown(DEADLINE);
    }
}

/// Events that the application makes itself.
pub(crate) struct Direct(PostHog);

impl Client for Direct {
    fn start(url: &str) -> Result<Self, Box<dyn Error>> {
        start(url).map(Self)
    }

    fn capture(&mut self, upload: &Upload) {
        let event = PostHogEvent::new(NAME)
            .distinct_id(upload.user.as_str())
            .property("path", upload.path.clone())
            .property("format", upload.format)
            .property("size", upload.size)
            .property("duration", upload.seconds)
            .property("is_cached", upload.is_cached);
        self.0.capture(event);
    }

    fn flush(&mut self) {
        flush(&self.0);
    }

    fn finish(self) {
        self.0.shutdown(DEADLINE);
    }
}

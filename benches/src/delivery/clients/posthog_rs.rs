//! `posthog-rs`: PostHog's own client, the blocking one, which queues for a thread of its own.

use std::error::Error;

use posthog_rs::{ClientOptionsBuilder, Event};

use crate::delivery::client::{Client, NAME, QUEUE, Upload};

pub(crate) struct PostHogRs(posthog_rs::Client);

impl Client for PostHogRs {
    fn start(url: &str) -> Result<Self, Box<dyn Error>> {
        let options = ClientOptionsBuilder::default()
            .api_key("phc_benchmark".to_owned())
            .host(url)
            .max_queue_size(QUEUE)
            .build()?;
        Ok(Self(posthog_rs::client(options)))
    }

    fn capture(&mut self, upload: &Upload) {
        let mut event = Event::new(NAME, upload.user.as_str());
        let inserted = event
            .insert_prop("path", upload.path.as_str())
            .and_then(|()| event.insert_prop("format", upload.format))
            .and_then(|()| event.insert_prop("size", upload.size))
            .and_then(|()| event.insert_prop("duration", upload.seconds))
            .and_then(|()| event.insert_prop("is_cached", upload.is_cached));
        // Numbers and texts are always JSON; what were missing, the sink would miss.
        if inserted.is_ok() {
            self.0.capture(event);
        }
    }

    fn flush(&mut self) {
        self.0.flush();
    }

    fn finish(self) {
        self.0.shutdown();
    }
}

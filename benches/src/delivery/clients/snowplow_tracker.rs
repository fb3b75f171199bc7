//! `snowplow_tracker`: Snowplow's own client, whose emitter hands batches of fifty to a runtime of its own.

use std::error::Error;

use serde_json::json;
use snowplow_tracker::{BatchEmitter, InMemoryEventStore, SelfDescribingEvent, Subject, Tracker};

use crate::delivery::client::{Client, QUEUE, SCHEMA, Upload};

/// The client's default.
const BATCH: usize = 50;

pub(crate) struct SnowplowTracker(Tracker);

impl Client for SnowplowTracker {
    fn start(url: &str) -> Result<Self, Box<dyn Error>> {
        let emitter = BatchEmitter::builder()
            .collector_url(url)
            .event_store(InMemoryEventStore::new(QUEUE, BATCH))
            .build()?;
        Ok(Self(Tracker::new("benchmark", "benchmark", emitter, None)))
    }

    fn capture(&mut self, upload: &Upload) {
        let Ok(subject) = Subject::builder().user_id(upload.user.as_str()).build() else { return };
        let event = SelfDescribingEvent::builder()
            .schema(SCHEMA)
            .data(json!({
                "path": upload.path,
                "format": upload.format,
                "size": upload.size,
                "duration": upload.seconds,
                "is_cached": upload.is_cached,
            }))
            .subject(subject)
            .build();
        // What it refuses, the sink misses.
        if let Ok(event) = event {
            let _ = self.0.track(event, None);
        }
    }

    /// It hands over, and waits for nothing. An error says that there was nothing.
    fn flush(&mut self) {
        let _ = self.0.flush();
    }

    fn finish(mut self) {
        let _ = self.0.flush();
        let _ = self.0.close_emitter();
        // Dropping it waits for its thread.
    }
}

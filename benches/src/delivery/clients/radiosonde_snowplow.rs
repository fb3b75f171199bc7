//! `radiosonde-snowplow`: a rule makes an event of the bus into a self-describing one.

use std::error::Error;

use radiosonde_snowplow::{Field, Rule, Snowplow};

use super::upload::{DEADLINE, NAME_OF_UPLOAD, PROPERTIES, execute_upload};
use crate::delivery::client::{Client, QUEUE, SCHEMA, Upload};

pub(crate) struct Reporter(Snowplow);

impl Client for Reporter {
    fn start(url: &str) -> Result<Self, Box<dyn Error>> {
        let rule = Rule::event(NAME_OF_UPLOAD)
            .self_describing(SCHEMA)
            .field(Field::UserId, "user_id")
            .properties(PROPERTIES);
        let snowplow = Snowplow::builder(url, "benchmark")
            // As its peer does, and as the sink can read.
            .base64(false)
            .options(|options| options.queue_records(QUEUE))
            .rule(rule)
            .start()?;
        Ok(Self(snowplow))
    }

    fn capture(&mut self, upload: &Upload) {
        execute_upload(upload);
    }

    fn flush(&mut self) {
        // What was not sent in time, the sink misses.
        let _ = self.0.flush(DEADLINE);
    }

    fn finish(self) {
        self.0.shutdown(DEADLINE);
    }
}

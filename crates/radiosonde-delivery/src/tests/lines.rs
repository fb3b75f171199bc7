//! The plainest of protocols: one record a line.

use super::loopback::Loopback;
use crate::{Attempt, Encode, Endpoint, Request};

/// One record a line.
pub(crate) struct Lines;

impl Encode<String> for Lines {
    fn encode(&mut self, records: &[String], _attempt: &Attempt, request: &mut Request) {
        request.body.extend_from_slice(records.join("\n").as_bytes());
    }
}

impl Loopback {
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::parse(&self.url).unwrap()
    }
}

//! The service by itself: what is in every other figure.

use std::error::Error;

use crate::http::service::{Service, Subject, routes};

pub(super) struct Bare;

impl Subject for Bare {
    fn start() -> Result<Service, Box<dyn Error>> {
        Ok(Service::that_counts_nothing(routes()))
    }
}

//! The JSON log as somebody else reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use crate::world::canaries;

#[derive(Debug, Default)]
pub(crate) struct LogFile {
    /// Lines by the event that they are of.
    pub(crate) events: BTreeMap<String, u64>,
    /// The secrets that should not have been written.
    pub(crate) leaks: BTreeSet<&'static str>,
    /// What is wrong with each line that is not JSON.
    pub(crate) broken: Vec<String>,
}

impl LogFile {
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut log = Self::default();
        for (number, line) in BufReader::new(File::open(path)?).lines().enumerate() {
            let line = line?;
            log.leaks.extend(canaries::found_in(&line));
            match serde_json::from_str::<Value>(&line) {
                Ok(document) => {
                    let event = document["event"].as_str().unwrap_or_default();
                    *log.events.entry(event.to_owned()).or_default() += 1;
                }
                Err(error) => log.broken.push(format!("line {}: {error}", number + 1)),
            }
        }
        Ok(log)
    }
}

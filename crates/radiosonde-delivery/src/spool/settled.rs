//! The log of what needs no more sending.
//!
//! It begins with [`HEADER`]; then come entries of a first number, a last number and one (8 bytes each,
//! little-endian), and their CRC-32. What is damaged at its end is left out: its records are sent twice.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use super::directory::{Directory, Output};
use super::frame::HEADER;

const NAME: &str = "settled";
const NEW: &str = "settled.new";
const ENTRY: usize = 20;

/// How large the log grows before it is written anew.
const LARGEST: u64 = 1 << 18;

/// Numbers of records, and the file that they are in.
pub(crate) struct Settled {
    /// Everything below it is settled.
    through: u64,
    /// What else is settled: first numbers, and those after the last.
    beyond: BTreeMap<u64, u64>,
    /// None after a failure; then the log is written anew.
    output: Option<Box<dyn Output>>,
    bytes: u64,
    is_dirty: bool,
}

impl Settled {
    /// Reads what can be read.
    pub(crate) fn open(directory: &dyn Directory) -> Self {
        let mut settled =
            Self { through: 0, beyond: BTreeMap::new(), output: None, bytes: 0, is_dirty: false };
        let mut bytes = Vec::new();
        if let Ok(mut input) = directory.open(NAME) {
            // What could be read counts.
            let _ = input.read_to_end(&mut bytes);
        }
        let entries = bytes.strip_prefix(&HEADER).unwrap_or_default();
        for entry in entries.chunks_exact(ENTRY) {
            let Some((start, end)) = parse(entry) else { break };
            settled.insert(start, end);
        }
        settled
    }

    /// Everything below this is settled.
    pub(crate) fn through(&self) -> u64 {
        self.through
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        number < self.through
            || self.beyond.range(..=number).next_back().is_some_and(|(_, end)| number < *end)
    }

    /// How many of the numbers from `start` to before `end` are not settled.
    pub(crate) fn unsettled(&self, start: u64, end: u64) -> u64 {
        let start = start.max(self.through);
        let settled: u64 = self
            .beyond
            .iter()
            .map(|(from, to)| (*to).min(end).saturating_sub((*from).max(start)))
            .sum();
        end.saturating_sub(start).saturating_sub(settled)
    }

    /// Settles the numbers from `start` to before `end`, and writes that down.
    ///
    /// # Errors
    ///
    /// When that cannot be written; it is then, with all the rest, the next time.
    pub(crate) fn add(
        &mut self,
        directory: &dyn Directory,
        start: u64,
        end: u64,
    ) -> io::Result<()> {
        if start >= end {
            return Ok(());
        }
        self.insert(start, end);
        self.is_dirty = true;
        let written = match &mut self.output {
            Some(output) if self.bytes < LARGEST => output.append(&entry(start, end)),
            _ => return self.rewrite(directory),
        };
        self.bytes += ENTRY as u64;
        if written.is_err() {
            self.output = None;
        }
        written
    }

    /// Nothing below `number` is left to be settled.
    pub(crate) fn advance(&mut self, number: u64) {
        self.insert(0, number);
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_dirty) {
            return self.output.as_mut().map_or(Ok(()), |output| output.sync());
        }
        Ok(())
    }

    fn insert(&mut self, start: u64, end: u64) {
        if start <= self.through {
            self.through = self.through.max(end);
        } else {
            let known = self.beyond.entry(start).or_insert(end);
            *known = (*known).max(end);
        }
        while let Some(first) = self.beyond.first_entry() {
            if *first.key() > self.through {
                break;
            }
            self.through = self.through.max(first.remove());
        }
    }

    /// Writes the log anew beside the old one, and then in its place.
    fn rewrite(&mut self, directory: &dyn Directory) -> io::Result<()> {
        self.output = None;
        let mut bytes = HEADER.to_vec();
        bytes.extend(entry(0, self.through));
        for (start, end) in &self.beyond {
            bytes.extend(entry(*start, *end));
        }
        let mut output = directory.create(NEW)?;
        output.append(&bytes)?;
        output.sync()?;
        directory.rename(NEW, NAME)?;
        self.bytes = bytes.len() as u64;
        self.output = Some(output);
        Ok(())
    }
}

fn entry(start: u64, end: u64) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..8].copy_from_slice(&start.to_le_bytes());
    entry[8..16].copy_from_slice(&end.to_le_bytes());
    let checksum = crc32fast::hash(&entry[..16]);
    entry[16..].copy_from_slice(&checksum.to_le_bytes());
    entry
}

fn parse(bytes: &[u8]) -> Option<(u64, u64)> {
    let (start, rest) = bytes.split_first_chunk()?;
    let (end, rest) = rest.split_first_chunk()?;
    let (start, end) = (u64::from_le_bytes(*start), u64::from_le_bytes(*end));
    (*rest == entry(start, end)[16..] && start <= end).then_some((start, end))
}

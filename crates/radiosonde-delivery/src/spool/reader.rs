//! The end of the spool at which records go out.

use std::io::{self, Read};
use std::sync::Arc;

use super::directory::Directory;
use super::frame::{Frame, HEADER};
use super::segments::{self, Segment, Segments};
use super::settled::Settled;
use crate::batch::Place;

/// How much is read at once.
const CHUNK: usize = 1 << 18;

/// Reads records in their order, and remembers which of them are settled.
pub(crate) struct Reader {
    directory: Arc<dyn Directory>,
    segments: Arc<Segments>,
    settled: Settled,
    /// The number of the next record.
    position: u64,
    /// The base of the segment that was read last.
    base: Option<u64>,
    current: Option<Current>,
    /// Bytes that are no frames, since the last sound one.
    damaged: u64,
    failures: u32,
}

/// The segment that is being read.
struct Current {
    input: Box<dyn Read + Send>,
    /// How much of the file has been read.
    read: u64,
    buffer: Vec<u8>,
    /// How much of the buffer is done with.
    at: usize,
}

/// What is next in the spool.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A record.
    Record(Place, Vec<u8>),
    /// So many records that should have been there, and so many bytes that are none.
    Damaged { records: u64, bytes: u64 },
    /// Nothing, so far.
    Nothing,
}

/// How often a file that cannot be read is tried before what is in it is given up.
const TRIES: u32 = 10;

impl Reader {
    pub(crate) fn new(
        directory: Arc<dyn Directory>,
        segments: Arc<Segments>,
        settled: Settled,
    ) -> Self {
        let position = segments.first().unwrap_or_else(|| segments.next());
        Self {
            directory,
            segments,
            settled,
            position,
            base: None,
            current: None,
            damaged: 0,
            failures: 0,
        }
    }

    /// The number of the record that will be read next.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The number of the record that will be written next.
    pub(crate) fn end(&self) -> u64 {
        self.segments.next()
    }

    /// The next record that is not settled, or the damage before it. What is damaged is settled by that.
    ///
    /// # Errors
    ///
    /// When a file cannot be read just now; it is tried again the next time, but not for ever.
    pub(crate) fn next(&mut self) -> io::Result<Next> {
        match self.read_next() {
            Ok(next) => {
                self.failures = 0;
                Ok(next)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound || self.failures >= TRIES => {
                self.failures = 0;
                // What was in it is missed when the next segment is reached.
                self.current = None;
                Ok(self.finish_segment())
            }
            Err(error) => {
                self.failures += 1;
                // From its beginning: what was read of it before is passed over by its numbers.
                self.current = None;
                self.base = self.segments.before(self.base);
                Err(error)
            }
        }
    }

    /// Settles what is in files that somebody has removed before they were opened, and says how many records that are.
    pub(crate) fn lose_gone(&mut self) -> u64 {
        let mut records = 0;
        while let Some(lost) = self.segments.forget_gone(self.base) {
            records += self.settled.unsettled(lost.start, lost.end);
            // If it cannot be written down, another process will find the same damage.
            let _ = self.settled.add(&*self.directory, lost.start, lost.end);
        }
        records
    }

    /// Settles records that were read, and removes files that hold nothing else.
    ///
    /// # Errors
    ///
    /// When it cannot be written down, so that another process would send them again. It is written the next time.
    pub(crate) fn settle(&mut self, places: &[Place]) -> io::Result<()> {
        let mut written = Ok(());
        for run in places.chunk_by(|one, next| one.number + 1 == next.number) {
            if let (Some(first), Some(last)) = (run.first(), run.last()) {
                let added = self.settled.add(&*self.directory, first.number, last.number + 1);
                written = written.and(added);
            }
        }
        self.remove_settled();
        written
    }

    /// Removes files that hold nothing that is not settled.
    pub(crate) fn remove_settled(&mut self) {
        while let Some(base) = self.segments.remove_settled(self.settled.through()) {
            // Should it stay, its numbers are known to be settled.
            let _ = self.directory.remove(&segments::name(base));
        }
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.settled.sync()
    }

    fn read_next(&mut self) -> io::Result<Next> {
        loop {
            let Some(segment) = self.open_segment()? else {
                return Ok(self.segments.end().map_or(Next::Nothing, |end| self.arrive(end)));
            };
            let Some(current) = &mut self.current else { return Ok(Next::Nothing) };
            let rest = &current.buffer[current.at..];
            if let Some((frame, size)) = Frame::parse(rest) {
                let number = frame.number;
                if self.position <= number {
                    if self.position < number && self.settled.unsettled(self.position, number) > 0 {
                        return Ok(self.arrive(number));
                    }
                    self.position = number + 1;
                    if !self.settled.contains(number) {
                        let record = frame.record.to_vec();
                        let place = Place { number, since: frame.since };
                        current.at += size;
                        return Ok(Next::Record(place, record));
                    }
                }
                current.at += size;
            } else if current.read < segment.bytes {
                current.read_more(segment.bytes)?;
            } else if rest.is_empty() {
                if !segment.is_complete {
                    return Ok(Next::Nothing);
                }
                let damage = self.finish_segment();
                if damage != Next::Nothing {
                    return Ok(damage);
                }
            } else {
                let sound = Frame::find(rest, self.position..self.segments.next());
                let skipped = sound.unwrap_or(rest.len());
                current.at += skipped;
                self.damaged += skipped as u64;
            }
        }
    }

    /// The segment that is read from now on; none if there is none after the last one.
    fn open_segment(&mut self) -> io::Result<Option<Segment>> {
        if self.current.is_some()
            && let Some(segment) = self.base.and_then(|base| self.segments.get(base))
        {
            return Ok(Some(segment));
        }
        let Some(segment) = self.segments.after(self.base) else { return Ok(None) };
        self.base = Some(segment.base);
        let input = self.directory.open(&segments::name(segment.base))?;
        let mut current = Current { input, read: 0, buffer: Vec::new(), at: 0 };
        current.read_more(segment.bytes)?;
        current.at = HEADER.len().min(current.buffer.len());
        self.current = Some(current);
        Ok(Some(segment))
    }

    /// Leaves the segment, and looks whether it held all that comes before the next one.
    fn finish_segment(&mut self) -> Next {
        self.current = None;
        let following = self.segments.after(self.base).map(|segment| segment.base);
        following.or_else(|| self.segments.end()).map_or(Next::Nothing, |next| self.arrive(next))
    }

    /// The next record has this number: what is missing before it is lost.
    fn arrive(&mut self, number: u64) -> Next {
        let records = self.settled.unsettled(self.position, number);
        let bytes = std::mem::take(&mut self.damaged);
        let missing = self.position..number;
        self.position = self.position.max(number);
        if records > 0 {
            // If it cannot be written down, another process will find the same damage.
            let _ = self.settled.add(&*self.directory, missing.start, missing.end);
            self.remove_settled();
        }
        if records == 0 && bytes == 0 { Next::Nothing } else { Next::Damaged { records, bytes } }
    }
}

impl Current {
    /// Reads on, up to `end`.
    fn read_more(&mut self, end: u64) -> io::Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let wanted = end.saturating_sub(self.read).min(CHUNK as u64);
        let before = self.buffer.len();
        (&mut self.input).take(wanted).read_to_end(&mut self.buffer)?;
        let read = (self.buffer.len() - before) as u64;
        // A file that is shorter than it was is read as far as it goes.
        self.read = if read < wanted { end } else { self.read + read };
        Ok(())
    }
}

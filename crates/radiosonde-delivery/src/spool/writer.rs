//! The end of the spool at which records come in.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use super::Spool;
use super::directory::{Directory, Output};
use super::frame::{self, HEADER};
use super::segments::{self, Segments};
use crate::ledger::DropReason;
use crate::queue::Entry;
use crate::sink::Spooled;

/// How much is written at once, about.
const CHUNK: usize = 1 << 18;

/// Appends records to segments.
pub(crate) struct Writer {
    directory: Arc<dyn Directory>,
    segments: Arc<Segments>,
    /// How large the spool may grow.
    largest: u64,
    segment_bytes: u64,
    current: Option<Current>,
    chunk: Vec<u8>,
    is_dirty: bool,
}

/// The segment that is appended to.
struct Current {
    base: u64,
    output: Box<dyn Output>,
    bytes: u64,
}

impl Writer {
    pub(crate) fn new(
        directory: Arc<dyn Directory>,
        segments: Arc<Segments>,
        spool: &Spool,
    ) -> Self {
        Self {
            directory,
            segments,
            largest: spool.bytes,
            segment_bytes: spool.segment_bytes(),
            current: None,
            chunk: Vec::new(),
            is_dirty: false,
        }
    }

    /// Writes the records and settles their tickets: those that are written stay in the spool, those for which it
    /// has no room are dropped.
    ///
    /// # Errors
    ///
    /// When the file system fails; the records from there on are still in `pending`.
    pub(crate) fn write<R: Spooled>(
        &mut self,
        pending: &mut VecDeque<Entry<R>>,
        now: SystemTime,
    ) -> io::Result<()> {
        while !pending.is_empty() {
            let count = self.fill_chunk(pending, now);
            if count == 0 {
                // It may be full of what is settled: then this lets the reader make room.
                self.complete();
                if let Some(entry) = pending.pop_front() {
                    entry.ticket.dropped(DropReason::SpoolFull);
                }
                continue;
            }
            self.append_chunk()?;
            for entry in pending.drain(..count) {
                entry.ticket.spool();
            }
            // From now on they are read, and may be settled at any time.
            self.segments.appended(count as u64, self.chunk.len() as u64);
        }
        Ok(())
    }

    /// Whether something was written that has not been synced.
    pub(crate) fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Makes sure that what was written is there after a power cut, and that it is still there at all.
    ///
    /// # Errors
    ///
    /// When it is not. A file that somebody has removed is not written on, and is an error once.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let synced = self.current.as_mut().map_or(Ok(()), |current| current.output.sync());
        if synced.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            self.complete();
        }
        self.is_dirty = self.current.is_some() && synced.is_err();
        let names = match self.directory.names() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names?,
        };
        if self.segments.mark_gone(&names) {
            let reason = "a file of the spool was removed before it was sent";
            return Err(io::Error::new(io::ErrorKind::NotFound, reason));
        }
        synced
    }

    /// Turns records from the front into a chunk of frames, and says how many: as many as there is room for, but not
    /// too many at once. One that cannot be written is dropped.
    fn fill_chunk<R: Spooled>(
        &mut self,
        pending: &mut VecDeque<Entry<R>>,
        now: SystemTime,
    ) -> usize {
        self.chunk.clear();
        let room = self.largest.saturating_sub(self.segments.bytes() + HEADER.len() as u64);
        let first = self.segments.next();
        let mut count = 0;
        while let Some(entry) = pending.get(count) {
            let start = self.chunk.len();
            let chunk = &mut self.chunk;
            let write = |bytes: &mut Vec<u8>| entry.record.write(bytes);
            let written = catch_unwind(AssertUnwindSafe(|| {
                frame::append(chunk, first + count as u64, now, write)
            }));
            if !written.unwrap_or(false) {
                self.chunk.truncate(start);
                if let Some(entry) = pending.remove(count) {
                    entry.ticket.dropped(DropReason::Invalid);
                }
                continue;
            }
            if self.chunk.len() as u64 > room {
                self.chunk.truncate(start);
                break;
            }
            count += 1;
            if self.chunk.len() >= CHUNK {
                break;
            }
        }
        count
    }

    fn append_chunk(&mut self) -> io::Result<()> {
        if self.current.as_ref().is_some_and(|current| current.bytes >= self.segment_bytes) {
            self.sync()?;
            self.complete();
        }
        let current = match &mut self.current {
            Some(current) => current,
            none => none.insert(begin(&*self.directory, &self.segments)?),
        };
        if let Err(error) = current.output.append(&self.chunk) {
            // What was written in part must not be in the way of the next frame.
            if current.output.cut(current.bytes).is_err() {
                self.complete();
            }
            return Err(error);
        }
        current.bytes += self.chunk.len() as u64;
        self.is_dirty = true;
        Ok(())
    }

    fn complete(&mut self) {
        if let Some(current) = self.current.take()
            && self.segments.complete()
        {
            // Nothing is in it; should it stay, the next of its name takes its place.
            let _ = self.directory.remove(&segments::name(current.base));
        }
    }
}

fn begin(directory: &dyn Directory, segments: &Segments) -> io::Result<Current> {
    let base = segments.next();
    let mut output = directory.create(&segments::name(base))?;
    output.append(&HEADER)?;
    directory.sync()?;
    segments.begin(base);
    Ok(Current { base, output, bytes: HEADER.len() as u64 })
}

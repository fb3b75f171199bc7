//! Writes lines, and says what could not be written once it can.

use std::fmt;
use std::io::{self, Write};
use std::time::SystemTime;

use radiosonde::execute;
use radiosonde_delivery::{Answer, Attempt, DropReason, Sink, Verdict};

use crate::events;
use crate::file::OpenFile;
use crate::layout::{Layout, Line};
use crate::recursion::Busy;

/// Where the bytes go.
pub(crate) enum Output {
    Writer(Box<dyn Write + Send>),
    File(OpenFile),
}

impl Output {
    /// How many bytes may be written in one piece, the first line having so many, and how a rotation went.
    fn prepare(&mut self, at: SystemTime, bytes: u64) -> io::Result<(u64, Option<io::Result<()>>)> {
        match self {
            Self::Writer(_) => Ok((u64::MAX, None)),
            Self::File(file) => file.prepare(at, bytes).map(|ready| (ready.room, ready.rotated)),
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Writer(writer) => writer,
            Self::File(file) => file,
        }
    }
}

/// Writes the lines of every batch with as few calls as possible.
pub(crate) struct LineSink {
    pub(crate) reporter: String,
    pub(crate) output: Output,
    pub(crate) layout: Layout,
    buffer: Vec<u8>,
    /// Whether the last write failed in the middle of a line, be it that of an earlier process.
    is_torn: bool,
    /// What was lost and could not be said yet.
    lost: Vec<(DropReason, u64)>,
    /// What has failed last, until it works again.
    writing: Health,
    rotating: Health,
}

impl LineSink {
    pub(crate) fn new(reporter: String, output: Output, layout: Layout) -> Self {
        let is_torn = matches!(&output, Output::File(file) if file.is_torn());
        Self {
            reporter,
            output,
            layout,
            buffer: Vec::new(),
            is_torn,
            lost: Vec::new(),
            writing: Health::Good,
            rotating: Health::Good,
        }
    }

    /// Writes the lines, says how many of them it could, and why no more.
    fn write(&mut self, at: SystemTime, lines: &[&str]) -> (usize, io::Result<()>) {
        let mut written = 0;
        while written < lines.len() {
            match self.write_piece(at, &lines[written..]) {
                (count, Ok(())) => written += count,
                (count, Err(error)) => return (written + count, Err(error)),
            }
        }
        // What a writer holds back is not written.
        match self.output.writer().flush() {
            Ok(()) => (written, Ok(())),
            Err(error) => (0, Err(error)),
        }
    }

    /// Writes as many lines as there is room for, and at least one, in one piece and on lines of their own.
    fn write_piece(&mut self, at: SystemTime, lines: &[&str]) -> (usize, io::Result<()>) {
        let size = |line: &str| line.len() as u64 + 1;
        let first = lines.first().map_or(0, |line| size(line));
        let mut room = match self.output.prepare(at, first) {
            Ok((room, rotated)) => {
                if let Some(rotated) = rotated {
                    // A new file begins with a line of its own.
                    self.is_torn &= rotated.is_err();
                    self.rotating
                        .note(rotated.err().map(|error| format!("cannot rotate: {error}")));
                }
                room
            }
            Err(error) => return (0, Err(error)),
        };
        self.buffer.clear();
        if self.is_torn {
            self.buffer.push(b'\n');
        }
        let mut ends = Vec::with_capacity(lines.len());
        for line in lines {
            if size(line) > room && !ends.is_empty() {
                break;
            }
            room = room.saturating_sub(size(line));
            self.buffer.extend_from_slice(line.as_bytes());
            self.buffer.push(b'\n');
            ends.push(self.buffer.len());
        }
        let mut written = 0;
        let outcome = loop {
            let rest = &self.buffer[written..];
            if rest.is_empty() {
                break Ok(());
            }
            match self.output.writer().write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    written += count.min(rest.len());
                    self.is_torn = self.buffer[written - 1] != b'\n';
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        (ends.iter().filter(|end| **end <= written).count(), outcome)
    }

    /// Says what was lost, if it can be said now.
    fn tell_losses(&mut self, at: SystemTime) -> io::Result<()> {
        while let Some(&(reason, count)) = self.lost.first() {
            let line = dropped(self.layout, &self.reporter, at, reason, count);
            self.write(at, &[&line.text]).1?;
            self.lost.remove(0);
        }
        Ok(())
    }

    fn note(&mut self, outcome: &io::Result<()>) {
        self.writing.note(outcome.as_ref().err().map(|error| format!("cannot write: {error}")));
    }

    /// Tells of what has begun to fail, or works again: to the bus, and for a file on stderr, as nobody reads it there.
    /// Other logs may hear of it; this one does not, being on its own thread.
    fn announce(&mut self) {
        let is_file = matches!(self.output, Output::File(_));
        for health in [&mut self.writing, &mut self.rotating] {
            match health.news() {
                None => {}
                Some(None) => execute!(events::RESTORED, {}, { reporter: self.reporter }),
                Some(Some(reason)) => {
                    if is_file {
                        let message =
                            format!("the log `{}` has a problem: {reason}", self.reporter);
                        let fields = [("reporter", self.reporter.as_str()), ("reason", &reason)];
                        let name = events::FAILED.name();
                        let now = SystemTime::now();
                        let line = self.layout.own(now, name, None, &fields, &message);
                        // There is nobody left to tell if that fails, too.
                        let _ = writeln!(io::stderr(), "{}", line.text);
                    }
                    execute!(events::FAILED, {}, { reporter: self.reporter, reason });
                }
            }
        }
    }
}

impl Sink<Line> for LineSink {
    fn send(&mut self, lines: &[Line], attempt: &Attempt) -> Answer {
        let busy = Busy::enter();
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let (written, outcome) = match self.tell_losses(attempt.at) {
            Ok(()) => self.write(attempt.at, &texts),
            Err(error) => (0, Err(error)),
        };
        self.note(&outcome);
        drop(busy);
        self.announce();
        match outcome {
            Ok(()) => Answer::Delivered,
            // To write again what may be written in part could double lines.
            Err(error) => Answer::Each {
                verdicts: verdicts(lines.len(), |index| index < written),
                reason: error.to_string(),
                after: None,
            },
        }
    }

    fn lost(&mut self, reason: DropReason, count: u64) {
        let busy = Busy::enter();
        match self.lost.iter_mut().find(|(lost, _)| *lost == reason) {
            Some((_, sum)) => *sum += count,
            None => self.lost.push((reason, count)),
        }
        // While nothing can be written, it is said with the first lines that can.
        if !self.writing.is_bad() {
            let outcome = self.tell_losses(SystemTime::now());
            self.note(&outcome);
        }
        drop(busy);
        self.announce();
    }
}

/// A verdict on each of so many lines.
pub(crate) fn verdicts(lines: usize, is_written: impl Fn(usize) -> bool) -> Vec<Verdict> {
    let verdict = |index| if is_written(index) { Verdict::Delivered } else { Verdict::Rejected };
    (0..lines).map(verdict).collect()
}

/// The line that says how many lines are missing.
pub(crate) fn dropped(
    layout: Layout,
    reporter: &str,
    at: SystemTime,
    reason: DropReason,
    count: u64,
) -> Line {
    let message = format!("{count} line{} dropped", plural(count));
    let metadata = [("reporter", reporter), ("reason", reason.label())];
    layout.own(at, radiosonde_delivery::events::DROPPED.name(), Some(count), &metadata, &message)
}

/// The ending of what there are so many of.
pub(crate) fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Whether something works, and whether that is told.
#[derive(Debug, PartialEq, Eq)]
enum Health {
    Good,
    /// It fails for this reason, which is not told yet.
    Failing(String),
    /// It fails, and that is told.
    Bad,
    /// It works again, which is not told yet.
    Restored,
}

impl Health {
    /// Takes down how it went.
    fn note(&mut self, failure: Option<String>) {
        match (&*self, failure) {
            (Self::Good | Self::Restored, Some(reason)) => *self = Self::Failing(reason),
            (Self::Bad, None) => *self = Self::Restored,
            // It came and went before it was told.
            (Self::Failing(_), None) => *self = Self::Good,
            _ => {}
        }
    }

    fn is_bad(&self) -> bool {
        matches!(self, Self::Failing(_) | Self::Bad)
    }

    /// What is to be told: why it has begun to fail, or that it does not any more.
    fn news(&mut self) -> Option<Option<String>> {
        let (after, news) = match std::mem::replace(self, Self::Good) {
            Self::Failing(reason) => (Self::Bad, Some(Some(reason))),
            Self::Restored => (Self::Good, Some(None)),
            same => (same, None),
        };
        *self = after;
        news
    }
}

impl fmt::Debug for LineSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineSink").field("reporter", &self.reporter).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;

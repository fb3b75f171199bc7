//! A log file that is rotated by size and time: [`LogFile`].

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a rotation that has failed is not tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where lines are written, and when the file is put aside for a new one.
///
/// The file put aside last is `<path>.1`, the one before it `<path>.2`, and so on. Lines are appended in whole, so several
/// processes may share one file, and each rotates it for all. When somebody else has moved or removed the file it is made
/// again.
///
/// ```no_run
/// use std::time::Duration;
/// use radiosonde_log::{Log, LogFile};
///
/// let file = LogFile::new("/var/log/app/events.jsonl").bytes(50 << 20).every(Duration::from_secs(86_400)).keep(7);
/// let log = Log::builder().events(["app.**"]).json().file(file).start()?;
/// # drop(log);
/// # Ok::<(), radiosonde_log::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct LogFile {
    path: PathBuf,
    bytes: u64,
    every: Option<Duration>,
    keep: u32,
}

impl LogFile {
    /// A file that is made if it is not there, in a directory that is. It is put aside at 100 MiB, and 9 of those are
    /// kept: in all at most 1,000 MiB.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), bytes: 100 << 20, every: None, keep: 9 }
    }

    /// How large the file becomes before it is put aside. A line that is longer has a file of its own.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Puts the file aside at every multiple of this time since 1970 in UTC, too: with a day, at midnight. It happens with
    /// the first line after that.
    pub fn every(mut self, time: Duration) -> Self {
        self.every = Some(time);
        self
    }

    /// How many files are kept beside the one that is written; with 0, what is put aside is removed.
    pub fn keep(mut self, files: u32) -> Self {
        self.keep = files;
        self
    }

    /// The option that cannot work, and why not.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        if self.bytes == 0 {
            return Some((
                "bytes",
                "of a `LogFile` must not be zero: every line would have a file of its own",
            ));
        }
        let is_zero = self.every.is_some_and(|every| every.is_zero());
        is_zero.then_some((
            "every",
            "of a `LogFile` must not be zero: leave it out to rotate by size alone",
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn open(self, now: SystemTime) -> io::Result<OpenFile> {
        let mut open = OpenFile { settings: self, current: None, retry_at: None };
        open.current(now)?;
        Ok(open)
    }

    /// The number of the period that a moment is in.
    fn period(&self, at: SystemTime) -> u128 {
        let length = self.every.map_or(0, |every| every.as_nanos());
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        since.checked_div(length).unwrap_or(0)
    }

    fn put_aside(&self, number: u32) -> PathBuf {
        let mut path = OsString::from(&self.path);
        path.push(format!(".{number}"));
        path.into()
    }

    /// Moves the file, and those before it, one further.
    fn shift(&self) -> io::Result<()> {
        if self.keep == 0 {
            return fs::remove_file(&self.path);
        }
        let is_there = |number: &u32| self.put_aside(*number).symlink_metadata().is_ok();
        let free = (1..self.keep).find(|number| !is_there(number)).unwrap_or(self.keep);
        for number in (1..free).rev() {
            fs::rename(self.put_aside(number), self.put_aside(number + 1))?;
        }
        fs::rename(&self.path, self.put_aside(1))
    }
}

/// The file that is written.
#[derive(Debug)]
pub(crate) struct OpenFile {
    settings: LogFile,
    current: Option<Current>,
    /// A rotation has failed; until then it is not tried again.
    retry_at: Option<SystemTime>,
}

#[derive(Debug)]
struct Current {
    file: File,
    /// When what is in it was begun, as far as that is known.
    period: u128,
}

/// How a file was made ready for a line.
#[derive(Debug)]
pub(crate) struct Ready {
    /// How many bytes may be written to it.
    pub(crate) room: u64,
    /// How a rotation went, if one was due.
    pub(crate) rotated: Option<io::Result<()>>,
}

impl OpenFile {
    /// Makes the file ready for a line of so many bytes: opens it, if it is not the one at its path any more, and
    /// rotates it, if it is time.
    pub(crate) fn prepare(&mut self, now: SystemTime, bytes: u64) -> io::Result<Ready> {
        let mut rotated = None;
        let mut length = self.current(now)?;
        if self.is_due(now, length, bytes) {
            match self.rotate() {
                Ok(true) => {
                    rotated = Some(Ok(()));
                    length = self.current(now)?;
                }
                // Somebody else is about to.
                Ok(false) => {}
                Err(error) => {
                    self.retry_at = now.checked_add(PATIENCE);
                    rotated = Some(Err(error));
                }
            }
        }
        let room = self.settings.bytes.saturating_sub(length);
        Ok(Ready { room: if room < bytes { bytes } else { room }, rotated })
    }

    /// Whether what is in it ends in the middle of a line, as a process before this one left it whose disk was full. What
    /// cannot be read, or is no file, does not.
    pub(crate) fn is_torn(&self) -> bool {
        let last = || {
            self.current.as_ref().filter(|current| is_file(&current.file))?;
            let mut file = File::open(&self.settings.path).ok()?;
            let mut last = [0];
            file.seek(SeekFrom::End(-1)).ok()?;
            file.read_exact(&mut last).ok()?;
            Some(last)
        };
        last().is_some_and(|last| last != *b"\n")
    }

    fn is_due(&self, now: SystemTime, length: u64, bytes: u64) -> bool {
        let Some(current) = &self.current else { return false };
        let is_full = length.saturating_add(bytes) > self.settings.bytes;
        let is_over = self.settings.period(now) > current.period;
        let may_try = self.retry_at.is_none_or(|retry_at| now >= retry_at);
        length > 0 && (is_full || is_over) && may_try
    }

    /// Opens the file at the path, if it is not open, and says how long it is. What is no file, such as a pipe, has no
    /// length and is never rotated.
    fn current(&mut self, now: SystemTime) -> io::Result<u64> {
        if let Some(current) = &self.current {
            match fs::metadata(&self.settings.path) {
                Ok(there) if is_same(&there, &current.file.metadata()?) => {
                    return Ok(length(&there));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            self.current = None;
        }
        let file = OpenOptions::new().append(true).create(true).open(&self.settings.path)?;
        let metadata = file.metadata()?;
        let length = length(&metadata);
        // A process before this one may have begun it.
        let begun = if length == 0 { now } else { metadata.modified().unwrap_or(now) };
        self.current = Some(Current { file, period: self.settings.period(begun) });
        Ok(length)
    }

    /// Puts the file aside, unless another process is just doing so, or has done it.
    fn rotate(&mut self) -> io::Result<bool> {
        let Some(current) = &self.current else { return Ok(false) };
        // Whoever has this very file locked is the one who moves it.
        match fs4::FileExt::try_lock(&current.file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => return Ok(false),
            Err(fs4::TryLockError::Error(error)) => return Err(error),
        }
        let moved = match fs::metadata(&self.settings.path) {
            Ok(there) if !is_same(&there, &current.file.metadata()?) => Ok(()),
            Ok(_) => self.settings.shift(),
            Err(error) => Err(error),
        };
        let unlocked = fs4::FileExt::unlock(&current.file);
        moved?;
        unlocked?;
        (self.current, self.retry_at) = (None, None);
        Ok(true)
    }
}

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.current {
            Some(current) => current.file.write(bytes),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Not so of a pipe, of which reading would take something, or wait.
fn is_file(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn length(metadata: &Metadata) -> u64 {
    if metadata.is_file() { metadata.len() } else { 0 }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Elsewhere a file that is open cannot be moved.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;

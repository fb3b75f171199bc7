//! Records on disk: what they outlive the process in, and how large and how old it may grow.
//!
//! A spool is a directory of segments, files that are only appended to, and a log of what is settled. A record is a
//! [frame](frame) with a number, its age and a checksum; numbers only grow, so a gap in them says exactly how many
//! records are lost. The thread of [`Spooler`](crate::spooler::Spooler) writes, the worker thread reads and settles.

pub(crate) mod age;
pub(crate) mod directory;
pub(crate) mod frame;
pub(crate) mod reader;
pub(crate) mod segments;
mod settled;
pub(crate) mod source;
pub(crate) mod writer;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use directory::{Directory, SystemDirectory};
use segments::Segments;

/// Where records are kept on disk, and for how long.
///
/// What is written there survives the end of the process, however it ends, and what was synced a power cut. It is sent
/// when the sink takes it, by this process or the next one that starts with the same directory. A directory serves
/// one delivery at a time, and should not be shared with other files.
///
/// ```
/// use std::time::Duration;
/// use radiosonde_delivery::Spool;
/// let spool = Spool::new("/var/lib/shop/posthog").bytes(64 << 20).age(Duration::from_secs(3 * 86_400));
/// # let _ = spool;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Spool {
    directory: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) age: Duration,
    pub(crate) sync_interval: Duration,
}

impl Spool {
    /// A spool in `directory`, which is created when it is missing, with the defaults: 256 MiB, one day, synced
    /// every second.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            bytes: 256 << 20,
            age: Duration::from_secs(86_400),
            sync_interval: Duration::from_secs(1),
        }
    }

    /// How large it may grow; what comes then is dropped and counted. It is freed in steps of an eighth, 4 MiB at
    /// most.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// How long a record is kept and tried; after that it is dropped and counted. A clock that is set while the process
    /// runs makes nothing older than the time since the start has.
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// How long what was written may wait until it is safe from a power cut too. Zero syncs after every write.
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.sync_interval = interval;
        self
    }

    /// The option that leaves no room or no time for any record, by name.
    pub(crate) fn zero(&self) -> Option<&'static str> {
        let zero = [("spool.bytes", self.bytes == 0), ("spool.age", self.age.is_zero())];
        zero.into_iter().find_map(|(name, is_zero)| is_zero.then_some(name))
    }

    /// Takes the directory for this delivery alone.
    pub(crate) fn open(&self) -> Result<Opened, SpoolError> {
        let io = |error| SpoolError::Io { directory: self.directory.clone(), error };
        let directory = SystemDirectory::lock(&self.directory)
            .map_err(io)?
            .ok_or_else(|| SpoolError::InUse { directory: self.directory.clone() })?;
        self.open_in(Arc::new(directory))
            .map_err(io)?
            .map_err(|file| SpoolError::Unknown { directory: self.directory.clone(), file })
    }

    /// The error inside names a file that another version has written.
    pub(crate) fn open_in(
        &self,
        directory: Arc<dyn Directory>,
    ) -> io::Result<Result<Opened, String>> {
        let mut settled = settled::Settled::open(&*directory);
        let segments = match Segments::open(&*directory, settled.through())? {
            Ok(segments) => Arc::new(segments),
            Err(file) => return Ok(Err(file)),
        };
        // What is before the first segment was settled, even if the log does not remember.
        settled.advance(segments.first().unwrap_or_else(|| segments.next()));
        let retained = settled.unsettled(0, segments.next());
        Ok(Ok(Opened { directory, segments, settled, retained }))
    }

    /// How large a segment gets before the next one is begun.
    fn segment_bytes(&self) -> u64 {
        (self.bytes / 8).min(4 << 20)
    }
}

/// A spool that is this delivery's.
pub(crate) struct Opened {
    directory: Arc<dyn Directory>,
    segments: Arc<Segments>,
    settled: settled::Settled,
    /// How many records an earlier delivery has left in it.
    pub(crate) retained: u64,
}

impl Opened {
    pub(crate) fn split(self, spool: &Spool) -> (writer::Writer, reader::Reader) {
        let reader = reader::Reader::new(
            Arc::clone(&self.directory),
            Arc::clone(&self.segments),
            self.settled,
        );
        (writer::Writer::new(self.directory, self.segments, spool), reader)
    }
}

/// Why a spool cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpoolError {
    /// Another process, or another delivery of this one, uses it.
    InUse {
        /// The spool's directory.
        directory: PathBuf,
    },
    /// It was written by another version, in a form that this one does not know.
    Unknown {
        /// The spool's directory.
        directory: PathBuf,
        /// The first file in that form.
        file: String,
    },
    /// The directory cannot be made, read or locked.
    Io {
        /// The spool's directory.
        directory: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |directory: &Path| directory.display().to_string();
        match self {
            Self::InUse { directory } => write!(
                f,
                "the spool `{}` is in use by another process or reporter: give each one a directory of its own",
                shown(directory)
            ),
            Self::Unknown { directory, file } => write!(
                f,
                "`{file}` in the spool `{}` was written by another version: let that version send it, or name another directory",
                shown(directory)
            ),
            Self::Io { directory, error } => write!(
                f,
                "the spool `{}` cannot be used ({error}): name a directory that this process may write to",
                shown(directory)
            ),
        }
    }
}

impl std::error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::InUse { .. } | Self::Unknown { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;

//! The state directory: one process at a time, files that are replaced as a whole, and those that make no sense kept aside.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use radiosonde::execute;

use crate::events;

/// Who the installation is.
pub(crate) const INSTALLATION: &str = "installation";
/// What is counted, and when the next report is due.
pub(crate) const STATE: &str = "state.json";
/// The last report, as it was sent.
pub(crate) const REPORT: &str = "report.json";

/// The largest file that is read: thousands of metrics have room in one. A larger one is not ours.
pub(crate) const LARGEST: u64 = 1 << 30;

/// Writes all bytes to a new file, so that tests can let a disk be full.
pub(crate) type Write = dyn Fn(&mut File, &[u8]) -> io::Result<()> + Send + Sync;

/// The directory, locked for as long as this lives.
pub(crate) struct Store {
    path: PathBuf,
    write: Box<Write>,
    /// The operating system unlocks it when the process ends, however it ends.
    _lock: File,
    writing: Mutex<()>,
    is_failing: AtomicBool,
    pub(crate) failed: AtomicU64,
    pub(crate) damaged: AtomicU64,
}

impl Store {
    /// None if another process has it.
    pub(crate) fn lock(path: &Path) -> io::Result<Option<Self>> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        let lock = options().truncate(false).open(path.join("lock"))?;
        match fs4::FileExt::try_lock(&lock) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => return Ok(None),
            Err(fs4::TryLockError::Error(error)) => return Err(error),
        }
        Ok(Some(Self {
            path: path.to_owned(),
            write: Box::new(|file, bytes| file.write_all(bytes)),
            _lock: lock,
            writing: Mutex::new(()),
            is_failing: AtomicBool::new(false),
            failed: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
        }))
    }

    #[cfg(test)]
    pub(crate) fn set_write(&mut self, write: Box<Write>) {
        self.write = write;
    }

    /// What is in a file, if there is one.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        // One that is cut here is as damaged as it looks.
        file.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Replaces a file. Whoever reads it, also after the process was killed or the power was cut, finds what was there
    /// before or all of this.
    ///
    /// That it fails is said once, until it works again.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let written = {
            let _one_at_a_time = self.writing.lock();
            self.replace(name, bytes)
        };
        match &written {
            Ok(()) => {
                if self.is_failing.swap(false, Ordering::SeqCst) {
                    execute!(events::STATE_RESTORED, {}, {});
                }
            }
            Err(error) => {
                self.failed.fetch_add(1, Ordering::SeqCst);
                if !self.is_failing.swap(true, Ordering::SeqCst) {
                    execute!(events::STATE_FAILED, {}, { reason: error.to_string() });
                }
            }
        }
        written
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.path.join(format!("{name}.new"));
        let mut file = options().truncate(true).open(&new)?;
        let written = (self.write)(&mut file, bytes).and_then(|()| file.sync_all());
        if let Err(error) = written {
            // A full disk may need the room.
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        fs::rename(&new, self.path.join(name))?;
        // Elsewhere a directory cannot be opened, and its names need no care.
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    /// Keeps a file that makes no sense, instead of an earlier one, for those who want to know what happened to it.
    pub(crate) fn set_aside(&self, name: &str, reason: &str) {
        // If that is not possible it is overwritten, which is what it is good for.
        let _ = fs::rename(self.path.join(name), self.path.join(format!("{name}.damaged")));
        self.damaged.fetch_add(1, Ordering::SeqCst);
        execute!(events::STATE_DAMAGED, {}, { file: name, reason: reason });
    }
}

/// Files that are nobody else's to read.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Temporary;

    #[test]
    fn a_file_is_replaced_as_a_whole_or_not_at_all() {
        let directory = Temporary::new();
        let mut store = Store::lock(&directory.0).unwrap().unwrap();
        assert_eq!(store.read("a").unwrap(), None);
        store.write("a", b"one").unwrap();
        store.write("a", b"second").unwrap();
        // It fills up in the middle of a file.
        store.set_write(Box::new(|file, bytes| {
            file.write_all(&bytes[..bytes.len() / 2])?;
            Err(io::ErrorKind::StorageFull.into())
        }));
        assert!(store.write("a", b"third").is_err());
        assert_eq!(store.read("a").unwrap().unwrap(), b"second");
        assert!(!directory.0.join("a.new").exists(), "what is half written takes no room");
        assert_eq!(store.failed.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn the_directory_is_one_processs_and_its_users_alone() {
        let directory = Temporary::new();
        let store = Store::lock(&directory.0).unwrap().unwrap();
        assert!(Store::lock(&directory.0).unwrap().is_none());
        store.write("a", b"private").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&directory.0), mode(&directory.0.join("a"))), (0o700, 0o600));
        }
        drop(store);
        assert!(Store::lock(&directory.0).unwrap().is_some());
    }
}

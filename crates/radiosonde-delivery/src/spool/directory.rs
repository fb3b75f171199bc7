//! The file system as the spool sees it, so that tests can let it fail.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// One directory of files.
pub(crate) trait Directory: Send + Sync + 'static {
    fn names(&self) -> io::Result<Vec<String>>;

    /// A new file, in place of any of the same name.
    fn create(&self, name: &str) -> io::Result<Box<dyn Output>>;

    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;

    /// Gives a file another's name, in its place.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes sure that the names survive a power cut.
    fn sync(&self) -> io::Result<()>;
}

/// A file that is appended to.
pub(crate) trait Output: Send {
    /// Appends all of it; on an error a part may have been appended.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Takes away what is behind `length`.
    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// Makes sure that the bytes survive a power cut. Of a file that was removed, which no process will find again, it
    /// says that it is not found.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory of the operating system, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct SystemDirectory {
    path: PathBuf,
    /// The operating system unlocks it when the process ends, however it ends.
    _lock: File,
}

impl SystemDirectory {
    /// None if somebody else holds the lock.
    pub(crate) fn lock(path: &Path) -> io::Result<Option<Self>> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        let lock = options().truncate(false).open(path.join("lock"))?;
        match fs4::FileExt::try_lock(&lock) {
            Ok(()) => Ok(Some(Self { path: path.to_owned(), _lock: lock })),
            Err(fs4::TryLockError::WouldBlock) => Ok(None),
            Err(fs4::TryLockError::Error(error)) => Err(error),
        }
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

impl Directory for SystemDirectory {
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.path)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Output>> {
        let file = options().truncate(true).open(self.path.join(name))?;
        Ok(Box::new(SystemOutput(file)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(self.path.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        // Elsewhere a directory cannot be opened, and its names need no care.
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }
}

struct SystemOutput(File);

impl Output for SystemOutput {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.seek(io::SeekFrom::Start(length))?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()?;
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&self.0.metadata()?) == 0 {
            let reason = "a file of the spool was removed while it was written";
            return Err(io::Error::new(io::ErrorKind::NotFound, reason));
        }
        Ok(())
    }
}

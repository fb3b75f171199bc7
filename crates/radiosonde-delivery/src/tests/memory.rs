//! A file system in memory that gets full, breaks and loses power as a test says.

use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind, Read};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::spool::directory::{Directory, Output};

/// Clones share one directory.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) files: BTreeMap<String, File>,
    /// How many more bytes can be written, if that is limited.
    pub(crate) room: Option<usize>,
    /// Whether files cannot be cut.
    pub(crate) breaks_cuts: bool,
    /// Whether nothing can be synced.
    pub(crate) breaks_syncs: bool,
    /// How many more times opening a file for reading fails.
    pub(crate) broken_reads: usize,
}

#[derive(Clone, Default)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    synced: usize,
}

impl Memory {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Whether nobody else holds this directory.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// What another process finds after this one was killed.
    pub(crate) fn after_a_kill(&self) -> Self {
        let files = self.lock().files.clone();
        Self(Arc::new(Mutex::new(State { files, ..State::default() })))
    }

    /// What is found after a power cut: what was synced.
    pub(crate) fn after_a_power_cut(&self) -> Self {
        let found = self.after_a_kill();
        found.lock().files.values_mut().for_each(|file| file.bytes.truncate(file.synced));
        found
    }

    /// The segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<String> {
        let state = self.lock();
        state.files.keys().filter(|name| name.ends_with(".spool")).cloned().collect()
    }
}

impl Directory for Memory {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().files.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Output>> {
        self.lock().files.insert(name.to_owned(), File::default());
        Ok(Box::new(Open { directory: self.clone(), name: name.to_owned() }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let mut state = self.lock();
        if state.broken_reads > 0 {
            state.broken_reads -= 1;
            return Err(io::Error::other("a broken disk"));
        }
        state.files.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(Box::new(Input { directory: self.clone(), name: name.to_owned(), at: 0 }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        let file = state.files.remove(from).ok_or(ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lock().files.remove(name).map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is written. It is found by its name, so that a renamed one has to be told.
struct Open {
    directory: Memory,
    name: String,
}

impl Open {
    fn with<T>(&self, change: impl FnOnce(&mut State, &str) -> T) -> T {
        let mut state = self.directory.lock();
        let renamed = self.name.strip_suffix(".new");
        let name = renamed.filter(|_| !state.files.contains_key(&self.name));
        let name = name.unwrap_or(&self.name);
        change(&mut state, name)
    }
}

impl Output for Open {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|state, name| {
            let fits = state.room.map_or(bytes.len(), |room| room.min(bytes.len()));
            state.room = state.room.map(|room| room - fits);
            if let Some(file) = state.files.get_mut(name) {
                file.bytes.extend_from_slice(&bytes[..fits]);
            }
            if fits == bytes.len() { Ok(()) } else { Err(ErrorKind::StorageFull.into()) }
        })
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.with(|state, name| {
            if state.breaks_cuts {
                return Err(io::Error::other("a broken disk"));
            }
            if let Some(file) = state.files.get_mut(name) {
                file.bytes.truncate(usize::try_from(length).unwrap());
            }
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|state, name| {
            if state.breaks_syncs {
                return Err(io::Error::other("a broken disk"));
            }
            if let Some(file) = state.files.get_mut(name) {
                file.synced = file.bytes.len();
            }
            Ok(())
        })
    }
}

/// Sees what is appended later, as a file does.
struct Input {
    directory: Memory,
    name: String,
    at: usize,
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let state = self.directory.lock();
        let Some(file) = state.files.get(&self.name) else { return Ok(0) };
        let read = Cursor::new(file.bytes.get(self.at..).unwrap_or_default()).read(into)?;
        self.at += read;
        Ok(read)
    }
}

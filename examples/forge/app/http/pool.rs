//! The connections to one server: so many at most, opened when they are first needed, and kept while they are good.

use std::io;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// Connections to one server, at most.
pub(crate) const POOL_SIZE: usize = 8;

pub(super) struct Pool {
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

pub(super) struct Idle {
    pub(super) stream: TcpStream,
    pub(super) since: Instant,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self { permits: Semaphore::new(POOL_SIZE), idle: Mutex::default() }
    }

    /// Waits until a connection may be used, and takes an idle one if there is one.
    pub(super) async fn check_out(
        &self,
    ) -> Result<(SemaphorePermit<'_>, Option<Idle>), AcquireError> {
        let permit = self.permits.acquire().await?;
        let mut idle = self.idle.lock();
        // One that the server has closed meanwhile is left behind.
        while let Some(connection) = idle.pop() {
            if is_open(&connection.stream) {
                return Ok((permit, Some(connection)));
            }
        }
        Ok((permit, None))
    }

    pub(super) fn check_in(&self, stream: TcpStream) {
        self.idle.lock().push(Idle { stream, since: Instant::now() });
    }

    /// Connections that a request could have at once, opened or not.
    pub(super) fn available(&self) -> usize {
        self.permits.available_permits()
    }
}

/// Whether there is nothing to read: neither an end, nor an answer that nobody asked for.
fn is_open(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0]);
    read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

//! The open connections, and which of them has to go when there are too many.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// How far a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its request is not there as a whole.
    Asking,
    /// It waits for its answer.
    Waiting,
    /// It is taking its answer.
    Taking,
    /// It has its answer, and may hang up.
    Leaving,
}

/// The open connections, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Mutex<Vec<Connection>>,
    closed: Notify,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    stage: Stage,
    task: AbortHandle,
}

impl Connections {
    /// Adds the connection of a task, and closes another when there are more than `limit`: the oldest of those that have
    /// their answers, or else of those that have not asked for anything yet, or that take their answers. Each is the
    /// slowest of its kind, and so who fills the server up only hurts those who do the same.
    pub(crate) fn add(&self, number: u64, task: AbortHandle, limit: usize) {
        let mut open = self.open.lock();
        if open.len() >= limit {
            let stages = [Stage::Leaving, Stage::Asking, Stage::Taking];
            match stages.into_iter().find_map(|stage| oldest(&open, stage)) {
                Some(index) => open.remove(index).task.abort(),
                // Everybody waits for a page that is being rendered, and will have it soon.
                None => return task.abort(),
            }
        }
        open.push(Connection { number, stage: Stage::Asking, task });
    }

    /// Notes that a client waits for its answer.
    pub(crate) fn waits(&self, number: u64) {
        self.enter(&mut self.open.lock(), number, Stage::Waiting);
    }

    /// Notes that a client takes its answer, and closes the oldest of these when there are more than `limit`.
    pub(crate) fn takes(&self, number: u64, limit: usize) {
        let mut open = self.open.lock();
        let taking = open.iter().filter(|connection| connection.stage == Stage::Taking).count();
        if taking >= limit
            && let Some(index) = oldest(&open, Stage::Taking)
        {
            open.remove(index).task.abort();
        }
        self.enter(&mut open, number, Stage::Taking);
    }

    /// Notes that a client has its answer.
    pub(crate) fn leaves(&self, number: u64) {
        self.enter(&mut self.open.lock(), number, Stage::Leaving);
    }

    fn enter(&self, open: &mut [Connection], number: u64, stage: Stage) {
        if let Some(connection) = open.iter_mut().find(|connection| connection.number == number) {
            connection.stage = stage;
        }
    }

    /// Takes a connection off the list that has come to its end.
    pub(crate) fn remove(&self, number: u64) {
        self.open.lock().retain(|connection| connection.number != number);
        self.closed.notify_one();
    }

    /// Closes those who have not asked for anything, and returns when the others have their answers.
    pub(crate) async fn finish(&self) {
        self.open.lock().retain(|connection| {
            let stays = connection.stage != Stage::Asking;
            if !stays {
                connection.task.abort();
            }
            stays
        });
        while !self.open.lock().is_empty() {
            self.closed.notified().await;
        }
    }
}

fn oldest(open: &[Connection], stage: Stage) -> Option<usize> {
    open.iter().position(|connection| connection.stage == stage)
}

/// A connection's membership: it ends with the task that has it.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) number: u64,
    pub(crate) connections: Arc<Connections>,
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.connections.remove(self.number);
    }
}

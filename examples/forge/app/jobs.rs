//! A queue of jobs, and the workers that do them: each job is tried until it is done, five times at most.

use std::sync::Arc;
use std::time::{Duration, Instant};

use radiosonde_jobs::{Enqueued, Failure, Job};
use radiosonde_tokio::TaskKind;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::storage::{Storage, StorageError};

/// The name of the queue.
pub(crate) const QUEUE: &str = "storage";

/// The workers' tasks.
pub(crate) static WORKER: TaskKind = TaskKind::new("tuist.job_worker");

const WORKERS: usize = 8;
const ATTEMPTS: u32 = 5;
const BACKOFF: Duration = Duration::from_millis(20);

/// The removal of what a project has stored.
struct Removal {
    project_slug: String,
    enqueued: Enqueued,
}

/// Where jobs are queued. The workers stop when it is gone and the queue is empty.
#[derive(Clone)]
pub(crate) struct Jobs {
    sender: mpsc::Sender<Removal>,
    queue: Arc<Mutex<mpsc::Receiver<Removal>>>,
}

impl Jobs {
    /// A queue that nobody works at yet.
    pub(crate) fn new() -> Self {
        let (sender, queue) = mpsc::channel(1_000);
        Self { sender, queue: Arc::new(Mutex::new(queue)) }
    }

    /// Puts workers to work.
    pub(crate) fn start(&self, storage: &Arc<Storage>) -> JoinSet<()> {
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(WORKER.instrument(work(self.queue.clone(), storage.clone())));
        }
        workers
    }

    /// Queues the removal of what the project has stored.
    pub(crate) async fn delete_project(&self, project_slug: String) {
        // There is nobody to do it only if the workers panicked, and then their tasks say so.
        let _ = self.sender.send(Removal { project_slug, enqueued: Enqueued::now() }).await;
    }

    /// How many jobs wait, for whoever wants to know it later. Whoever can ask does not keep the workers waiting for more.
    pub(crate) fn length(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let sender = self.sender.downgrade();
        move || {
            let waiting = sender.upgrade().map(|sender| sender.max_capacity() - sender.capacity());
            waiting.unwrap_or_default() as u64
        }
    }
}

async fn work(queue: Arc<Mutex<mpsc::Receiver<Removal>>>, storage: Arc<Storage>) {
    loop {
        let next = queue.lock().await.recv().await;
        let Some(removal) = next else { break };
        try_until_done(&removal, &storage).await;
    }
}

async fn try_until_done(removal: &Removal, storage: &Storage) {
    let job = Job::new("delete_project").queue(QUEUE).maximum_attempts(ATTEMPTS);
    let mut job = job.enqueued(&removal.enqueued);
    for attempt in 1..=ATTEMPTS {
        let removing = storage.delete_all_objects(&removal.project_slug);
        if job.clone().try_instrument_with(removing, failure).await.is_ok() {
            return;
        }
        let backoff = BACKOFF * attempt;
        job = job.attempt(attempt + 1).enqueued_at(Instant::now() + backoff);
        tokio::time::sleep(backoff).await;
    }
}

fn failure(error: &StorageError) -> Failure {
    Failure::new(match error {
        StorageError::Refused(503) => "overloaded",
        StorageError::Refused(_) => "refused",
        StorageError::Transport(error) => error.kind().as_str(),
    })
}

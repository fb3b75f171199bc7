//! A queue of jobs, and the workers that do them: each job is tried until it is done, five times at most.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use radiosonde::span;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::events;
use super::storage::Storage;

const WORKERS: usize = 8;
const ATTEMPTS: u32 = 5;
const BACKOFF: Duration = Duration::from_millis(20);

/// The removal of what a project has stored.
struct Job {
    project_slug: String,
    queued: Instant,
}

/// Where jobs are queued. The workers stop when it is gone and the queue is empty.
#[derive(Clone)]
pub(crate) struct Jobs(mpsc::Sender<Job>);

impl Jobs {
    /// A queue, and its workers at work.
    pub(crate) fn start(storage: &Arc<Storage>) -> (Self, JoinSet<()>) {
        let (sender, queue) = mpsc::channel(1_000);
        let queue = Arc::new(Mutex::new(queue));
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(work(queue.clone(), storage.clone()));
        }
        (Self(sender), workers)
    }

    /// Queues the removal of what the project has stored.
    pub(crate) async fn delete_project(&self, project_slug: String) {
        // There is nobody to do it only if the workers panicked, and then their tasks say so.
        let _ = self.0.send(Job { project_slug, queued: Instant::now() }).await;
    }
}

async fn work(queue: Arc<Mutex<mpsc::Receiver<Job>>>, storage: Arc<Storage>) {
    loop {
        let next = queue.lock().await.recv().await;
        let Some(job) = next else { break };
        try_until_done(&job, || storage.delete_all_objects(&job.project_slug)).await;
    }
}

async fn try_until_done<F, E>(job: &Job, attempt: impl Fn() -> F)
where
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let worker = "delete_project";
    let queue_time = job.queued.elapsed();
    for number in 1..=ATTEMPTS {
        let mut span = span!(events::JOB, { worker, attempt: number });
        span.measurement("queue_time", queue_time);
        match attempt().await {
            Ok(()) => return span.stop(),
            Err(error) => span.error(&error),
        }
        tokio::time::sleep(BACKOFF * number).await;
    }
}

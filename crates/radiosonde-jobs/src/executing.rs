//! How many jobs run at the moment, counted where they run, so that none is missed and none stays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;

/// How many queues and kinds of jobs are told apart; the rest is counted together, as [`OTHERS`].
const MAXIMUM: usize = 1_000;

const OTHERS: (&str, &str) = ("(other)", "(other)");

/// Whether somebody wants to know.
static IS_COUNTED: AtomicBool = AtomicBool::new(false);

static COUNTS: RwLock<Counts> = RwLock::new(Counts { queues: BTreeMap::new(), length: 0 });

/// By queue and kind of job.
struct Counts {
    queues: BTreeMap<Box<str>, BTreeMap<Box<str>, Arc<AtomicU64>>>,
    length: usize,
}

impl Counts {
    /// The count of these, or that of the rest if there are too many to tell these apart.
    fn find(&self, described: (&str, &str)) -> Option<Arc<AtomicU64>> {
        let find = |(queue, job): (&str, &str)| self.queues.get(queue)?.get(job).cloned();
        find(described).or_else(|| if self.length < MAXIMUM { None } else { find(OTHERS) })
    }

    fn find_or_add(&mut self, (queue, job): (&str, &str)) -> Arc<AtomicU64> {
        if let Some(count) = self.find((queue, job)) {
            return count;
        }
        let (queue, job) = if self.length < MAXIMUM { (queue, job) } else { OTHERS };
        let count = self.queues.entry(queue.into()).or_default().entry(job.into());
        self.length += 1;
        count.or_default().clone()
    }
}

/// A job that runs, until this is dropped.
#[derive(Debug)]
pub(crate) struct Executing(Arc<AtomicU64>);

impl Executing {
    /// Counts a job, which is described by its queue and its kind, if somebody wants to know.
    pub(crate) fn start<'a>(describe: impl FnOnce() -> (&'a str, &'a str)) -> Option<Self> {
        if !IS_COUNTED.load(Relaxed) {
            return None;
        }
        let described = describe();
        let known = COUNTS.read().find(described);
        let count = known.unwrap_or_else(|| COUNTS.write().find_or_add(described));
        count.fetch_add(1, Relaxed);
        Some(Self(count))
    }
}

impl Drop for Executing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Counts the jobs that start from now on.
pub(crate) fn count() {
    IS_COUNTED.store(true, Relaxed);
}

/// Gives the number for each queue and kind of job of which one has run.
pub(crate) fn observe(observe: &mut dyn FnMut(&[&str], f64)) {
    // What is done with a number is the reader's code, and must not find the lock taken.
    let counts: Vec<_> = {
        let counts = COUNTS.read();
        let jobs = counts.queues.iter().flat_map(|(queue, jobs)| {
            jobs.iter().map(move |(job, count)| (job.clone(), queue.clone(), count.load(Relaxed)))
        });
        jobs.collect()
    };
    for (job, queue, count) in counts {
        observe(&[&job, &queue], count as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_maximum_is_counted_together() {
        let mut counts = Counts { queues: BTreeMap::new(), length: 0 };
        for index in 0..MAXIMUM + 50 {
            counts.find_or_add(("queue", &index.to_string())).fetch_add(1, Relaxed);
        }
        assert_eq!(counts.queues["queue"].len(), MAXIMUM);
        assert_eq!(counts.find(OTHERS).unwrap().load(Relaxed), 50);
        assert_eq!(counts.length, MAXIMUM + 1);
        assert!(counts.find(("queue", "new")).is_some(), "found without one that adds");
        counts.find_or_add(("queue", "7")).fetch_add(1, Relaxed);
        assert_eq!(counts.find(("queue", "7")).unwrap().load(Relaxed), 2);
    }
}

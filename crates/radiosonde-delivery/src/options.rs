//! How much is held, how it is batched, and how patiently it is retried.

use std::time::Duration;

use crate::clock::FOR_EVER;

/// The limits of one delivery. Every one has a default; the setters are named after what they bound.
///
/// ```
/// use radiosonde_delivery::Options;
/// let options = Options::new().queue_records(1_000).batch_records(50);
/// assert_eq!(options, Options::default().batch_records(50).queue_records(1_000));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Options {
    pub(crate) queue_records: usize,
    pub(crate) batch_records: usize,
    pub(crate) batch_bytes: usize,
    pub(crate) batch_delay: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) drop_deadline: Duration,
    pub(crate) backoff: Backoff,
}

impl Options {
    /// The defaults: a queue of 10,000 records; batches of 100 records, 1 MiB or 5 s, whichever comes first; 10 s for
    /// a request; 1 s for the flush on drop; and the default [`Backoff`].
    pub fn new() -> Self {
        Self {
            queue_records: 10_000,
            batch_records: 100,
            batch_bytes: 1 << 20,
            batch_delay: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            drop_deadline: Duration::from_secs(1),
            backoff: Backoff::new(),
        }
    }

    /// How many records may wait in the queue, at most 16,777,216; what comes when it is full is dropped and counted. The
    /// room for them is taken at the start.
    pub fn queue_records(mut self, records: usize) -> Self {
        self.queue_records = records;
        self
    }

    /// How many records a batch holds at most.
    pub fn batch_records(mut self, records: usize) -> Self {
        self.batch_records = records;
        self
    }

    /// How many bytes a batch holds at most, and a record too: a larger one is dropped and counted.
    ///
    /// Records are measured by [`Record::size`](crate::Record::size), so this is as exact as that.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes;
        self
    }

    /// How long a batch that is not full waits for more, counted from its first record.
    pub fn batch_delay(mut self, delay: Duration) -> Self {
        self.batch_delay = delay;
        self
    }

    /// How long one attempt may take, from the look-up of the host to the end of the answer.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long dropping the delivery may take, as it flushes what it can.
    pub fn drop_deadline(mut self, deadline: Duration) -> Self {
        self.drop_deadline = deadline;
        self
    }

    /// How failed attempts are repeated.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The first option that cannot work, by name, and what is wrong with it.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        const ZERO: &str = "must not be zero";
        let problems = [
            ("queue_records", ZERO, self.queue_records == 0),
            ("queue_records", "must not be more than 16,777,216", self.queue_records > 1 << 24),
            ("batch_records", ZERO, self.batch_records == 0),
            ("batch_bytes", ZERO, self.batch_bytes == 0),
            ("request_timeout", ZERO, self.request_timeout.is_zero()),
            ("backoff.attempts", ZERO, self.backoff.attempts == 0),
        ];
        let mut problems = problems.into_iter().filter(|(.., is_wrong)| *is_wrong);
        problems.next().map(|(name, problem, _)| (name, problem))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// The waits between attempts: each twice as long as the one before, up to a maximum, and shortened by a random
/// part of up to a half, so that many processes do not come back at the same moment.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Backoff {
    pub(crate) initial: Duration,
    pub(crate) maximum: Duration,
    pub(crate) attempts: u32,
}

impl Backoff {
    /// The longest `Retry-After` that is honoured; a longer one is taken for this.
    pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

    /// The defaults: 10 attempts, the waits between them from 0.5 s to 30 s, together about 2 minutes.
    pub fn new() -> Self {
        Self { initial: Duration::from_millis(500), maximum: Duration::from_secs(30), attempts: 10 }
    }

    /// The wait after the first failed attempt.
    pub fn initial(mut self, initial: Duration) -> Self {
        self.initial = initial;
        self
    }

    /// The longest wait, unless the sink asks for a longer one.
    pub fn maximum(mut self, maximum: Duration) -> Self {
        self.maximum = maximum;
        self
    }

    /// How often a batch is tried, the first time included, before it is dropped and counted.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The wait after the given number of failed attempts; `retry_after` is its minimum, and `random`, in
    /// `0.0..1.0`, shortens what is ours to choose.
    pub(crate) fn wait(&self, failed: u32, retry_after: Option<Duration>, random: f64) -> Duration {
        let doubled = self.initial.saturating_mul(1_u32 << failed.saturating_sub(1).min(31));
        let jittered = doubled.min(self.maximum).min(FOR_EVER).mul_f64(1.0 - random / 2.0);
        jittered.max(retry_after.unwrap_or_default().min(Self::LONGEST_RETRY_AFTER))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_maximum() {
        let backoff = Backoff::new().initial(SECOND).maximum(5 * SECOND);
        let waits: Vec<u64> = (1..=4).map(|n| backoff.wait(n, None, 0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5]);
        assert_eq!(backoff.wait(u32::MAX, None, 0.0), 5 * SECOND);
    }

    #[test]
    fn jitter_takes_away_at_most_a_half() {
        let backoff = Backoff::new().initial(4 * SECOND);
        assert_eq!(backoff.wait(1, None, 0.5), 3 * SECOND);
        assert!(backoff.wait(1, None, 0.999_999) >= 2 * SECOND);
    }

    #[test]
    fn retry_after_is_a_minimum_and_has_a_maximum() {
        let backoff = Backoff::new().initial(4 * SECOND);
        assert_eq!(backoff.wait(1, Some(SECOND), 0.0), 4 * SECOND);
        assert_eq!(backoff.wait(1, Some(60 * SECOND), 0.9), 60 * SECOND);
        assert_eq!(backoff.wait(1, Some(9_999 * SECOND), 0.0), Backoff::LONGEST_RETRY_AFTER);
    }

    #[test]
    fn an_option_that_cannot_work_is_named() {
        assert_eq!(Options::new().problem(), None);
        for (options, name) in [
            (Options::new().queue_records(0), "queue_records"),
            (Options::new().queue_records(usize::MAX), "queue_records"),
            (Options::new().backoff(Backoff::new().attempts(0)), "backoff.attempts"),
        ] {
            assert_eq!(options.problem().map(|(name, _)| name), Some(name));
        }
    }
}

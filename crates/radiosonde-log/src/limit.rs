//! Sampling and rate limits, for each event by itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many keys are told apart; those beyond share one turn.
const KEYS: usize = 1_000;

/// What stands for the keys beyond those that are told apart.
const OTHERS: &str = "";

/// How much is let through, and what was let through already.
#[derive(Debug)]
pub(crate) struct Limit {
    /// The first of so many.
    pub(crate) one_in: u64,
    /// At most so many in each of these times.
    pub(crate) rate: Option<(u32, Duration)>,
    turns: Mutex<HashMap<String, Turn>>,
}

#[derive(Debug)]
struct Turn {
    seen: u64,
    window: Instant,
    used: u32,
    sampled: u64,
    limited: u64,
}

/// What becomes of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is a line, which says how many were left out since the last one.
    Line { suppressed: u64 },
    /// It is left out by sampling.
    Sampled,
    /// It is left out by the rate limit.
    Limited,
}

impl Limit {
    pub(crate) fn new(one_in: u64, rate: Option<(u32, Duration)>) -> Self {
        Self { one_in: one_in.max(1), rate, turns: Mutex::default() }
    }

    /// Decides on one event of that key.
    pub(crate) fn admit(&self, key: &str, now: Instant) -> Admission {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let is_room = turns.len() < KEYS;
        let key = if is_room || turns.contains_key(key) { key } else { OTHERS };
        // Not by `entry`, which would allocate the key for every event.
        if !turns.contains_key(key) {
            let turn = Turn { seen: 0, window: now, used: 0, sampled: 0, limited: 0 };
            turns.insert(key.to_owned(), turn);
        }
        let Some(turn) = turns.get_mut(key) else { return Admission::Line { suppressed: 0 } };
        let number = turn.seen;
        turn.seen += 1;
        if number % self.one_in != 0 {
            turn.sampled += 1;
            return Admission::Sampled;
        }
        if let Some((lines, per)) = self.rate {
            if now.saturating_duration_since(turn.window) >= per {
                turn.window = now;
                turn.used = 0;
            }
            if turn.used >= lines {
                turn.limited += 1;
                return Admission::Limited;
            }
            turn.used += 1;
        }
        let suppressed = std::mem::take(&mut turn.sampled) + std::mem::take(&mut turn.limited);
        Admission::Line { suppressed }
    }

    /// Takes back what a line would have said that there was no room for.
    pub(crate) fn give_back(&self, key: &str, suppressed: u64) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let key = if turns.contains_key(key) { key } else { OTHERS };
        let Some(turn) = turns.get_mut(key) else { return };
        // What they were left out by is not known any more; what may have been the rate has a line of its own in the end.
        let left_out = if self.rate.is_some() { &mut turn.limited } else { &mut turn.sampled };
        *left_out += suppressed;
    }

    /// Takes out how many the rate limit has left out for each key and no line has told of: those whose window is
    /// over, or, without a time, all of them. The second is whether there are more.
    pub(crate) fn take_limited(&self, now: Option<Instant>) -> (Vec<(String, u64)>, bool) {
        let per = self.rate.map_or(Duration::ZERO, |(_, per)| per);
        let (mut taken, mut is_more) = (Vec::new(), false);
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, turn) in turns.iter_mut().filter(|(_, turn)| turn.limited > 0) {
            if now.is_none_or(|now| now.saturating_duration_since(turn.window) >= per) {
                taken.push((key.clone(), std::mem::take(&mut turn.limited)));
            } else {
                is_more = true;
            }
        }
        (taken, is_more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const fn line(suppressed: u64) -> Admission {
        Admission::Line { suppressed }
    }

    #[test]
    fn a_key_has_so_many_lines_in_each_window_and_the_next_says_how_many_were_left_out() {
        let (limit, start) = (Limit::new(1, Some((2, 10 * SECOND))), Instant::now());
        assert_eq!([(); 2].map(|()| limit.admit("a", start)), [line(0); 2]);
        assert_eq!(limit.admit("a", start + 5 * SECOND), Admission::Limited);
        assert_eq!(limit.admit("b", start), line(0), "another key has its own turn");
        assert_eq!(limit.admit("a", start + 9 * SECOND), Admission::Limited);
        assert_eq!(limit.admit("a", start + 10 * SECOND), line(2));
        assert_eq!(limit.admit("a", start + 10 * SECOND), line(0));
    }

    #[test]
    fn one_in_so_many_is_a_line_beginning_with_the_first() {
        let (limit, start) = (Limit::new(3, None), Instant::now());
        let lines: Vec<_> = (0..7).map(|_| limit.admit("a", start)).collect();
        let sampled = Admission::Sampled;
        assert_eq!(lines, [line(0), sampled, sampled, line(2), sampled, sampled, line(2)]);
        assert_eq!(limit.admit("b", start), line(0));
    }

    #[test]
    fn what_no_line_has_told_of_is_taken_when_its_window_is_over_or_at_the_end() {
        let (limit, start) = (Limit::new(1, Some((1, 10 * SECOND))), Instant::now());
        for _ in 0..4 {
            limit.admit("a", start);
        }
        assert_eq!(limit.take_limited(Some(start + 9 * SECOND)), (vec![], true));
        let taken = limit.take_limited(Some(start + 10 * SECOND));
        assert_eq!(taken, (vec![("a".to_owned(), 3)], false));
        assert_eq!(limit.admit("a", start + 11 * SECOND), line(0), "it is told of once");
        limit.admit("a", start + 11 * SECOND);
        assert_eq!(limit.admit("a", start + 21 * SECOND), line(1));
        limit.give_back("a", 1);
        assert_eq!(limit.take_limited(None).0, [("a".to_owned(), 1)]);
    }

    #[test]
    fn the_number_of_keys_told_apart_is_bounded() {
        let (limit, start) = (Limit::new(1, Some((1, SECOND))), Instant::now());
        for key in 0..2 * KEYS {
            limit.admit(&key.to_string(), start);
        }
        assert!(limit.turns.lock().unwrap().len() <= KEYS + 1);
        assert_eq!(limit.admit("0", start), Admission::Limited, "the first are still told apart");
        assert_eq!(limit.admit("newest", start + SECOND), line((KEYS - 1) as u64));
    }
}

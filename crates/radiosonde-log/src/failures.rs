//! Handler failures, which can come with every event: one line per handler and while, with the number left out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one handler is silent after its line.
const INTERVAL: Duration = Duration::from_secs(10);

/// How many handlers are told apart; those beyond share one turn.
const HANDLERS: usize = 1_000;

/// Who has failed, and when that was last logged.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<String, Turn>>);

#[derive(Debug)]
struct Turn {
    logged: Instant,
    suppressed: u64,
}

impl Failures {
    /// Whether a failure of this handler is to be logged now, and how many were not since the last that was.
    pub(crate) fn admit(&self, handler_id: &str, now: Instant) -> Option<u64> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_room = turns.len() < HANDLERS;
        let id = if is_room || turns.contains_key(handler_id) { handler_id } else { "" };
        match turns.get_mut(id) {
            None => {
                turns.insert(id.to_owned(), Turn { logged: now, suppressed: 0 });
                Some(0)
            }
            Some(turn) if now.saturating_duration_since(turn.logged) < INTERVAL => {
                turn.suppressed += 1;
                None
            }
            Some(turn) => {
                turn.logged = now;
                Some(std::mem::take(&mut turn.suppressed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_logged_once_in_a_while_with_the_number_left_out() {
        let (failures, start) = (Failures::default(), Instant::now());
        assert_eq!(failures.admit("a", start), Some(0));
        assert_eq!(failures.admit("a", start), None);
        assert_eq!(failures.admit("a", start + INTERVAL / 2), None);
        assert_eq!(failures.admit("b", start), Some(0), "another handler has its own turn");
        assert_eq!(failures.admit("a", start + INTERVAL), Some(2));
        assert_eq!(failures.admit("a", start + 2 * INTERVAL), Some(0));
    }

    #[test]
    fn the_number_of_handlers_told_apart_is_bounded() {
        let (failures, start) = (Failures::default(), Instant::now());
        for handler in 0..2 * HANDLERS {
            let _ = failures.admit(&handler.to_string(), start);
        }
        assert!(failures.0.lock().unwrap().len() <= HANDLERS + 1);
        assert_eq!(failures.admit("0", start), None, "the first are still told apart");
        assert_eq!(failures.admit("newest", start + INTERVAL), Some((HANDLERS - 1) as u64));
    }
}

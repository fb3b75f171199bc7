//! A schedule that is told the time, tick by tick.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A schedule of measurements that are kept, from `start` on, every second.
fn every_second(names: &[&str], start: Instant) -> Schedule {
    let measurements = names.iter().map(|name| ((*name).to_owned(), OnFailure::Keep));
    Schedule::new(measurements, start, SECOND)
}

/// Runs all that is ready, in no time; answers their names.
fn run_ready(schedule: &mut Schedule, now: Instant) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(index) = schedule.start_next(now) {
        names.push(schedule.name(index).to_owned());
        schedule.finish(index, Duration::ZERO, None);
    }
    names
}

fn fail(schedule: &mut Schedule, now: Instant) -> Option<Failed> {
    let index = schedule.start_next(now)?;
    schedule.finish(index, Duration::ZERO, Some("broken".to_owned()))
}

#[test]
fn the_first_tick_is_when_it_was_said_to_be_and_no_earlier() {
    let start = Instant::now();
    let mut schedule = every_second(&["a", "b"], start + 3 * SECOND);
    assert_eq!(schedule.wake_at(start), Some(start + 3 * SECOND));
    schedule.advance(start + 3 * SECOND - Duration::from_nanos(1));
    assert!(!schedule.has_ready());
    schedule.advance(start + 3 * SECOND);
    assert_eq!(run_ready(&mut schedule, start + 3 * SECOND), ["a", "b"]);
}

#[test]
fn the_rate_is_fixed_however_late_and_however_long_a_run_is() {
    let start = Instant::now();
    let mut schedule = every_second(&["a"], start);
    for second in 0..5 {
        // Each look is 300 ms late, and each run takes 600 ms: the next tick is none the later for it.
        let now = start + second * SECOND + Duration::from_millis(300);
        assert!(schedule.advance(now).is_empty());
        assert_eq!(schedule.start_next(now), Some(0));
        schedule.finish(0, Duration::from_millis(600), None);
        assert_eq!(schedule.wake_at(now), Some(start + (second + 1) * SECOND));
    }
    assert_eq!((schedule.list()[0].runs, schedule.list()[0].skipped), (5, 0));
}

#[test]
fn a_measurement_slower_than_the_period_skips_ticks_and_does_not_pile_up() {
    let start = Instant::now();
    let mut schedule = every_second(&["slow", "quick"], start);
    schedule.advance(start);
    assert_eq!(schedule.start_next(start), Some(0));
    assert_eq!(run_ready(&mut schedule, start), ["quick"]);
    // The slow one takes three and a half seconds; the quick one is measured at each of them.
    for second in 1..=3 {
        let now = start + second * SECOND;
        let late = schedule.advance(now);
        assert_eq!(late, if second == 1 { vec![0] } else { vec![] }, "it is told once");
        assert_eq!(run_ready(&mut schedule, now), ["quick"]);
    }
    schedule.finish(0, Duration::from_millis(3_500), None);
    let now = start + Duration::from_millis(3_500);
    schedule.advance(now);
    assert!(!schedule.has_ready(), "what it has missed is not made up for");
    schedule.advance(start + 4 * SECOND);
    assert_eq!(run_ready(&mut schedule, start + 4 * SECOND), ["slow", "quick"]);

    let list = schedule.list();
    assert_eq!((list[0].runs, list[0].skipped), (2, 3));
    assert_eq!((list[1].runs, list[1].skipped), (5, 0));
}

#[test]
fn that_ticks_are_skipped_is_told_again_only_after_a_run_that_was_in_time() {
    let start = Instant::now();
    let mut schedule = every_second(&["slow"], start);
    // Each run is from shortly after a tick to shortly before the second next.
    let slow_run = |schedule: &mut Schedule, from: u32| {
        schedule.advance(start + from * SECOND);
        schedule.start_next(start + from * SECOND);
        let late = schedule.advance(start + (from + 1) * SECOND);
        schedule.finish(0, SECOND * 3 / 2, None);
        late
    };
    assert_eq!(slow_run(&mut schedule, 0), [0]);
    assert_eq!(slow_run(&mut schedule, 2), [0; 0], "it has been told");
    schedule.advance(start + 4 * SECOND);
    assert_eq!(run_ready(&mut schedule, start + 4 * SECOND), ["slow"]);
    assert_eq!(slow_run(&mut schedule, 5), [0], "the run before was in time");
    assert_eq!(schedule.list()[0].skipped, 3);
}

#[test]
fn ticks_that_nobody_was_there_for_are_skipped_and_counted() {
    let start = Instant::now();
    let mut schedule = every_second(&["a"], start);
    // The machine was asleep.
    let now = start + Duration::from_secs(3_600);
    assert!(schedule.advance(now).is_empty());
    assert_eq!(run_ready(&mut schedule, now), ["a"]);
    assert_eq!(schedule.list()[0].skipped, 3_600);
    assert_eq!(schedule.wake_at(now), Some(now + SECOND));
}

#[test]
fn one_that_waits_for_the_others_too_long_asks_for_a_thread() {
    let start = Instant::now();
    let mut schedule = every_second(&["hung", "b", "hung too", "d"], start);
    schedule.advance(start);
    assert_eq!(schedule.start_next(start), Some(0));
    let patience = Duration::from_millis(100);
    assert_eq!(schedule.wake_at(start), Some(start + patience));
    assert!(!schedule.is_starving(start + patience - Duration::from_nanos(1)));
    assert!(schedule.is_starving(start + patience));
    // Another thread is coming; the ready ones give it as long.
    schedule.be_patient(start + patience);
    assert!(!schedule.is_starving(start + patience));
    // It hangs at the third, so that the fourth asks for one more.
    let now = start + patience * 3 / 2;
    assert_eq!(schedule.start_next(now), Some(1));
    schedule.finish(1, Duration::ZERO, None);
    assert_eq!(schedule.start_next(now), Some(2));
    assert_eq!(schedule.wake_at(now), Some(now + patience));
    assert!(schedule.is_starving(now + patience));
    assert_eq!(run_ready(&mut schedule, now + patience), ["d"]);
    assert!(!schedule.is_starving(now + 9 * patience), "nothing is ready");
    assert_eq!(schedule.running(), ["hung", "hung too"]);
}

#[test]
fn patience_is_a_tenth_of_a_short_period() {
    let start = Instant::now();
    let period = Duration::from_millis(10);
    let mut schedule = Schedule::new([("a".to_owned(), OnFailure::Keep)], start, period);
    schedule.advance(start);
    assert_eq!(schedule.wake_at(start), Some(start + period / 10));
}

#[test]
fn a_failing_measurement_is_kept_and_tried_later_and_later() {
    let start = Instant::now();
    let mut schedule = every_second(&["failing"], start);
    let mut tries = Vec::new();
    for second in 0..40_u32 {
        let now = start + second * SECOND;
        schedule.advance(now);
        if let Some(failed) = fail(&mut schedule, now) {
            tries.push(second);
            assert_eq!(failed.in_a_row as usize, tries.len());
            assert!(!failed.is_removed);
        }
    }
    assert_eq!(tries, [0, 1, 3, 7, 15, 31]);
    let info = &schedule.list()[0];
    assert_eq!(info.state, MeasurementState::BackedOff);
    assert_eq!((info.failures, info.failures_in_a_row, info.skipped), (6, 6, 0));
    assert_eq!(info.last_error.as_deref(), Some("broken"));

    // A success, and all is as at the beginning.
    schedule.advance(start + 63 * SECOND);
    assert_eq!(run_ready(&mut schedule, start + 63 * SECOND), ["failing"]);
    schedule.advance(start + 64 * SECOND);
    assert!(fail(&mut schedule, start + 64 * SECOND).is_some());
    schedule.advance(start + 65 * SECOND);
    assert!(schedule.has_ready());
    assert_eq!(schedule.list()[0].failures_in_a_row, 1);
}

#[test]
fn failures_are_never_backed_off_for_longer_than_five_minutes() {
    for (period, expected) in
        [(SECOND, 299), (Duration::from_secs(60), 4), (Duration::from_secs(3_600), 0)]
    {
        assert_eq!(ticks_to_pass_over(20, period), expected);
        assert_eq!(ticks_to_pass_over(u32::MAX, period), expected);
    }
    assert_eq!(ticks_to_pass_over(1, SECOND), 0);
}

#[test]
fn a_measurement_is_removed_after_as_many_failures_in_a_row_as_it_may_have() {
    let start = Instant::now();
    let policies = [("at once", 1), ("after two", 2)];
    let policies = policies.map(|(name, n)| (name.to_owned(), OnFailure::RemoveAfter(n)));
    let mut schedule = Schedule::new(policies, start, SECOND);
    schedule.advance(start);
    assert_eq!(fail(&mut schedule, start), Some(Failed { in_a_row: 1, is_removed: true }));
    assert_eq!(fail(&mut schedule, start), Some(Failed { in_a_row: 1, is_removed: false }));
    // A success in between: they are not in a row.
    schedule.advance(start + SECOND);
    assert_eq!(run_ready(&mut schedule, start + SECOND), ["after two"]);
    for (second, is_removed) in [(2, false), (3, true)] {
        let now = start + second * SECOND;
        schedule.advance(now);
        assert_eq!(fail(&mut schedule, now).unwrap().is_removed, is_removed);
    }
    schedule.advance(start + 99 * SECOND);
    assert!(!schedule.has_ready());
    assert_eq!(schedule.wake_at(start), None, "nothing is left to wake up for");
    assert!(schedule.list().iter().all(|info| info.state == MeasurementState::Removed));
    assert!(!schedule.start(0), "not even when it is asked for");
}

#[test]
fn one_that_is_asked_for_runs_due_or_not_and_never_twice_at_once() {
    let start = Instant::now();
    let mut schedule = every_second(&["a"], start);
    schedule.advance(start);
    assert!(schedule.start(0));
    assert!(!schedule.start(0), "it runs already");
    assert_eq!(schedule.start_next(start), None, "it is not started for its tick as well");
    schedule.finish(0, SECOND / 2, Some("broken".to_owned()));
    schedule.advance(start + SECOND);
    schedule.start_next(start + SECOND);
    schedule.finish(0, Duration::ZERO, Some("broken".to_owned()));
    assert_eq!(schedule.list()[0].state, MeasurementState::BackedOff);
    assert!(schedule.start(0), "failures do not keep it from being asked for");
    schedule.finish(0, Duration::ZERO, None);
    assert_eq!(schedule.list()[0].runs, 3);
    assert_eq!(schedule.list()[0].state, MeasurementState::Waiting, "a success ends the backoff");
}

#[test]
fn the_list_tells_where_each_is_how_long_it_took_and_what_it_said() {
    let start = Instant::now();
    let mut schedule = every_second(&["a", "b"], start);
    let state = |schedule: &Schedule, index: usize| schedule.list()[index].state;
    assert_eq!(state(&schedule, 0), MeasurementState::Waiting);
    schedule.advance(start);
    schedule.start_next(start);
    assert_eq!(state(&schedule, 0), MeasurementState::Running);
    assert_eq!(schedule.list()[0].last_duration, None);
    schedule.finish(0, SECOND / 4, Some("broken".to_owned()));
    let info = schedule.list().swap_remove(0);
    assert_eq!(info.name, "a");
    assert_eq!(info.last_duration, Some(SECOND / 4));
    assert_eq!(info.last_error.as_deref(), Some("broken"));
    // A success does not make it forget what was wrong.
    assert!(schedule.start(0));
    schedule.finish(0, SECOND / 8, None);
    let info = schedule.list().swap_remove(0);
    assert_eq!((info.last_duration, info.failures_in_a_row), (Some(SECOND / 8), 0));
    assert_eq!(info.last_error.as_deref(), Some("broken"));
}

#[test]
fn the_longest_durations_do_not_overflow() {
    let start = Instant::now();
    let first = after(start, Duration::MAX);
    let mut schedule = Schedule::new([("a".to_owned(), OnFailure::Keep)], first, FOR_EVER);
    schedule.advance(first);
    assert!(schedule.has_ready());
    assert_eq!(schedule.wake_at(after(first, FOR_EVER)), Some(after(first, FOR_EVER)));
}

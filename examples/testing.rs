//! Testing that code says what it should, with `capture`. Run with `cargo test --example testing`.

use std::error::Error;
use std::thread;
use std::time::Duration;

use radiosonde::{capture, execute};

/// The code under test: tells whoever listens when a job is given up.
fn retry(job: &str, attempts: u32, mut run: impl FnMut() -> bool) -> bool {
    let done = (1..=attempts).any(|_| run());
    if !done {
        execute!("jobs.given_up", { attempts }, { job });
    }
    done
}

#[cfg_attr(test, test)]
fn a_job_that_never_works_is_given_up() {
    // A capture sees the events of this test alone, whatever runs beside it, and ends with it.
    let capture = capture(["jobs.**"]);

    assert!(!retry("send-mail", 3, || false));

    let events = capture.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].name().as_str(), "jobs.given_up");
    assert_eq!(events[0].measurement("attempts"), 3);
    assert_eq!(events[0].metadata("job"), "send-mail");
}

#[cfg_attr(test, test)]
fn a_job_in_a_thread_is_captured_in_its_scope() -> Result<(), Box<dyn Error>> {
    let capture = capture(["jobs.**"]);
    let scope = capture.scope();

    thread::spawn(move || scope.run(|| retry("resize", 1, || false)));

    // Waits for the thread, but not for ever.
    let event = capture.wait_for("jobs.given_up", Duration::from_secs(5))?;
    assert_eq!(event.metadata("job"), "resize");
    Ok(())
}

/// The tests again, so that the example can be run as well as tested.
fn main() -> Result<(), Box<dyn Error>> {
    a_job_that_never_works_is_given_up();
    a_job_in_a_thread_is_captured_in_its_scope()
}

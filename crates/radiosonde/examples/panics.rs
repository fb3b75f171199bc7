//! What a panic in a handler does under either panic strategy: checked by `./ci.sh abort`, which builds this with
//! `panic = "abort"`.
//!
//! Events, spans and handlers work the same. But where a panic ends the process, it does so in a handler too, and no
//! exception event tells of it.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use radiosonde::{EventName, attach, attach_many, capture, detach, execute, list_handlers, span};

const IN_A_HANDLER: &str = "in-a-handler";

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some(IN_A_HANDLER) {
        attach("fails", "job.done", |_| panic!("a handler panics, as this example wants it to"))?;
        execute!("job.done", { count: 1 });
        assert!(detach("fails").is_err(), "it was detached when it failed");
        return Ok(());
    }

    what_does_not_panic_works()?;

    let program = std::env::current_exe()?;
    let outcome = Command::new(program).arg(IN_A_HANDLER).stderr(Stdio::null()).status()?;
    let survives = cfg!(panic = "unwind");
    assert_eq!(outcome.success(), survives, "a handler panicked, and the process: {outcome}");
    #[cfg(all(unix, panic = "abort"))]
    {
        use std::os::unix::process::ExitStatusExt;
        const SIGABRT: i32 = 6;
        assert_eq!(outcome.signal(), Some(SIGABRT));
    }
    println!("a panic in a handler {}", if survives { "stays there" } else { "ends the process" });
    Ok(())
}

fn what_does_not_panic_works() -> Result<(), Box<dyn Error>> {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    attach_many("counts", ["job.done", "job.run.*"], |_| {
        SEEN.fetch_add(1, Relaxed);
    })?;
    let capture = capture(["job.**"]);

    execute!("job.done", { count: 1 }, { queue: "mail" });
    execute!(EventName::new("job.done")?, { count: 1 });
    let mut span = span!("job.run", { queue: "mail" });
    span.measurement("bytes", 17);
    span.stop();
    let failed = span!("job.run").try_run(|_| "six".parse::<u8>());
    assert!(failed.is_err());
    drop(span!("job.run"));
    assert_eq!(list_handlers("job.done").len(), 1);
    detach("counts")?;
    execute!("job.done", { count: 1 });

    let kinds: Vec<String> =
        capture.events().iter().map(|event| event.metadata("kind").to_string()).collect();
    let not_exceptions = ["null"; 5].into_iter();
    let expected: Vec<&str> = not_exceptions.chain(["error", "null", "dropped", "null"]).collect();
    assert_eq!(kinds, expected);
    assert_eq!(SEEN.load(Relaxed), 8);
    Ok(())
}

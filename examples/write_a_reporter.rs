//! A reporter from scratch: a JSON line per event, to whatever can be written to. Run with `cargo run --example write_a_reporter`.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

use radiosonde::{AttachError, OwnedEvent, attach, detach, execute};

/// Attached from `start` to `stop`. The handler never waits: writing happens in a thread of its own.
struct JsonLines<W> {
    dropped: Arc<AtomicU64>,
    writer: JoinHandle<io::Result<W>>,
}

impl<W: Write + Send + 'static> JsonLines<W> {
    fn start(pattern: &str, mut output: W) -> Result<Self, AttachError> {
        let dropped = Arc::new(AtomicU64::new(0));
        // The queue is bounded, so a slow output costs lines, which are counted, and no memory.
        let (queue, events) = sync_channel::<OwnedEvent>(1_024);
        let lost = Arc::clone(&dropped);
        attach("json-lines", pattern, move |event| {
            if queue.try_send(event.to_owned()).is_err() {
                lost.fetch_add(1, Relaxed);
            }
        })?;
        let writer = thread::spawn(move || {
            for event in events {
                writeln!(output, "{}", serde_json::to_string(&event)?)?;
            }
            Ok(output)
        });
        Ok(Self { dropped, writer })
    }

    /// Detaching drops the handler, and with it the queue; the thread ends when that is empty.
    fn stop(self) -> Result<W, Box<dyn std::error::Error>> {
        detach("json-lines")?;
        println!("dropped: {}", self.dropped.load(Relaxed));
        Ok(self.writer.join().map_err(|_| "the writer panicked")??)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let reporter = JsonLines::start("shop.**", Vec::new())?;
    execute!("shop.order.placed", { total: 42 }, { country: "fi" });
    execute!("shop.order.cancelled", {}, { reason: "too \"late\"" });
    execute!("somebody.else", { count: 1 });
    let output = String::from_utf8(reporter.stop()?)?;

    print!("{output}");
    let second: serde_json::Value =
        serde_json::from_str(output.lines().nth(1).unwrap_or_default())?;
    assert!(output.starts_with(r#"{"name":"shop.order.placed","measurements":{"total":42}"#));
    assert_eq!(second["metadata"]["reason"], "too \"late\"");
    Ok(())
}

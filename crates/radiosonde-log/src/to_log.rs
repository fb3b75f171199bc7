//! Lines through the `log` facade.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

use radiosonde_delivery::{Answer, Attempt, DropReason, Sink, Timestamp};

use crate::layout::{Layout, Line};
use crate::level::Level;
use crate::recursion::Busy;
use crate::sink::{dropped, verdicts};
use crate::text::on_one_line;

fn level(level: Level) -> log::Level {
    match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warning => log::Level::Warn,
        Level::Error => log::Level::Error,
    }
}

/// Whether any logger would take a line of this level.
pub(crate) fn is_enabled(of: Level) -> bool {
    level(of) <= log::max_level()
}

/// Hands every line to the logger of the process, on the reporter's own thread.
#[derive(Debug)]
pub(crate) struct FacadeSink {
    pub(crate) reporter: String,
    pub(crate) layout: Layout,
}

/// Hands the line over. A logger that panics costs this line alone.
fn record(line: &Line) -> bool {
    let time = Timestamp(line.time).to_string();
    // Many loggers show these as they are.
    let event = on_one_line(line.event.as_str());
    let correlation = line.correlation.as_deref().map(on_one_line);
    let duration = line.duration.map(|duration| duration.as_f64());
    let pairs = [
        Some(("time", log::kv::Value::from(time.as_str()))),
        Some(("event", (&*event).into())),
        correlation.as_deref().map(|id| ("correlation_id", id.into())),
        duration.map(|seconds| ("duration_s", seconds.into())),
    ];
    let pairs: Vec<_> = pairs.into_iter().flatten().collect();
    let metadata = log::Metadata::builder().level(level(line.level)).target(&event).build();
    let log = || {
        if is_enabled(line.level) && log::logger().enabled(&metadata) {
            log::logger().log(
                &log::Record::builder()
                    .metadata(metadata.clone())
                    .args(format_args!("{}", line.text))
                    .key_values(&pairs.as_slice())
                    .build(),
            );
        }
    };
    catch_unwind(AssertUnwindSafe(log)).is_ok()
}

impl Sink<Line> for FacadeSink {
    fn send(&mut self, lines: &[Line], _attempt: &Attempt) -> Answer {
        let _busy = Busy::enter();
        let written: Vec<bool> = lines.iter().map(record).collect();
        log::logger().flush();
        if written.iter().all(|written| *written) {
            return Answer::Delivered;
        }
        let verdicts = verdicts(lines.len(), |index| written[index]);
        Answer::Each { verdicts, reason: "the logger panicked".to_owned(), after: None }
    }

    fn lost(&mut self, reason: DropReason, count: u64) {
        let _busy = Busy::enter();
        // A logger that panics is told of by the lines that it cost.
        record(&dropped(self.layout, &self.reporter, SystemTime::now(), reason, count));
    }
}

#[cfg(test)]
#[path = "to_log_tests.rs"]
mod tests;

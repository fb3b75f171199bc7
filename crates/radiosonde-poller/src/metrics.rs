//! Ready definitions of metrics, which ask the process when they are read: they need no poller, and nobody is late for them.

use std::io;

use radiosonde_metrics::{Definitions, Metric, last_value, sum};

use crate::build_info::{RUSTC, TARGET, UNKNOWN};
use crate::process::system;

/// The metrics of the process under the names that Prometheus' client libraries have for them, and some more.
///
/// | name | kind | |
/// |---|---|---|
/// | `process_cpu_seconds_total` | counter | user and system time |
/// | `process_resident_memory_bytes` | gauge | what of the memory is in RAM |
/// | `process_virtual_memory_bytes` | gauge | what of the address space is taken |
/// | `process_open_fds`, `process_max_fds` | gauge | file descriptors, and their soft limit |
/// | `process_threads` | gauge | |
/// | `process_start_time_seconds` | gauge | since 1970 |
/// | `process_uptime_seconds` | gauge | |
/// | `process_context_switches_total{kind}` | counter | `voluntary` and `involuntary` |
/// | `process_io_bytes_total{direction}` | counter | `read` from storage and `written` to it |
///
/// They are read when the store is, in the thread that reads it, on Linux. What cannot be read has no series; on other
/// systems that is all of them.
///
/// ```
/// use radiosonde_metrics::Store;
/// use radiosonde_poller::process_metrics;
///
/// let store = Store::new(process_metrics())?;
/// assert_eq!(store.metrics().len(), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn process_metrics() -> Definitions {
    let metric = |(metric, read): (Metric, Read)| {
        metric.callback(move |observe| {
            let _what_cannot_be_read_is_not_there = read(observe);
        })
    };
    process_readings().into_iter().map(metric).collect()
}

/// Reads the numbers of a metric, and puts them with the values of its tags.
type Read = fn(&mut dyn FnMut(&[&str], f64)) -> io::Result<()>;

fn process_readings() -> Vec<(Metric, Read)> {
    vec![
        (
            sum("process.cpu.seconds.total")
                .description("User and system time of the process, in seconds."),
            |observe| {
                let (user, system) = system::cpu()?;
                observe(&[], (user + system).as_secs_f64());
                Ok(())
            },
        ),
        (
            last_value("process.resident.memory.bytes")
                .description("Memory of the process that is in RAM, in bytes."),
            |observe| {
                observe(&[], system::memory()?.0 as f64);
                Ok(())
            },
        ),
        (
            last_value("process.virtual.memory.bytes")
                .description("Address space that the process has taken, in bytes."),
            |observe| {
                observe(&[], system::memory()?.1 as f64);
                Ok(())
            },
        ),
        (last_value("process.open.fds").description("Open file descriptors."), |observe| {
            observe(&[], system::open_file_descriptors()? as f64);
            Ok(())
        }),
        (
            last_value("process.max.fds").description("How many file descriptors may be open."),
            |observe| {
                observe(&[], system::maximum_file_descriptors()? as f64);
                Ok(())
            },
        ),
        (last_value("process.threads").description("Threads of the process."), |observe| {
            observe(&[], system::threads()? as f64);
            Ok(())
        }),
        (
            last_value("process.start_time.seconds")
                .description("When the process was started, in seconds since 1970."),
            |observe| {
                observe(&[], system::start_time()?.as_secs_f64());
                Ok(())
            },
        ),
        (
            last_value("process.uptime.seconds")
                .description("How long the process has been running, in seconds."),
            |observe| {
                observe(&[], system::uptime()?.as_secs_f64());
                Ok(())
            },
        ),
        (
            sum("process.context_switches.total")
                .tags(["kind"])
                .description("How often the processors have left threads of the process."),
            |observe| {
                let (voluntary, involuntary) = system::context_switches()?;
                observe(&["voluntary"], voluntary as f64);
                observe(&["involuntary"], involuntary as f64);
                Ok(())
            },
        ),
        (
            sum("process.io.bytes.total")
                .tags(["direction"])
                .description("What the process has read from storage and written to it, in bytes."),
            |observe| {
                let (read, written) = system::io()?;
                observe(&["read"], read as f64);
                observe(&["written"], written as f64);
                Ok(())
            },
        ),
    ]
}

/// The metric `build_info`, always 1, which says by its tags what the program was built from: see
/// [`build_info`](crate::build_info()). It is read when the store is, so that every reader sees it, the late ones too.
///
/// ```
/// use radiosonde_poller::build_info_metric;
///
/// let build = build_info_metric(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), option_env!("GIT_SHA"));
/// assert!(build.tag_names().eq(["name", "version", "revision", "rustc", "target"]));
/// ```
pub fn build_info_metric(
    name: impl Into<String>,
    version: impl Into<String>,
    revision: Option<&str>,
) -> Metric {
    let (name, version) = (name.into(), version.into());
    let revision = revision.unwrap_or(UNKNOWN).to_owned();
    last_value("build.info")
        .tags(["name", "version", "revision", "rustc", "target"])
        .description("What the program was built from; always 1.")
        .callback(move |observe| observe(&[&name, &version, &revision, RUSTC, TARGET], 1.0))
}

#[cfg(test)]
mod tests;

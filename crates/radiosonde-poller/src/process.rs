//! The built-in measurements of the process.

use radiosonde::Value;

#[cfg(not(target_os = "linux"))]
pub(crate) use crate::elsewhere as system;
use crate::events;
#[cfg(target_os = "linux")]
pub(crate) use crate::linux as system;
use crate::measurement::Measurement;

/// The built-in measurements of the process, one for each event: [`process.cpu`](events::CPU),
/// [`process.memory`](events::MEMORY), [`process.file_descriptors`](events::FILE_DESCRIPTORS),
/// [`process.threads`](events::THREADS), [`process.context_switches`](events::CONTEXT_SWITCHES),
/// [`process.io`](events::IO) and [`process.uptime`](events::UPTIME), named after them.
///
/// They read `/proc` and ask the kernel, on Linux. On other systems each of them fails with an error that says so.
#[must_use]
pub fn process_measurements() -> Vec<Measurement> {
    vec![
        Measurement::on_bus(events::CPU.name().as_str(), |bus| {
            system::cpu().map(|(user, system)| {
                let measurements = [("user", Value::from(user)), ("system", Value::from(system))];
                bus.execute(events::CPU.name(), &measurements, &[]);
            })
        }),
        Measurement::on_bus(events::MEMORY.name().as_str(), |bus| {
            system::memory().map(|(resident, virtual_)| {
                let measurements =
                    [("resident", Value::from(resident)), ("virtual", Value::from(virtual_))];
                bus.execute(events::MEMORY.name(), &measurements, &[]);
            })
        }),
        Measurement::on_bus(events::FILE_DESCRIPTORS.name().as_str(), |bus| {
            system::open_file_descriptors().and_then(|open| {
                let maximum = system::maximum_file_descriptors()?;
                let measurements = [("open", Value::from(open)), ("maximum", Value::from(maximum))];
                bus.execute(events::FILE_DESCRIPTORS.name(), &measurements, &[]);
                Ok(())
            })
        }),
        Measurement::on_bus(events::THREADS.name().as_str(), |bus| {
            system::threads().map(|count| {
                bus.execute(events::THREADS.name(), &[("count", Value::from(count))], &[]);
            })
        }),
        Measurement::on_bus(events::CONTEXT_SWITCHES.name().as_str(), |bus| {
            system::context_switches().map(|(voluntary, involuntary)| {
                let measurements = [
                    ("voluntary", Value::from(voluntary)),
                    ("involuntary", Value::from(involuntary)),
                ];
                bus.execute(events::CONTEXT_SWITCHES.name(), &measurements, &[]);
            })
        }),
        Measurement::on_bus(events::IO.name().as_str(), |bus| {
            system::io().map(|(read, written)| {
                let measurements = [("read", Value::from(read)), ("written", Value::from(written))];
                bus.execute(events::IO.name(), &measurements, &[]);
            })
        }),
        Measurement::on_bus(events::UPTIME.name().as_str(), |bus| {
            system::uptime().and_then(|duration| {
                let measurements = [
                    ("duration", Value::from(duration)),
                    ("start_time", Value::from(system::start_time()?)),
                ];
                bus.execute(events::UPTIME.name(), &measurements, &[]);
                Ok(())
            })
        }),
    ]
}

#[cfg(all(test, target_os = "linux"))]
mod tests;

//! The work through `radiosonde`.

use std::hint::black_box;

use radiosonde::{Event, EventName, attach, execute, span};

use crate::run::Run;
use crate::workload::{Request, Work, repeat};

/// The clock that a span reads twice.
pub(super) fn prepare_clock(_: Work) -> Option<Run> {
    // It is chosen when something is attached, and measured for a while before it is used.
    attach("elsewhere", "provider.response", nothing).ok()?;
    Some(repeat(|_| {
        black_box(radiosonde::monotonic_time());
    }))
}

pub(super) fn prepare(work: Work) -> Option<Run> {
    attach_handlers(work).and_then(|()| run(work))
}

/// Attaches the handlers that the work asks for.
pub(super) fn attach_handlers(work: Work) -> Option<()> {
    match work {
        Work::EventUnheard => {}
        Work::EventUnheardBesideOthers | Work::SpanUnheard | Work::ScopedSpanUnheard => {
            attach("elsewhere", "provider.response", nothing).ok()?;
        }
        Work::EventHandlers(count) => {
            for index in 0..count {
                attach(format!("nothing-{index}"), "provider.request", nothing).ok()?;
            }
        }
        Work::EventIterated => attach("iterating", "provider.request", iterate).ok()?,
        Work::EventByKey => attach("by-key", "provider.request", read_by_key).ok()?,
        Work::EventRuntimeName => attach("nothing", "provider.request", nothing).ok()?,
        Work::SpanTimed => attach("duration", "provider.request.stop", read_duration).ok()?,
        Work::SpanHandlers | Work::ScopedSpanHandlers => {
            attach("start", "provider.request.start", nothing).ok()?;
            attach("stop", "provider.request.stop", nothing).ok()?;
        }
    }
    Some(())
}

/// What to repeat, whoever is told of it.
pub(super) fn run(work: Work) -> Option<Run> {
    // One more call site: what all of them share must not be compiled for the one that is measured.
    execute!("provider.retry", { count: 1 });
    Some(match work {
        Work::EventRuntimeName => {
            let name: EventName = black_box("provider.request").parse().ok()?;
            repeat(move |request| {
                execute!(
                    name,
                    { milliseconds: request.milliseconds, bytes: request.bytes },
                    { api: request.api, method: request.method, outcome: request.outcome }
                );
            })
        }
        Work::SpanUnheard | Work::SpanHandlers | Work::SpanTimed => repeat(|request| {
            let Request { api, method, outcome, .. } = request;
            span!("provider.request", { api, method, outcome }).stop();
        }),
        Work::ScopedSpanUnheard | Work::ScopedSpanHandlers => repeat(|request| {
            let Request { api, method, outcome, .. } = request;
            span!("provider.request", { api, method, outcome }).run(|_| black_box(()));
        }),
        _ => repeat(|request| {
            execute!(
                "provider.request",
                { milliseconds: request.milliseconds, bytes: request.bytes },
                { api: request.api, method: request.method, outcome: request.outcome }
            );
        }),
    })
}

fn nothing(event: &Event<'_>) {
    black_box(event);
}

fn read_duration(event: &Event<'_>) {
    black_box(event.measurement("duration").as_u64());
}

fn iterate(event: &Event<'_>) {
    for (key, value) in event.measurements().iter() {
        black_box((key, value.as_f64()));
    }
    for (key, value) in event.metadata_fields().iter() {
        black_box((key, value.as_str()));
    }
}

fn read_by_key(event: &Event<'_>) {
    for key in ["milliseconds", "bytes"] {
        black_box(event.measurement(key).as_f64());
    }
    for key in ["api", "method", "outcome"] {
        black_box(event.metadata(key).as_str());
    }
}

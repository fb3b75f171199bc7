//! The work through `tracing`, with `tracing-subscriber`'s `Registry` and layers.

use std::fmt::Debug;
use std::hint::black_box;
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Metadata, Subscriber, info, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::run::Run;
use crate::workload::{Work, repeat};

pub(super) fn prepare(work: Work) -> Option<Run> {
    let run = run(work)?;
    subscribe(work).map(|()| run)
}

/// Makes the subscriber that the work asks for that of the process.
pub(super) fn subscribe(work: Work) -> Option<()> {
    let registry = Registry::default();
    match work {
        Work::EventUnheard => Ok(()),
        Work::EventUnheardBesideOthers | Work::SpanUnheard | Work::ScopedSpanUnheard => {
            set_global_default(registry.with(Elsewhere))
        }
        Work::EventHandlers(count) => {
            let layers: Vec<_> = (0..count).map(|_| Nothing).collect();
            match count {
                1 => set_global_default(registry.with(Nothing)),
                _ => set_global_default(registry.with(layers)),
            }
        }
        Work::SpanHandlers | Work::ScopedSpanHandlers => set_global_default(registry.with(Nothing)),
        Work::SpanTimed => set_global_default(registry.with(Timed)),
        Work::EventIterated => set_global_default(registry.with(ReadAll)),
        // There is nothing to repeat.
        Work::EventByKey | Work::EventRuntimeName => return None,
    }
    .ok()
}

/// What to repeat, whoever is told of it.
pub(super) fn run(work: Work) -> Option<Run> {
    Some(match work {
        // A field is read by visiting all of them, and a call site's name is part of the program.
        Work::EventByKey | Work::EventRuntimeName => return None,
        Work::SpanUnheard | Work::SpanHandlers | Work::SpanTimed => repeat(|request| {
            let _span = info_span!(
                "request",
                api = request.api.as_str(),
                method = request.method.as_str(),
                outcome = request.outcome.as_str(),
            );
        }),
        Work::ScopedSpanUnheard | Work::ScopedSpanHandlers => repeat(|request| {
            info_span!(
                "request",
                api = request.api.as_str(),
                method = request.method.as_str(),
                outcome = request.outcome.as_str(),
            )
            .in_scope(|| black_box(()));
        }),
        _ => repeat(|request| {
            info!(
                milliseconds = request.milliseconds,
                bytes = request.bytes,
                api = request.api.as_str(),
                method = request.method.as_str(),
                outcome = request.outcome.as_str(),
            );
        }),
    })
}

/// Is told of everything and does nothing with it.
struct Nothing;

impl<S: Subscriber> Layer<S> for Nothing {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        black_box(event);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        black_box(attributes);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        black_box(id);
    }
}

/// Keeps when a span began with the span, as layers that measure time do.
struct Timed;

struct Began(Instant);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Timed {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Began(Instant::now()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(span) = context.span(&id) {
            black_box(span.extensions().get::<Began>().map(|began| began.0.elapsed()));
        }
    }
}

/// Listens to everything but to what is executed here.
struct Elsewhere;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Elsewhere {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target().starts_with("radiosonde_benches") {
            Interest::never()
        } else {
            Interest::always()
        }
    }
}

/// Reads all five fields of every event.
struct ReadAll;

impl<S: Subscriber> Layer<S> for ReadAll {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Reader);
    }
}

struct Reader;

impl Visit for Reader {
    fn record_f64(&mut self, field: &Field, value: f64) {
        black_box((field.name(), value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        black_box((field.name(), value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        black_box((field.name(), value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        black_box((field.name(), value));
    }
}

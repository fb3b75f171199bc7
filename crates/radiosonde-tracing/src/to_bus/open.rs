//! A span of `tracing` that is a span of the bus, from its creation to its end.

use std::thread;

use radiosonde::__private::{Executable, system_time};
use radiosonde::{DeclaredEvent, SpanContext, ToValue, Value, monotonic_time};

use tracing::Metadata;

use super::plan::{Completion, Kind, Phases, Plan};
use super::recorded::{Fields, Recorded};
use crate::crossing::Crossing;

/// What is kept of a span in `tracing`'s registry.
#[derive(Debug)]
pub(super) struct Open {
    /// Whose it is, where several layers are.
    pub(super) layer: u64,
    pub(super) plan: &'static Plan,
    pub(super) context: SpanContext,
    parent: Option<SpanContext>,
    started: u64,
    /// Whether the thread was unwinding already, so that unwinding says nothing about the span.
    in_panic: bool,
    pub(super) fields: Recorded,
    /// Whether reporters know it.
    pub(super) told: bool,
    /// What an error inside it said.
    failure: Option<String>,
    /// Whether an event inside it said what completes it.
    is_completed: bool,
    busy: Busy,
}

/// How long a span was entered.
#[derive(Debug, Default)]
struct Busy {
    /// By how many threads it is entered, and how often.
    depth: u32,
    since: u64,
    total: u64,
}

/// Executes an event, and nothing that comes of it goes back to `tracing`.
pub(super) fn execute(
    event: &'static DeclaredEvent,
    measurements: &[(&'static str, Value<'_>)],
    metadata: &[(&'static str, Value<'_>)],
) {
    let _crossing = Crossing::enter();
    if let Some((listening, name)) = Executable::listening(event) {
        listening.execute(name, measurements, metadata);
    }
}

impl Open {
    /// Executes the start of the span.
    pub(super) fn start(
        layer: u64,
        plan: &'static Plan,
        phases: &'static Phases,
        (context, parent): (SpanContext, Option<SpanContext>),
        fields: Recorded,
    ) -> Self {
        let started = monotonic_time();
        let open = Self {
            layer,
            plan,
            context,
            parent,
            started,
            in_panic: thread::panicking(),
            fields,
            told: false,
            failure: None,
            is_completed: false,
            busy: Busy::default(),
        };
        let system_time = system_time(started);
        open.execute(
            &phases.start,
            &[("monotonic_time", Value::U64(started)), ("system_time", Value::U64(system_time))],
            &[],
        );
        open
    }

    pub(super) fn entered(&mut self) {
        if self.plan.timings {
            self.busy.depth += 1;
            if self.busy.depth == 1 {
                self.busy.since = monotonic_time();
            }
        }
    }

    pub(super) fn exited(&mut self) {
        // One that was entered before somebody took it up is not counted.
        if self.plan.timings && self.busy.depth > 0 {
            self.busy.depth -= 1;
            if self.busy.depth == 0 {
                self.busy.total += monotonic_time().saturating_sub(self.busy.since);
            }
        }
    }

    /// Takes what an event inside it says of its end.
    pub(super) fn told_by(&mut self, event: &Metadata<'_>, failure: Option<String>) {
        let completion = self.plan.completion.as_ref();
        self.is_completed |=
            completion.is_some_and(|completion| event.fields().field(&completion.name).is_some());
        self.failure = failure.or_else(|| self.failure.take());
    }

    /// What the span was to be completed by, and was not.
    fn missing(&self) -> Option<&Completion> {
        let completion = self.plan.completion.as_ref()?;
        (!self.is_completed && self.fields.get(completion.field).is_none()).then_some(completion)
    }

    /// Executes the end of the span.
    pub(super) fn end(self) {
        let Kind::Span(phases) = &self.plan.kind else { return };
        let now = monotonic_time();
        let duration = now.saturating_sub(self.started);
        let busy = self.busy.total.min(duration);
        let times = [
            ("duration", Value::U64(duration)),
            ("monotonic_time", Value::U64(now)),
            ("busy", Value::U64(busy)),
            ("idle", Value::U64(duration - busy)),
        ];
        let times = if self.plan.timings { &times[..] } else { &times[..2] };
        let error = self.fields.get(self.plan.error).filter(|error| *error != false);
        let recorded = error.map(|error| error.to_string());
        if thread::panicking() && !self.in_panic {
            let why =
                [("kind", Value::Str("panic")), ("reason", Value::Str("the thread panicked"))];
            self.execute(&phases.exception, times, &why);
        } else if let Some(reason) = recorded.as_ref().or(self.failure.as_ref()) {
            let why = [("kind", Value::Str("error")), ("reason", Value::Str(reason))];
            self.execute(&phases.exception, times, &why);
        } else if let Some(completion) = self.missing() {
            let reason = format!("the span closed without `{}`", completion.name);
            let why = [("kind", Value::Str("dropped")), ("reason", Value::Str(&reason))];
            self.execute(&phases.exception, times, &why);
        } else {
            self.execute(&phases.stop, times, &[]);
        }
    }

    fn execute(
        &self,
        event: &'static DeclaredEvent,
        times: &[(&'static str, Value<'_>)],
        why: &[(&'static str, Value<'_>)],
    ) {
        let (mut measurements, mut metadata) = (Fields::new(), Fields::new());
        self.fields.add_to(self.plan, &mut measurements, &mut metadata);
        measurements.extend(times.iter().copied());
        if !why.is_empty() {
            metadata.retain(|(key, _)| !why.iter().any(|(own, _)| own == key));
            metadata.extend(why.iter().copied());
        }
        metadata.extend(self.plan.origin.iter().copied());
        metadata.push(("telemetry_span_context", self.context.to_value()));
        if let Some(parent) = &self.parent {
            metadata.push(("telemetry_parent_span_context", parent.to_value()));
        }
        execute(event, &measurements, &metadata);
    }
}

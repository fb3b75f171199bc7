//! The layer, and the filter that it comes with.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use radiosonde::{SpanContext, ToValue};
use radiosonde_trace_context::TraceParent;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Filtered;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::entered;
use super::open::{Open, execute};
use super::plan::{Kind, Plan, Plans, is_failure};
use super::recorded::{Fields, Recorded};
use super::rule::BusRule;
use crate::crossing::Crossing;
use crate::error::RuleError;
use crate::spans::{Key, REPORTERS, TOLD, Told, registry_of};
use crate::to_tracing::is_made_here;

/// The layer that turns spans and events of `tracing` into those of the global bus: see [`to_bus`].
pub struct ToBus(Arc<Shared>);

/// The filter of [`to_bus`]'s layer: it lets through what a rule matches and somebody on the bus listens to.
pub struct Listened(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    number: u64,
    rules: Vec<BusRule>,
    plans: Plans,
    /// That of the subscriber that the layer is in.
    registry: AtomicUsize,
}

/// A layer that turns spans and events of `tracing` into events of the global bus, by these rules.
///
/// Its filter is its own: other layers of the subscriber see all that they saw without it, and where nobody on the bus listens to
/// what a rule makes, nothing is formatted, kept or timed. Who listens to a span is decided when it is created. A further filter, such as an
/// `EnvFilter`, goes around it with [`Layer::with_filter`]. There may be one layer for several subscribers' spans each, and several for
/// one subscriber: a span is then taken by the first of them that has a rule for it.
///
/// # Errors
///
/// If there is no rule, or one cannot work.
///
/// ```
/// use radiosonde_tracing::{BusRule, to_bus};
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// let layer = to_bus([BusRule::event("said.<target>").metadata(["message", "code"])])?;
/// let subscriber = tracing_subscriber::registry().with(layer);
///
/// let capture = radiosonde::capture(["said.**"]);
/// tracing::subscriber::with_default(subscriber, || tracing::warn!(target: "disk", code = 28, "no space is left"));
/// let events = capture.events();
/// assert_eq!(events[0].name(), "said.disk");
/// assert!(events[0].metadata("code") == 28 && events[0].metadata("level") == "WARN");
/// assert!(events[0].metadata("message") == "no space is left");
/// # Ok::<(), radiosonde_tracing::RuleError>(())
/// ```
pub fn to_bus<S>(
    rules: impl IntoIterator<Item = BusRule>,
) -> Result<Filtered<ToBus, Listened, S>, RuleError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    static LAYERS: AtomicU64 = AtomicU64::new(0);
    let rules: Vec<BusRule> = rules.into_iter().collect();
    if rules.is_empty() {
        return Err(RuleError::NoRules);
    }
    if let Some(problem) = rules.iter().find_map(BusRule::problem) {
        return Err(problem);
    }
    let shared = Arc::new(Shared {
        number: LAYERS.fetch_add(1, Relaxed),
        rules,
        plans: Plans::default(),
        registry: AtomicUsize::new(0),
    });
    Ok(ToBus(Arc::clone(&shared)).with_filter(Listened(shared)))
}

impl ToBus {
    /// How often `tracing` has told of a place in the program for which there was no room: some thousands that rules match have it.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.0.plans.left_out()
    }

    /// The context of the innermost of these spans that is on the bus.
    fn context_of<'a, S>(&self, spans: impl Iterator<Item = SpanRef<'a, S>>) -> Option<SpanContext>
    where
        S: LookupSpan<'a> + 'a,
    {
        let mut spans = spans;
        spans.find_map(|span| {
            let extensions = span.extensions();
            extensions.get::<Open>().map(|open| open.context.clone())
        })
    }

    /// Does something with the span's account, if it has one of this layer.
    fn with_open<S, R>(
        &self,
        id: &Id,
        context: &Context<'_, S>,
        then: impl FnOnce(&mut Open) -> R,
    ) -> Option<R>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let span = context.span(id)?;
        let mut extensions = span.extensions_mut();
        extensions.get_mut::<Open>().filter(|open| open.layer == self.0.number).map(then)
    }
}

impl<S> Layer<S> for ToBus
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.0.registry.store(registry_of(subscriber), Relaxed);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(plan) = self.0.plans.find(&attributes.metadata().callsite()) else { return };
        let (Kind::Span(phases), Some(span)) = (&plan.kind, context.span(id)) else { return };
        if span.extensions().get::<Open>().is_some() {
            return;
        }
        let fields = Recorded::with_spare(|fields| {
            attributes.record(&mut fields.visitor(plan));
            fields.clone()
        });
        let received = fields
            .get(plan.traceparent)
            .and_then(|header| header.as_str()?.parse::<TraceParent>().ok());
        let contexts = match received {
            Some(received) => (received.child().context(), Some(received.context())),
            None => {
                let parent = if attributes.is_contextual() {
                    SpanContext::current()
                } else {
                    self.context_of(span.scope().skip(1))
                };
                // A span within a trace belongs to it.
                let trace = parent.as_ref().and_then(TraceParent::of);
                let own = trace.map_or_else(SpanContext::unique, |trace| trace.child().context());
                (own, parent)
            }
        };
        let mut open = Open::start(self.0.number, plan, phases, contexts, fields);
        if REPORTERS.load(Relaxed) > 0
            && let Some(key) = Key::of(open.context.to_value())
        {
            // Where there is no room, what is inside the span has the parent that `tracing` gives it.
            open.told = TOLD
                .insert(key, Told { id: id.clone(), registry: self.0.registry.load(Relaxed) })
                .is_ok();
        }
        span.extensions_mut().replace(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(plan) = self.with_open(id, &context, |open| open.plan) else { return };
        // Outside of the registry's lock: a value's `Debug` may look at the span itself.
        Recorded::with_spare(|later| {
            values.record(&mut later.visitor(plan));
            self.with_open(id, &context, |open| open.fields.extend(later));
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(plan) = self.0.plans.find(&event.metadata().callsite()) else { return };
        Recorded::with_spare(|fields| {
            event.record(&mut fields.visitor(plan));
            if plan.tells_an_end
                && let Some(span) = context.event_span(event)
            {
                let error = fields.get(plan.error).filter(|_| is_failure(event.metadata()));
                let failure = error.map(|error| error.to_string());
                self.with_open(&span.id(), &context, |open| {
                    open.told_by(event.metadata(), failure)
                });
            }
            let Kind::Event(declared) = &plan.kind else { return };
            let (mut measurements, mut metadata) = (Fields::new(), Fields::new());
            fields.add_to(plan, &mut measurements, &mut metadata);
            metadata.extend(plan.origin.iter().copied());
            let run = || execute(declared, &measurements, &metadata);
            // Handlers that ask for the current context shall be told that of the span that the event names.
            match event.parent().and_then(|parent| self.context_of(context.span_scope(parent)?)) {
                Some(parent) => parent.run(run),
                None => run(),
            }
        });
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let entered = self.with_open(id, &context, |open| {
            open.entered();
            open.context.clone()
        });
        if let Some(context) = entered {
            entered::enter(self.0.number, id, context);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if self.with_open(id, &context, Open::exited).is_some() {
            entered::exit(self.0.number, id);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        // Nobody may be called while the registry is locked.
        let open = context.span(&id).and_then(|span| {
            let mut extensions = span.extensions_mut();
            let is_own = extensions.get_mut::<Open>()?.layer == self.0.number;
            if is_own { extensions.remove::<Open>() } else { None }
        });
        if let Some(open) = open {
            // A span whose last handle went while it was entered is closed before it is left.
            entered::exit(self.0.number, &id);
            if let Some(key) = Key::of(open.context.to_value()).filter(|_| open.told) {
                TOLD.remove(&key);
            }
            open.end();
        }
    }
}

impl<S> Filter<S> for Listened {
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let plans = &self.0.plans;
        let is_known = plans.find(&metadata.callsite()).is_some();
        let is_matched = is_known
            || !is_made_here(metadata)
                && Plan::is_wanted(&self.0.rules, metadata)
                && plans.insert(&metadata.callsite(), || Plan::of(&self.0.rules, metadata));
        // Who listens changes, and `tracing` would have to ask every call site of the program each time.
        if is_matched { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        !Crossing::is_under_way()
            && self.0.plans.find(&metadata.callsite()).is_some_and(Plan::is_enabled)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.0.rules.iter().map(|rule| LevelFilter::from_level(rule.level)).max()
    }
}

impl fmt::Debug for ToBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToBus").field("rules", &self.0.rules).finish_non_exhaustive()
    }
}

impl fmt::Debug for Listened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listened").field("rules", &self.0.rules).finish_non_exhaustive()
    }
}

//! Exemplars: for a series or a bucket, one measurement with the span in which it was taken.

use std::fmt::{self, Write};
use std::time::SystemTime;

use parking_lot::Mutex;
use radiosonde::{Event, SpanContext, ToValue, Value};
use smallvec::SmallVec;

use crate::extract::guarded;

/// A measurement that stands for the others of its series or bucket, with what leads to the span in which it was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// The measurement, in the unit that the metric exports; 1 for a counter.
    pub value: f64,
    /// When it was taken.
    pub time: SystemTime,
    /// Names and values of its labels: at most 128 characters together, as OpenMetrics allows. They are `trace_id` and `span_id`
    /// where the span's context is a W3C `traceparent`, and `span_context` where it is something else.
    pub labels: Vec<(String, String)>,
}

const LABEL: &str = "span_context";

/// What leads to the span whose context has this text.
fn labels(context: &str) -> impl Iterator<Item = (&'static str, &str)> {
    let parts = trace_parent(context);
    let other = parts.is_none().then_some((LABEL, context));
    let parts = parts.map(|(trace, span)| [("trace_id", trace), ("span_id", span)]);
    parts.into_iter().flatten().chain(other)
}

/// The trace and the span of a context that has the form of a W3C `traceparent`, `00-<32 digits>-<16 digits>-<2 digits>`: what traces are
/// looked up by.
fn trace_parent(context: &str) -> Option<(&str, &str)> {
    let (parts, flags) = context.strip_prefix("00-")?.rsplit_once('-')?;
    let (trace, span) = parts.split_once('-')?;
    let is_hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_one = [(trace, 32), (span, 16), (flags, 2)]
        .iter()
        .all(|(part, length)| part.len() == *length && is_hexadecimal(part));
    is_one.then_some((trace, span))
}

/// The text of a longer context is no exemplar: cut, it would lead nowhere.
const MAXIMUM_CONTEXT_LENGTH: usize = 128 - LABEL.len();

impl Exemplar {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|(name, _)| name.as_str())
    }
}

/// Where the last exemplar of a series or of a bucket is kept.
#[derive(Debug, Default)]
pub(crate) struct ExemplarSlot(Mutex<Option<Exemplar>>);

impl ExemplarSlot {
    /// Keeps this measurement, if it was taken in a span: in the one that the event belongs to, or else in the current one
    /// of the thread. Waits for nobody: while another thread reads or writes the exemplar, the one there stays.
    pub(crate) fn offer(&self, value: f64, event: Option<&Event<'_>>) {
        let of_event = event.map_or(Value::Null, |event| event.metadata("telemetry_span_context"));
        if of_event.is_null() {
            if let Some(context) = SpanContext::current() {
                self.put(value, context.to_value());
            }
        } else {
            self.put(value, of_event);
        }
    }

    fn put(&self, value: f64, context: Value<'_>) {
        let mut text = ContextText::default();
        if !matches!(guarded(|| Ok(write!(text, "{context}"))), Ok(Ok(()))) {
            return;
        }
        let Some(mut slot) = self.0.try_lock() else { return };
        let time = SystemTime::now();
        let text = text.as_str();
        match &mut *slot {
            // Written over what is there, so that nothing is allocated.
            Some(last) if labels(text).map(|(name, _)| name).eq(last.names()) => {
                (last.value, last.time) = (value, time);
                for ((_, last), (_, label)) in last.labels.iter_mut().zip(labels(text)) {
                    last.clear();
                    last.push_str(label);
                }
            }
            other => {
                let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                let labels = labels(text).map(owned).collect();
                *other = Some(Exemplar { value, time, labels });
            }
        }
    }

    /// The exemplar that is kept now, if there is one.
    pub(crate) fn read(&self) -> Option<Exemplar> {
        self.0.lock().clone()
    }
}

/// The text of a context, no longer than an exemplar may have it.
#[derive(Default)]
struct ContextText {
    bytes: SmallVec<[u8; 64]>,
    characters: usize,
}

impl ContextText {
    fn as_str(&self) -> &str {
        // Only whole texts are written.
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }
}

impl Write for ContextText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.characters += text.chars().count();
        if self.characters > MAXIMUM_CONTEXT_LENGTH {
            return Err(fmt::Error);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use radiosonde::{Bus, EventName};

    use super::*;

    /// The text of the exemplar after events with these contexts, outside of any span.
    fn text_after(contexts: &[Value<'_>]) -> Option<String> {
        let (bus, slot) = (Bus::new(), Arc::new(ExemplarSlot::default()));
        let handler = {
            let slot = Arc::clone(&slot);
            move |event: &Event<'_>| slot.offer(1.0, Some(event))
        };
        bus.attach("exemplar", "a.b", handler).unwrap();
        for context in contexts {
            let metadata = [("telemetry_span_context", *context)];
            bus.execute(&EventName::from_static("a.b"), &[], &metadata);
        }
        slot.read().map(|exemplar| exemplar.labels[0].1.clone())
    }

    #[test]
    fn the_last_measurement_is_kept_with_the_context_of_its_event() {
        assert_eq!(text_after(&[]), None);
        assert_eq!(
            text_after(&[Value::from(7), Value::from("trace 1")]).as_deref(),
            Some("trace 1")
        );
        assert_eq!(text_after(&[Value::from("trace 1"), Value::from(7)]).as_deref(), Some("7"));
    }

    #[test]
    fn a_trace_parent_is_a_trace_and_a_span() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let parent = format!("00-{trace}-{span}-01");
        let slot = ExemplarSlot::default();
        let labels_after = |context: &str| {
            slot.put(1.0, Value::from(context));
            slot.read().unwrap().labels
        };
        let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [owned("trace_id", trace), owned("span_id", span)];
        assert_eq!(labels_after(&parent), expected);
        assert_eq!(labels_after("a request"), [owned("span_context", "a request")]);
        assert_eq!(labels_after(&parent), expected);
        for other in
            [&parent[1..], &parent[..54], &parent.replace('f', "x"), &parent.replace("-01", "_01")]
        {
            assert_eq!(labels_after(other), [owned("span_context", other)]);
        }
    }

    #[test]
    fn the_current_span_counts_where_the_event_says_none() {
        let slot = ExemplarSlot::default();
        slot.offer(1.0, None);
        assert_eq!(slot.read(), None, "outside of any span nothing leads anywhere");
        let (listener, before) = (radiosonde::capture(["exemplar.work.*"]), SystemTime::now());
        radiosonde::span!("exemplar.work", { telemetry_span_context: "trace 2" })
            .run(|_| slot.offer(2.5, None));
        drop(listener);
        let exemplar = slot.read().unwrap();
        assert_eq!(
            (exemplar.value, &*exemplar.labels),
            (2.5, &[(LABEL.to_owned(), "trace 2".to_owned())][..])
        );
        assert!((before..=SystemTime::now()).contains(&exemplar.time));
    }

    #[test]
    fn a_context_of_more_characters_than_openmetrics_allows_is_no_exemplar() {
        let most = "ß".repeat(128 - "span_context".len());
        let more = format!("{most}x");
        assert_eq!(text_after(&[Value::from(&*most)]).as_deref(), Some(&*most));
        assert_eq!(
            text_after(&[Value::from("short"), Value::from(&*more)]).as_deref(),
            Some("short")
        );
    }

    #[test]
    fn a_context_whose_display_panics_is_no_exemplar() {
        struct Bomb;
        impl fmt::Display for Bomb {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("not to be displayed")
            }
        }
        assert_eq!(text_after(&[Value::display(&Bomb)]), None);
    }

    #[test]
    fn nobody_waits_for_an_exemplar_that_is_read() {
        let slot = ExemplarSlot::default();
        let reading = slot.0.lock();
        // A lock would wait here for ever.
        slot.put(1.0, Value::from("missed"));
        drop(reading);
        assert_eq!(slot.read(), None);
    }
}

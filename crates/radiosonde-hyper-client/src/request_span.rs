//! The span of a request, and the `traceparent` that goes with it.

use std::cell::LazyCell;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use radiosonde::span;
use radiosonde_trace_context::{HEADER, TraceParent};

use crate::events;
use crate::origin::Origin;
use crate::phase::Phase;

const TRACEPARENT: HeaderName = HeaderName::from_static(HEADER);

/// Starts the span of a request and has its headers say so.
///
/// A `traceparent` that is there already stays, and names the parent of the span, unless there are several. Otherwise the span itself is named, or, if
/// nobody listens and so there is none, the current one, if that has a `traceparent`.
pub(crate) fn start(
    name: &str,
    method: &'static str,
    origin: &Origin,
    headers: &mut HeaderMap,
) -> Phase<'static> {
    let is_given = headers.contains_key(TRACEPARENT);
    let given = given(headers);
    let own = LazyCell::new(|| match given.or_else(TraceParent::current) {
        Some(parent) => parent.child(),
        None => TraceParent::root(),
    });
    let parent = given.map(|given| given.context());
    let span = span!(parent: parent, events::REQUEST, {
        name, method, scheme: origin.scheme, host: origin.host, port: origin.port,
        telemetry_span_context: own.as_str(),
    });
    let phase = Phase::new(span.into_owned());
    if !is_given {
        let sent = if phase.is_enabled() { Some(*own) } else { TraceParent::current() };
        let sent = sent.and_then(|sent| HeaderValue::from_str(sent.as_str()).ok());
        if let Some(sent) = sent {
            headers.insert(TRACEPARENT, sent);
        }
    }
    phase
}

/// The `traceparent` that is there already. Of several none is taken, as the recommendation asks.
fn given(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()?.parse().ok()
}

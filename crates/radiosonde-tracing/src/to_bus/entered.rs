//! The spans that a thread is in, as the bus's current context.

use std::cell::RefCell;

use radiosonde::SpanContext;
use smallvec::SmallVec;
use tracing::span::Id;

thread_local! {
    static ENTERED: RefCell<SmallVec<[Entered; 8]>> = const { RefCell::new(SmallVec::new_const()) };
}

struct Entered {
    /// Subscribers have spans of the same ids.
    layer: u64,
    span: Id,
    /// What was current before.
    outer: Option<SpanContext>,
}

/// Makes the span's context the current one.
pub(super) fn enter(layer: u64, span: &Id, context: SpanContext) {
    // A thread that is ending is in no span.
    let _ = ENTERED.try_with(|entered| {
        let outer = SpanContext::replace_current(Some(context));
        entered.borrow_mut().push(Entered { layer, span: span.clone(), outer });
    });
}

/// Makes the context current again that was before the span was entered. A span that others were entered in since leaves from between
/// them: the innermost one stays current.
pub(super) fn exit(layer: u64, span: &Id) {
    let _ = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        let is_left = |entered: &Entered| entered.layer == layer && entered.span == *span;
        let Some(at) = entered.iter().rposition(is_left) else { return };
        let left = entered.remove(at);
        match entered.get_mut(at) {
            Some(inner) => inner.outer = left.outer,
            None => drop(SpanContext::replace_current(left.outer)),
        }
    });
}

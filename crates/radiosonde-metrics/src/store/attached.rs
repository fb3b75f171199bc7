//! A store's attachment to a bus, which metrics that come and go follow.

use std::sync::Arc;

use parking_lot::Mutex;
use radiosonde::{AttachError, Bus, FailurePolicy, HandlerId};

use super::aggregate::Aggregate;

/// The handlers that a store has on a bus: one for each metric.
#[derive(Debug)]
pub(crate) struct Attachment {
    bus: Bus,
    store: u64,
    /// `None` once it has ended.
    handlers: Mutex<Option<Handlers>>,
}

type Handlers = Vec<(Arc<Aggregate>, HandlerId)>;

impl Attachment {
    pub(crate) fn new(bus: Bus, store: u64) -> Self {
        Self { bus, store, handlers: Mutex::new(Some(Vec::new())) }
    }

    /// Attaches a metric, unless it or the attachment is gone already.
    pub(crate) fn attach(&self, aggregate: &Arc<Aggregate>) -> Result<(), AttachError> {
        if aggregate.metric.event_patterns().is_empty() {
            return Ok(());
        }
        let id: HandlerId = format!(
            "radiosonde-metrics/{}/{}/{}",
            self.store,
            aggregate.metric.name(),
            aggregate.number
        )
        .into();
        let handler = Arc::clone(aggregate);
        // Panics are caught and counted per metric; should there be one none the less, the others go on.
        self.bus.attach_with_policy(
            Arc::clone(&id),
            aggregate.metric.event_patterns().iter().cloned(),
            FailurePolicy::Keep,
            move |event| handler.record_event(event),
        )?;
        let is_wanted = match &mut *self.handlers.lock() {
            Some(handlers) if !aggregate.is_removed() => {
                handlers.push((Arc::clone(aggregate), Arc::clone(&id)));
                true
            }
            _ => false,
        };
        if !is_wanted {
            // It was removed, or the attachment ended, while this thread was on its way here.
            let _ = self.bus.detach(&id);
        }
        Ok(())
    }

    /// Detaches a metric.
    pub(crate) fn detach(&self, aggregate: &Arc<Aggregate>) {
        let is_it = |(other, _): &mut (Arc<Aggregate>, HandlerId)| Arc::ptr_eq(other, aggregate);
        let handler = match &mut *self.handlers.lock() {
            Some(handlers) => handlers.extract_if(.., is_it).next(),
            None => None,
        };
        if let Some((_, id)) = handler {
            // Somebody may have detached it by its id already, which is what was wanted.
            let _ = self.bus.detach(&id);
        }
    }

    fn end(&self) {
        let handlers = self.handlers.lock().take();
        for (_, id) in handlers.into_iter().flatten() {
            let _ = self.bus.detach(&id);
        }
    }
}

/// A store's attachment to a bus; dropping it detaches.
#[derive(Debug)]
#[must_use = "dropping it detaches the store from the bus"]
pub struct Attached(pub(super) Arc<Attachment>);

impl Attached {
    /// Detaches, as dropping does.
    pub fn detach(self) {
        drop(self);
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter;

    #[test]
    fn what_is_gone_before_it_is_attached_is_not_attached() {
        let bus = Bus::new();
        let (attachment, metric) =
            (Attachment::new(bus.clone(), 0), || Arc::new(Aggregate::new(counter("a.count"))));
        let removed = metric();
        removed.remove();
        attachment.attach(&removed).unwrap();
        assert!(bus.list_handlers("").is_empty(), "the metric was removed meanwhile");
        attachment.end();
        attachment.attach(&metric()).unwrap();
        assert!(bus.list_handlers("").is_empty(), "the attachment ended meanwhile");
    }
}

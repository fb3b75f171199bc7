//! A layer that keeps what subscribers are told, with all fields as text.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// A span or event that was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) what: &'static str,
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) level: String,
    pub(crate) parent: Option<String>,
    pub(crate) fields: HashMap<&'static str, String>,
    pub(crate) is_closed: bool,
    id: Option<Id>,
}

/// Keeps everything.
#[derive(Clone, Default)]
pub(crate) struct Collect(Arc<Mutex<Vec<Told>>>);

impl Collect {
    pub(crate) fn told(&self) -> Vec<Told> {
        self.0.lock().unwrap().clone()
    }

    fn of(&self, id: &Id, then: impl FnOnce(&mut Told)) {
        let mut told = self.0.lock().unwrap();
        then(told.iter_mut().rev().find(|told| told.id.as_ref() == Some(id)).unwrap());
    }
}

impl Told {
    fn new(what: &'static str, metadata: &tracing::Metadata<'_>, parent: Option<&str>) -> Self {
        Self {
            what,
            name: metadata.name().to_owned(),
            target: metadata.target().to_owned(),
            level: metadata.level().to_string(),
            parent: parent.map(ToOwned::to_owned),
            ..Self::default()
        }
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collect {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = context.span(id).unwrap().parent().map(|parent| parent.name());
        let mut told = Told::new("span", attributes.metadata(), parent);
        told.id = Some(id.clone());
        attributes.record(&mut told);
        self.0.lock().unwrap().push(told);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.of(id, |told| values.record(told));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let parent = context.event_span(event).map(|parent| parent.name());
        let mut told = Told::new("event", event.metadata(), parent);
        event.record(&mut told);
        self.0.lock().unwrap().push(told);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.of(&id, |told| {
            told.is_closed = true;
            told.id = None;
        });
    }
}

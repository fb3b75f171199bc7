//! The events of the built-in measurements.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use radiosonde::{Bus, Catalogue, OwnedEvent};

use super::*;
use crate::Poller;

#[test]
fn each_built_in_measurement_executes_its_event_with_what_it_declares() {
    let bus = Bus::new();
    let events: Arc<Mutex<BTreeMap<String, OwnedEvent>>> = Arc::default();
    let recorded = Arc::clone(&events);
    bus.attach("test", "process.*", move |event| {
        recorded.lock().insert(event.name().to_string(), event.to_owned());
    })
    .unwrap();
    let poller = Poller::builder().manual().bus(&bus).measurements(process_measurements());
    let poller = poller.start().unwrap();
    for info in poller.list_measurements() {
        assert_eq!((info.runs, info.failures), (1, 0), "{info:?}");
    }
    let events = events.lock();
    let mut declared = 0;
    for declaration in events::EVENTS.iter().filter(|event| event.name().starts_with("process.")) {
        declared += 1;
        let event = &events[declaration.name()];
        for field in declaration.measurements() {
            let number = event.measurement(field.key()).as_f64();
            assert!(number.is_some_and(|number| number >= 0.0), "`{}` of {event:?}", field.key());
        }
        assert_eq!(
            event.measurements().iter().count(),
            declaration.measurements().len(),
            "{event:?}"
        );
    }
    assert_eq!((declared, events.len()), (7, 7));
}

#[test]
fn every_event_is_in_the_catalogue_with_its_description() {
    let catalogue = Catalogue::new([events::EVENTS]);
    let names: Vec<&str> = catalogue.declarations().map(|declared| declared.name()).collect();
    assert!(names.contains(&"telemetry.poller.failure") && names.contains(&"build"), "{names:?}");
    assert!(catalogue.declarations().all(|declared| !declared.description().is_empty()));
}

//! Stores with events in them, for the tests of the formats.

use std::sync::Arc;

use radiosonde::{Bus, EventName, Value};
use radiosonde_metrics::Unit::{Byte, Nanosecond, Second};
use radiosonde_metrics::{Metric, Store, counter, distribution, last_value, sum, summary};

pub(crate) type Fields<'a> = &'a [(&'static str, Value<'a>)];

/// A store with these metrics that has seen these events: their names, measurements and metadata.
pub(crate) fn store(
    metrics: impl IntoIterator<Item = Metric>,
    events: &[(&str, Fields<'_>, Fields<'_>)],
) -> Arc<Store> {
    let store = Store::new(metrics).unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    for (name, measurements, metadata) in events {
        bus.execute(&EventName::new(*name).unwrap(), measurements, metadata);
    }
    store
}

/// One metric of each kind.
pub(crate) fn deploys() -> Arc<Store> {
    let metrics = [
        counter("forge.deploy.count").tags(["app", "http.status"]).description("Deploys by app."),
        sum("forge.deploy.bytes").unit(Byte, Byte),
        sum("forge.pool.size").event("forge.pool").measurement("change").as_gauge(),
        last_value("forge.pool.temperature").event("forge.pool").tags(["sensor"]),
        summary("forge.deploy.lines"),
        distribution("forge.deploy.duration.seconds")
            .event("forge.deploy")
            .measurement("duration")
            .unit(Nanosecond, Second)
            .tags(["app"])
            .buckets([0.5, 1.0, 2_000_000.0]),
    ];
    let deploy = |duration: u64| {
        [
            ("bytes", Value::from(1_500_000)),
            ("duration", Value::from(duration)),
            ("lines", Value::from(0.5)),
        ]
    };
    let metadata = [("app", Value::from("atlas")), ("http.status", Value::from(200))];
    let pool = |change: i64, temperature: f64| {
        [("change", Value::from(change)), ("temperature", Value::from(temperature))]
    };
    let events: [(&str, Fields<'_>, Fields<'_>); 4] = [
        ("forge.deploy", &deploy(1_000_000_000), &metadata),
        ("forge.deploy", &deploy(1_250_000_000), &metadata[..1]),
        ("forge.pool", &pool(-3, f64::NEG_INFINITY), &[]),
        ("forge.pool", &pool(1, f64::NAN), &[("sensor", Value::from("x"))]),
    ];
    store(metrics, &events)
}

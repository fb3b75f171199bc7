//! What a store allocates. It is one test in a process of its own: what other tests leave to be freed would be counted.

use std::error::Error;

use radiosonde::{Bus, EventName, Value};
use radiosonde_metrics::{SeriesValue, Store, counter, distribution, summary};

#[test]
fn memory_is_little_for_each_series_and_does_not_grow_with_events() {
    a_series_takes_little_memory().unwrap();
    events_that_nobody_reads_take_no_memory().unwrap();
}

fn a_series_takes_little_memory() -> Result<(), Box<dyn Error>> {
    const SERIES: usize = 10_000;
    let bounds: Vec<f64> = (1..=10).map(f64::from).collect();
    let metrics = [(counter("a.count"), 120), (distribution("a.time").buckets(bounds), 260)];
    for (metric, most) in metrics {
        let metric = metric.tags(["api", "method", "region"]).series_limit(SERIES);
        let name = metric.name().to_owned();
        let store = Store::new([metric])?;
        let memory = allocation_counter::measure(|| {
            for index in 0..SERIES {
                let (method, region) = (["get", "post"][index % 2], format!("region-{index}"));
                assert_eq!(store.record(&name, &["graphql", method, &region], 1.0), Ok(()));
            }
        });
        let bytes = memory.bytes_current as usize / SERIES;
        assert!(bytes <= most, "{bytes} bytes for each series of {name}");
    }
    Ok(())
}

fn events_that_nobody_reads_take_no_memory() -> Result<(), Box<dyn Error>> {
    const EVENTS: u64 = if cfg!(debug_assertions) { 100_000 } else { 20_000_000 };
    let store = Store::new([
        counter("a.count").tags(["t"]),
        distribution("a.time").measurement("n").tags(["t"]).buckets([1.0, 2.0]),
        summary("a.quantiles").measurement("n").quantiles([0.5, 0.99]),
        counter("a.overflowing").tags(["n"]).series_limit(1),
    ])?;
    let bus = Bus::new();
    let _attached = store.attach(&bus)?;
    let name = EventName::new("a")?;
    let record = |events: u64| {
        for event in 0..events {
            let tag = ["x", "y", "z"][event as usize % 3];
            let metadata = [("t", Value::from(tag)), ("n", Value::from(event))];
            bus.execute(&name, &[("n", Value::from(event % 1_000))], &metadata);
        }
    };
    record(1_000);
    let memory = allocation_counter::measure(|| record(EVENTS));
    assert_eq!(memory.count_total, 0, "{memory:?}");
    let count = SeriesValue::Count(EVENTS / 3 + 1 + 334);
    assert_eq!(store.snapshot().value("a.count", &["x"]), Some(count));
    Ok(())
}

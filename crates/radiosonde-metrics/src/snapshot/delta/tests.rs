//! Each reader gets what was added since its own last read.

use std::collections::BTreeMap;

use super::*;
use crate::{ExponentialHistogram, SeriesValue, counter, distribution, last_value, sum};

#[test]
fn each_reader_has_what_was_added_since_its_own_last_read() {
    let store = Store::new([
        counter("a.count").tags(["t"]),
        sum("a.sum"),
        sum("a.gauge").as_gauge(),
        last_value("a.last"),
        distribution("a.time").buckets([1.0]).native(),
    ])
    .unwrap();
    let (often, rarely) = (DeltaReader::new(&store), DeltaReader::new(&store));
    let record = |number: f64| {
        store.record("a.count", &["x"], 1.0).unwrap();
        for metric in ["a.sum", "a.gauge", "a.last", "a.time"] {
            store.record(metric, &[], number).unwrap();
        }
    };
    let mut since = None;
    for number in [0.5, 2.0, 4.0] {
        record(number);
        let delta = often.read();
        assert_eq!(delta.value("a.count", &["x"]), Some(SeriesValue::Count(1)));
        assert_eq!(delta.value("a.sum", &[]), Some(SeriesValue::Number(number)));
        assert_eq!(delta.value("a.last", &[]), Some(SeriesValue::Number(number)));
        let Some(SeriesValue::Distribution { buckets, sum, exponential: Some(exponential) }) =
            delta.value("a.time", &[])
        else {
            panic!("a native distribution")
        };
        let expected: &[u64] = if number < 1.0 { &[1, 0] } else { &[0, 1] };
        assert_eq!((buckets, sum), (expected, number));
        let ExponentialHistogram { count, sum, .. } = exponential;
        assert_eq!((*count, *sum), (1, number));
        assert!(delta.since() > since, "each delta begins later");
        since = delta.since();
    }
    let delta = rarely.read();
    assert_eq!(delta.value("a.count", &["x"]), Some(SeriesValue::Count(3)));
    assert_eq!(delta.value("a.gauge", &[]), Some(SeriesValue::Number(6.5)));
    assert_eq!(often.read().value("a.count", &["x"]), Some(SeriesValue::Count(0)));
    let whole = store.snapshot();
    assert_eq!((whole.since(), whole.value("a.sum", &[])), (None, Some(SeriesValue::Number(6.5))));
}

#[test]
fn what_came_up_again_is_counted_from_its_new_beginning() {
    let store =
        Store::new([counter("a.count").tags(["t"]).series_limit(2), counter("a.other")]).unwrap();
    let reader = DeltaReader::new(&store);
    let record = |tag: &str| store.record("a.count", &[tag], 1.0).unwrap();
    let read = || -> BTreeMap<String, u64> {
        let delta = reader.read();
        let values = delta.metrics()[0].series().map(|series| match series.value() {
            SeriesValue::Count(count) => (series.tags().map(|(_, value)| value).collect(), count),
            other => panic!("{other:?}"),
        });
        values.collect()
    };
    ["a", "a", "b", "beyond"].into_iter().for_each(record);
    assert_eq!(read(), BTreeMap::from([("a".into(), 2), ("b".into(), 1), ("true".into(), 1)]));
    assert_eq!(store.remove_series("a.count", &["a"]), Ok(true));
    ["c", "b", "beyond"].into_iter().for_each(record);
    assert_eq!(read(), BTreeMap::from([("b".into(), 1), ("c".into(), 1), ("true".into(), 1)]));
    store.remove_series("a.count", &["b"]).unwrap();
    record("b");
    assert_eq!(read(), BTreeMap::from([("b".into(), 1), ("c".into(), 0), ("true".into(), 0)]));
    assert!(store.remove("a.count"));
    store.add(counter("a.count")).unwrap();
    store.record("a.count", &[], 1.0).unwrap();
    assert_eq!(reader.read().value("a.count", &[]), Some(SeriesValue::Count(1)));
}

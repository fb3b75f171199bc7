//! Pages are judged by others: each format is read by a parser that is not ours, and promtool reads the text format.
//! They must accept every page, and find on it exactly what was recorded.

mod definitions;
mod expected;
mod judge;

use std::sync::Mutex;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use radiosonde::{Bus, EventName, Value};
use radiosonde_metrics::Unit::{Byte, Nanosecond, Second};
use radiosonde_metrics::{Store, counter, distribution, last_value, sum, summary};
use radiosonde_prometheus::render;

use definitions::Recorded;
use expected::Format;
use judge::{Judge, promtool};

const FORMATS: [(Format, &str); 3] = [
    (Format::Text, "text/plain; version=0.0.4"),
    (Format::OpenMetrics, "application/openmetrics-text; version=1.0.0"),
    (
        Format::Protobuf,
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
    ),
];

#[test]
fn others_read_on_every_page_exactly_what_was_recorded() {
    let judge = Mutex::new(Judge::start());
    let configuration =
        ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    let accepted = Mutex::new(0);
    let result = TestRunner::new(configuration).run(&definitions::recorded(), |recorded| {
        // What the check of the definitions refuses never comes to a page.
        let Ok(store) = definitions::store(&recorded) else { return Ok(()) };
        *accepted.lock().unwrap() += 1;
        let mut judge = judge.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        judged(&mut judge, &recorded, &store).map_err(TestCaseError::fail)
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let accepted = *accepted.lock().unwrap();
    assert!(accepted > 100, "only {accepted} of the definitions were accepted");
}

fn judged(judge: &mut Judge, recorded: &[Recorded], store: &Store) -> Result<(), String> {
    for (format, accept) in FORMATS {
        let page = render(store, Some(accept), None);
        let families = judge.read(&page).map_err(|error| format!("{format:?}: {error}"))?;
        let snapshot = store.snapshot();
        let shown = snapshot.metrics().iter().filter(|metric| metric.series().len() > 0);
        // Behind those of the definitions are those about the store and the page.
        let of_definitions =
            shown.take_while(|metric| !metric.metric().name().starts_with("radiosonde.metrics."));
        let mut read = families.iter();
        for metric in of_definitions {
            let family = read.next().ok_or("a family is missing")?;
            expected::compare(format, family, metric)
                .map_err(|difference| format!("{format:?}: {difference}"))?;
        }
        let left_out = families.last().filter(|family| family.name.ends_with("left_out"));
        let none = left_out.is_some_and(|family| matches!(&*family.samples[0].value, "0" | "0.0"));
        if !none {
            return Err(format!("{format:?}: {left_out:?} of {} metrics", recorded.len()));
        }
        if format == Format::Text {
            promtool(&page).map_err(|error| format!("promtool: {error}"))?;
        }
    }
    Ok(())
}

/// Metrics as a careful user names them, with some events.
fn well_named() -> std::sync::Arc<Store> {
    let store = Store::new([
        counter("forge.deploys.total").event("forge.deploy").tags(["app"]).description("Deploys."),
        sum("forge.deploy.bytes.total")
            .measurement("bytes")
            .event("forge.deploy")
            .unit(Byte, Byte)
            .description("Bytes deployed."),
        last_value("forge.pool.connections")
            .event("forge.deploy")
            .measurement("connections")
            .description("Open connections."),
        last_value("forge.build.info")
            .event("forge.deploy")
            .measurement("info")
            .tags(["version"])
            .description("What is running."),
        summary("forge.deploy.lines").description("Lines changed."),
        distribution("forge.deploy.duration.seconds")
            .event("forge.deploy")
            .measurement("duration")
            .unit(Nanosecond, Second)
            .buckets([0.5, 1.0, 10.0])
            .tags(["app"])
            .description("How long deploys take."),
    ])
    .unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    for duration in [300_000_000, 700_000_000, 70_000_000_000_u64] {
        let measurements = [
            ("bytes", Value::from(1_000)),
            ("connections", Value::from(4)),
            ("info", Value::from(1)),
            ("lines", Value::from(12)),
            ("duration", Value::from(duration)),
        ];
        let metadata = [("app", Value::from("atlas")), ("version", Value::from("1.2.3"))];
        bus.execute(&EventName::new("forge.deploy").unwrap(), &measurements, &metadata);
    }
    store
}

#[test]
fn promtool_has_nothing_to_say_of_well_named_metrics() {
    let page = render(&well_named(), None, None);
    assert_eq!(promtool(&page), Ok(String::new()));
}

#[test]
fn units_are_told_where_the_names_have_them() {
    let mut judge = Judge::start();
    for (format, accept) in FORMATS {
        let families = judge.read(&render(&well_named(), Some(accept), None)).unwrap();
        let units = families.iter().map(|family| &*family.unit).filter(|unit| !unit.is_empty());
        let units: Vec<_> = units.collect();
        let expected: &[&str] = if format == Format::Text { &[] } else { &["bytes", "seconds"] };
        assert_eq!(units, expected, "{format:?}");
    }
}

#[test]
fn a_compressed_page_is_what_gzip_makes_of_it() {
    use std::io::Write;
    use std::process::{Command, Stdio};

    let page = render(&well_named(), None, Some("gzip"));
    assert_eq!(page.content_encoding, Some("gzip"));
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gzip.stdin.take().unwrap().write_all(&page.body).unwrap();
    let output = gzip.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("forge_deploys_total{app=\"atlas\"} 3\n"), "{text}");
}

/// A judge who accepts everything would be none.
#[test]
fn the_judge_refuses_what_is_not_valid() {
    let mut judge = Judge::start();
    let invalid = [
        "a 1\n\n# EOF\n",
        "# TYPE a gauge\na 1\n",
        "# TYPE a counter\na_total NaN\n# EOF\n",
        "# TYPE a counter\na_total -1\n# EOF\n",
        "# TYPE a summary\na{quantile=\"0.5\"} -1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 0\na_sum 0\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"-1.0\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum -1\na_count 2\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"2.0\"} 1\na_bucket{le=\"1.0\"} 1\na_bucket{le=\"+Inf\"} 1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 0\na_count 1\na_sum 0\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+INF\"} 0\n# EOF\n",
        "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 1\na{x=\"1\"} 2\n# EOF\n",
        "# TYPE a gauge\na{a=\"1\",b=\"2\",} 1\n# EOF\n",
        "# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n# EOF\n",
        "# TYPE a_created gauge\n# TYPE a counter\n# EOF\n",
        "# UNIT a seconds\n# EOF\n",
        "# TYPE a untyped\n# EOF\n",
        "# TYPE a counter\na_total 1 # {a=\"b\"}1\n# EOF\n",
        "# TYPE a summary\na_sum 1 # {a=\"b\"} 1\n# EOF\n",
        "# TYPE a gauge\na 1\n# EOF\nb 1\n",
    ];
    for page in invalid {
        assert!(judge.refuses(page).is_some(), "{page}");
    }
    assert_eq!(judge.refuses("# TYPE a gauge\na 1\n# EOF\n"), None);
}

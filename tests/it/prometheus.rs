//! A real Prometheus scrapes every format, and answers queries with the numbers that are known from elsewhere: those that
//! the workload of `forge` counted, and those of a few events executed here.

mod dashboard;
mod door;
pub(crate) mod forge;
pub(crate) mod server;

use std::time::Duration;

use radiosonde::{Bus, EventName, Value};
use radiosonde_metrics::{counter, distribution, last_value, sum, summary};
use radiosonde_prometheus::Prometheus;
use serde_json::{Value as Json, json};

use crate::tidy::read;
use door::Door;
use forge::Forge;
use server::Server;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

const TEXT: &str = "text/plain;version=0.0.4";
const OPENMETRICS: &str = "application/openmetrics-text";
const PROTOBUF: &str = "application/vnd.google.protobuf";

/// Makes Prometheus ask for protobuf, and keep native histograms.
pub(crate) const NATIVE: &str = "native-histograms";

#[test]
fn a_real_prometheus_answers_with_the_numbers_that_the_workload_counted() {
    let mut forge = Forge::start(3);
    let tallies = forge.tallies();
    assert!(!tallies.is_empty(), "forge has counted nothing");
    let door = Door::open(&forge.address, Some(TEXT));
    let formats = [
        Server::start(&door.address, ""),
        Server::start(&forge.address, ""),
        Server::start(&forge.address, NATIVE),
    ];
    for (format, server) in ["text", "OpenMetrics", "protobuf"].into_iter().zip(&formats) {
        for (series, expected) in &tallies {
            let query = if format == "text" { series.clone() } else { renamed(series) };
            let answer = server.wait_for(&query, *expected);
            assert_eq!(
                answer,
                Some(*expected),
                "`{query}` by {format}: what Prometheus says, and what the workload counted"
            );
        }
    }
    door.assert_only("text/plain; version=0.0.4");

    // The names of the documentation are those of the text format.
    let documented: Vec<Json> =
        serde_json::from_str(&read("tests/data/tuist_metrics.json")).unwrap();
    assert_eq!(documented.len(), 53);
    for metric in &documented {
        let name = metric["name"].as_str().unwrap();
        let tags = metric["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap());
        let tagged: String = tags.map(|tag| format!("{tag}!=\"\",")).collect();
        // A histogram is known by its buckets.
        let bucket = match metric["kind_normalized"].as_str().unwrap() {
            "distribution" if !name.ends_with("_bucket") => "_bucket",
            _ => "",
        };
        let query = format!("count(count_over_time({name}{bucket}{{{tagged}}}[1h])) > bool 0");
        assert_eq!(formats[0].wait_for(&query, 1.0), Some(1.0), "`{query}`");
    }
}

/// The tally of a series where formats have names of their own: a counter's ends in `_total`, and the count of a native
/// histogram is inside it.
fn renamed(series: &str) -> String {
    if let Some(total) = series.strip_prefix("sum(") {
        return format!("sum({})", renamed(total.trim_end_matches(')')));
    }
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let plain = format!("{{__name__=~\"{name}|{name}_total\",{labels}");
    match name.strip_suffix("_count") {
        Some(histogram) => {
            format!("{plain} or histogram_count({{__name__=\"{histogram}\",{labels})")
        }
        None => plain,
    }
}

/// A reporter on a bus of its own, with a hundred orders of which all is known.
fn shop() -> Prometheus {
    let bus = Bus::new();
    let metrics = [
        counter("shop.order.count").tags(["kind"]).exemplars(),
        sum("shop.order.items"),
        last_value("shop.order.last").measurement("items"),
        summary("shop.order.summary").measurement("items"),
        distribution("shop.order.price").measurement("items").buckets([10.0, 50.0]).exemplars(),
        distribution("shop.order.native").measurement("items").native(),
    ];
    let builder = Prometheus::builder().bus(&bus).metrics(metrics).listen("127.0.0.1:0");
    let prometheus = builder.start().unwrap();
    let name = EventName::new("shop.order").unwrap();
    for number in 1..=100_u64 {
        let context = format!("span-{number}");
        let kind = if number % 4 == 0 { "a \"b\"\\\n🚀" } else { "plain" };
        let metadata =
            [("kind", Value::from(kind)), ("telemetry_span_context", Value::from(&context))];
        bus.execute(&name, &[("items", Value::from(number))], &metadata);
    }
    prometheus
}

/// What Prometheus has to answer about the shop, with what its format calls a counter of this name.
fn assert_numbers(server: &Server, counter: impl Fn(&str) -> String) {
    let count = counter("shop_order_count");
    let expected = [
        (format!("{count}{{kind=\"plain\"}}"), 75.0),
        (format!("{count}{{kind=\"a \\\"b\\\"\\\\\\n🚀\"}}"), 25.0),
        (counter("shop_order_items"), 5_050.0),
        ("shop_order_last".to_owned(), 100.0),
        ("shop_order_summary_count".to_owned(), 100.0),
        ("shop_order_summary_sum".to_owned(), 5_050.0),
        ("shop_order_price_bucket{le=\"10.0\"}".to_owned(), 10.0),
        ("shop_order_price_bucket{le=\"50.0\"}".to_owned(), 50.0),
        ("shop_order_price_bucket{le=\"+Inf\"}".to_owned(), 100.0),
        ("shop_order_price_sum".to_owned(), 5_050.0),
        ("shop_order_price_count".to_owned(), 100.0),
        ("histogram_quantile(0.1, shop_order_price_bucket)".to_owned(), 10.0),
    ];
    for (query, number) in expected {
        assert_eq!(server.wait_for(&query, number), Some(number), "`{query}`");
    }
}

/// Which span is the exemplar of this series, and what it measured.
fn assert_exemplar(server: &Server, series: &str, span: &str, number: f64) {
    let expected = vec![(json!({ "span_context": span }), number)];
    let exemplars =
        server.wait_until(|| server.exemplars(series), |exemplars| *exemplars == expected);
    assert_eq!(exemplars, expected, "`{series}`");
}

#[test]
fn prometheus_reads_the_plain_text() {
    let shop = shop();
    let door = Door::open(&shop.local_addr().to_string(), Some(TEXT));
    let server = Server::start(&door.address, "");

    assert_numbers(&server, str::to_owned);
    assert_eq!(server.query("shop_order_native_count"), Some(100.0));
    door.assert_only("text/plain; version=0.0.4");
}

#[test]
fn prometheus_reads_openmetrics_and_its_exemplars() {
    let shop = shop();
    // This is what it asks for by itself.
    let door = Door::open(&shop.local_addr().to_string(), None);
    let server = Server::start(&door.address, "exemplar-storage");

    assert_numbers(&server, |name| format!("{name}_total"));
    assert_eq!(server.query("shop_order_native_sum"), Some(5_050.0));
    assert_exemplar(&server, "shop_order_count_total{kind=\"plain\"}", "span-99", 1.0);
    assert_exemplar(&server, "shop_order_price_bucket{le=\"10.0\"}", "span-10", 10.0);
    assert_exemplar(&server, "shop_order_price_bucket{le=\"+Inf\"}", "span-100", 100.0);
    door.assert_only(OPENMETRICS);
}

#[test]
fn prometheus_reads_protobuf_and_its_native_histograms() {
    let shop = shop();
    // Whoever wants native histograms asks for protobuf.
    let door = Door::open(&shop.local_addr().to_string(), None);
    let server = Server::start(&door.address, &format!("{NATIVE},exemplar-storage"));

    assert_numbers(&server, str::to_owned);
    assert_eq!(server.wait_for("histogram_count(shop_order_native)", 100.0), Some(100.0));
    assert_eq!(server.query("histogram_sum(shop_order_native)"), Some(5_050.0));
    assert_eq!(server.query("shop_order_native_count"), None, "it is native alone");
    for (quantile, exact) in [(0.5, 50.0), (0.9, 90.0), (0.99, 99.0)] {
        let query = format!("histogram_quantile({quantile}, shop_order_native)");
        let answer = server.query(&query).unwrap();
        // A bucket is 2^(1/8) times as wide as the one before.
        assert!((answer / exact - 1.0).abs() < 0.091, "`{query}` is {answer}, not {exact}");
    }
    let half = server.query("histogram_fraction(0, 64, shop_order_native)").unwrap();
    assert!((half - 0.64).abs() < 1e-9, "64 is a bound of every schema, and {half} are below");
    assert_exemplar(&server, "shop_order_count{kind=\"plain\"}", "span-99", 1.0);
    assert_exemplar(&server, "shop_order_price_bucket{le=\"10.0\"}", "span-10", 10.0);
    door.assert_only(PROTOBUF);
}

//! A real Prometheus answers every query of a dashboard, in whichever format it scrapes.

use radiosonde::{Bus, EventName, Value};
use radiosonde_grafana::{Dashboard, curated};
use radiosonde_metrics::{Definitions, counter, distribution, last_value, sum, summary};
use radiosonde_poller::process_metrics;
use radiosonde_prometheus::Prometheus;

use super::door::Door;
use super::server::Server;
use super::{NATIVE, TEXT};

fn definitions(native: bool) -> Definitions {
    let metrics = [
        // A name without `total`, and a tag that Prometheus has for itself.
        counter("shop.order.count").tags(["kind", "job"]),
        counter("shop.order.total").tags(["kind"]),
        sum("shop.order.items"),
        last_value("shop.order.info").measurement("items").tags(["kind"]),
        last_value("shop.order.last").measurement("items"),
        summary("shop.order.summary").measurement("items").quantiles([0.5]),
    ];
    let price = distribution("shop.order.price").measurement("items").tags(["kind"]);
    let price = price.buckets([10.0, 50.0]);
    let price = if native { price.native() } else { price };
    metrics.into_iter().chain([price]).chain(process_metrics()).collect()
}

/// Has the shop scraped, and asks what its dashboard does.
fn assert_every_query_is_answered(accept: Option<&'static str>, features: &str, native: bool) {
    let bus = Bus::new();
    let metrics = definitions(native);
    let shop = metrics.iter().filter(|metric| metric.name().starts_with("shop."));
    let shop = Dashboard::new("shop", "Shop").variables(["kind", "job"]).metrics(shop);
    let queries = [shop.queries(), curated::process(&metrics).queries()];
    let builder = Prometheus::builder().bus(&bus).metrics(metrics).listen("127.0.0.1:0");
    let prometheus = builder.start().unwrap();
    let name = EventName::new("shop.order").unwrap();
    let order = |number: u64| {
        let metadata = [("kind", Value::from("a \"b\"\\")), ("job", Value::from("mail"))];
        bus.execute(&name, &[("items", Value::from(number))], &metadata);
    };
    order(1);
    let door = Door::open(&prometheus.local_addr().to_string(), accept);
    let server = Server::start(&door.address, features);
    assert_eq!(queries[0].len(), 11);
    for query in queries.into_iter().flatten() {
        let answers = server.wait_until(
            || {
                order(30);
                server.answers(&query)
            },
            |answers| *answers > 0,
        );
        assert_ne!(answers, 0, "`{query}` is not answered");
    }
    // The tag under its stored name, which a panel is told apart by.
    assert_eq!(server.answers("count by (exported_job) (rate({__name__=~\"shop_order_count(_total)?\", exported_job=\"mail\", job=\"test\"}[5m]))"), 1);
}

#[test]
fn every_query_of_a_dashboard_is_answered_from_the_plain_text() {
    assert_every_query_is_answered(Some(TEXT), "", false);
}

#[test]
fn every_query_of_a_dashboard_is_answered_from_openmetrics() {
    assert_every_query_is_answered(None, "", false);
}

#[test]
fn every_query_about_native_histograms_is_answered_where_there_are_none() {
    assert_every_query_is_answered(None, "", true);
}

#[test]
fn every_query_of_a_dashboard_is_answered_from_protobuf_with_native_histograms() {
    assert_every_query_is_answered(None, NATIVE, true);
}

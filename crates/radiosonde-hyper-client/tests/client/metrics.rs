//! The ready-made metrics: what they count, and how they are changed.

use radiosonde_hyper_client::{Client, metrics, pool_metrics};
use radiosonde_metrics::Unit::Millisecond;
use radiosonde_metrics::{Definitions, Metric, SeriesValue, Snapshot, Store};
use tokio::net::TcpListener;

use crate::support::*;

/// The series of one client, whose name is the first tag: other tests make requests, too. Of each the tags between the port and the
/// end, and its count.
fn series(snapshot: &Snapshot, metric: &str, client: &str) -> Vec<(String, f64)> {
    let all = snapshot.metrics();
    let metric = all.iter().find(|snapshot| snapshot.metric().name() == metric).expect(metric);
    let mut series: Vec<_> = metric
        .series()
        .filter_map(|series| {
            let tags: Vec<_> = series.tag_values_utf8().map(String::from_utf8_lossy).collect();
            let count = match series.value() {
                SeriesValue::Count(count) => count as f64,
                SeriesValue::Number(number) => number,
                SeriesValue::Distribution { buckets, .. } => buckets.iter().sum::<u64>() as f64,
                other => panic!("{other:?}"),
            };
            (tags[0] == client).then(|| (tags[4..].join(" "), count))
        })
        .collect();
    series.sort_by(|left, right| left.0.cmp(&right.0));
    series
}

fn one(tags: &str, value: f64) -> Vec<(String, f64)> {
    vec![(tags.to_owned(), value)]
}

#[tokio::test]
async fn every_request_is_counted_once_in_each_phase_it_had() {
    let good = Server::answering(OK).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new("counted");
    let definitions = metrics().into_iter().chain(client.metrics());
    let store = Store::new(definitions).unwrap();
    let attached = store.attach(radiosonde::global()).unwrap();

    for _ in 0..3 {
        read(post(&client, &good.url(), "question").await.unwrap()).await.unwrap();
    }
    get(&client, &gone).await.unwrap_err();
    drop(get(&client, &good.url()).await.unwrap());

    let snapshot = store.snapshot();
    let of = |metric: &str| series(&snapshot, &format!("http.client.{metric}"), "counted");
    let requests = [("GET  connect", 1.0), ("GET 200 cancelled", 1.0), ("POST 200 ", 3.0)];
    assert_eq!(of("requests.total"), requests.map(|(tags, count)| (tags.to_owned(), count)));
    let requests = [("GET  connect", 1.0), ("GET 2xx cancelled", 1.0), ("POST 2xx ", 3.0)];
    assert_eq!(
        of("request.duration.seconds"),
        requests.map(|(tags, count)| (tags.to_owned(), count))
    );
    let errors = [("cancelled", 1.0), ("connect", 1.0)];
    assert_eq!(of("errors.total"), errors.map(|(tags, count)| (tags.to_owned(), count)));
    let retries: f64 = of("retries.total").iter().map(|(_, count)| count).sum();
    assert_eq!(retries, 0.0);
    let queued: f64 = of("queue.duration.seconds").iter().map(|(_, count)| count).sum();
    assert_eq!(queued, 5.0);
    assert_eq!(of("queue.idle.time.seconds"), one("", 3.0));
    assert_eq!(of("connections.opened.total"), one("", 1.0));
    let connects = [("", 1.0), ("connect", 1.0)];
    assert_eq!(
        of("connect.duration.seconds"),
        connects.map(|(tags, count)| (tags.to_owned(), count))
    );
    assert_eq!(of("send.duration.seconds"), one("", 4.0));
    let received = [("2xx ", 3.0), ("2xx cancelled", 1.0)];
    assert_eq!(
        of("receive.duration.seconds"),
        received.map(|(tags, count)| (tags.to_owned(), count))
    );
    assert_eq!(of("sent.bytes.total"), one("", 24.0));
    assert_eq!(of("received.bytes.total"), one("", 12.0));
    for (gauge, value) in
        [("size", 50.0), ("available", 50.0), ("in.use", 0.0), ("idle", 0.0), ("queued", 0.0)]
    {
        let gauges = of(&format!("pool.{gauge}"));
        assert_eq!(gauges, [(String::new(), value), (String::new(), value)], "{gauge}");
    }
    // Nothing lacked what is measured.
    let skipped =
        snapshot.metrics().iter().filter(|metric| metric.metric().name().contains("skipped"));
    let ours = |series: &[u8]| String::from_utf8_lossy(series).contains("http.client");
    assert!(
        skipped
            .flat_map(|metric| metric.series())
            .all(|series| !series.tag_values_utf8().any(ours))
    );
    drop(attached);
}

#[tokio::test]
async fn gauges_of_several_clients_are_told_apart_and_end_with_them() {
    let server = Server::answering(OK).await;
    let (first, second) = (Client::new("first"), Client::builder("second").pool_size(8).build());
    let store = Store::new(pool_metrics([&first, &second])).unwrap();
    let held = get(&first, &server.url()).await.unwrap();
    get_and_read(&second, &server.url()).await.unwrap();
    let snapshot = store.snapshot();
    assert_eq!(series(&snapshot, "http.client.pool.in.use", "first"), one("", 1.0));
    assert_eq!(series(&snapshot, "http.client.pool.in.use", "second"), one("", 0.0));
    assert_eq!(series(&snapshot, "http.client.pool.idle", "second"), one("", 1.0));
    assert_eq!(series(&snapshot, "http.client.pool.size", "second"), one("", 8.0));
    drop((held, first));
    assert!(series(&store.snapshot(), "http.client.pool.size", "first").is_empty());
}

#[test]
fn names_tags_units_and_buckets_can_be_changed() {
    let named = |metrics: &Definitions, name: &str| -> Metric {
        metrics.iter().find(|metric| metric.name() == name).expect(name).clone()
    };
    let changed = metrics()
        .change("http.client.requests.total", |metric| metric.rename("outgoing.total"))
        .change("http.client.request.duration.seconds", |metric| metric.tags(["status"]))
        .change("http.client.send.duration.seconds", |metric| metric.buckets([1.0]))
        .remove("http.client.errors.total")
        .without_tags(["host", "port"])
        .in_unit(Millisecond)
        .prefix("shop");
    let requests = named(&changed, "shop.outgoing.total");
    assert!(requests.tag_names().eq(["name", "scheme", "method", "status", "error"]));
    assert_eq!(requests.event_patterns().len(), 2);
    let duration = named(&changed, "shop.http.client.request.duration.milliseconds");
    assert!(duration.tag_names().any(|tag| tag == "status"));
    assert_eq!(duration.bucket_bounds(), [10.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4]);
    assert_eq!(
        named(&changed, "shop.http.client.send.duration.milliseconds").bucket_bounds(),
        [1e3]
    );
    assert!(!changed.iter().any(|metric| metric.name().contains("errors")));
    Store::new(changed).unwrap();
}

#[tokio::test]
async fn clients_of_one_name_are_one_client_to_the_gauges() {
    let server = Server::answering(OK).await;
    let clients = [Client::new("both"), Client::new("both")];
    let store = Store::new(pool_metrics(&clients)).unwrap();
    let held = get(&clients[0], &server.url()).await.unwrap();
    get_and_read(&clients[1], &server.url()).await.unwrap();
    let snapshot = store.snapshot();
    for (gauge, value) in [("size", 100.0), ("in.use", 1.0), ("idle", 1.0), ("available", 99.0)] {
        let metric = format!("http.client.pool.{gauge}");
        assert_eq!(series(&snapshot, &metric, "both"), one("", value), "{gauge}");
    }
    drop(held);
}

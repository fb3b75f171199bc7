//! What is read of a runtime, compared with what the test has it do.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::mpsc::channel;

use radiosonde::Bus;
use radiosonde_metrics::{Kind, Store};
use radiosonde_poller::Poller;
use radiosonde_tokio::{runtime_measurement, runtime_metrics};

use crate::{PATIENCE, current_thread, eventually, multi_thread, number};

#[test]
fn workers_and_alive_tasks_are_those_of_each_runtime() {
    let (one, many) = (current_thread(), multi_thread(3));
    let handles = [("one", one.handle().clone()), ("many", many.handle().clone())];
    let store = Store::new(runtime_metrics(handles)).unwrap();
    let read = |metric, runtime| number(&store, metric, &[runtime]);
    assert_eq!((read("tokio.workers", "one"), read("tokio.workers", "many")), (1.0, 3.0));
    let tasks: Vec<_> = (0..5).map(|_| many.spawn(pending::<()>())).collect();
    assert_eq!(read("tokio.alive_tasks", "many"), 5.0);
    assert_eq!(read("tokio.alive_tasks", "one"), 0.0);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    eventually("aborted tasks are gone", || read("tokio.alive_tasks", "many") == 0.0);
}

#[test]
fn what_is_spawned_from_outside_waits_in_the_global_queue() {
    let runtime = current_thread();
    let store = Store::new(runtime_metrics([("main", runtime.handle().clone())])).unwrap();
    let read = |metric| number(&store, metric, &["main"]);
    // Nobody runs it yet.
    for _ in 0..7 {
        runtime.spawn(pending::<()>());
    }
    assert_eq!((read("tokio.global_queue_depth"), read("tokio.alive_tasks")), (7.0, 7.0));
    runtime.block_on(async {
        while runtime.metrics().global_queue_depth() > 0 {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!((read("tokio.global_queue_depth"), read("tokio.alive_tasks")), (0.0, 7.0));
}

#[test]
fn workers_that_have_nothing_to_do_are_parked_and_the_others_are_busy() {
    let runtime = multi_thread(2);
    let store = Store::new(runtime_metrics([("main", runtime.handle().clone())])).unwrap();
    let parked = || number(&store, "tokio.parked_workers", &["main"]);
    let of_workers =
        |metric: &str| ["0", "1"].map(|worker| number(&store, metric, &["main", worker]));
    eventually("idle workers park", || parked() == 2.0);
    let parks = of_workers("tokio.worker.parks.total");
    assert!(parks.iter().all(|parks| *parks >= 1.0), "{parks:?}");

    let ((entered, is_held), (release, released)) = (channel(), channel::<()>());
    runtime.spawn(async move {
        entered.send(()).unwrap();
        released.recv().unwrap_err();
    });
    is_held.recv_timeout(PATIENCE).unwrap();
    eventually("one is held, the other one parks", || parked() == 1.0);
    drop(release);
    eventually("it parks again", || parked() == 2.0);
    let busy = of_workers("tokio.worker.busy.seconds.total");
    assert!(busy.iter().any(|busy| *busy > 0.0), "{busy:?}");
    let later = of_workers("tokio.worker.parks.total");
    assert!(later.iter().sum::<f64>() > parks.iter().sum(), "{parks:?} {later:?}");
    let told = || [0, 1].map(|worker| runtime.metrics().worker_park_count(worker) as f64);
    eventually("none parks meanwhile", || of_workers("tokio.worker.parks.total") == told());
}

#[test]
fn time_that_a_worker_is_kept_busy_is_counted() {
    let runtime = current_thread();
    let store = Store::new(runtime_metrics([("main", runtime.handle().clone())])).unwrap();
    let busy = || number(&store, "tokio.worker.busy.seconds.total", &["main", "0"]);
    let before = busy();
    runtime.block_on(async {
        let kept = std::time::Duration::from_millis(20);
        tokio::spawn(async move { std::thread::sleep(kept) }).await.unwrap();
        // It is added up when the worker parks.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    });
    assert!(busy() - before >= 0.02, "{before} {}", busy());
}

#[test]
fn a_runtime_that_was_shut_down_is_read_as_it_ended() {
    for runtime in [current_thread(), multi_thread(2)] {
        let handle = runtime.handle().clone();
        let store = Store::new(runtime_metrics([("gone", handle.clone())])).unwrap();
        let bus = Bus::new();
        let measured = runtime_measurement("gone", &handle);
        let poller = Poller::builder().manual().bus(&bus).measurements([measured]).start().unwrap();
        runtime.spawn(pending::<()>());
        let workers = number(&store, "tokio.workers", &["gone"]);
        drop(runtime);
        assert_eq!(number(&store, "tokio.workers", &["gone"]), workers);
        assert_eq!(number(&store, "tokio.alive_tasks", &["gone"]), 0.0);
        poller.refresh();
        let info = &poller.list_measurements()[0];
        assert_eq!((info.runs, info.failures), (2, 0));
    }
}

#[test]
fn the_event_has_the_totals_that_the_metrics_have_by_worker() {
    let runtime = multi_thread(2);
    let handle = runtime.handle().clone();
    let store = Store::new(runtime_metrics([("main", handle.clone())])).unwrap();
    eventually("idle workers park", || number(&store, "tokio.parked_workers", &["main"]) == 2.0);
    runtime.block_on(async { tokio::spawn(async {}).await.unwrap() });
    eventually("idle workers park", || number(&store, "tokio.parked_workers", &["main"]) == 2.0);

    let bus = Bus::new();
    let (events, received) = channel();
    bus.attach("runtime", "tokio.runtime", move |event| events.send(event.to_owned()).unwrap())
        .unwrap();
    let elsewhere = radiosonde::capture(["tokio.runtime"]);
    let measurements =
        [runtime_measurement("main", &handle), runtime_measurement("other", &handle)];
    let poller = Poller::builder().manual().bus(&bus).measurements(measurements).start().unwrap();
    let event = received.try_recv().unwrap();
    assert!(event.metadata("runtime") == "main");
    assert!(received.try_recv().unwrap().metadata("runtime") == "other");
    assert!(elsewhere.events().is_empty(), "only the poller's bus has it");
    assert!(event.measurement("workers") == 2);
    // A worker that was woken for nothing may park once more at any time.
    eventually("both are parked", || {
        poller.refresh();
        received.try_iter().any(|event| event.measurement("parked_workers") == 2)
    });
    let total = |metric: &str| -> f64 {
        ["0", "1"].iter().map(|worker| number(&store, metric, &["main", worker])).sum()
    };
    let totals = || ["tokio.worker.parks.total", "tokio.worker.busy.seconds.total"].map(total);
    let before = totals();
    poller.refresh();
    let after = totals();
    let event = received.try_recv().unwrap();
    let busy = event.measurement("busy").as_f64().unwrap() / 1e9;
    let told = [event.measurement("parks").as_f64().unwrap(), busy];
    for ((before, told), after) in before.into_iter().zip(told).zip(after) {
        assert!(before > 0.0 && before - 1e-9 <= told && told <= after + 1e-9, "{event:?}");
    }
    drop(poller);
}

#[test]
fn totals_are_counters_and_states_are_gauges_of_a_runtime_or_a_worker() {
    let metrics = runtime_metrics::<&str>([]);
    let described: BTreeMap<_, _> = metrics.iter().map(|metric| (metric.name(), metric)).collect();
    assert_eq!(described.len(), metrics.iter().count(), "names are unique");
    for (name, metric) in described {
        let kind = if name.ends_with(".total") { Kind::Sum } else { Kind::LastValue };
        assert_eq!(metric.kind(), kind, "{name}");
        assert!(!metric.description_text().is_empty() && metric.has_callback(), "{name}");
        let tags: Vec<_> = metric.tag_names().collect();
        let expected: &[&str] = match name {
            "tokio.polls_by_time.total" => &["runtime", "up_to"],
            _ if name.starts_with("tokio.worker.") => &["runtime", "worker"],
            _ => &["runtime"],
        };
        assert_eq!(tags, expected, "{name}");
    }
}

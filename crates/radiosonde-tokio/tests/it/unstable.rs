//! What tokio tells in builds with `--cfg tokio_unstable` alone.

use std::future::pending;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use radiosonde_metrics::{SeriesValue, Store};
use radiosonde_poller::Poller;
use radiosonde_tokio::{runtime_measurement, runtime_metrics};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{current_thread, eventually, multi_thread, number};

fn store_of(runtime: &Runtime) -> Arc<Store> {
    Store::new(runtime_metrics([("main", runtime.handle().clone())])).unwrap()
}

/// Something that blocks until the answer is dropped.
fn block(runtime: &Handle) -> Sender<()> {
    let (release, released) = channel();
    runtime.spawn_blocking(move || released.recv().unwrap_err());
    release
}

#[test]
fn blocking_threads_and_what_waits_for_them_are_counted() {
    let runtime = Builder::new_current_thread().max_blocking_threads(2).build().unwrap();
    let store = store_of(&runtime);
    let read = |metric| number(&store, metric, &["main"]);
    assert_eq!(read("tokio.blocking_threads"), 0.0);
    let held: Vec<_> = (0..5).map(|_| block(runtime.handle())).collect();
    assert_eq!(read("tokio.blocking_threads"), 2.0);
    eventually("two run and three wait", || read("tokio.blocking_queue_depth") == 3.0);
    assert_eq!(read("tokio.idle_blocking_threads"), 0.0);
    drop(held);
    eventually("both threads are idle", || read("tokio.idle_blocking_threads") == 2.0);
    assert_eq!(read("tokio.blocking_queue_depth"), 0.0);
}

#[test]
fn spawned_tasks_and_polls_are_counted_and_tasks_wait_in_the_workers_queue() {
    let runtime = current_thread();
    let store = store_of(&runtime);
    let of_worker = |metric| number(&store, metric, &["main", "0"]);
    let before = of_worker("tokio.worker.polls.total");
    runtime.block_on(async {
        let tasks: Vec<_> = (0..6).map(|_| tokio::spawn(async {})).collect();
        assert_eq!(of_worker("tokio.worker.local_queue_depth"), 6.0);
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(number(&store, "tokio.spawned_tasks.total", &["main"]), 6.0);
    assert!(of_worker("tokio.worker.polls.total") - before >= 6.0);
    assert!(of_worker("tokio.worker.local_schedules.total") >= 6.0);
    let waits = runtime.spawn(pending::<()>());
    assert_eq!(number(&store, "tokio.remote_schedules.total", &["main"]), 1.0);
    waits.abort();
}

#[test]
fn a_task_that_has_used_up_its_budget_is_made_to_yield() {
    let runtime = current_thread();
    let store = store_of(&runtime);
    runtime.block_on(async {
        tokio::spawn(async {
            for _ in 0..1_000 {
                tokio::task::consume_budget().await;
            }
        })
        .await
        .unwrap();
    });
    assert!(number(&store, "tokio.forced_yields.total", &["main"]) >= 1.0);
}

#[test]
fn tasks_that_other_workers_take_are_counted() {
    let runtime = multi_thread(2);
    let store = store_of(&runtime);
    let stolen =
        || ["0", "1"].map(|worker| number(&store, "tokio.worker.steals.total", &["main", worker]));
    // One worker has all the tasks, and waits until the other one has run some of them.
    let (ran, is_run) = channel();
    runtime.block_on(async {
        let spawned = tokio::spawn(async move {
            for _ in 0..8 {
                let ran = ran.clone();
                tokio::spawn(async move { ran.send(()).unwrap() });
            }
            is_run.recv().unwrap();
        });
        spawned.await.unwrap();
    });
    eventually("one has taken tasks of the other", || stolen().iter().sum::<f64>() >= 1.0);
    let mean = |worker| number(&store, "tokio.worker.mean_poll_time.seconds", &["main", worker]);
    eventually("polls took some time", || mean("0") > 0.0 || mean("1") > 0.0);
    let operations = ["0", "1"]
        .map(|worker| number(&store, "tokio.worker.steal_operations.total", &["main", worker]));
    assert!((1.0..=stolen().iter().sum()).contains(&operations.iter().sum::<f64>()));
}

#[test]
fn polls_by_time_are_there_where_the_runtime_keeps_a_histogram() {
    let with = Builder::new_current_thread().enable_metrics_poll_time_histogram().build().unwrap();
    let without = current_thread();
    let handles = [("with", with.handle().clone()), ("without", without.handle().clone())];
    let store = Store::new(runtime_metrics(handles)).unwrap();
    for runtime in [&with, &without] {
        runtime.block_on(async {
            let slow = || std::thread::sleep(std::time::Duration::from_millis(3));
            tokio::spawn(async move { slow() }).await.unwrap();
            tokio::spawn(async {}).await.unwrap();
        });
    }
    let polls = number(&store, "tokio.worker.polls.total", &["with", "0"]);
    assert_eq!(number(&store, "tokio.polls_by_time.total", &["with", "+Inf"]), polls);
    let snapshot = store.snapshot();
    let value = |up_to: &str| snapshot.value("tokio.polls_by_time.total", &["with", up_to]);
    let metrics = with.handle().metrics();
    let mut last = 0.0;
    for bucket in 0..metrics.poll_time_histogram_num_buckets() - 1 {
        let end = metrics.poll_time_histogram_bucket_range(bucket).end.as_secs_f64();
        let Some(SeriesValue::Number(number)) = value(&end.to_string()) else {
            panic!("there is no series up to {end}")
        };
        assert!(number >= last && (end > 0.003 || number < polls), "{end} {number} {polls}");
        last = number;
    }
    assert!(snapshot.value("tokio.polls_by_time.total", &["without", "+Inf"]).is_none());
}

#[test]
fn the_event_has_them_too() {
    let runtime = current_thread();
    runtime.block_on(async { tokio::spawn(async {}).await.unwrap() });
    let capture = radiosonde::capture(["tokio.runtime"]);
    let measured = runtime_measurement("main", runtime.handle());
    let _poller = Poller::builder().manual().measurements([measured]).start().unwrap();
    let event = &capture.events()[0];
    assert!(event.measurement("spawned_tasks") == 1 && event.measurement("polls") >= 1);
    assert!(event.measurement("blocking_threads") == 0);
}

#[cfg(feature = "net")]
#[test]
fn the_io_driver_tells_of_its_file_descriptors() {
    let runtime = current_thread();
    let store = store_of(&runtime);
    let read = |metric| number(&store, metric, &["main"]);
    let before = read("tokio.io_driver.registered_fds.total");
    runtime.block_on(async {
        let address = ("127.0.0.1", 0);
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let connect = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
        let (connected, accepted) = tokio::join!(connect, listener.accept());
        let open = (connected.unwrap(), accepted.unwrap());
        assert_eq!(read("tokio.io_driver.deregistered_fds.total"), 0.0);
        drop(open);
    });
    assert_eq!(read("tokio.io_driver.registered_fds.total") - before, 3.0);
    assert_eq!(read("tokio.io_driver.deregistered_fds.total"), 3.0);
    assert!(read("tokio.io_driver.ready.total") >= 2.0);
}

/// The table on the page is of a build like this one, so that it is compared here.
#[cfg(feature = "net")]
#[test]
fn the_page_has_the_metrics_that_such_builds_add() {
    const START: &str = "<!-- unstable metrics of radiosonde-tokio -->";
    const END: &str = "<!-- end -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/instrumentation/tokio.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (stable, rest) = page.split_once(START).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let all = runtime_metrics::<&str>([]).to_markdown();
    // What is in the other table is not told again.
    let (head, rows) = all.split_at(all.match_indices('\n').nth(1).unwrap().0 + 1);
    let rows = rows.lines().filter(|row| !stable.contains(row));
    let made: Vec<_> = head.lines().chain(rows).collect();
    let made = made.join("\n");
    if std::env::var_os("RADIOSONDE_WRITE_DOCS").is_some() {
        std::fs::write(path, format!("{stable}{START}\n\n{made}\n\n{END}{after}")).unwrap();
    } else {
        assert_eq!(table.trim(), made, "RADIOSONDE_WRITE_DOCS=1 writes it");
    }
}

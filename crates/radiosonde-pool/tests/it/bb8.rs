//! A pool of `bb8`.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use ::bb8::{AddError, Builder, RunError};
use ::sqlx::Executor;
use radiosonde::{ToValue, attach, detach};
use radiosonde_pool::bb8::{Managed, Pool};
use radiosonde_pool::{Reason, Status};
use tokio::sync::mpsc;

use crate::database::{Database, Manager};
use crate::recorder::Recorder;

type Build = fn(Builder<Managed<Manager>>) -> Builder<Managed<Manager>>;

async fn pool(name: &'static str, database: &Database, build: Build) -> Pool<Manager> {
    let builder = build(::bb8::Pool::builder().max_size(1).test_on_check_out(false));
    Pool::build(name, builder, database.manager()).await.unwrap()
}

/// Polls a future once.
fn poll_once(future: std::pin::Pin<&mut impl Future>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_is_a_span_that_says_how_long_the_connection_was_idle() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 checkout");
    let pool = pool("bb8 checkout", &database, |builder| builder).await;
    for _ in 0..2 {
        let mut connection = pool.get().await.unwrap();
        connection.connection.execute("SELECT 1").await.unwrap();
    }
    let owned = pool.get_owned().await.unwrap();
    assert_eq!(pool.status(), Status { size: 1, ready: 0, in_use: 1, queue_length: 0 });
    drop(owned);
    assert_eq!(pool.status(), Status { size: 1, ready: 1, in_use: 0, queue_length: 0 });

    assert_eq!(recorder.named("database.pool.connected").len(), 1);
    let stops = recorder.named("database.pool.checkout.stop");
    assert_eq!(stops.len(), 3);
    for stop in &stops {
        // It was idle from before this checkout's end, and after the first one's beginning.
        let idle_time = stop.measurement("idle_time").as_u64().unwrap();
        let end = stop.measurement("monotonic_time").as_u64().unwrap();
        let first = recorder.all()[0].measurement("monotonic_time").as_u64().unwrap();
        assert!(idle_time > 0 && idle_time <= end - first, "{stop:?}");
        assert!(stop.measurement("duration").as_u64().unwrap() > 0);
    }
    recorder.assert_ended("database.pool.checkout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_idle_from_when_it_was_given_back() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 given back");
    let pool = pool("bb8 given back", &database, |builder| builder).await;
    let held = pool.get().await.unwrap();
    let before = Instant::now();
    drop(held);
    drop(pool.get().await.unwrap());
    let since = before.elapsed();
    let stop = recorder.named("database.pool.checkout.stop").remove(1);
    let idle_time = stop.measurement("idle_time").as_u64().unwrap();
    assert!(u128::from(idle_time) <= since.as_nanos(), "{stop:?} is longer than {since:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_get_gives_its_place_back_and_its_span_is_cancelled() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 cancelled");
    let pool = pool("bb8 cancelled", &database, |builder| builder).await;
    let held = pool.get().await.unwrap();
    {
        let mut waiting = pin!(pool.get());
        poll_once(waiting.as_mut());
        assert_eq!(pool.status(), Status { size: 1, ready: 0, in_use: 1, queue_length: 1 });
    }
    assert_eq!(pool.status().queue_length, 0);
    drop(held);
    assert_eq!(pool.status().ready, 1);
    let exceptions = recorder.named("database.pool.checkout.exception");
    assert!(exceptions.len() == 1 && exceptions[0].metadata("kind") == "cancelled");
    assert!(exceptions[0].metadata("error_kind").is_null());
    recorder.assert_ended("database.pool.checkout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_that_takes_too_long_is_an_exception_that_says_so() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 timeout");
    let pool = pool("bb8 timeout", &database, |builder| {
        // The one connection is opened without a limit.
        builder.min_idle(1).connection_timeout(Duration::from_millis(20))
    })
    .await;
    let held = pool.get().await.unwrap();
    assert!(matches!(pool.get().await, Err(RunError::TimedOut)));
    assert_eq!(pool.status().queue_length, 0);
    drop(held);
    let exceptions = recorder.named("database.pool.checkout.exception");
    assert_eq!(exceptions.len(), 1);
    assert!(exceptions[0].metadata("kind") == "error");
    assert!(exceptions[0].metadata("error_kind") == "timed_out");
    assert!(exceptions[0].metadata("reason") == "timed_out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_a_connection_that_is_being_tested_does_not_wait_for_one() {
    let database = Database::new();
    let manager = database.manager();
    let control = manager.control.clone();
    let pool =
        Pool::build("bb8 tested", ::bb8::Pool::builder().max_size(1), manager).await.unwrap();
    drop(pool.get().await.unwrap());
    let permits = control.tests.acquire_many(1000).await.unwrap();
    {
        let mut tested = pin!(pool.get());
        poll_once(tested.as_mut());
        assert_eq!(pool.status(), Status { size: 1, ready: 0, in_use: 1, queue_length: 0 });
        let mut waiting = pin!(pool.get());
        poll_once(waiting.as_mut());
        assert_eq!(pool.status().queue_length, 1);
    }
    drop(permits);
    drop(pool.get().await.unwrap());
    assert_eq!(pool.status().queue_length, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_gives_the_connection_back() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 panic");
    let pool = pool("bb8 panic", &database, |builder| builder).await;
    let panicking = pool.clone();
    let task = tokio::spawn(async move {
        let _held = panicking.get().await.unwrap();
        panic!("while it has a connection");
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(pool.status(), Status { size: 1, ready: 1, in_use: 0, queue_length: 0 });
    drop(pool.get().await.unwrap());
    assert_eq!(recorder.named("database.pool.checkout.stop").len(), 2);
    assert_eq!(recorder.reasons(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_broke_or_is_too_old_is_told_closed_for_that() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 broken");
    let pool1 = pool("bb8 broken", &database, |builder| builder).await;
    pool1.get().await.unwrap().broken = true;
    assert_eq!(recorder.reasons(), ["broken"]);
    drop(pool1.get().await.unwrap());
    assert_eq!(recorder.named("database.pool.connected").len(), 2, "another in its place");

    let recorder = Recorder::of("bb8 old");
    let pool2 =
        pool("bb8 old", &database, |builder| builder.max_lifetime(Duration::from_nanos(1))).await;
    drop(pool2.get().await.unwrap());
    recorder.until(1, "database.pool.disconnected").await;
    assert_eq!(recorder.reasons(), ["max_lifetime"]);
    let closed = recorder.named("database.pool.disconnected");
    assert!(closed[0].measurement("age").as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_fails_its_test_is_told_closed_for_that() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 invalid");
    let manager = database.manager();
    let control = manager.control.clone();
    let pool =
        Pool::build("bb8 invalid", ::bb8::Pool::builder().max_size(1), manager).await.unwrap();
    drop(pool.get().await.unwrap());
    control.invalid.store(true, SeqCst);
    let getting = tokio::spawn({
        let pool = pool.clone();
        async move { pool.get_owned().await.map(drop) }
    });
    recorder.until(1, "database.pool.disconnected").await;
    control.invalid.store(false, SeqCst);
    getting.await.unwrap().unwrap();
    assert!(recorder.reasons().iter().all(|reason| reason == "invalid"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_idle_for_too_long_is_told_closed_for_that() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 idle");
    let pool = pool("bb8 idle", &database, |builder| {
        builder.idle_timeout(Duration::from_nanos(1)).reaper_rate(Duration::from_millis(1))
    })
    .await;
    drop(pool.get().await.unwrap());
    recorder.until(1, "database.pool.disconnected").await;
    assert!(recorder.reasons().iter().all(|reason| reason == "idle_timeout"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_of_a_closed_connection_may_ask_its_pool() {
    const NAME: &str = "bb8 asked";
    let database = Database::new();
    let (sizes, mut told) = mpsc::unbounded_channel();
    let asked = Arc::new(OnceLock::<Pool<Manager>>::new());
    attach("bb8 asks", "database.pool.disconnected", {
        let asked = asked.clone();
        move |event| {
            if let Some(pool) = asked.get().filter(|_| event.metadata("pool") == NAME) {
                let _ = sizes.send(pool.status().size);
            }
        }
    })
    .unwrap();
    let pool = pool(NAME, &database, |builder| {
        builder.idle_timeout(Duration::from_nanos(1)).reaper_rate(Duration::from_millis(1))
    })
    .await;
    assert!(asked.set(pool.clone()).is_ok());
    drop(pool.get().await.unwrap());
    let size = tokio::time::timeout(Duration::from_secs(60), told.recv()).await;
    assert!(matches!(size, Ok(Some(0 | 1))), "{size:?}");
    detach("bb8 asks").unwrap();
}

#[test]
fn what_is_closed_is_told_even_if_its_runtime_ends_at_once() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 ends");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = pool("bb8 ends", &database, |builder| builder).await;
        drop(pool.get().await.unwrap());
    });
    drop(runtime);
    assert_eq!(recorder.reasons(), ["closed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_told_closed_with_their_pool_and_when_they_leave_it() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 closed");
    let manager = database.manager();
    let control = manager.control.clone();
    let builder = ::bb8::Pool::builder().max_size(2).min_idle(2).test_on_check_out(false);
    let pool = Pool::build("bb8 closed", builder, manager).await.unwrap();
    assert_eq!(control.live.load(SeqCst), 2);

    let elsewhere = database.manager();
    let extra = ::bb8::ManageConnection::connect(&elsewhere).await.unwrap();
    let Err(AddError::NoCapacity(extra)) = pool.add(extra) else { panic!("there is no room") };
    drop(extra);
    assert_eq!(recorder.reasons(), ["closed"]);

    let watcher = pool.watcher();
    assert_eq!(watcher.status().size, 2);
    drop((pool, watcher));
    assert_eq!(control.live.load(SeqCst), 0);
    recorder.until(3, "database.pool.disconnected").await;
    assert_eq!(recorder.reasons(), ["closed"; 3]);
    assert_eq!(recorder.named("database.pool.connected").len(), 3);
}

#[test]
fn reasons_are_words() {
    let words = Reason::ALL.map(Reason::as_str);
    assert_eq!(words, ["broken", "invalid", "max_lifetime", "idle_timeout", "closed", "unknown"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_is_inside_the_span_of_the_task() {
    let database = Database::new();
    let recorder = Recorder::of("bb8 inside");
    let pool = pool("bb8 inside", &database, |builder| builder).await;
    let got = radiosonde_pool::query("bb8 inside", "SELECT 1")
        .try_instrument(async { pool.get().await.map(drop) })
        .await;
    got.unwrap();
    let query = recorder.named("database.query.start")[0].clone();
    let checkout = recorder.named("database.pool.checkout.start")[0].clone();
    let parent = checkout.metadata("telemetry_parent_span_context");
    assert_eq!(parent.to_value().to_string(), query.metadata("telemetry_span_context").to_string());
}

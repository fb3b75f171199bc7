//! A pool of `sqlx`.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::time::Duration;

use ::sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use ::sqlx::{Acquire, Error, Executor, Row, Sqlite};
use radiosonde::OwnedEvent;
use radiosonde_metrics::{SeriesValue, Store};
use radiosonde_pool::sqlx::{Pool, PoolTelemetry};
use radiosonde_pool::{Status, metrics};

use crate::database::Database;
use crate::recorder::Recorder;

async fn pool(name: &str, database: &Database) -> Pool<Sqlite> {
    pool_with(name, database, SqlitePoolOptions::new().max_connections(1)).await
}

async fn pool_with(name: &str, database: &Database, options: SqlitePoolOptions) -> Pool<Sqlite> {
    let pool = Pool::connect_with(name, options, database.options()).await.unwrap();
    until(|| pool.status().in_use == 0).await;
    pool
}

/// `sqlx` gives connections back in tasks of its own, of which nobody hears the end.
async fn until(condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("it never came to be");
}

fn poll_once(future: Pin<&mut impl Future>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

fn text(event: &OwnedEvent, key: &str) -> String {
    event.metadata(key).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_on_the_pool_are_spans_with_the_wait_for_their_connection_inside() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx queries");
    let pool = pool("sqlx queries", &database).await;
    let create = "CREATE TABLE users (name TEXT UNIQUE)";
    ::sqlx::query(create).execute(&pool).await.unwrap();
    ::sqlx::query("INSERT INTO users VALUES ('ada'), ('grace')").execute(&pool).await.unwrap();
    let select = "SELECT name FROM users";
    assert_eq!(::sqlx::query(select).fetch_all(&pool).await.unwrap().len(), 2);
    let name: String = ::sqlx::query(select).fetch_one(&pool).await.unwrap().get(0);
    assert!(["ada", "grace"].contains(&name.as_str()));
    let none = ::sqlx::query("SELECT 1 WHERE 1 = 2").fetch_optional(&pool).await.unwrap();
    assert!(none.is_none());

    let stops = recorder.named("database.query.stop");
    let told: Vec<_> = stops
        .iter()
        .map(|stop| (text(stop, "operation"), stop.measurement("rows").as_u64().unwrap()))
        .collect();
    let told: Vec<_> = told.iter().map(|(operation, rows)| (operation.as_str(), *rows)).collect();
    assert_eq!(told, [("create", 0), ("insert", 0), ("select", 2), ("select", 1), ("select", 0)]);
    assert!(stops[0].metadata("statement") == create);
    for stop in &stops {
        let time = |key| stop.measurement(key).as_u64().unwrap();
        assert!(time("queue_time") + time("execution_time") <= time("duration"), "{stop:?}");
        let context = text(stop, "telemetry_span_context");
        let checkouts = recorder.named("database.pool.checkout.stop");
        let inside: Vec<_> = checkouts
            .iter()
            .filter(|checkout| text(checkout, "telemetry_parent_span_context") == context)
            .collect();
        assert_eq!(inside.len(), 1);
        assert!(inside[0].measurement("idle_time").as_u64().is_some(), "{inside:?}");
    }
    recorder.assert_ended("database.query");
    recorder.assert_ended("database.pool.checkout");
}

async fn count<'c>(executor: impl Executor<'c, Database = Sqlite>) -> i64 {
    ::sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(executor).await.unwrap()
}

async fn begin_and_count<'c>(from: impl Acquire<'c, Database = Sqlite>) -> i64 {
    let mut transaction = from.begin().await.unwrap();
    count(&mut *transaction).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pool_goes_wherever_one_of_sqlx_goes() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx generic");
    let pool = pool("sqlx generic", &database).await;
    pool.execute("CREATE TABLE users (name TEXT)").await.unwrap();
    assert_eq!(count(&pool).await, 0);
    assert_eq!(begin_and_count(&pool).await, 0);
    assert_eq!(recorder.named("database.query.stop").len(), 2);
    assert_eq!(recorder.named("database.pool.checkout.stop").len(), 3);
    pool.prepare("SELECT 1").await.unwrap();
    pool.describe("SELECT 1").await.unwrap();
    assert_eq!(pool.inner().options().get_max_connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_on_a_connection_and_in_a_transaction_are_spans_with_on() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx on");
    let pool = pool("sqlx on", &database).await;
    pool.execute("CREATE TABLE users (name TEXT)").await.unwrap();
    let mut transaction = pool.begin().await.unwrap();
    let insert = "INSERT INTO users VALUES ('ada')";
    ::sqlx::query(insert).execute(pool.on(&mut *transaction)).await.unwrap();
    assert_eq!(count(pool.on(&mut *transaction)).await, 1);
    transaction.rollback().await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    assert_eq!(count(pool.on(&mut *connection)).await, 0);
    let rows = ::sqlx::query("SELECT 1 UNION SELECT 2").fetch_all(pool.on(&mut *connection));
    assert_eq!(rows.await.unwrap().len(), 2);

    let stops = recorder.named("database.query.stop");
    let operations: Vec<_> = stops.iter().map(|stop| text(stop, "operation")).collect();
    assert_eq!(operations, ["create", "insert", "select", "select", "select"]);
    assert!(stops[4].measurement("rows") == 2);
    assert!(stops[1..].iter().all(|stop| stop.measurement("queue_time").is_null()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_told_by_kind() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx errors");
    let pool = pool("sqlx errors", &database).await;
    pool.execute("CREATE TABLE users (name TEXT UNIQUE NOT NULL)").await.unwrap();
    for statement in [
        "SELECT FROM",
        "INSERT INTO users VALUES ('ada'), ('ada')",
        "INSERT INTO users VALUES (NULL)",
    ] {
        assert!(pool.execute(statement).await.is_err());
        let mut connection = pool.acquire().await.unwrap();
        assert!(pool.on(&mut *connection).fetch_optional(statement).await.is_err());
    }
    let exceptions = recorder.named("database.query.exception");
    let kinds: Vec<_> = exceptions.iter().map(|exception| text(exception, "error_kind")).collect();
    let [database, unique, null] = ["database", "unique_violation", "not_null_violation"];
    assert_eq!(kinds, [database, database, unique, unique, null, null]);
    for exception in &exceptions {
        assert_eq!(text(exception, "reason"), text(exception, "error_kind"));
        assert!(exception.metadata("kind") == "error");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_acquire_gives_its_place_back_and_its_span_is_cancelled() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx cancelled");
    let pool = pool("sqlx cancelled", &database).await;
    let held = pool.acquire().await.unwrap();
    {
        let mut waiting = pin!(pool.acquire());
        poll_once(waiting.as_mut());
        let mut query = pin!(::sqlx::query("SELECT 1").fetch_all(&pool));
        poll_once(query.as_mut());
        let expected = Status { size: 1, ready: 0, in_use: 1, queue_length: 2 };
        assert_eq!(pool.status(), expected);
    }
    assert_eq!(pool.status().queue_length, 0);
    let cancelled = |name: &str| {
        let exceptions = recorder.named(name);
        exceptions.iter().filter(|exception| exception.metadata("kind") == "cancelled").count()
    };
    assert_eq!(cancelled("database.pool.checkout.exception"), 2);
    assert_eq!(cancelled("database.query.exception"), 1);
    drop(held);
    until(|| pool.status().ready == 1).await;
    recorder.assert_ended("database.query");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_nobody_waits_for_are_a_cancelled_query() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx stream");
    let pool = pool("sqlx stream", &database).await;
    {
        let mut rows = ::sqlx::query("SELECT 1 UNION SELECT 2").fetch(&pool);
        let row = std::future::poll_fn(|task| rows.as_mut().poll_next(task)).await;
        assert!(row.unwrap().is_ok());
        assert_eq!(pool.status().in_use, 1);
    }
    let exceptions = recorder.named("database.query.exception");
    assert!(exceptions.len() == 1 && exceptions[0].metadata("kind") == "cancelled");
    until(|| pool.status().in_use == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_is_too_long_and_one_at_a_closed_pool_say_so() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx timeout");
    let options =
        SqlitePoolOptions::new().max_connections(1).acquire_timeout(Duration::from_millis(20));
    let pool = Pool::connect_lazy_with("sqlx timeout", options, database.options());
    // The limit is for opening the connection, too, which may take longer.
    let held = loop {
        if let Ok(held) = pool.inner().acquire().await {
            break held;
        }
    };
    assert!(matches!(pool.acquire().await, Err(Error::PoolTimedOut)));
    let late = ::sqlx::query("SELECT 1").fetch_all(&pool).await;
    assert!(matches!(late, Err(Error::PoolTimedOut)));
    drop(held);
    // What is given back while the pool is closed may stay in it.
    until(|| pool.inner().num_idle() == 1).await;
    pool.close().await;
    assert!(matches!(pool.acquire().await, Err(Error::PoolClosed)));
    let kinds = |name: &str| -> Vec<_> {
        recorder.named(name).iter().map(|event| text(event, "error_kind")).collect()
    };
    assert_eq!(kinds("database.pool.checkout.exception"), ["timed_out", "timed_out", "closed"]);
    assert_eq!(kinds("database.query.exception"), ["timed_out"]);
    let query = recorder.named("database.query.exception")[0].clone();
    assert!(query.measurement("queue_time").as_u64().is_some());
    assert!(query.measurement("execution_time").is_null(), "it never got as far");
    assert_eq!(pool.status(), Status::default());
    assert_eq!(recorder.reasons(), ["closed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_gone_are_told_closed_by_the_next_checkout() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx old");
    let options = SqlitePoolOptions::new().max_connections(1).max_lifetime(Duration::from_nanos(1));
    let pool = Pool::connect_with("sqlx old", options, database.options()).await.unwrap();
    // The pool has opened one to see that it can; that one grows old with the first checkout at the latest.
    for _ in 0..5 {
        drop(pool.acquire().await.unwrap());
        until(|| pool.inner().size() == 0).await;
        let opened = recorder.named("database.pool.connected").len();
        // Whoever took the last one opened it: the pool has not been asked since it is gone.
        assert!(recorder.reasons().len() < opened);
        drop(pool.acquire().await.unwrap());
        assert!(recorder.reasons().len() >= opened - 1, "{:?} of {opened}", recorder.reasons());
        until(|| pool.inner().size() == 0).await;
    }
    drop(pool.acquire().await);
    until(|| pool.inner().size() == 0).await;
    pool.close().await;
    assert_eq!(recorder.reasons().len(), recorder.named("database.pool.connected").len());
    assert!(recorder.reasons().iter().all(|reason| reason == "unknown" || reason == "closed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_closed_for_one_reason_is_told_so_and_counted_so_for_ever() {
    const NAME: &str = "sqlx totals";
    let database = Database::new();
    let recorder = Recorder::of(NAME);
    let options = SqlitePoolOptions::new().max_connections(3).after_release(|_, _| {
        // None is taken back.
        Box::pin(std::future::ready(Ok(false)))
    });
    let pool = Pool::connect_with(NAME, options, database.options()).await.unwrap();
    let held = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    let store = Store::new(metrics([pool.watcher()])).unwrap();
    let closed = |reason: &str| {
        let snapshot = store.snapshot();
        match snapshot.value("database.pool.connections.closed.total", &[NAME, reason]) {
            Some(SeriesValue::Number(number)) => number,
            other => panic!("{other:?}"),
        }
    };
    drop(held);
    until(|| pool.inner().size() == 0).await;
    // They are counted when the metrics are read, and told later.
    assert_eq!(closed("unknown"), 2.0);
    assert_eq!(recorder.reasons(), [""; 0]);
    pool.close().await;
    assert_eq!(closed("unknown"), 2.0);
    assert_eq!(closed("closed"), 0.0);
    assert_eq!(recorder.reasons(), ["unknown"; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_told_closed_with_their_pool() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx dropped");
    let options = SqlitePoolOptions::new().min_connections(3).max_connections(3);
    let pool = pool_with("sqlx dropped", &database, options).await;
    until(|| pool.status().ready == 3).await;
    let watcher = pool.watcher();
    drop(pool);
    assert_eq!(recorder.reasons(), [""; 0], "the watcher holds it");
    drop(watcher);
    recorder.until(3, "database.pool.disconnected").await;
    assert_eq!(recorder.reasons(), ["closed"; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_gives_the_connection_back() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx panic");
    let pool = pool("sqlx panic", &database).await;
    let panicking = pool.clone();
    let task = tokio::spawn(async move {
        let _held = panicking.acquire().await.unwrap();
        panic!("while it has a connection");
    });
    assert!(task.await.unwrap_err().is_panic());
    until(|| pool.status().ready == 1).await;
    assert_eq!(recorder.reasons(), [""; 0]);
    assert_eq!(recorder.named("database.pool.connected").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_of_ones_own_go_with_the_telemetry() {
    let database = Database::new();
    let recorder = Recorder::of("sqlx own");
    let telemetry = PoolTelemetry::new("sqlx own");
    let (opened, taken) = (telemetry.clone(), telemetry.clone());
    let calls = Arc::new(AtomicUsize::new(0));
    let (first, second) = (calls.clone(), calls.clone());
    let options = SqlitePoolOptions::new()
        .max_connections(1)
        .after_connect(move |_, _| {
            opened.connected();
            first.fetch_add(1, SeqCst);
            Box::pin(async { Ok(()) })
        })
        .before_acquire(move |connection, metadata| {
            taken.taken(&metadata);
            second.fetch_add(1, SeqCst);
            // It may wait: what it was told is not forgotten.
            Box::pin(async { connection.execute("SELECT 1").await.map(|_| true) })
        });
    let inner: SqlitePool = options.connect_with(database.options()).await.unwrap();
    let pool = Pool::new(inner, telemetry);
    until(|| pool.status().ready == 1).await;
    drop(pool.acquire().await.unwrap());
    assert_eq!(calls.load(SeqCst), 2);
    assert_eq!(recorder.named("database.pool.connected").len(), 1);
    let stop = recorder.named("database.pool.checkout.stop")[0].clone();
    assert!(stop.measurement("idle_time").as_u64().is_some(), "{stop:?}");
}

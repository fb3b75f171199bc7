//! A pool of 10 with 40 clients in bursts, while connections grow old and are replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use ::sqlx::sqlite::SqlitePoolOptions;
use radiosonde_metrics::{SeriesValue, Snapshot, Store};
use radiosonde_pool::{Reason, Status, Watcher, bb8, metrics, query, sqlx};

use crate::database::Database;
use crate::recorder::Recorder;

const SIZE: u32 = 10;
const CLIENTS: usize = 40;
const BURSTS: usize = 5;
const QUERIES: usize = 6;
const ALL: usize = CLIENTS * BURSTS * QUERIES;

/// Old after a few queries.
const LIFETIME: Duration = Duration::from_millis(3);

/// Looks at the pool over and over until it is told to stop; gives the longest queue that it saw.
async fn look(watcher: Watcher, done: Arc<AtomicBool>) -> usize {
    let mut longest = 0;
    while !done.load(SeqCst) {
        let Status { size, ready, in_use, queue_length } = watcher.status();
        assert_eq!(ready + in_use, size);
        assert!(queue_length == 0 || ready == 0, "{queue_length} wait, and {ready} are ready");
        assert!(size <= SIZE as usize && queue_length <= CLIENTS, "{size} {queue_length}");
        longest = longest.max(queue_length);
        watcher.execute();
        tokio::task::yield_now().await;
    }
    longest
}

/// Runs the clients, and looks at the pool meanwhile.
async fn run<F>(watcher: Watcher, client: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let done = Arc::new(AtomicBool::new(false));
    let looking = tokio::spawn(look(watcher, done.clone()));
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client())).collect();
    for client in clients {
        client.await.unwrap();
    }
    done.store(true, SeqCst);
    assert!(looking.await.unwrap() > 0, "40 clients of a pool of 10 must wait");
}

async fn until(condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("it never came to be");
}

fn number(snapshot: &Snapshot, name: &str, tags: &[&str]) -> u64 {
    match snapshot.value(name, tags) {
        Some(SeriesValue::Number(number)) => number as u64,
        Some(SeriesValue::Count(count)) => count,
        Some(SeriesValue::Distribution { buckets, .. }) => buckets.iter().sum(),
        other => panic!("{name} {tags:?}: {other:?}"),
    }
}

/// What holds when nobody does anything any more: connections that were asked for are still being opened.
fn is_settled(recorder: &Recorder, snapshot: &Snapshot, pool: &str, live: u64) -> bool {
    let opened = number(snapshot, "database.pool.connections.opened.total", &[pool]);
    let closed = |reason: Reason| {
        number(snapshot, "database.pool.connections.closed.total", &[pool, reason.as_str()])
    };
    let closed: u64 = Reason::ALL.into_iter().map(closed).sum();
    let gauge = |name: &str| number(snapshot, name, &[pool]);
    opened - closed == live
        && recorder.named("database.pool.connected").len() as u64 == opened
        && gauge("database.pool.size") == live
        && gauge("database.pool.connections.ready") == live
        && gauge("database.pool.connections.in_use") == 0
        && gauge("database.pool.checkout.queue.length") == 0
}

fn assert_complete(recorder: &Recorder, snapshot: &Snapshot, pool: &str) {
    recorder.assert_ended("database.pool.checkout");
    recorder.assert_ended("database.query");
    assert_eq!(recorder.named("database.query.stop").len(), ALL);
    assert_eq!(recorder.named("database.pool.checkout.stop").len(), ALL);
    let duration = "database.pool.checkout.duration.seconds";
    assert_eq!(number(snapshot, duration, &[pool]), ALL as u64);
    assert_eq!(number(snapshot, "database.query.duration.seconds", &[pool, "insert"]), ALL as u64);
    let opened = number(snapshot, "database.pool.connections.opened.total", &[pool]);
    assert!(opened > u64::from(SIZE), "{opened}: none was replaced");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_of_bb8_in_bursts() {
    const NAME: &str = "bb8 bursts";
    let (database, recorder) = (Database::new(), Recorder::of(NAME));
    let manager = database.manager();
    let control = manager.control.clone();
    let builder = ::bb8::Pool::builder()
        .max_size(SIZE)
        .connection_timeout(Duration::from_secs(60))
        .max_lifetime(LIFETIME);
    let pool = bb8::Pool::build(NAME, builder, manager).await.unwrap();
    let store = Store::new(metrics([pool.watcher()])).unwrap();
    let attached = store.attach(radiosonde::global()).unwrap();
    {
        let mut connection = pool.inner().get().await.unwrap();
        let create = ::sqlx::query("CREATE TABLE runs (number INTEGER)");
        create.execute(&mut connection.connection).await.unwrap();
    }
    run(pool.watcher(), || {
        let pool = pool.clone();
        async move {
            for _ in 0..BURSTS {
                tokio::task::yield_now().await;
                for _ in 0..QUERIES {
                    let insert = "INSERT INTO runs VALUES (1)";
                    let mut connection = pool.get().await.unwrap();
                    let executed = ::sqlx::query(insert).execute(&mut connection.connection);
                    query(NAME, insert).try_instrument(executed).await.unwrap();
                }
            }
        }
    })
    .await;

    let live = || control.live.load(SeqCst) as u64;
    until(|| is_settled(&recorder, &store.snapshot(), NAME, live())).await;
    assert_complete(&recorder, &store.snapshot(), NAME);
    let closed = recorder.reasons();
    assert!(closed.iter().all(|reason| reason == "max_lifetime"), "{closed:?}");
    until(|| {
        let opened = recorder.named("database.pool.connected").len();
        (opened - recorder.reasons().len()) as u64 == live()
    })
    .await;
    drop(attached);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_of_sqlx_in_bursts() {
    const NAME: &str = "sqlx bursts";
    let (database, recorder) = (Database::new(), Recorder::of(NAME));
    let options = SqlitePoolOptions::new()
        .max_connections(SIZE)
        .acquire_timeout(Duration::from_secs(60))
        // Every fourth is closed when it is given back. (A short lifetime would have the pool look after its idle connections all
        // the time, which may never end: it counts them down before it has counted them up.)
        .after_release({
            let released = AtomicUsize::new(0);
            move |_, _| {
                let keep = !released.fetch_add(1, SeqCst).is_multiple_of(4);
                Box::pin(std::future::ready(Ok(keep)))
            }
        });
    let pool = sqlx::Pool::connect_with(NAME, options, database.options()).await.unwrap();
    ::sqlx::query("CREATE TABLE runs (number INTEGER)").execute(pool.inner()).await.unwrap();
    let store = Store::new(metrics([pool.watcher()])).unwrap();
    let attached = store.attach(radiosonde::global()).unwrap();
    run(pool.watcher(), || {
        let pool = pool.clone();
        async move {
            for _ in 0..BURSTS {
                tokio::task::yield_now().await;
                for _ in 0..QUERIES {
                    ::sqlx::query("INSERT INTO runs VALUES (1)").execute(&pool).await.unwrap();
                }
            }
        }
    })
    .await;

    until(|| is_settled(&recorder, &store.snapshot(), NAME, pool.inner().size().into())).await;
    let snapshot = store.snapshot();
    assert_complete(&recorder, &snapshot, NAME);
    assert_eq!(number(&snapshot, "database.query.queue.duration.seconds", &[NAME]), ALL as u64);
    pool.close().await;
    let opened = recorder.named("database.pool.connected").len();
    assert_eq!(opened, recorder.reasons().len());
    drop(attached);
}

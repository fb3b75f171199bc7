//! What is planted in statements, parameters, errors and panics is in nothing that a reporter shows.

use ::sqlx::sqlite::SqlitePoolOptions;
use radiosonde_metrics::Store;
use radiosonde_pool::sqlx::Pool;
use radiosonde_pool::{metrics, query};

use crate::database::Database;
use crate::recorder::Recorder;

const PLANTED: &str = "pl4nted";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_parameters_and_errors_are_redacted() {
    let database = Database::new();
    let recorder = Recorder::of("secrets");
    let pool = Pool::connect_with("secrets", SqlitePoolOptions::new(), database.options());
    let pool = pool.await.unwrap();
    let select = format!("SELECT '{PLANTED}', ?");
    ::sqlx::query(&select).bind(PLANTED).fetch_all(&pool).await.unwrap();
    // SQLite quotes both in its errors.
    let unknown = format!("SELECT * FROM {PLANTED}");
    let error = ::sqlx::query(&unknown).execute(&pool).await.unwrap_err();
    assert!(error.to_string().contains(PLANTED));
    let mut connection = pool.acquire().await.unwrap();
    assert!(::sqlx::query(&unknown).fetch_optional(pool.on(&mut *connection)).await.is_err());
    let failed = query("secrets", &select)
        .try_instrument(async { Err::<(), _>(std::io::Error::other(PLANTED)) });
    assert!(failed.await.is_err());
    let pool = pool.clone();
    let panicking = tokio::spawn(async move {
        let statement = format!("SELECT '{PLANTED}'");
        query(pool.name(), &statement)
            .try_instrument(async { panic!("{PLANTED}") as Result<(), std::io::Error> })
            .await
    });
    assert!(panicking.await.is_err());

    let events = recorder.all();
    let queries: Vec<_> = events
        .iter()
        .filter(|event| event.name().to_string().starts_with("database.query"))
        .collect();
    assert_eq!(queries.len(), 10);
    for event in events.iter() {
        let shown = serde_json::to_string(event).unwrap();
        assert!(!shown.contains(PLANTED), "{shown}");
    }
    for event in queries {
        assert!(
            event.metadata("statement").to_string().contains(PLANTED),
            "it is there for handlers"
        );
        let shown = serde_json::to_value(event).unwrap();
        assert_eq!(shown["metadata"]["statement"], "[redacted]");
    }
}

#[tokio::test]
async fn a_tag_of_a_secret_is_redacted() {
    let metrics = metrics([]).change("database.query.errors.total", |metric| {
        metric.tags(["statement", "error"]).keep(|event| event.metadata("pool") == "secret tags")
    });
    let store = Store::new(metrics).unwrap();
    let attached = store.attach(radiosonde::global()).unwrap();
    query("secret tags", PLANTED).start().error(&PLANTED);
    let tags = ["secret tags", "other", "other", "[redacted]", "[redacted]"];
    assert!(store.snapshot().value("database.query.errors.total", &tags).is_some());
    drop(attached);
}

//! The service that every contender has, and what a contender's metrics say about it.

use std::error::Error;
use std::fmt::{self, Debug};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use bytes::Bytes;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Executor, SqlitePool};

/// The template of the route that answers with a small text.
pub(crate) const USER: &str = "/users/{id}";

/// The template of the route that answers with the request's body.
pub(crate) const ECHO: &str = "/echo";

/// The template of the route that answers with what a database says.
pub(crate) const ORDER: &str = "/orders/{id}";

/// The routes, measured by nobody.
pub(crate) fn routes() -> Router {
    Router::new()
        .route(USER, get(|Path(id): Path<u32>| async move { format!("user {id} is Ada") }))
        .route(ECHO, post(|body: Bytes| async move { body }))
        .route(ORDER, get(order))
        .with_state(database())
}

/// A database in memory, of which each connection has one of its own with the same hundred orders.
fn database() -> SqlitePool {
    let options = SqlitePoolOptions::new().max_connections(4).after_connect(|connection, _| {
        Box::pin(async move {
            connection.execute(ORDERS).await?;
            Ok(())
        })
    });
    options.connect_lazy_with(SqliteConnectOptions::new().filename(":memory:"))
}

const ORDERS: &str = "
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, total REAL NOT NULL);
    WITH RECURSIVE numbers (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM numbers WHERE id < 100)
    INSERT INTO orders SELECT id, 'customer ' || id, id * 1.5 FROM numbers;";

async fn order(
    State(database): State<SqlitePool>,
    Path(id): Path<u32>,
) -> Result<String, StatusCode> {
    let found =
        sqlx::query_as::<_, (String, f64)>("SELECT customer, total FROM orders WHERE id = ?")
            .bind(id)
            .fetch_one(&database)
            .await;
    let (customer, total) = found.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(format!("order {id} of {customer} comes to {total:.2}"))
}

/// Someone who takes part.
pub(crate) trait Subject {
    /// Sets the process up. It may set a global that can be set only once: call it once in a
    /// process, within a runtime.
    fn start() -> Result<Service, Box<dyn Error>>;
}

/// The service, as a contender has it.
pub(crate) struct Service {
    /// With a route `/metrics`, if the contender has a page; that is not measured itself.
    pub(crate) router: Router,
    page: Option<Box<Page>>,
}

type Page = dyn Fn() -> String + Send + Sync;

impl Service {
    /// One that counts nothing.
    pub(crate) fn that_counts_nothing(router: Router) -> Self {
        Self { router, page: None }
    }

    /// One whose metrics a Prometheus server would get as `page`.
    pub(crate) fn new(router: Router, page: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { router, page: Some(Box::new(page)) }
    }

    /// What the contender itself says was done so far, if it counts.
    pub(crate) fn recorded(&self) -> Option<Recorded> {
        self.page.as_ref().map(|page| recorded(&page()))
    }

    pub(crate) fn has_page(&self) -> bool {
        self.page.is_some()
    }
}

impl Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Service").finish_non_exhaustive()
    }
}

/// What a page shows of the routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The requests that the counter comes to.
    pub(crate) requests: u64,
    /// The requests whose duration the distribution holds.
    pub(crate) durations: u64,
}

/// Reads a page, with the names of every contender.
fn recorded(page: &str) -> Recorded {
    let mut recorded = Recorded::default();
    for line in page.lines() {
        let Some((name, labels)) = line.split_once('{') else { continue };
        let Some((labels, number)) = labels.rsplit_once("} ") else { continue };
        let is_ours =
            [USER, ECHO, ORDER].iter().any(|route| labels.contains(&format!("\"{route}\"")));
        let Some(number) = number.parse::<f64>().ok().filter(|_| is_ours) else { continue };
        if name.ends_with("http_requests_total") || name == "http_server_requests_total" {
            recorded.requests += number as u64;
        } else if name.ends_with("_duration_seconds_count") {
            recorded.durations += number as u64;
        }
    }
    recorded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_in_the_spelling_of_every_contender() {
        let page = "# TYPE http_server_requests_total counter\n\
             http_server_requests_total{method=\"GET\",route=\"/users/{id}\",status_class=\"2xx\"} 2\n\
             http_server_exceptions_total{method=\"GET\",route=\"/users/{id}\",kind=\"panic\"} 50\n\
             http_server_request_duration_seconds_count{route=\"/echo\"} 3\n\
             http_server_request_duration_seconds_bucket{route=\"/echo\",le=\"1\"} 60\n\
             http_server_request_size_bytes_count{route=\"/echo\"} 70\n\
             axum_http_requests_total{endpoint=\"/echo\"} 4\n\
             axum_http_requests_total{endpoint=\"/metrics\"} 80\n\
             axum_http_requests_duration_seconds_count{endpoint=\"/users/{id}\"} 5\n\
             http_requests_total{path=\"/echo\"} 6.0\n\
             http_requests_duration_seconds_sum{path=\"/echo\"} 90\n";
        assert_eq!(recorded(page), Recorded { requests: 12, durations: 8 });
    }
}

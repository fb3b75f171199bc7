//! The metrics as a part of an application's own server, with axum.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::routing::get;
use hyper::HeaderMap;
use radiosonde_metrics::Store;

use crate::answer::{negotiate, page_or_error};
use crate::builder::DEFAULT_PATH;
use crate::scrapes::Scrapes;
use crate::teller::Teller;

/// A router that shows a store at [`DEFAULT_PATH`], to be merged into an application's own.
///
/// Pages are rendered in tokio's threads for blocking work, one at a time; requests that wait share them. Handlers of the
/// event `telemetry.prometheus.scrape` run there, too. Who may see them
/// and how long they may take, the application's layers say.
///
/// ```
/// use axum::Router;
/// use radiosonde_metrics::{Store, counter};
///
/// let store = Store::new([counter("ex_atlas.runpod.request.count")])?;
/// let _attached = store.attach(radiosonde::global())?;
/// let application: Router = Router::new().merge(radiosonde_prometheus::router(&store));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn router<S>(store: &Arc<Store>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let scrapes = Arc::new(Scrapes::of(store));
    let teller = Arc::new(Teller::default());
    let scrape = move |headers: HeaderMap| {
        let (scrapes, teller) = (Arc::clone(&scrapes), Arc::clone(&teller));
        async move {
            let begun = Instant::now();
            let answer = page_or_error(scrapes.page(negotiate(&headers)).await);
            teller.tell(&answer, begun);
            answer
        }
    };
    Router::new().route(DEFAULT_PATH, get(scrape))
}

#[cfg(test)]
mod tests;

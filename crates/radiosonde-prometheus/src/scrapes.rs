//! Rendering for many scrapes: one page at a time, off the threads that serve, shared by all who wait for it.

use std::fmt;
use std::sync::Arc;

use hyper::body::Bytes;
use parking_lot::Mutex;
use radiosonde_metrics::Store;
use tokio::sync::{OnceCell, Semaphore};

use crate::negotiate::Representation;
use crate::render::Page;

/// A page that several responses can have at once.
#[derive(Debug, Clone)]
pub(crate) struct SharedPage {
    pub(crate) content_type: &'static str,
    pub(crate) content_encoding: Option<&'static str>,
    pub(crate) body: Bytes,
}

impl From<Page> for SharedPage {
    fn from(page: Page) -> Self {
        let Page { content_type, content_encoding, body } = page;
        Self { content_type, content_encoding, body: body.into() }
    }
}

/// `None` when rendering panicked.
type Rendering = Arc<OnceCell<Option<SharedPage>>>;

/// The rendering under way, and those that wait for their turn: one for each representation that somebody asks for.
pub(crate) struct Scrapes {
    render: Arc<dyn Fn(Representation) -> Page + Send + Sync>,
    turn: Arc<Semaphore>,
    waiting: Mutex<Vec<(Representation, Rendering)>>,
}

impl Scrapes {
    /// Scrapes of a store.
    pub(crate) fn of(store: &Arc<Store>) -> Self {
        let store = Arc::clone(store);
        Self::new(move |representation| representation.render(&store))
    }

    pub(crate) fn new(render: impl Fn(Representation) -> Page + Send + Sync + 'static) -> Self {
        Self {
            render: Arc::new(render),
            turn: Arc::new(Semaphore::new(1)),
            waiting: Mutex::default(),
        }
    }

    /// A page that shows everything from before this was called; `None` when rendering panicked.
    ///
    /// Has to be called in a tokio runtime, whose threads for blocking work render.
    pub(crate) async fn page(&self, representation: Representation) -> Option<SharedPage> {
        let rendering = self.join(representation);
        // Whoever is first does it. If that client hangs up, the next one takes over.
        rendering.get_or_init(|| self.render(representation, &rendering)).await.clone()
    }

    /// The rendering of this representation that has not begun, so that it will show what happened until now.
    fn join(&self, representation: Representation) -> Rendering {
        let mut waiting = self.waiting.lock();
        if let Some((_, rendering)) = waiting.iter().find(|(known, _)| *known == representation) {
            return Arc::clone(rendering);
        }
        let rendering = Rendering::default();
        waiting.push((representation, Arc::clone(&rendering)));
        rendering
    }

    async fn render(
        &self,
        representation: Representation,
        rendering: &Rendering,
    ) -> Option<SharedPage> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.ok()?;
        // From here on it may miss what happens, so that nobody else may join.
        self.waiting.lock().retain(|(_, waiting)| !Arc::ptr_eq(waiting, rendering));
        let render = Arc::clone(&self.render);
        let rendered = tokio::task::spawn_blocking(move || {
            // Held in here, because the client may hang up, which ends the future but not the rendering.
            let _turn = turn;
            render(representation).into()
        });
        rendered.await.ok()
    }
}

impl fmt::Debug for Scrapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrapes").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

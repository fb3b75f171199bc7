//! Those who read the metrics page while everybody works.

use std::error::Error;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Pace;
use super::pace::panic_on;
use crate::checks;
use crate::page::Page;

/// What the scrapers saw.
#[derive(Debug, Default)]
pub(crate) struct Scrapes {
    pub(crate) pages: u64,
    /// What was wrong with the pages, or between one page and the next.
    pub(crate) failures: Vec<String>,
}

impl Scrapes {
    fn read(&mut self, page: Result<Page, Box<dyn Error + Send + Sync>>, last: &mut Page) {
        self.pages += 1;
        match page {
            Ok(page) => {
                self.failures.extend(checks::what_fell(last, &page));
                *last = page;
            }
            Err(error) => self.failures.push(error.to_string()),
        }
    }
}

/// W13: two scrapers once a second, as Prometheus would, and a greedy one that never waits.
pub(crate) async fn scrapes(url: String, seen: Arc<Mutex<Scrapes>>, pace: Pace) {
    tokio::join!(
        patient(url.clone(), seen.clone(), &pace),
        patient(url.clone(), seen.clone(), &pace),
        greedy(url, seen, &pace)
    );
}

/// Holds every page against the one before: nothing that only grows has shrunk, whoever else reads.
async fn patient(url: String, seen: Arc<Mutex<Scrapes>>, pace: &Pace) {
    let last = Arc::new(Mutex::new(Page::default()));
    let scrape = move |_| {
        let (url, seen, last) = (url.clone(), seen.clone(), last.clone());
        async move {
            let text = Page::fetch_text(&url).await;
            // Whoever reads a page does so elsewhere, and not at the expense of those who work here.
            let read = move || {
                let page = text.and_then(Page::parse);
                seen.lock().read(page, &mut last.lock());
            };
            tokio::task::spawn_blocking(read).await.unwrap_or_else(panic_on);
        }
    };
    pace.turns(1, 1.0, scrape).await;
}

async fn greedy(url: String, seen: Arc<Mutex<Scrapes>>, pace: &Pace) {
    while !pace.is_over() {
        let text = Page::fetch_text(&url).await;
        let mut seen = seen.lock();
        seen.pages += 1;
        seen.failures.extend(text.err().map(|error| error.to_string()));
    }
}

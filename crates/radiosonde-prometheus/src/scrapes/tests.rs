//! Renderings that begin and end when the test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use super::Scrapes;
use crate::negotiate::Representation;
use crate::render::Page;

/// Longer than anything here takes; reached only when something is broken.
const DEADLINE: Duration = Duration::from_secs(20);

struct Fixture {
    scrapes: Arc<Scrapes>,
    /// Receives the number of each rendering that begins; it is what its page says.
    begun: UnboundedReceiver<usize>,
    /// Ends a rendering.
    end: Sender<()>,
    /// How many renderings were under way at the same time, at most.
    most: Arc<AtomicUsize>,
    runtime: Runtime,
}

fn start() -> Fixture {
    let (begin, begun) = unbounded_channel();
    let (end, ended) = channel();
    let ended = Mutex::new(ended);
    let (count, under_way) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let scrapes = {
        let most = Arc::clone(&most);
        Scrapes::new(move |_| {
            most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let number = count.fetch_add(1, Ordering::SeqCst);
            begin.send(number).unwrap();
            ended.lock().recv_timeout(DEADLINE).unwrap();
            under_way.fetch_sub(1, Ordering::SeqCst);
            let body = number.to_string().into_bytes();
            Page { content_type: "text/plain", content_encoding: None, body }
        })
    };
    let runtime = Builder::new_current_thread().build().unwrap();
    Fixture { scrapes: Arc::new(scrapes), begun, end, most, runtime }
}

impl Fixture {
    /// A scrape that has come as far as it can.
    fn scrape(&self) -> JoinHandle<String> {
        let scrapes = Arc::clone(&self.scrapes);
        let scrape = self.runtime.spawn(async move {
            let page = scrapes.page(Representation::negotiate(None, None)).await.unwrap();
            String::from_utf8(page.body.to_vec()).unwrap()
        });
        self.runtime.block_on(tokio::task::yield_now());
        scrape
    }

    fn await_beginning(&mut self) -> usize {
        self.runtime.block_on(self.begun.recv()).unwrap()
    }

    fn page(&self, scrape: JoinHandle<String>) -> String {
        self.runtime.block_on(scrape).unwrap()
    }
}

#[test]
fn scrapes_that_wait_share_the_rendering_that_begins_after_they_came() {
    let mut fixture = start();
    let first = fixture.scrape();
    assert_eq!(fixture.await_beginning(), 0);
    let others: Vec<_> = (0..8).map(|_| fixture.scrape()).collect();
    fixture.end.send(()).unwrap();
    assert_eq!(fixture.page(first), "0");
    assert_eq!(fixture.await_beginning(), 1);
    fixture.end.send(()).unwrap();
    for other in others {
        assert_eq!(fixture.page(other), "1", "not the page that was begun before");
    }
    assert!(fixture.begun.try_recv().is_err(), "two pages for nine scrapes");
}

#[test]
fn a_client_that_hangs_up_while_it_waits_keeps_no_page_from_the_others() {
    let mut fixture = start();
    let first = fixture.scrape();
    fixture.await_beginning();
    let (second, third) = (fixture.scrape(), fixture.scrape());
    second.abort();
    fixture.end.send(()).unwrap();
    fixture.end.send(()).unwrap();
    assert_eq!((fixture.page(first), fixture.page(third)), ("0".to_owned(), "1".to_owned()));
}

#[test]
fn clients_that_hang_up_while_their_page_is_rendered_do_not_pile_renderings_up() {
    let mut fixture = start();
    for number in 0..3 {
        let hasty = fixture.scrape();
        if number == 0 {
            fixture.await_beginning();
        }
        hasty.abort();
    }
    let last = fixture.scrape();
    fixture.end.send(()).unwrap();
    fixture.end.send(()).unwrap();
    assert_eq!(fixture.page(last), "1");
    assert_eq!(fixture.most.load(Ordering::SeqCst), 1);
    assert!(fixture.scrapes.waiting.lock().is_empty());
}

//! More scrapes than a handler can take.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::Response;
use parking_lot::Mutex;
use radiosonde::Event;
use tokio::runtime::Builder;

use super::{MAXIMUM_WAITING, Teller};

/// Longer than anything here takes; reached only when something is broken.
const DEADLINE: Duration = Duration::from_secs(20);

/// The status by which the handler knows these from other tests' scrapes.
const STATUS: u16 = 299;

#[test]
fn scrapes_that_a_slow_handler_leaves_no_room_for_are_counted_in_the_next() {
    let id = "scrapes_that_a_slow_handler_leaves_no_room_for_are_counted_in_the_next";
    let (begin, begun) = channel();
    let (end, ended) = channel::<()>();
    let ended = Mutex::new(ended);
    let handler = move |event: &Event<'_>| {
        if event.metadata("status") == STATUS {
            let _ = begin.send((
                event.measurement("bytes").as_f64().unwrap(),
                event.measurement("missed").as_f64().unwrap(),
            ));
            let _ = ended.lock().recv_timeout(DEADLINE);
        }
    };
    radiosonde::attach(id, "telemetry.prometheus.scrape", handler).unwrap();
    let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let _entered = runtime.enter();
    let teller = Arc::new(Teller::default());
    // Each is as long as its number says.
    let tell = |number: usize| {
        let body = Full::from("x".repeat(number));
        teller.tell(&Response::builder().status(STATUS).body(body).unwrap(), Instant::now());
    };
    tell(0);
    assert_eq!(begun.recv_timeout(DEADLINE), Ok((0.0, 0.0)));
    (1..=MAXIMUM_WAITING + 3).for_each(tell);
    drop(end);
    runtime.block_on(teller.finish());
    tell(1_000);
    runtime.block_on(teller.finish());
    radiosonde::detach(id).unwrap();

    let expected = (1..=MAXIMUM_WAITING).map(|number| (number as f64, 0.0));
    let expected: Vec<_> = expected.chain([(1_000.0, 3.0)]).collect();
    assert_eq!(begun.try_iter().collect::<Vec<_>>(), expected);
}

//! The ten invariants of ARCHITECTURE.md, one test each, named after it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use radiosonde::{Bus, EventName, Value, capture, execute, span};
use radiosonde_delivery::{Answer, Attempt, Delivery, Options, Sink};
use radiosonde_metrics::{Store, counter, distribution, exponential};
use radiosonde_prometheus::Prometheus;

use crate::tidy::{files, is_test_file, read, shipped_code};

/// Long enough for any machine; a test that waits this long has found a deadlock.
const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn the_bus_does_nothing_of_its_own_when_nobody_listens() {
    let started = ["thread::spawn", "thread::Builder", "std::net", "TcpStream", "UdpSocket"];
    let sources = files("crates/radiosonde/src", &["rs"]);
    for path in sources.iter().filter(|path| !is_test_file(path)) {
        let code = shipped_code(&read(path));
        let found = started.iter().find(|name| code.contains(*name));
        assert_eq!(found, None, "in `{}`", path.display());
    }

    let evaluated = AtomicU64::new(0);
    let look = || evaluated.fetch_add(1, Relaxed);
    let once = || {
        execute!("invariants.unheard", { looks: look() }, { text: look().to_string() });
        span!("invariants.unheard").stop();
    };
    once();
    let allocations = allocation_counter::measure(once);
    assert_eq!(allocations.count_total, 0);
    assert_eq!(evaluated.load(Relaxed), 0, "measurements and metadata are evaluated for nobody");
}

#[test]
fn no_lock_is_held_while_a_handler_runs() {
    let bus = Bus::new();
    let name = EventName::new("invariants.lock").unwrap();
    let (entered, has_entered) = mpsc::channel();
    let (release, is_released) = mpsc::channel::<()>();
    let wait = waiter(is_released);
    bus.attach("waits", "invariants.lock", move |_| {
        entered.send(()).unwrap();
        wait(DEADLINE);
    })
    .unwrap();

    let (done, is_done) = mpsc::channel();
    let other = bus.clone();
    let waiting = thread::spawn({
        let (bus, name) = (bus.clone(), name.clone());
        move || bus.execute(&name, &[], &[])
    });
    has_entered.recv_timeout(DEADLINE).unwrap();
    let verbs = thread::spawn(move || {
        other.attach("second", "invariants.**", |_| ()).unwrap();
        assert_eq!(other.list_handlers("").len(), 2);
        other.execute(&EventName::new("invariants.other").unwrap(), &[], &[]);
        other.detach("second").unwrap();
        done.send(()).unwrap();
    });
    let answered = is_done.recv_timeout(DEADLINE);
    release.send(()).unwrap();
    waiting.join().unwrap();
    verbs.join().unwrap();
    assert!(answered.is_ok(), "the bus was locked while a handler ran");
}

/// A receiver that any thread may wait on, as a handler is `Sync`.
fn waiter(receiver: mpsc::Receiver<()>) -> impl Fn(Duration) + Send + Sync {
    let receiver = std::sync::Mutex::new(receiver);
    move |deadline| receiver.lock().unwrap().recv_timeout(deadline).unwrap()
}

#[test]
fn a_handlers_panic_never_reaches_the_caller() {
    let bus = Bus::new();
    let name = EventName::new("invariants.panic").unwrap();
    let heard = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&heard);
    bus.attach("panics", "invariants.panic", |_| panic!("in a handler")).unwrap();
    bus.attach("counts", "invariants.panic", move |_| {
        counts.fetch_add(1, Relaxed);
    })
    .unwrap();

    let executed = catch_unwind(AssertUnwindSafe(|| bus.execute(&name, &[], &[])));

    assert!(executed.is_ok());
    assert_eq!(heard.load(Relaxed), 1, "the handlers after it run");
    assert_eq!(bus.list_handlers("").len(), 1, "and it is detached");
}

#[test]
fn a_span_that_started_ends_exactly_once() {
    let capture =
        capture(["invariants.work.start", "invariants.work.stop", "invariants.work.exception"]);
    let start = || span!("invariants.work");

    start().stop();
    drop(start());
    start().error("too late");
    start().run(|_| ());
    start().try_run(|_| Err::<(), _>("no")).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| start().run(|_| panic!("in a span")))).unwrap_err();
    drop(start().instrument(async {}));
    let moved = start().into_owned();
    capture.scope().run(|| moved.stop());

    let events = capture.events();
    let contexts_of = |phase: &[&str]| {
        let chosen = events
            .iter()
            .filter(|event| phase.iter().any(|phase| event.name().as_str().ends_with(phase)));
        let mut contexts: Vec<String> =
            chosen.map(|event| event.metadata("telemetry_span_context").to_string()).collect();
        contexts.sort();
        contexts
    };
    assert_eq!(contexts_of(&[".start"]).len(), 8);
    assert_eq!(contexts_of(&[".start"]), contexts_of(&[".stop", ".exception"]));
}

/// A sink whose server never answers, until it is told to.
struct Stuck(mpsc::Receiver<()>);

impl Sink<String> for Stuck {
    fn send(&mut self, _records: &[String], _attempt: &Attempt) -> Answer {
        // Both a word and the end of the test set it free.
        let _ = self.0.recv_timeout(DEADLINE);
        Answer::Delivered
    }
}

/// Executes `events` events into a delivery that is stuck, and gives what became of them.
fn execute_into_a_stuck_sink(events: u64) -> radiosonde_delivery::Report {
    let (release, is_released) = mpsc::channel();
    let options = Options::default().queue_records(8).batch_records(1);
    let delivery = Delivery::start("stuck", options, Stuck(is_released)).unwrap();
    let bus = Bus::new();
    let queue = delivery.queue();
    bus.attach("forwards", "invariants.**", move |event| {
        queue.try_push(event.name().to_string());
    })
    .unwrap();

    let (done, is_done) = mpsc::channel();
    let name = EventName::new("invariants.forwarded").unwrap();
    let executing = thread::spawn(move || {
        (0..events).for_each(|_| bus.execute(&name, &[], &[]));
        done.send(()).unwrap();
    });
    let answered = is_done.recv_timeout(DEADLINE / 2);
    drop(release);
    executing.join().unwrap();
    assert!(answered.is_ok(), "a handler waited for a server that does not answer");
    delivery.shutdown(DEADLINE)
}

#[test]
fn handlers_never_block_on_io() {
    execute_into_a_stuck_sink(10_000);
}

#[test]
fn what_is_dropped_is_counted_and_the_count_can_be_seen() {
    let report = execute_into_a_stuck_sink(1_000);

    assert!(report.dropped.total() > 900, "a queue of 8 was full: {report:?}");
    assert_eq!(report.sent + report.retained + report.dropped.total(), 1_000, "{report:?}");
}

#[test]
fn a_metric_is_extracted_from_an_event_in_one_function() {
    for name in ["radiosonde-metrics", "radiosonde-prometheus"] {
        let extracting = files(&format!("crates/{name}/src"), &["rs"]).into_iter().filter(|path| {
            // An exemplar says in which span its event was, which is no part of the sample.
            let code =
                shipped_code(&read(path)).replace("event.metadata(\"telemetry_span_context\")", "");
            !is_test_file(path)
                && (code.contains("event.measurement") || code.contains("event.metadata"))
        });
        let expected = "crates/radiosonde-metrics/src/extract.rs";
        for path in extracting {
            assert!(
                path.ends_with(expected),
                "`{}` reads events; that is `Metric::extract`'s",
                path.display()
            );
        }
    }
}

#[test]
fn memory_is_bounded_by_the_series_and_not_by_the_events() {
    let store = Store::new([
        counter("invariants.request.count").tags(["method"]),
        distribution("invariants.request.duration")
            .tags(["method"])
            .buckets(exponential(1.0, 2.0, 10)),
    ])
    .unwrap();
    let bus = Bus::new();
    let _attached = store.attach(&bus).unwrap();
    let name = EventName::new("invariants.request").unwrap();
    let work = |events: u64| {
        for event in 0..events {
            let method = ["get", "post", "delete"][event as usize % 3];
            bus.execute(
                &name,
                &[("duration", Value::from(event))],
                &[("method", Value::from(method))],
            );
        }
    };
    work(100);

    // Nobody reads the store meanwhile.
    let allocations = allocation_counter::measure(|| work(100_000));

    // Less than none: what earlier events had outgrown may be freed meanwhile.
    assert!(allocations.bytes_current <= 0, "{allocations:?}");
}

#[test]
fn dropping_a_reporter_leaves_the_bus_as_it_was() {
    let bus = Bus::new();
    bus.attach("stays", "invariants.request", |_| ()).unwrap();
    let before = format!("{:?}", bus.list_handlers(""));

    let metrics = [counter("invariants.request.count")];
    let prometheus =
        Prometheus::builder().bus(&bus).metrics(metrics).listen("127.0.0.1:0").start().unwrap();
    let address = prometheus.local_addr();
    assert_eq!(bus.list_handlers("").len(), 2);
    drop(prometheus);

    assert_eq!(format!("{:?}", bus.list_handlers("")), before);
    let bound: io::Result<_> = std::net::TcpListener::bind(address);
    assert!(bound.is_ok(), "the port is free again");
}

#[test]
fn nothing_leaves_for_an_endpoint_that_the_operator_did_not_name() {
    for path in files("crates", &["rs"]).iter().filter(|path| !is_test_file(path)) {
        for text in shipped_code(&read(path)).split('"').skip(1).step_by(2) {
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            let names_a_host =
                host.is_some_and(|host| host.starts_with(|c: char| c.is_ascii_alphanumeric()));
            assert!(!names_a_host, "`{}` knows the endpoint `{text}`", path.display());
        }
    }
    assert!(radiosonde_posthog::PostHog::from_env("NOBODY_HAS_SET_THIS").unwrap().is_none());
    assert!(radiosonde_snowplow::Snowplow::from_env("NOBODY_HAS_SET_THIS").unwrap().is_none());
}

//! What measuring a task allocates: one waker for the task, and nothing for a poll, a wake or the end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use allocation_counter::measure;
use radiosonde_poller::Poller;
use radiosonde_tokio::{TaskKind, runtime_measurement, task_metrics};

/// A runtime's waker. `Waker::noop()` would not do: it does not always know itself again.
struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

/// One test, as what others ask for is asked for here, too.
#[test]
fn a_measured_task_allocates_its_waker_and_a_poll_of_a_runtime_nothing() {
    static KIND: TaskKind = TaskKind::new("test.allocations");
    let waker = Waker::from(Arc::new(Nothing));
    let run = || {
        let mut polls = 0;
        let mut task = pin!(KIND.instrument(poll_fn(|context| {
            context.waker().wake_by_ref();
            polls += 1;
            if polls < 100 { Poll::Pending } else { Poll::Ready(()) }
        })));
        let mut context = Context::from_waker(&waker);
        while task.as_mut().poll(&mut context).is_pending() {}
    };
    // The first time the bus is asked who is attached to the two events.
    run();
    assert_eq!(measure(run).count_total, 0, "nobody asks");
    let _metrics = task_metrics([&KIND]);
    let measured = measure(run);
    assert_eq!((measured.count_total, measured.count_current), (1, 0));

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    radiosonde::attach("allocations", "tokio.runtime", |_event| {}).unwrap();
    let nothing = Poller::builder().manual().start().unwrap();
    let measured = [runtime_measurement("main", runtime.handle())];
    let poller = Poller::builder().manual().measurements(measured).start().unwrap();
    let allocated = |poller: &Poller| measure(|| poller.refresh()).count_total;
    assert!(allocated(&poller) <= allocated(&nothing), "beside what a poller needs");
}

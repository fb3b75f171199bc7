//! A job costs next to nothing while nobody listens. In a process of its own, in which nobody does.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use radiosonde_jobs::{Job, JobLayer};
use tower::{Layer, Service};

#[derive(Clone)]
struct Worker;

impl Service<u32> for Worker {
    type Response = u32;
    type Error = Infallible;
    type Future = Ready<Result<u32, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, job: u32) -> Self::Future {
        ready(Ok(job + 1))
    }
}

#[test]
fn while_nobody_listens_nothing_is_described_and_nothing_allocated() {
    let described = Cell::new(0);
    let layer = JobLayer::new(|_: &u32| {
        described.set(described.get() + 1);
        Job::new("quiet")
    });
    let mut worker = layer.layer(Worker);
    let mut once = || {
        let mut task = Context::from_waker(Waker::noop());
        let call = pin!(worker.call(1));
        assert!(matches!(call.poll(&mut task), Poll::Ready(Ok(2))));
        let job = pin!(Job::new("quiet").attempt(2).try_instrument(ready(Ok::<_, Infallible>(3))));
        assert!(matches!(job.poll(&mut task), Poll::Ready(Ok(3))));
        assert_eq!(Job::new("quiet").run(|| 4), 4);
    };
    // The first time the span makes itself known to the bus.
    once();
    let allocated = allocation_counter::measure(once);
    assert_eq!((described.get(), allocated.count_total), (0, 0));

    // That it would be noticed: now somebody listens.
    let _capture = radiosonde::capture(["job.run.*"]);
    let allocated = allocation_counter::measure(|| drop(worker.call(1)));
    assert!(described.get() == 1 && allocated.count_total > 0);
}

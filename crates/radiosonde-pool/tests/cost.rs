//! What it costs when nobody listens. Alone in its binary: handlers of other tests would be listening.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests say what went wrong by panicking"
)]

use std::time::Duration;

use allocation_counter::measure;
use radiosonde_pool::bb8::Pool;
use radiosonde_pool::query;

struct Manager;

impl bb8::ManageConnection for Manager {
    type Connection = ();
    type Error = std::io::Error;

    async fn connect(&self) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn is_valid(&self, (): &mut ()) -> Result<(), Self::Error> {
        Ok(())
    }

    fn has_broken(&self, (): &mut ()) -> bool {
        false
    }
}

#[test]
fn nothing_is_allocated_when_nobody_listens() {
    let statement = String::from("SELECT 1");
    // The first span of its kind finds out that nobody listens.
    query("primary", &statement).start().stop();
    let spans = measure(|| {
        let mut span = query("primary", &statement).source("users").start();
        span.rows(1);
        span.queue_time(Duration::from_secs(1));
        span.stop();
        query("primary", &statement).start().error(&"text");
        drop(query("primary", &statement).start());
    });
    assert_eq!(spans.count_total, 0);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let pool = Pool::build("primary", bb8::Pool::builder().max_size(1), Manager).await.unwrap();
        drop(pool.get().await.unwrap());
        let polled = |get: &mut dyn FnMut()| measure(get).count_total;
        let ours = {
            let mut get = Box::pin(async { drop(pool.get().await.unwrap()) });
            polled(&mut || assert!(poll_once(get.as_mut()).is_ready()))
        };
        let theirs = {
            let mut get = Box::pin(async { drop(pool.inner().get().await.unwrap()) });
            polled(&mut || assert!(poll_once(get.as_mut()).is_ready()))
        };
        assert_eq!(ours, theirs);
    });
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

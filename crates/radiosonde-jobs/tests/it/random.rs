//! Many jobs at once, of which any may be stopped at any time: what starts ends, once.

use std::collections::BTreeMap;
use std::time::Duration;

use radiosonde::capture;
use radiosonde_jobs::{Enqueued, Job, metrics};
use radiosonde_metrics::{SeriesValue, Store};
use tokio::task::{JoinSet, yield_now};

const JOBS: u32 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_500_random_jobs_each_ends_once_however_it_ends() {
    let store = Store::new(metrics()).unwrap();
    let _attached = store.attach(radiosonde::global()).unwrap();
    let capture = capture(["job.run.*"]);
    let mut random = fastrand::Rng::with_seed(7);
    let mut jobs = JoinSet::new();
    let mut aborts = Vec::new();
    for number in 0..JOBS {
        let (steps, fate, attempt) = (random.u32(0..20), random.u32(0..4), random.u32(1..=3));
        let sleeps = random.bool();
        let job = Job::new("random").queue("it.random").attempt(attempt).maximum_attempts(3);
        let run = job.enqueued(&Enqueued::now()).try_instrument(async move {
            for _ in 0..steps {
                if sleeps {
                    tokio::time::sleep(Duration::from_micros(200)).await;
                } else {
                    yield_now().await;
                }
            }
            match fate {
                0 => Err("failed"),
                1 => panic!("job {number}"),
                _ => Ok(()),
            }
        });
        let handle = jobs.spawn(capture.instrument(run));
        if random.u32(0..3) == 0 {
            aborts.push(handle);
        }
        if random.u32(0..8) == 0 {
            aborts.drain(..).for_each(|handle| handle.abort());
            yield_now().await;
        }
    }
    aborts.into_iter().for_each(|handle| handle.abort());
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    while let Some(joined) = jobs.join_next().await {
        let outcome = match joined {
            Ok(Ok(())) => "null",
            Ok(Err(_)) => "error",
            Err(error) if error.is_panic() => "panic",
            Err(_) => "cancelled",
        };
        *expected.entry(outcome).or_default() += 1;
    }
    assert!(expected.len() == 4, "the seed has one of each: {expected:?}");

    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    let (mut started, mut stopped, mut exceptions) = (0, 0, 0);
    for event in capture.events() {
        match event.name().as_str() {
            "job.run.start" => started += 1,
            name => {
                *if name == "job.run.stop" { &mut stopped } else { &mut exceptions } += 1;
                *told.entry(event.metadata("error").to_string()).or_default() += 1;
            }
        }
    }
    assert_eq!((started, stopped + exceptions), (JOBS, JOBS));
    assert!(told.iter().map(|(error, count)| (error.as_str(), *count)).eq(expected.clone()));

    let snapshot = store.snapshot();
    let executing = snapshot.value("job.executing", &["random", "it.random"]);
    assert!(
        matches!(executing, Some(SeriesValue::Number(number)) if number == 0.0),
        "{executing:?}"
    );
    for (error, count) in expected.into_iter().filter(|(error, _)| *error != "null") {
        let failures = snapshot.value("job.failures.total", &["random", "it.random", error]);
        assert!(
            matches!(failures, Some(SeriesValue::Count(number)) if number == count),
            "{failures:?}"
        );
    }
}

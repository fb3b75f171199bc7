//! What tokio tells of how long polls take, in builds with `--cfg tokio_unstable`.

use std::sync::Arc;

use radiosonde_metrics::Metric;
use radiosonde_metrics::Unit::{Nanosecond, Second};
use radiosonde_metrics::{last_value, sum};

use super::Named;

pub(super) fn metrics(runtimes: &Arc<[Named]>) -> Vec<Metric> {
    vec![mean_poll_time(Arc::clone(runtimes)), polls_by_time(Arc::clone(runtimes))]
}

fn mean_poll_time(runtimes: Arc<[Named]>) -> Metric {
    last_value("tokio.worker.mean_poll_time.seconds")
        .unit(Nanosecond, Second)
        .tags(["runtime", "worker"])
        .description("How long the worker's polls take lately, in seconds: a weighted mean.")
        .callback(move |observe| {
            for runtime in runtimes.iter() {
                for (index, worker) in runtime.workers.iter().enumerate() {
                    let mean = runtime.metrics.worker_mean_poll_time(index);
                    observe(&[&runtime.name, worker], mean.as_nanos() as f64);
                }
            }
        })
}

/// Tokio's histogram of poll times, as a counter with the bounds as a tag: a callback gives numbers, not histograms.
fn polls_by_time(runtimes: Arc<[Named]>) -> Metric {
    let bounds: Vec<Vec<String>> = runtimes.iter().map(bounds).collect();
    sum("tokio.polls_by_time.total")
        .tags(["runtime", "up_to"])
        .description(
            "Polls that took up to so many seconds, where the runtime keeps a histogram of them.",
        )
        .callback(move |observe| {
            for (runtime, bounds) in runtimes.iter().zip(&bounds) {
                let metrics = &runtime.metrics;
                let mut polls = 0;
                for (bucket, bound) in bounds.iter().enumerate() {
                    polls += (0..runtime.workers.len())
                        .map(|worker| metrics.poll_time_histogram_bucket_count(worker, bucket))
                        .sum::<u64>();
                    observe(&[&runtime.name, bound], polls as f64);
                }
            }
        })
}

/// The upper bounds of the histogram's buckets in seconds, as texts: the values of the tag `up_to`.
fn bounds(runtime: &Named) -> Vec<String> {
    let metrics = &runtime.metrics;
    let buckets = metrics.poll_time_histogram_num_buckets();
    let bound = |bucket| {
        if bucket + 1 == buckets {
            return "+Inf".to_owned();
        }
        metrics.poll_time_histogram_bucket_range(bucket).end.as_secs_f64().to_string()
    };
    (0..buckets).map(bound).collect()
}

//! The numbers of a runtime, each with its key in the event and its metric.

use radiosonde_metrics::Metric;
use radiosonde_metrics::Unit::{Nanosecond, Second};
use radiosonde_metrics::{last_value, sum};
use tokio::runtime::RuntimeMetrics;

/// A number of a runtime.
pub(super) struct Reading {
    /// Its key in the event.
    #[cfg_attr(
        not(feature = "poller"),
        allow(dead_code, reason = "only a poller executes the event")
    )]
    pub(super) key: &'static str,
    /// Its metric, without tags.
    pub(super) metric: fn() -> Metric,
    pub(super) read: Read,
}

/// Where a number is had from.
#[derive(Clone, Copy)]
pub(super) enum Read {
    Runtime(fn(&RuntimeMetrics) -> u64),
    /// Each worker has its own, and the runtime their sum.
    Worker(fn(&RuntimeMetrics, usize) -> u64),
}

/// All of them, in the order of the event's keys.
pub(super) const READINGS: &[Reading] = &[
    Reading {
        key: "workers",
        metric: || last_value("tokio.workers").description("Threads that poll tasks."),
        read: Read::Runtime(|runtime| runtime.num_workers() as u64),
    },
    #[cfg(target_has_atomic = "64")]
    Reading {
        key: "parked_workers",
        metric: || {
            last_value("tokio.parked_workers")
                .description("Workers that sleep, because there is nothing to poll.")
        },
        read: Read::Runtime(|runtime| {
            let is_parked = |worker: &usize| runtime.worker_park_unpark_count(*worker) % 2 == 1;
            (0..runtime.num_workers()).filter(is_parked).count() as u64
        }),
    },
    Reading {
        key: "alive_tasks",
        metric: || {
            last_value("tokio.alive_tasks")
                .description("Tasks that were spawned and have not ended.")
        },
        read: Read::Runtime(|runtime| runtime.num_alive_tasks() as u64),
    },
    Reading {
        key: "global_queue_depth",
        metric: || {
            last_value("tokio.global_queue_depth")
                .description("Tasks that wait in the queue that all workers take from.")
        },
        read: Read::Runtime(|runtime| runtime.global_queue_depth() as u64),
    },
    #[cfg(target_has_atomic = "64")]
    Reading {
        key: "parks",
        metric: || {
            sum("tokio.worker.parks.total").description("How often the worker has gone to sleep.")
        },
        read: Read::Worker(RuntimeMetrics::worker_park_count),
    },
    #[cfg(target_has_atomic = "64")]
    Reading {
        key: "busy",
        metric: || {
            sum("tokio.worker.busy.seconds.total")
                .unit(Nanosecond, Second)
                .description("How long the worker was awake, in seconds.")
        },
        read: Read::Worker(|runtime, worker| {
            u64::try_from(runtime.worker_total_busy_duration(worker).as_nanos()).unwrap_or(u64::MAX)
        }),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    Reading {
        key: "spawned_tasks",
        metric: || sum("tokio.spawned_tasks.total").description("Tasks that were spawned."),
        read: Read::Runtime(RuntimeMetrics::spawned_tasks_count),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    Reading {
        key: "remote_schedules",
        metric: || {
            sum("tokio.remote_schedules.total")
                .description("Tasks that were woken from outside of the workers.")
        },
        read: Read::Runtime(RuntimeMetrics::remote_schedule_count),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    Reading {
        key: "forced_yields",
        metric: || {
            sum("tokio.forced_yields.total").description(
                "How often tasks were made to yield because they had used up their budget.",
            )
        },
        read: Read::Runtime(RuntimeMetrics::budget_forced_yield_count),
    },
    #[cfg(tokio_unstable)]
    Reading {
        key: "blocking_threads",
        metric: || last_value("tokio.blocking_threads").description("Threads for what blocks."),
        read: Read::Runtime(|runtime| runtime.num_blocking_threads() as u64),
    },
    #[cfg(tokio_unstable)]
    Reading {
        key: "idle_blocking_threads",
        metric: || {
            last_value("tokio.idle_blocking_threads")
                .description("Threads for what blocks that have nothing to do.")
        },
        read: Read::Runtime(|runtime| runtime.num_idle_blocking_threads() as u64),
    },
    #[cfg(tokio_unstable)]
    Reading {
        key: "blocking_queue_depth",
        metric: || {
            last_value("tokio.blocking_queue_depth")
                .description("What waits for a thread that may block.")
        },
        read: Read::Runtime(|runtime| runtime.blocking_queue_depth() as u64),
    },
    #[cfg(tokio_unstable)]
    Reading {
        key: "local_queue_depth",
        metric: || {
            last_value("tokio.worker.local_queue_depth")
                .description("Tasks that wait in the worker's own queue.")
        },
        read: Read::Worker(|runtime, worker| runtime.worker_local_queue_depth(worker) as u64),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    Reading {
        key: "polls",
        metric: || {
            sum("tokio.worker.polls.total").description("How often the worker has polled a task.")
        },
        read: Read::Worker(RuntimeMetrics::worker_poll_count),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    Reading {
        key: "noops",
        metric: || {
            sum("tokio.worker.noops.total")
                .description("How often the worker woke up, found nothing to do, and slept again.")
        },
        read: Read::Worker(RuntimeMetrics::worker_noop_count),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    Reading {
        key: "steals",
        metric: || {
            sum("tokio.worker.steals.total")
                .description("Tasks that the worker has taken from others.")
        },
        read: Read::Worker(RuntimeMetrics::worker_steal_count),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    Reading {
        key: "steal_operations",
        metric: || {
            sum("tokio.worker.steal_operations.total")
                .description("How often the worker has taken tasks from others.")
        },
        read: Read::Worker(RuntimeMetrics::worker_steal_operations),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    Reading {
        key: "local_schedules",
        metric: || {
            sum("tokio.worker.local_schedules.total")
                .description("Tasks that were woken by the worker.")
        },
        read: Read::Worker(RuntimeMetrics::worker_local_schedule_count),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64"))]
    Reading {
        key: "overflows",
        metric: || {
            sum("tokio.worker.overflows.total").description(
                "How often the worker's queue was full, and half of it went to the one that all take from.",
            )
        },
        read: Read::Worker(RuntimeMetrics::worker_overflow_count),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64", feature = "net"))]
    Reading {
        key: "registered_fds",
        metric: || {
            sum("tokio.io_driver.registered_fds.total")
                .description("File descriptors that the I/O driver was given.")
        },
        read: Read::Runtime(RuntimeMetrics::io_driver_fd_registered_count),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64", feature = "net"))]
    Reading {
        key: "deregistered_fds",
        metric: || {
            sum("tokio.io_driver.deregistered_fds.total")
                .description("File descriptors that were taken from the I/O driver.")
        },
        read: Read::Runtime(RuntimeMetrics::io_driver_fd_deregistered_count),
    },
    #[cfg(all(tokio_unstable, target_has_atomic = "64", feature = "net"))]
    Reading {
        key: "io_ready",
        metric: || {
            sum("tokio.io_driver.ready.total")
                .description("Readiness events that the I/O driver has handled.")
        },
        read: Read::Runtime(RuntimeMetrics::io_driver_ready_count),
    },
];

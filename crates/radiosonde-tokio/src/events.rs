//! The events of this crate. That of a runtime is executed on the poller's bus, the others on the global one.

radiosonde::declare! {
    /// Every event of this crate.
    pub static EVENTS;

    /// A runtime as it is at this moment, its workers taken together. What is counted is counted since the runtime was built.
    /// The keys from `spawned_tasks` on are there where the program is built with `--cfg tokio_unstable`.
    pub event RUNTIME = "tokio.runtime" {
        measurements: {
            /// The threads that poll tasks.
            workers: "worker",
            /// Those of them that sleep, because there is nothing to poll.
            parked_workers: "worker",
            /// Tasks that were spawned and have not ended.
            alive_tasks: "task",
            /// Tasks that wait in the queue that all workers take from.
            global_queue_depth: "task",
            /// How often workers have gone to sleep.
            parks: "park",
            /// How long workers were awake.
            busy: "nanosecond",
            /// Tasks that were spawned.
            spawned_tasks: "task",
            /// Tasks that were woken from outside of the workers.
            remote_schedules: "task",
            /// How often tasks were made to yield because they had used up their budget.
            forced_yields: "yield",
            /// Threads for what blocks.
            blocking_threads: "thread",
            /// Those of them that have nothing to do.
            idle_blocking_threads: "thread",
            /// What waits for a thread that may block.
            blocking_queue_depth: "task",
            /// Tasks that wait in the queues of the workers.
            local_queue_depth: "task",
            /// How often workers have polled a task.
            polls: "poll",
            /// How often workers woke up, found nothing to do, and slept again.
            noops: "park",
            /// Tasks that workers have taken from others.
            steals: "task",
            /// How often workers have taken tasks from others.
            steal_operations: "steal",
            /// Tasks that were woken by a worker.
            local_schedules: "task",
            /// How often the queue of a worker was full, and half of it went to the one that all take from.
            overflows: "overflow",
            /// File descriptors that the I/O driver was given; with the feature `net`.
            registered_fds: "file descriptor",
            /// File descriptors that were taken from the I/O driver; with the feature `net`.
            deregistered_fds: "file descriptor",
            /// Readiness events that the I/O driver has handled; with the feature `net`.
            io_ready: "event",
        },
        metadata: {
            /// The runtime's name.
            runtime,
        },
    }

    /// A task was polled for longer than it should be without giving others a turn.
    pub event SLOW_POLL = "tokio.task.slow_poll" {
        measurements: {
            /// How long the poll took.
            duration: "nanosecond",
        },
        metadata: {
            /// The kind of task.
            task,
        },
    }

    /// A task has ended. Absent is what was not measured from the start, because nobody had asked for it by then.
    pub event END = "tokio.task.end" {
        measurements: {
            /// From when the task was instrumented until it ended.
            duration: "nanosecond",
            /// From when the task was instrumented until it was first polled.
            first_poll_delay: "nanosecond",
            /// How long it was polled, all polls together.
            poll_duration: "nanosecond",
            /// How long it waited to be polled after it was woken.
            scheduled_duration: "nanosecond",
            /// How long it waited to be woken.
            idle_duration: "nanosecond",
            /// How often it was polled.
            polls: "poll",
            /// How often that took too long.
            slow_polls: "poll",
        },
        metadata: {
            /// The kind of task.
            task,
            /// `done`, `panic`, or `cancelled`: aborted, timed out, or otherwise dropped before it was done.
            outcome,
        },
    }
}

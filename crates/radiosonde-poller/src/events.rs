//! The events of this crate. Those about the poller itself (`telemetry.*`) are executed on the global bus, the others on the
//! poller's bus.

radiosonde::declare! {
    /// Every event of this crate.
    pub static EVENTS;

    /// A measurement has panicked or returned an error.
    pub event FAILURE = "telemetry.poller.failure" {
        measurements: {
            /// How often it has failed in a row, this time included.
            failures: "failure",
        },
        metadata: {
            /// The poller's name, if it has one.
            poller,
            /// The measurement's name.
            measurement,
            /// `panic` or `error`.
            kind,
            /// The text of the panic or the error.
            reason: identifier,
            /// Whether it is measured no more.
            removed,
        },
    }

    /// A measurement is still running while its next tick comes, which is skipped. Told again only after a run that was in
    /// time; the skipped ticks are counted in `Poller::list_measurements`.
    pub event SKIPPED = "telemetry.poller.skipped" {
        measurements: {
            /// The poller's period.
            period: "nanosecond",
        },
        metadata: {
            /// The poller's name, if it has one.
            poller,
            /// The measurement's name.
            measurement,
        },
    }

    /// A measurement was still running when the poller had to be shut down. Its thread ends when it does.
    pub event ABANDONED = "telemetry.poller.abandoned" {
        measurements: {
            /// How long the shutdown has waited for it.
            timeout: "nanosecond",
        },
        metadata: {
            /// The poller's name, if it has one.
            poller,
            /// The measurement's name.
            measurement,
        },
    }

    /// What the process has used of the processors since it started, all of its threads together.
    pub event CPU = "process.cpu" {
        measurements: {
            /// In its own code.
            user: "nanosecond",
            /// In the kernel.
            system: "nanosecond",
        },
        metadata: {},
    }

    /// The memory of the process.
    pub event MEMORY = "process.memory" {
        measurements: {
            /// What of it is in RAM.
            resident: "byte",
            /// What of the address space is taken.
            virtual: "byte",
        },
        metadata: {},
    }

    /// The file descriptors of the process.
    pub event FILE_DESCRIPTORS = "process.file_descriptors" {
        measurements: {
            /// How many are open.
            open: "file descriptor",
            /// How many may be: the soft limit.
            maximum: "file descriptor",
        },
        metadata: {},
    }

    /// The threads of the process.
    pub event THREADS = "process.threads" {
        measurements: {
            /// How many there are.
            count: "thread",
        },
        metadata: {},
    }

    /// How often the processors have left threads of the process since it started, ended threads included.
    pub event CONTEXT_SWITCHES = "process.context_switches" {
        measurements: {
            /// Because the thread had to wait for something.
            voluntary: "switch",
            /// Because others were to run.
            involuntary: "switch",
        },
        metadata: {},
    }

    /// What the process has made the storage layer transfer since it started; what a cache answered is not in it.
    pub event IO = "process.io" {
        measurements: {
            /// Fetched from storage.
            read: "byte",
            /// Sent to storage, now or later.
            written: "byte",
        },
        metadata: {},
    }

    /// When the process was started.
    pub event UPTIME = "process.uptime" {
        measurements: {
            /// For how long it has been running.
            duration: "nanosecond",
            /// When that began, since 1970.
            start_time: "nanosecond",
        },
        metadata: {},
    }

    /// What the program was built from.
    pub event BUILD = "build" {
        measurements: {
            /// Always 1, so that it can be counted and joined with.
            info: "",
        },
        metadata: {
            /// The program's name.
            name,
            /// Its version.
            version,
            /// The commit it was built from; `unknown` where it was built without one.
            revision,
            /// The version of the compiler.
            rustc,
            /// The platform it was built for.
            target,
        },
    }
}

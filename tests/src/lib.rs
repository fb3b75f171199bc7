//! Compiles every Rust code block of the documents: `cargo test --doc` runs them.

/// Makes a document's code blocks doc-tests of this crate.
macro_rules! documents {
    ($($name:ident: $path:literal,)+) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($path)]
            mod $name {}
        )+
    };
}

documents! {
    readme: "../../README.md",
    contributing: "../../CONTRIBUTING.md",
    getting_started: "../../docs/src/getting-started.md",
    introduction: "../../docs/src/introduction.md",
    events: "../../docs/src/concepts/events.md",
    handlers: "../../docs/src/concepts/handlers.md",
    spans: "../../docs/src/concepts/spans.md",
    metrics: "../../docs/src/concepts/metrics.md",
    reporters: "../../docs/src/concepts/reporters.md",
    instrumenting_a_library: "../../docs/src/guides/instrumenting-a-library.md",
    polling: "../../docs/src/guides/polling.md",
    testing: "../../docs/src/guides/testing.md",
    writing_a_reporter: "../../docs/src/guides/writing-a-reporter.md",
    coming_from_elixir: "../../docs/src/guides/coming-from-elixir.md",
    coming_from_tracing_and_metrics: "../../docs/src/guides/coming-from-tracing-and-metrics.md",
    grafana: "../../docs/src/reporters/grafana.md",
    prometheus: "../../docs/src/reporters/prometheus.md",
    pool: "../../docs/src/instrumentation/pool.md",
    tokio: "../../docs/src/instrumentation/tokio.md",
    tower: "../../docs/src/instrumentation/tower.md",
    jobs: "../../docs/src/instrumentation/jobs.md",
    hyper_client: "../../docs/src/instrumentation/hyper-client.md",
    trace_context: "../../docs/src/instrumentation/trace-context.md",
    bridge_tracing: "../../docs/src/bridges/tracing.md",
    bridge_metrics: "../../docs/src/bridges/metrics.md",
    jobs_readme: "../../crates/radiosonde-jobs/README.md",
    design: "../../docs/src/design.md",
}

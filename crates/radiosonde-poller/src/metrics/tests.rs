//! The definitions, as a store reads them.

use radiosonde_metrics::{Kind, Store, exported_name};

use super::*;

#[test]
fn the_names_are_those_of_the_client_libraries_and_totals_are_counters() {
    let metrics: Vec<(String, Kind)> = process_metrics()
        .iter()
        .map(|metric| (exported_name(metric.name()), metric.kind()))
        .collect();
    let expected = [
        ("process_cpu_seconds_total", Kind::Sum),
        ("process_resident_memory_bytes", Kind::LastValue),
        ("process_virtual_memory_bytes", Kind::LastValue),
        ("process_open_fds", Kind::LastValue),
        ("process_max_fds", Kind::LastValue),
        ("process_threads", Kind::LastValue),
        ("process_start_time_seconds", Kind::LastValue),
        ("process_uptime_seconds", Kind::LastValue),
        ("process_context_switches_total", Kind::Sum),
        ("process_io_bytes_total", Kind::Sum),
    ];
    assert_eq!(metrics, expected.map(|(name, kind)| (name.to_owned(), kind)));
    assert!(process_metrics().iter().all(|metric| !metric.description_text().is_empty()));
}

#[test]
fn the_build_is_a_metric_that_is_read_when_it_is_looked_at() {
    let build = build_info_metric("shop", "1.2.3", None);
    assert!(build.has_callback() && build.event_patterns().is_empty());
    assert_eq!(exported_name(build.name()), "build_info");
}

#[test]
fn the_definitions_are_accepted_together() {
    let build = build_info_metric("shop", "1.2.3", None);
    Store::new(process_metrics().into_iter().chain([build])).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn each_metric_of_the_process_reads_what_its_name_says() {
    let mut numbers = std::collections::BTreeMap::new();
    for (metric, read) in process_readings() {
        let tags = metric.tag_names().len();
        read(&mut |values, number| {
            assert_eq!(values.len(), tags, "{metric:?}");
            numbers.insert(format!("{} {}", metric.name(), values.join(" ")), number);
        })
        .unwrap();
    }
    let number = |name: &str| numbers[name];
    assert_eq!(numbers.len(), 12);
    assert!(
        number("process.cpu.seconds.total ")
            <= system::cpu().map(|(u, s)| (u + s).as_secs_f64()).unwrap()
    );
    let [resident, virtual_] =
        ["resident", "virtual"].map(|kind| number(&format!("process.{kind}.memory.bytes ")));
    assert!(f64::from(1 << 20) < resident && resident < virtual_, "{numbers:?}");
    assert!(
        number("process.open.fds ") >= 3.0
            && number("process.open.fds ") <= number("process.max.fds ")
    );
    assert_eq!(number("process.max.fds "), system::maximum_file_descriptors().unwrap() as f64);
    assert!(number("process.threads ") >= 2.0);
    assert_eq!(number("process.start_time.seconds "), system::start_time().unwrap().as_secs_f64());
    assert!(number("process.uptime.seconds ") <= system::uptime().unwrap().as_secs_f64());
    let (voluntary, involuntary) = system::context_switches().unwrap();
    assert!(number("process.context_switches.total voluntary") <= voluntary as f64);
    assert!(number("process.context_switches.total involuntary") <= involuntary as f64);
    let (read, written) = system::io().unwrap();
    assert!(number("process.io.bytes.total read") <= read as f64);
    assert!(number("process.io.bytes.total written") <= written as f64);
}

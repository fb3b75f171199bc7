//! The pages of the crates that instrument something have tables of their events and metrics, which are made from the code.

use std::fs;

use radiosonde::{Catalogue, Declaration};
use radiosonde_metrics::Definitions;

use super::{assert_tidy, files, read, root};

const PAGES: &str = "docs/src/instrumentation";
/// Set to any value, it has the tables written.
const WRITE: &str = "RADIOSONDE_WRITE_DOCS";

/// A crate by its name, the events that it executes, and the metrics that it has ready. Its page is called like the crate.
type Crate = (&'static str, &'static [&'static Declaration], Definitions);

/// One line for each crate.
fn instrumentation() -> Vec<Crate> {
    vec![
        (
            "radiosonde-hyper-client",
            radiosonde_hyper_client::events::EVENTS,
            hyper_client_metrics(),
        ),
        ("radiosonde-jobs", radiosonde_jobs::events::EVENTS, jobs_metrics()),
        ("radiosonde-pool", radiosonde_pool::events::EVENTS, pool_metrics()),
        ("radiosonde-tokio", radiosonde_tokio::events::EVENTS, tokio_metrics()),
        ("radiosonde-tower", radiosonde_tower::events::EVENTS, tower_metrics()),
    ]
}

pub(crate) fn hyper_client_metrics() -> Definitions {
    let pools = radiosonde_hyper_client::pool_metrics([]);
    radiosonde_hyper_client::metrics().into_iter().chain(pools).collect()
}

pub(crate) fn jobs_metrics() -> Definitions {
    let lengths = radiosonde_jobs::QueueLengths::new(["default"], ["available"]);
    radiosonde_jobs::metrics().into_iter().chain([lengths.polled_metric()]).collect()
}

pub(crate) fn pool_metrics() -> Definitions {
    radiosonde_pool::metrics([radiosonde_pool::Watcher::new("primary", Default::default)])
}

pub(crate) fn tokio_metrics() -> Definitions {
    let runtime = radiosonde_tokio::runtime_metrics::<&str>([]);
    runtime.into_iter().chain(radiosonde_tokio::task_metrics([])).collect()
}

pub(crate) fn tower_metrics() -> Definitions {
    let server = radiosonde_tower::TelemetryLayer::new().metrics();
    server.into_iter().chain(radiosonde_tower::websocket::metrics()).collect()
}

fn page_of(name: &str) -> String {
    format!("{PAGES}/{}.md", name.trim_start_matches("radiosonde-"))
}

/// The page with its tables made anew, or what it lacks for that.
fn with_tables(page: &str, (name, events, metrics): &Crate) -> Result<String, String> {
    let events = Catalogue::new([*events]).to_markdown();
    let page = with_part(page, &format!("<!-- events of {name} -->"), &events)?;
    with_part(&page, &format!("<!-- metrics of {name} -->"), &metrics.to_markdown())
}

/// The page with this text from the line `start` to the line that says `end`.
fn with_part(page: &str, start: &str, text: &str) -> Result<String, String> {
    const END: &str = "<!-- end -->";
    let lacks = || format!("has no lines `{start}` and, after it, `{END}`");
    let (before, rest) = page.split_once(start).ok_or_else(lacks)?;
    let (_, after) = rest.split_once(END).ok_or_else(lacks)?;
    Ok(format!("{before}{start}\n\n{}\n\n{END}{after}", text.trim_end()))
}

#[test]
fn the_tables_of_an_instrumentation_page_are_those_of_its_crate() {
    let write = std::env::var_os(WRITE).is_some();
    assert_tidy(instrumentation().iter().filter_map(|instrumented| {
        let path = page_of(instrumented.0);
        let page = read(&path);
        match with_tables(&page, instrumented) {
            Ok(made) if made == page => None,
            Ok(made) if write => {
                fs::write(root().join(&path), made).unwrap();
                None
            }
            Ok(_) => Some(format!(
                "the tables of {path} are not those of the code; `{WRITE}=1 cargo test -p radiosonde-tests --test it tidy::instrumentation` writes them"
            )),
            Err(problem) => Some(format!("{path} {problem}")),
        }
    }));
}

#[test]
fn every_page_with_tables_is_of_a_crate_whose_code_they_are_made_from() {
    let known: Vec<String> = instrumentation().iter().map(|(name, ..)| page_of(name)).collect();
    assert_tidy(files(PAGES, &["md"]).iter().filter_map(|path| {
        let path = path.to_str().unwrap();
        let is_orphan = read(path).contains("<!-- events of ") && !known.iter().any(|page| page == path);
        is_orphan.then(|| format!("{path} has tables that nothing compares; add its crate to tests/it/tidy/instrumentation.rs"))
    }));
}

#[test]
fn a_table_replaces_what_is_between_its_lines_and_nothing_else() {
    let page = "# A\n\n<!-- events of a -->\nold\n<!-- end -->\n\nrest\n<!-- end -->\n";
    assert_eq!(
        with_part(page, "<!-- events of a -->", "new\n\n").unwrap(),
        "# A\n\n<!-- events of a -->\n\nnew\n\n<!-- end -->\n\nrest\n<!-- end -->\n"
    );
    let problem = with_part(page, "<!-- metrics of a -->", "new").unwrap_err();
    assert!(problem.contains("`<!-- metrics of a -->`"), "{problem}");
    with_part("<!-- events of a -->", "<!-- events of a -->", "new").unwrap_err();
}

//! The contract pages and the tests are two lists of the same statements.

use std::path::{Path, PathBuf};

use super::{assert_tidy, files, quoted, read, tests_in};

/// The contract of the bus, whose tests are written for it: there is none that no statement names.
const BUS: &str = "docs/src/reference/contract.md";

/// The pages, and the letter that the numbers of their statements begin with.
const PAGES: [(&str, &str); 9] = [
    (BUS, "C"),
    ("docs/src/reference/contract-metrics.md", "M"),
    ("docs/src/reference/contract-prometheus.md", "P"),
    ("docs/src/reference/contract-poller.md", "L"),
    ("docs/src/reference/contract-delivery.md", "D"),
    ("docs/src/reference/contract-posthog.md", "H"),
    ("docs/src/reference/contract-log.md", "G"),
    ("docs/src/reference/contract-usage-ping.md", "U"),
    ("docs/src/reference/contract-snowplow.md", "S"),
];

/// A row of a page: `| C1 | statement | `test_name` |`; a statement may be checked by several tests.
struct Statement {
    number: String,
    tests: Vec<String>,
}

fn statements(page: &str, letter: &str) -> Vec<Statement> {
    let start = format!("| {letter}");
    let rows = page.lines().filter_map(|line| line.strip_prefix(start.as_str()));
    rows.map(|row| {
        let cells: Vec<&str> =
            row.trim_end().trim_end_matches('|').split('|').map(str::trim).collect();
        let tests = quoted(cells.last().unwrap()).into_iter().map(str::to_owned).collect();
        Statement { number: format!("{letter}{}", cells[0]), tests }
    })
    .collect()
}

fn is_contract_test_file(path: &Path) -> bool {
    path.iter().any(|part| part.to_str().is_some_and(|name| name.starts_with("contract")))
        && !path.ends_with("tidy/contract.rs")
}

#[test]
fn every_statement_of_a_contract_names_a_test_that_exists() {
    let tests = tests_in(&files(".", &["rs"]));
    assert_tidy(PAGES.into_iter().flat_map(|(page, letter)| {
        let statements = statements(&read(page), letter);
        assert!(!statements.is_empty(), "{page} has no rows `| {letter}1 | statement | `test` |`");
        let mut wrong = Vec::new();
        for (statement, number) in statements.iter().zip(1..) {
            let (number, expected) = (&statement.number, format!("{letter}{number}"));
            if *number != expected {
                wrong.push(format!("{page}: `{number}` is where `{expected}` should be"));
            }
            if statement.tests.is_empty() {
                wrong.push(format!("{page}: {number} names no test"));
            }
            let missing = statement.tests.iter().filter(|test| !tests.contains(test));
            wrong.extend(
                missing.map(|test| format!("{page}: {number} names `{test}`, which is no test")),
            );
        }
        wrong
    }));
}

#[test]
fn every_contract_test_of_the_bus_is_named_by_a_statement() {
    let paths: Vec<PathBuf> = files("crates/radiosonde/tests", &["rs"])
        .into_iter()
        .filter(|path| is_contract_test_file(path))
        .collect();
    let statements = statements(&read(BUS), "C");
    let tests = tests_in(&paths);
    assert!(!tests.is_empty(), "no contract tests in `crates/radiosonde/tests/it/contract_*.rs`");
    let named = |test: &String| statements.iter().any(|statement| statement.tests.contains(test));
    assert_tidy(
        tests
            .iter()
            .filter(|test| !named(test))
            .map(|test| format!("`{test}` checks something that {BUS} does not state")),
    );
}

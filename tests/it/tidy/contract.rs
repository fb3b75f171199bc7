//! The contract page and the tests are two lists of the same statements.

use std::path::{Path, PathBuf};

use super::{assert_tidy, files, quoted, read, tests_in};

const PAGE: &str = "docs/src/reference/contract.md";

/// A row of the page: `| C1 | statement | `test_name` |`; a statement may be checked by several tests.
struct Statement {
    number: String,
    tests: Vec<String>,
}

fn statements(page: &str) -> Vec<Statement> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| C"));
    rows.map(|row| {
        let cells: Vec<&str> =
            row.trim_end().trim_end_matches('|').split('|').map(str::trim).collect();
        let tests = quoted(cells.last().unwrap()).into_iter().map(str::to_owned).collect();
        Statement { number: format!("C{}", cells[0]), tests }
    })
    .collect()
}

fn is_contract_test_file(path: &Path) -> bool {
    path.iter().any(|part| part.to_str().is_some_and(|name| name.starts_with("contract")))
        && !path.ends_with("tidy/contract.rs")
}

#[test]
fn every_statement_of_the_contract_names_a_test_that_exists() {
    let statements = statements(&read(PAGE));
    assert!(!statements.is_empty(), "{PAGE} has no rows `| C1 | statement | `test` |`");
    let tests = tests_in(&files(".", &["rs"]));
    let numbered = statements.iter().zip(1..).filter_map(|(statement, number)| {
        let expected = format!("C{number}");
        (statement.number != expected)
            .then(|| format!("{PAGE}: `{}` is where `{expected}` should be", statement.number))
    });
    let unnamed = statements
        .iter()
        .filter(|statement| statement.tests.is_empty())
        .map(|statement| format!("{PAGE}: {} names no test", statement.number));
    let missing = statements.iter().flat_map(|statement| {
        let missing = statement.tests.iter().filter(|test| !tests.contains(test));
        missing.map(|test| format!("{PAGE}: {} names `{test}`, which is no test", statement.number))
    });
    assert_tidy(numbered.chain(unnamed).chain(missing));
}

#[test]
fn every_contract_test_is_named_by_a_statement() {
    let paths: Vec<PathBuf> = files("crates/radiosonde/tests", &["rs"])
        .into_iter()
        .filter(|path| is_contract_test_file(path))
        .collect();
    let statements = statements(&read(PAGE));
    let tests = tests_in(&paths);
    assert!(!tests.is_empty(), "no contract tests in `crates/radiosonde/tests/it/contract_*.rs`");
    let named = |test: &String| statements.iter().any(|statement| statement.tests.contains(test));
    assert_tidy(
        tests
            .iter()
            .filter(|test| !named(test))
            .map(|test| format!("`{test}` checks something that {PAGE} does not state")),
    );
}

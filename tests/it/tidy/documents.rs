//! Rules that keep the documents true: what exists is in them, and what they name exists.

use std::path::Path;

use super::{assert_tidy, crates, files, is_test_file, quoted, read, root, shipped_code, tests_in};

const PAGES: &str = "docs/src";
const EVENTS: &str = "docs/src/reference/telemetry-events.md";

#[test]
fn every_crate_is_in_the_readme_and_in_the_code_map() {
    let readme = read("README.md");
    let architecture = read("ARCHITECTURE.md");
    assert_tidy(crates().iter().flat_map(|name| {
        let row = format!("| [`{name}`](crates/{name}) |");
        let heading = format!("### `crates/{name}`");
        [
            (readme.contains(&row), format!("README.md has no table row `{row} …`")),
            (
                architecture.lines().any(|line| line == heading),
                format!("ARCHITECTURE.md has no heading `{heading}`"),
            ),
            (
                root().join("crates").join(name).join("README.md").exists(),
                format!("`crates/{name}` has no README.md"),
            ),
        ]
        .into_iter()
        .filter_map(|(holds, complaint)| (!holds).then_some(complaint))
    }));
}

#[test]
fn every_module_of_the_core_is_in_the_code_map() {
    let architecture = read("ARCHITECTURE.md");
    let source = Path::new("crates/radiosonde/src");
    assert_tidy(files("crates/radiosonde/src", &["rs"]).iter().filter_map(|path| {
        let path = path.strip_prefix(source).unwrap();
        let module = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let is_mapped = module == "lib" || architecture.contains(&format!("| `{module}` |"));
        (!is_mapped).then(|| format!("ARCHITECTURE.md's code map has no row `| `{module}` | …`"))
    }));
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let architecture = read("ARCHITECTURE.md");
    let tests = tests_in(&files(".", &["rs"]));
    let invariants: Vec<&str> =
        architecture.lines().filter(|line| line.starts_with("| I")).collect();
    assert_eq!(invariants.len(), 10, "ARCHITECTURE.md states ten invariants, `| I1 | … |`");
    assert_tidy(invariants.iter().filter_map(|row| {
        let test = quoted(row).last().copied().unwrap_or_default().to_owned();
        (!tests.contains(&test)).then(|| format!("there is no test `{test}`, named by `{row}`"))
    }));
}

#[test]
fn every_example_is_declared_and_says_how_to_run_it() {
    let manifest = read("examples/Cargo.toml");
    let directory = Path::new("examples");
    let flat = files("examples", &["rs"]);
    let flat = flat.iter().filter(|path| path.parent() == Some(directory));
    assert_tidy(flat.flat_map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = read(path);
        let declared = manifest.contains(&format!("path = \"{name}.rs\""));
        let explained = text.lines().next().is_some_and(|line| {
            line.contains("`cargo run --example") || line.contains("`cargo test --example")
        });
        [
            (declared, format!("`{name}` has no `[[example]]` in examples/Cargo.toml")),
            (
                explained,
                format!("the first line of `{}` does not say how to run it", path.display()),
            ),
        ]
        .into_iter()
        .filter_map(|(holds, complaint)| (!holds).then_some(complaint))
    }));
}

#[test]
fn every_example_runs_in_ci() {
    let script = read("ci.sh");
    assert!(
        script.contains("for file in examples/*.rs; do"),
        "the step `examples` of ci.sh runs a list instead of the directory"
    );
    assert!(script.contains("--example forge"), "the step `forge` of ci.sh is gone");
    let steps = script.lines().find(|line| line.starts_with("steps=(")).unwrap();
    for step in ["examples", "forge"] {
        assert!(steps.contains(step), "`./ci.sh` does not run its step `{step}`");
    }
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = read("docs/src/SUMMARY.md");
    assert_tidy(files(PAGES, &["md"]).iter().filter_map(|path| {
        let page = path.strip_prefix(PAGES).unwrap().to_str().unwrap();
        let is_listed = page == "SUMMARY.md" || summary.contains(&format!("({page})"));
        (!is_listed).then(|| format!("docs/src/SUMMARY.md does not list `{page}`"))
    }));
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut complaints = Vec::new();
    for path in files(".", &["md"]) {
        let text = read(&path);
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let references = text
            .lines()
            .filter(|line| line.starts_with('['))
            .filter_map(|line| line.split_once("]: "));
        for target in inline.chain(references.map(|(_, target)| target)) {
            let target = target.split('#').next().unwrap_or_default();
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
            let from = root().join(path.parent().unwrap());
            if !target.is_empty() && !is_elsewhere && !from.join(target).exists() {
                complaints.push(format!("`{}` links to `{target}`", path.display()));
            }
        }
    }
    assert_tidy(complaints);
}

#[test]
fn every_code_block_of_the_documents_is_compiled() {
    let library = read("tests/src/lib.rs");
    assert_tidy(files(".", &["md"]).iter().filter_map(|path| {
        let has_code = read(path).contains("```rust");
        // A crate's README is the documentation of its library, where it is, or of the tests' library.
        let crate_root = path.with_file_name("src/lib.rs");
        let is_included = library.contains(&format!("../../{}\"", path.display()))
            || (path.ends_with("README.md")
                && root().join(&crate_root).exists()
                && read(&crate_root).contains("include_str!(\"../README.md\")"));
        (has_code && !is_included)
            .then(|| format!("`{}` has Rust code; include it in tests/src/lib.rs", path.display()))
    }));
}

/// An event of our own is what looks like its name in a string: `telemetry`, a dot, and segments without a wildcard.
#[test]
fn every_event_of_our_own_is_documented() {
    let page = read(EVENTS);
    let documented = quoted(&page);
    let mut complaints = Vec::new();
    let mut executed = Vec::new();
    for path in files("crates", &["rs"]).iter().filter(|path| !is_test_file(path)) {
        for text in shipped_code(&read(path)).split('"') {
            let is_name = text.strip_prefix("telemetry.").is_some_and(|rest| {
                !rest.is_empty()
                    && rest.split('.').all(|segment| {
                        !segment.is_empty()
                            && segment.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                    })
            });
            if is_name {
                executed.push(text.to_owned());
                let phases = ["start", "stop", "exception"].map(|phase| format!("{text}.{phase}"));
                let is_span = phases.iter().all(|phase| documented.contains(&phase.as_str()));
                if !(is_span || documented.contains(&text)) {
                    complaints
                        .push(format!("{EVENTS} does not list `{text}` of `{}`", path.display()));
                }
            }
        }
    }
    let invented = documented.iter().filter(|name| {
        name.starts_with("telemetry.")
            && !name.contains('*')
            && !executed.iter().any(|event| name.starts_with(event.as_str()))
    });
    complaints
        .extend(invented.map(|name| format!("{EVENTS} lists `{name}`, which no crate executes")));
    assert_tidy(complaints);
}

#[test]
fn the_changelog_knows_the_workspace_version() {
    let manifest = read("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = ")).unwrap();
    let heading = format!("## [{}]", version.trim_matches('"'));
    let is_known = read("CHANGELOG.md").lines().any(|line| line.starts_with(&heading));
    assert!(is_known, "CHANGELOG.md has no heading `{heading}`");
}

//! Rules about Rust files, and about what is in none of our files.

use super::{assert_tidy, files, is_test_file, read, shipped_code};

const LINES: usize = 600;

#[test]
fn every_rust_file_begins_with_what_it_is_for() {
    assert_tidy(
        files(".", &["rs"])
            .iter()
            .filter(|path| {
                let text = read(path);
                !(text.starts_with("//! ") || text.starts_with("#![doc = include_str!("))
            })
            .map(|path| format!("`{}` does not start with a `//!` line", path.display())),
    );
}

#[test]
fn no_rust_file_is_too_long() {
    assert_tidy(files(".", &["rs"]).iter().filter_map(|path| {
        let lines = read(path).lines().count();
        let path = path.display();
        (lines > LINES).then(|| format!("`{path}` has {lines} lines; split what is over {LINES}"))
    }));
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let marks = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["db", "g!("].concat(),
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["#[ig", "nore"].concat(),
    ];
    assert_tidy(files(".", &["rs", "toml", "md", "sh"]).iter().flat_map(|path| {
        let text = read(path);
        let found = marks.iter().filter(|mark| text.contains(*mark));
        found.map(|mark| format!("`{}` contains `{mark}`", path.display())).collect::<Vec<_>>()
    }));
}

#[test]
fn unwrap_is_for_tests() {
    assert_tidy(files(".", &["rs"]).iter().filter(|path| !is_test_file(path)).filter_map(|path| {
        let code = shipped_code(&read(path));
        let line = code.lines().find(|line| line.contains(".unwrap()"))?;
        Some(format!("`{}`: `{}`", path.display(), line.trim()))
    }));
}

#[test]
fn unsafe_code_is_in_the_modules_that_measured_its_gain() {
    let keyword = ["uns", "afe"].concat();
    assert_tidy(files("crates", &["rs"]).iter().filter_map(|path| {
        let is_allowed = path.starts_with("crates/radiosonde-snapshot/src")
            || path.ends_with("crates/radiosonde/src/clock/counter.rs")
            || path.ends_with("crates/radiosonde/src/span/memory.rs");
        let code = shipped_code(&read(path));
        let line = code.lines().find(|line| line.split_whitespace().any(|word| word == keyword))?;
        (!is_allowed).then(|| format!("`{}`: `{}`", path.display(), line.trim()))
    }));
}

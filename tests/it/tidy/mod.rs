//! What review should not have to look for: each rule about the tree is a test.

mod contract;
mod dependencies;
mod documents;
pub(crate) mod instrumentation;
mod manifests;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

/// The workspace's directory.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A file's text, by its path from the root.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

/// All files below a directory with one of these extensions, as paths from the root, sorted.
///
/// Hidden directories and build directories are passed over.
pub(crate) fn files(directory: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let path = directory.join(&name);
            if entry.file_type().unwrap().is_dir() {
                let is_built = root().join(&path).join("CACHEDIR.TAG").exists() || name == "target";
                if !name.starts_with('.') && !is_built {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|extension| {
                extensions.iter().any(|known| extension.eq_ignore_ascii_case(known))
            }) {
                found.push(path.strip_prefix(".").map(Path::to_owned).unwrap_or(path));
            }
        }
    }
    found.sort();
    found
}

/// The names of the published crates, which are the names of their directories.
fn crates() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| root().join("crates").join(name).join("Cargo.toml").exists())
        .collect();
    names.sort();
    assert!(names.iter().any(|name| name == "radiosonde"), "`crates/radiosonde` is gone");
    names
}

/// A source file without its comments and without what comes after its first `#[cfg(test)]`.
pub(crate) fn shipped_code(text: &str) -> String {
    text.lines()
        .take_while(|line| !(line.contains("cfg(test)") || line.contains("cfg(all(test")))
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |code, line| code + line + "\n")
}

/// Whether a source file is compiled for tests alone.
pub(crate) fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
}

/// Everything `cargo metadata` knows about the workspace and what it depends on.
fn metadata() -> Json {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The names of all `#[test]` functions in these files.
fn tests_in(paths: &[PathBuf]) -> Vec<String> {
    let mut tests = Vec::new();
    for path in paths {
        let mut is_test = false;
        for line in read(path).lines().map(str::trim_start) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            }
            if let Some((_, signature)) = line.split_once("fn ").filter(|_| is_test) {
                tests.push(signature.split(['(', '<']).next().unwrap().to_owned());
                is_test = false;
            }
        }
    }
    tests
}

/// The texts between backticks, outside fenced code.
fn quoted(markdown: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut quoted = Vec::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            quoted.extend(line.split('`').skip(1).step_by(2));
        }
    }
    quoted
}

/// Fails with all complaints at once, so that one run is enough to repair them all.
#[track_caller]
fn assert_tidy(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<String> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

//! Rules about what depends on what, under which licence, and from which Rust on.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value as Json;

use super::{assert_tidy, crates, metadata, read, root};

/// Who may depend on whom among our own crates: the bus, what is shared, the reporters.
const SHARED: [&str; 3] = ["radiosonde-metrics", "radiosonde-poller", "radiosonde-delivery"];

/// What the bus itself stands on, and what else finds things without waiting.
const FOUNDATION: &str = "radiosonde-snapshot";

/// What those that hand spans on to other processes share; it knows the bus alone.
const TRACE_CONTEXT: &str = "radiosonde-trace-context";

/// Among what is shared, the poller alone knows another one: it defines metrics of what it measures.
const POLLER_KNOWS: (&str, &str) = ("radiosonde-poller", "radiosonde-metrics");

#[test]
fn dependencies_point_at_the_bus() {
    let metadata = metadata();
    let names = crates();
    let packages = list(&metadata["packages"])
        .filter(|package| names.iter().any(|name| package["name"] == name.as_str()));
    assert_tidy(packages.flat_map(|package| {
        let name = text(&package["name"]);
        let own = list(&package["dependencies"])
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| text(&dependency["name"]))
            .filter(|dependency| dependency.starts_with("radiosonde"));
        let is_allowed = |dependency: &&str| {
            *dependency == FOUNDATION && (name == "radiosonde" || SHARED.contains(&name))
                || name != "radiosonde"
                    && (*dependency == "radiosonde"
                        || (SHARED.contains(dependency)
                            && !SHARED.contains(&name)
                            && name != TRACE_CONTEXT)
                        || (*dependency == TRACE_CONTEXT && !SHARED.contains(&name))
                        || (name, *dependency) == POLLER_KNOWS)
        };
        own.filter(|dependency| !is_allowed(dependency))
            .map(|dependency| format!("`{name}` must not depend on `{dependency}`"))
            .collect::<Vec<_>>()
    }));
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let deny = deny();
    let allowed: BTreeSet<&str> = deny["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|licence| licence.as_str().unwrap())
        .collect();
    let metadata = metadata();
    assert_tidy(published_graph(&metadata).into_iter().filter_map(|package| {
        let name = text(&package["name"]);
        let licence = package["license"].as_str().unwrap_or("no licence");
        let is_allowed = Licence { rest: licence, allowed: &allowed }.any();
        (!is_allowed)
            .then(|| format!("`{name}` is under `{licence}`, which deny.toml does not allow"))
    }));
}

#[test]
fn no_dependency_needs_a_newer_rust_than_we_promise() {
    let metadata = metadata();
    let promised =
        list(&metadata["packages"]).find(|package| package["name"] == "radiosonde").unwrap();
    let promised = version(text(&promised["rust_version"]));
    assert_tidy(published_graph(&metadata).into_iter().filter_map(|package| {
        let needed = package["rust_version"].as_str()?;
        let name = text(&package["name"]);
        (version(needed) > promised).then(|| format!("`{name}` needs Rust {needed}"))
    }));
}

#[test]
fn no_dependency_comes_in_two_versions() {
    let metadata = metadata();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in published_graph(&metadata) {
        versions.entry(text(&package["name"])).or_default().push(text(&package["version"]));
    }
    let deny = deny();
    let known = |name: &str| {
        deny["bans"]["skip"]
            .as_array()
            .unwrap()
            .iter()
            .any(|skip| skip["crate"].as_str() == Some(name))
    };
    let twice = versions.iter().filter(|(name, versions)| versions.len() > 1 && !known(name));
    assert_tidy(twice.map(|(name, versions)| format!("`{name}`: {}", versions.join(", "))));
}

#[test]
fn licence_expressions_are_evaluated() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0"]);
    let is_allowed = |rest| Licence { rest, allowed: &allowed }.any();
    assert!(is_allowed("MIT") && is_allowed("MIT/Apache-2.0") && is_allowed("GPL-3.0 OR MIT"));
    assert!(is_allowed("(MIT OR GPL-3.0) AND Apache-2.0"));
    assert!(!is_allowed("MIT AND GPL-3.0") && !is_allowed("(MIT OR Zlib) AND Unicode-3.0"));
    assert!(!is_allowed("Apache-2.0 WITH LLVM-exception"));
}

/// Every package that a user of our crates may have to build, on any platform: the crates' own dependencies, and theirs.
///
/// `cargo tree` says which, as `cargo metadata` counts what tests and benchmarks turn on, too.
fn published_graph(metadata: &Json) -> Vec<&Json> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args([
        "tree",
        "--locked",
        "--target=all",
        "--edges=normal,build",
        "--prefix=none",
        "--format={p}",
    ]);
    let output = tree
        .args(crates().iter().flat_map(|name| ["--package", name]))
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let used: BTreeSet<(&str, &str)> = lines
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| (name, first_word(rest)))
        .collect();
    list(&metadata["packages"])
        .filter(|package| used.contains(&(text(&package["name"]), text(&package["version"]))))
        .collect()
}

/// A reader of SPDX expressions: `OR` (or `/`) between `AND`s of names and parentheses.
struct Licence<'a> {
    rest: &'a str,
    allowed: &'a BTreeSet<&'a str>,
}

impl Licence<'_> {
    fn any(&mut self) -> bool {
        let mut is_allowed = self.all();
        while self.accept("OR") || self.accept("/") {
            is_allowed |= self.all();
        }
        is_allowed
    }

    fn all(&mut self) -> bool {
        let mut is_allowed = self.one();
        while self.accept("AND") {
            is_allowed &= self.one();
        }
        is_allowed
    }

    fn one(&mut self) -> bool {
        if self.accept("(") {
            let is_allowed = self.any();
            assert!(self.accept(")"), "a parenthesis is not closed before `{}`", self.rest);
            return is_allowed;
        }
        let name = self.name();
        if self.accept("WITH") {
            let exception = self.name();
            return self.allowed.contains(format!("{name} WITH {exception}").as_str());
        }
        self.allowed.contains(name.as_str())
    }

    fn name(&mut self) -> String {
        let text = self.rest.trim_start();
        let end = text.find([' ', '/', '(', ')']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        self.rest = rest;
        name.to_owned()
    }

    fn accept(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

fn deny() -> toml::Table {
    toml::from_str(&read("deny.toml")).unwrap()
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

fn list(value: &Json) -> impl Iterator<Item = &Json> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap()
}

fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap()).collect()
}

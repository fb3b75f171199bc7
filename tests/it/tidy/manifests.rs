//! Manifests without keys that nobody knows: cargo warns about a misspelt key once, and goes on without it.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value as Toml;

use super::{assert_tidy, crates, files, read};

/// The root's manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WorkspaceManifest {
    workspace: Workspace,
    #[serde(default)]
    profile: BTreeMap<String, Profile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "reading them is the check")]
struct Workspace {
    resolver: String,
    members: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    package: WorkspacePackage,
    dependencies: BTreeMap<String, Dependency>,
    lints: Lints,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "reading them is the check")]
struct WorkspacePackage {
    version: String,
    edition: String,
    rust_version: String,
    license: String,
    repository: Option<String>,
    keywords: Vec<String>,
    categories: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "reading them is the check")]
struct Profile {
    debug: Option<Toml>,
    lto: Option<Toml>,
    codegen_units: Option<u32>,
    opt_level: Option<Toml>,
    panic: Option<String>,
    inherits: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "reading them is the check")]
struct Lints {
    #[serde(default)]
    rust: BTreeMap<String, Lint>,
    #[serde(default)]
    rustdoc: BTreeMap<String, Lint>,
    #[serde(default)]
    clippy: BTreeMap<String, Lint>,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "reading them is the check")]
enum Lint {
    Level(String),
    Table(LintTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "reading them is the check")]
struct LintTable {
    level: String,
    priority: Option<i32>,
    check_cfg: Option<Vec<String>>,
}

/// The manifest of a member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "reading most of them is the check")]
struct Manifest {
    package: Package,
    lib: Option<Target>,
    #[serde(default)]
    example: Vec<Target>,
    #[serde(default)]
    test: Vec<Target>,
    #[serde(default)]
    bench: Vec<Target>,
    #[serde(default)]
    features: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    dependencies: BTreeMap<String, Dependency>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Dependency>,
    #[serde(default)]
    target: BTreeMap<String, PlatformDependencies>,
    lints: Inherited,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "reading most of them is the check")]
struct Package {
    name: String,
    description: Option<String>,
    version: Inherited,
    edition: Inherited,
    rust_version: Toml,
    license: Inherited,
    repository: Option<Inherited>,
    keywords: Option<Inherited>,
    categories: Option<Inherited>,
    readme: Option<String>,
    #[serde(default = "yes")]
    publish: bool,
    autoexamples: Option<bool>,
    autobenches: Option<bool>,
    autotests: Option<bool>,
    exclude: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "reading it is the check")]
struct Inherited {
    workspace: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "reading them is the check")]
struct Target {
    name: Option<String>,
    path: Option<String>,
    harness: Option<bool>,
    test: Option<bool>,
    bench: Option<bool>,
    doctest: Option<bool>,
    required_features: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "reading them is the check")]
struct PlatformDependencies {
    #[serde(default)]
    dependencies: BTreeMap<String, Dependency>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Dependency>,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "reading them is the check")]
enum Dependency {
    Version(String),
    Table(DependencyTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "reading them is the check")]
struct DependencyTable {
    version: Option<String>,
    path: Option<String>,
    workspace: Option<bool>,
    package: Option<String>,
    optional: Option<bool>,
    default_features: Option<bool>,
    #[serde(default)]
    features: Vec<String>,
}

fn yes() -> bool {
    true
}

#[test]
fn the_workspace_manifest_has_only_known_keys() {
    let manifest: WorkspaceManifest =
        toml::from_str(&read("Cargo.toml")).unwrap_or_else(|error| panic!("Cargo.toml: {error}"));
    assert_eq!(manifest.workspace.resolver, "3");
    assert!(
        manifest
            .profile
            .keys()
            .all(|name| ["dev", "release", "bench", "test"].contains(&name.as_str()))
    );
}

#[test]
fn every_manifest_has_only_known_keys() {
    let manifests = files(".", &["toml"]);
    let members = manifests
        .iter()
        .filter(|path| path.ends_with("Cargo.toml") && path.components().count() > 1);
    assert_tidy(members.filter_map(|path| {
        let error = toml::from_str::<Manifest>(&read(path)).err()?;
        Some(format!("`{}`: {error}", path.display()))
    }));
}

#[test]
fn every_crate_is_named_like_its_directory_and_can_be_published() {
    assert_tidy(crates().iter().filter_map(|directory| {
        let path = format!("crates/{directory}/Cargo.toml");
        let package = toml::from_str::<Manifest>(&read(&path)).ok()?.package;
        let is_tidy = package.name == *directory && package.publish && package.readme.is_some() && package.description.is_some();
        (!is_tidy).then(|| format!("`{path}`: needs the name `{directory}`, `description`, `readme`, and no `publish = false`"))
    }));
}

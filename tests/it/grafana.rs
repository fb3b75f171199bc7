//! Dashboards and rules for the definitions of all our crates: judged by Grafana's own types and by Prometheus' promtool.

mod forge;
mod upload;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use radiosonde_grafana::{Alert, Dashboard, Panel, Rules, Series, curated};
use radiosonde_metrics::{Definitions, counter, distribution, exported_name, last_value, summary};
use radiosonde_poller::{build_info_metric, process_metrics};
use serde_json::Value as Json;

use crate::peers::{grafana_schema, promtool};
use crate::tidy::instrumentation as crates;

/// A directory of one test's, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("radiosonde-grafana-{name}-{}", std::process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Every curated dashboard, with the definitions that its crate has ready.
fn curated() -> Vec<(Dashboard, Definitions)> {
    let build = build_info_metric("build.info", "1", None);
    let process: Definitions = process_metrics().into_iter().chain([build]).collect();
    type Make = fn(&Definitions) -> Dashboard;
    let made: [(Make, Definitions); 6] = [
        (curated::http_server, crates::tower_metrics()),
        (curated::http_client, crates::hyper_client_metrics()),
        (curated::database_pool, crates::pool_metrics()),
        (curated::jobs, crates::jobs_metrics()),
        (curated::tokio, crates::tokio_metrics()),
        (curated::process, process),
    ];
    made.into_iter().map(|(make, metrics)| (make(&metrics), metrics)).collect()
}

/// A metric of each kind.
fn kinds() -> Definitions {
    Definitions::new([
        counter("shop.order.count").tags(["kind", "job"]),
        counter("shop.order.total"),
        last_value("shop.build.info").tags(["version"]),
        last_value("shop.stock.bytes"),
        summary("shop.order.summary").quantiles([0.5]),
        distribution("shop.order.seconds").tags(["kind"]).buckets([1.0]),
        distribution("shop.order.native").native(),
    ])
}

fn all() -> Vec<Dashboard> {
    let stat = Panel::stat("Stock").query("", Series::of(&last_value("shop.stock.bytes")).value());
    let kinds = Dashboard::new("kinds", "Kinds \"of\" ${metrics}")
        .variables(["kind", "job"])
        .row("Now", [stat])
        .metrics(&kinds());
    let by_name = curated().into_iter().enumerate().map(|(number, (_, metrics))| {
        Dashboard::new(&format!("plain-{number}"), "Plain").metrics(&metrics)
    });
    let curated = curated().into_iter().map(|(dashboard, _)| dashboard);
    curated.chain(by_name).chain([kinds]).collect()
}

#[test]
fn a_crates_dashboard_has_every_metric_of_it_in_its_place() {
    for (dashboard, metrics) in curated() {
        let queries = dashboard.queries();
        for metric in &metrics {
            let name = exported_name(metric.name());
            let is_asked = queries.iter().any(|query| query.contains(&name));
            assert!(is_asked, "`{name}` is in no query of `{}`", dashboard.uid());
        }
        let json = dashboard.to_json();
        assert!(
            !json.contains("\"title\": \"More\""),
            "`{}` has no place for some",
            dashboard.uid()
        );
    }
}

#[test]
fn promtool_understands_every_query() {
    let directory = Directory::new("queries");
    let mut yaml = "groups:\n  - name: queries\n    rules:\n".to_owned();
    let dashboards = all();
    let queries: Vec<_> = dashboards.iter().flat_map(Dashboard::queries).collect();
    for (number, query) in queries.iter().enumerate() {
        write!(yaml, "      - record: query_{number}\n        expr: |-\n          {query}\n")
            .unwrap();
    }
    let file = directory.0.join("queries.yml");
    fs::write(&file, yaml).unwrap();
    assert!(queries.len() > 200, "{}", queries.len());
    assert_accepted("check", &file, &format!("SUCCESS: {} rules found", queries.len()));
}

#[test]
fn promtool_accepts_the_rules_of_every_crate() {
    let directory = Directory::new("rules");
    for (dashboard, metrics) in curated() {
        let rules = Rules::new(dashboard.uid()).recordings(&metrics).alerts(Alert::about_store());
        let path = rules.write(&directory.0).unwrap();
        assert_accepted("check", &path, "SUCCESS");
    }
    let path = Rules::new("kinds: # \"all\"").recordings(&kinds()).write(&directory.0).unwrap();
    assert_accepted("check", &path, "SUCCESS: 11 rules found");
}

#[test]
fn alerts_are_told_when_they_should_be() {
    let requests = counter("http.server.requests.total").tags(["route", "status_class"]);
    let duration =
        distribution("http.server.request.duration.seconds").tags(["route"]).buckets([0.1, 1.0]);
    let running = last_value("shop.running");
    let all = Series::of(&requests);
    let failed = all.clone().matching("status_class", "5xx|none");
    let share = failed.rate(&["route"]).over(all.rate(&["route"])).above(0.05);
    let slow = Series::of(&duration).quantile(0.99, &["route"]).above(0.5);
    let rules = Rules::new("shop")
        .recordings([&duration])
        .alert(
            Alert::new("Fails", share)
                .lasting(Duration::from_secs(120))
                .label("severity", "page")
                .summary("{{ $labels.route }} fails"),
        )
        .alert(Alert::new("Slow", slow))
        .alert(Alert::new("Gone", Series::of(&running).absent()))
        .alerts(Alert::about_store());
    let directory = Directory::new("alerts");
    rules.write(&directory.0).unwrap();
    let test = directory.0.join("test.yml");
    fs::write(&test, include_str!("../data/alerts.test.yml")).unwrap();
    assert_accepted("test", &test, "SUCCESS");
}

/// Has promtool check, or test, a file of rules.
fn assert_accepted(what: &str, file: &Path, expected: &str) {
    let output = Command::new(promtool()).args([what, "rules"]).arg(file).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains(expected), "{}: {said}", file.display());
}

#[test]
fn grafanas_own_types_accept_every_dashboard() {
    let judged = judge(&all());
    assert!(judged.is_empty(), "{judged}");
}

#[test]
fn grafanas_own_types_refuse_what_is_no_dashboard() {
    let mut dashboard: Json = serde_json::from_str(&all()[0].to_json()).unwrap();
    dashboard["panels"][1]["gridPos"]["w"] = "wide".into();
    dashboard["panels"][2]["options"]["tooltip"]["mode"] = "loud".into();
    dashboard["graphTooltip"] = 3.into();
    let judged = judge_json(&[dashboard]);
    let complaints = judged.matches("error TS").count();
    assert_eq!(complaints, 3, "{judged}");
}

fn judge(dashboards: &[Dashboard]) -> String {
    let read = |dashboard: &Dashboard| serde_json::from_str(&dashboard.to_json()).unwrap();
    judge_json(&dashboards.iter().map(read).collect::<Vec<_>>())
}

/// What the TypeScript compiler says of these.
fn judge_json(dashboards: &[Json]) -> String {
    let directory = Directory::new(&format!("schema-{}", dashboards.len()));
    let mut source = include_str!("grafana/judge.ts").to_owned();
    for dashboard in dashboards {
        writeln!(source, "({dashboard}) satisfies DashboardFile;").unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            let kind = panel["type"].as_str().unwrap();
            if kind != "row" {
                let (options, custom) =
                    (&panel["options"], &panel["fieldConfig"]["defaults"]["custom"]);
                writeln!(source, "({options}) satisfies Options[\"{kind}\"];").unwrap();
                writeln!(source, "({custom}) satisfies Custom[\"{kind}\"];").unwrap();
            }
        }
    }
    fs::write(directory.0.join("dashboards.ts"), source).unwrap();
    let packages = grafana_schema();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&packages, directory.0.join("node_modules")).unwrap();
    fs::write(directory.0.join("tsconfig.json"), include_str!("grafana/tsconfig.json")).unwrap();
    let output = Command::new("node")
        .arg(packages.join("typescript/bin/tsc"))
        .arg("--project")
        .arg(&directory.0)
        .output()
        .unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

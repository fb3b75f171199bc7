//! What `forge` writes for its operator, held against a real Prometheus that scrapes it: every query of every panel as
//! Grafana makes it of the file, every variable, and every rule.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use super::{assert_accepted, judge_json};
use crate::prometheus::NATIVE;
use crate::prometheus::forge::Forge;
use crate::prometheus::server::Server;

/// What a run in which nothing goes wrong has nothing of: a part of the queries about it, and why.
const WITHOUT_DATA: [(&str, &str); 7] = [
    ("atlas_token_acquire_exceptions", "everybody waits for their token, and gets it"),
    ("http_server_exceptions", "the build server answers every request"),
    ("5xx|none", "the build server answers every request"),
    ("database_pool_checkout_timeouts", "nobody waits too long for a connection"),
    ("database_pool_checkout_errors", "the database takes every connection"),
    ("state=~\"discarded\"", "every job is done within its five attempts"),
    ("radiosonde_metrics_skipped", "every event has what its metrics measure"),
];

/// How long what has happened may take to be scraped, and to be recorded.
const PATIENCE: Duration = Duration::from_secs(20);

/// What Grafana makes of `$__rate_interval` where a data source says nothing of its own: four times 15 s.
const RATE_INTERVAL: &str = "60s";

/// A query as it is in a dashboard or a rule, and where.
struct Question {
    place: String,
    query: String,
    /// Whether it is about now alone.
    is_instant: bool,
    /// The labels that an answer has to have.
    labels: Vec<String>,
}

/// The files that Grafana finds by the provider's.
fn dashboards(forge: &Forge) -> Vec<Json> {
    let provider = fs::read_to_string(forge.provisioning.join("dashboards/forge.yaml")).unwrap();
    let path = provider.lines().find_map(|line| line.trim().strip_prefix("path: ")).unwrap();
    let files = fs::read_dir(path.trim_matches('"')).unwrap();
    let read = |path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let dashboards: Vec<Json> = files.map(|file| read(file.unwrap().path())).collect();
    let titles: BTreeSet<_> = dashboards.iter().map(|file| file["title"].to_string()).collect();
    assert_eq!(titles.len(), 7, "{titles:?}");
    dashboards
}

fn list(json: &Json) -> &[Json] {
    json.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

/// The variables but for that of the data source: each one's name, what stands for all, and every value there is.
fn variables(dashboard: &Json, server: &Server) -> Vec<(String, String, Vec<String>)> {
    let variables = list(&dashboard["templating"]["list"]).iter();
    let queries = variables.filter(|variable| variable["type"] == "query");
    queries
        .map(|variable| {
            let query = text(&variable["query"]["query"]);
            let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (selector, label) = inner.rsplit_once(", ").unwrap();
            let answer = server.ask(&format!("label/{label}/values"), &[("match[]", selector)]);
            let values: Vec<_> = list(&answer).iter().map(|value| text(value).to_owned()).collect();
            assert!(!values.is_empty(), "`{query}` of {} has no values", dashboard["title"]);
            (text(&variable["name"]).to_owned(), text(&variable["allValue"]).to_owned(), values)
        })
        .collect()
}

/// Several values of a variable as Grafana puts them into a query for Prometheus.
fn interpolated(values: &[String]) -> String {
    let escape = |character: char| match character {
        '\\' => r"\\\\".to_owned(),
        '$' | '^' | '*' | '{' | '}' | '[' | ']' | '\'' | '+' | '?' | '.' | '(' | ')' | '|' => {
            format!(r"\\{character}")
        }
        plain => plain.to_string(),
    };
    let values: Vec<_> =
        values.iter().map(|value| value.chars().map(escape).collect::<String>()).collect();
    format!("({})", values.join("|"))
}

/// Every query of a dashboard: with everything that its variables may be, and once more with each value ticked.
fn questions(dashboard: &Json, server: &Server) -> Vec<Question> {
    let variables = variables(dashboard, server);
    let mut questions = Vec::new();
    for panel in list(&dashboard["panels"]) {
        assert_eq!(panel["type"] == "row", list(&panel["targets"]).is_empty(), "{panel}");
        for target in list(&panel["targets"]) {
            let expression = text(&target["expr"]).replace("$__rate_interval", RATE_INTERVAL);
            let substituted = |value: &dyn Fn(&str, &[String]) -> String| {
                variables.iter().fold(expression.clone(), |query, (name, all, values)| {
                    query.replace(&format!("${{{name}}}"), &value(all, values))
                })
            };
            let mut labels = placeholders(text(&target["legendFormat"]));
            // A heatmap is made of buckets, be they in one series or in many, which the query itself decides.
            labels.retain(|label| label != "le");
            let all = substituted(&|all, _| all.to_owned());
            let each = substituted(&|_, values| interpolated(values));
            for query in BTreeSet::from([all, each]) {
                assert!(
                    !query.contains('$'),
                    "`{query}` has something in it that Grafana does not fill in"
                );
                let place = format!("{}: {}", dashboard["title"], panel["title"]);
                let is_instant = target["instant"] == true;
                questions.push(Question { place, query, is_instant, labels: labels.clone() });
            }
        }
    }
    questions
}

/// The labels that a legend names.
fn placeholders(legend: &str) -> Vec<String> {
    let parts = legend.split("{{").skip(1);
    parts.map(|part| part.split("}}").next().unwrap().to_owned()).collect()
}

/// What is recorded, and what alerts look at before they compare it with anything. None of these may be about to be told.
fn rules(server: &Server) -> Vec<Question> {
    let answer = server.ask("rules", &[]);
    let groups = list(&answer["groups"]);
    let rules: Vec<_> = groups.iter().flat_map(|group| list(&group["rules"])).collect();
    let is_alert = |rule: &&&Json| rule["type"] == "alerting";
    assert!(rules.iter().filter(is_alert).count() >= 8, "{answer}");
    rules
        .into_iter()
        .map(|rule| {
            let (name, query) = (text(&rule["name"]), text(&rule["query"]));
            assert_eq!(
                (&rule["health"], &rule["lastError"]),
                (&"ok".into(), &Json::Null),
                "{rule}"
            );
            let query = if rule["type"] == "recording" {
                name
            } else {
                assert_eq!(rule["state"], "inactive", "nothing is wrong, and yet: {rule}");
                let absent = query.strip_prefix("absent(").and_then(|rest| rest.strip_suffix(')'));
                absent.unwrap_or_else(|| query.rsplit_once(" > ").unwrap().0)
            };
            let place = format!("rule {name}");
            Question { place, query: query.to_owned(), is_instant: true, labels: Vec::new() }
        })
        .collect()
}

impl Question {
    /// Whether there is a number in the answer, and all labels that it has to have.
    fn is_answered(&self, server: &Server) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (start, end) = ((now - 60).to_string(), now.to_string());
        let query = ("query", self.query.as_str());
        let answer = if self.is_instant {
            server.ask("query", &[query])
        } else {
            server.ask("query_range", &[query, ("start", &start), ("end", &end), ("step", "1")])
        };
        let series = list(&answer["result"]);
        let has =
            |label: &String| series.iter().any(|series| series["metric"].get(label).is_some());
        series.iter().any(has_number) && self.labels.iter().all(has)
    }

    fn is_without_data(&self) -> bool {
        WITHOUT_DATA.iter().any(|(part, _)| self.query.contains(part))
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`", self.place, self.query)
    }
}

/// Whether a series has a number among its values, or a native histogram in which there is something.
fn has_number(series: &Json) -> bool {
    let values = list(&series["values"]).iter().chain([&series["value"]]);
    let is_number = |value: &Json| value[1].as_str().is_some_and(|number| number != "NaN");
    let histograms = list(&series["histograms"]).iter().chain([&series["histogram"]]);
    let has_buckets = |histogram: &Json| !list(&histogram[1]["buckets"]).is_empty();
    values.clone().any(is_number) || histograms.clone().any(has_buckets)
}

/// Asks until each has its answer but for those that cannot have one, and says where that is not so.
fn assert_answered(server: &Server, questions: &[Question]) {
    let deadline = Instant::now() + PATIENCE;
    let (without, mut open): (Vec<_>, Vec<_>) =
        questions.iter().partition(|question| question.is_without_data());
    while !open.is_empty() && Instant::now() < deadline {
        open.retain(|question| !question.is_answered(server));
    }
    let open: Vec<_> = open.iter().map(ToString::to_string).collect();
    assert!(open.is_empty(), "{} have no data:\n{}", open.len(), open.join("\n"));

    for (part, reason) in WITHOUT_DATA {
        let mut about = without.iter().filter(|question| question.query.contains(part)).peekable();
        assert!(
            about.peek().is_some(),
            "nobody asks for `{part}`, of which there is nothing: {reason}"
        );
        let answered = about.find(|question| question.is_answered(server));
        let answered = answered.map(ToString::to_string);
        assert_eq!(answered, None, "this has data, though {reason}");
    }
}

#[test]
fn a_real_prometheus_answers_every_query_of_forges_dashboards_and_rules() {
    // Prometheus takes five seconds until it scrapes, and a rate needs some of the work before and some after a scrape.
    let mut forge = Forge::start(8);
    let rules_file = forge.rules.clone();
    // As it is by itself, and as it is with native histograms, where other series are asked for.
    let servers = ["", NATIVE]
        .map(|features| Server::start_with_rules(&forge.address, features, &[&rules_file]));
    forge.tallies();
    let dashboards = dashboards(&forge);
    for server in &servers {
        let mut questions: Vec<_> =
            dashboards.iter().flat_map(|dashboard| questions(dashboard, server)).collect();
        assert!(questions.len() > 200, "{}", questions.len());
        questions.extend(rules(server));
        assert_answered(server, &questions);
    }
}

#[test]
fn grafanas_own_types_and_promtool_accept_what_forge_writes() {
    let forge = Forge::start(1);
    let judged = judge_json(&dashboards(&forge));
    assert!(judged.is_empty(), "{judged}");
    assert_accepted("check", &forge.rules, "SUCCESS");
}

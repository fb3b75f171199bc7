//! The JSON, its layout, ids and variables, and the files.

use radiosonde_metrics::{counter, distribution, last_value};
use serde_json::Value as Json;

use super::*;

fn shop() -> Dashboard {
    let metrics = [
        counter("shop.order.total").tags(["country", "job"]).description("Orders."),
        distribution("shop.order.seconds").tags(["country"]).buckets([0.1, 1.0]),
        last_value("shop.build.info").tags(["version"]),
        last_value("shop.stock.size"),
    ];
    Dashboard::new("shop", "The shop")
        .description("What is sold.")
        .variables(["country", "job", "nobody_has_it"])
        .row(
            "At a glance",
            [Panel::stat("Stock").query("", crate::Series::of(&metrics[3]).value())],
        )
        .metrics(&metrics)
}

fn panels(dashboard: &Dashboard) -> Vec<Json> {
    dashboard.json()["panels"].as_array().unwrap().clone()
}

#[test]
fn the_json_is_the_one_that_is_kept() {
    let (json, path) = (shop().to_json(), "src/dashboard/golden.json");
    if std::env::var_os("RADIOSONDE_WRITE_DOCS").is_some() {
        fs::write(path, &json).unwrap();
    }
    let is_kept = fs::read_to_string(path).unwrap() == json;
    assert!(is_kept, "{path} differs; `RADIOSONDE_WRITE_DOCS=1` writes it anew");
}

#[test]
fn no_panel_lies_on_another_or_beside_the_grid() {
    let wide = last_value("a.info").tags(["x"]);
    let many = (0..7).map(|number| last_value(format!("a.b.c{number}"))).collect::<Vec<_>>();
    let mixed = [Panel::stat("1"), Panel::table(&wide), Panel::stat("2"), Panel::value(&wide)];
    let dashboard = shop().row("Mixed", mixed).metrics(&many).row("None", []);
    let places: Vec<[u64; 4]> = panels(&dashboard)
        .iter()
        .map(|panel| ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap()))
        .collect();
    assert_eq!(places.len(), 2 + 4 + 2 + 2 + 5 + 8, "{places:?}");
    for (index, [x, y, width, height]) in places.iter().enumerate() {
        assert!(x + width <= 24 && *width > 0 && *height > 0);
        for [other_x, other_y, other_width, other_height] in &places[..index] {
            let apart = x >= &(other_x + other_width)
                || other_x >= &(x + width)
                || y >= &(other_y + other_height)
                || other_y >= &(y + height);
            assert!(apart, "{index} of {places:?}");
        }
    }
}

#[test]
fn ids_are_told_apart_and_stay_when_a_title_changes_or_panels_come() {
    let ids = |dashboard: &Dashboard| -> Vec<i32> {
        let id = |panel: &Json| i32::try_from(panel["id"].as_u64().unwrap()).unwrap();
        panels(dashboard).iter().map(id).collect()
    };
    let before = ids(&shop());
    let twice = ids(&shop().row("At a glance", [Panel::stat("Stock"), Panel::stat("Stock")]));
    let different: std::collections::HashSet<_> = twice.iter().collect();
    assert_eq!((different.len(), &twice[..before.len()]), (before.len() + 3, &before[..]));
    assert!(twice.iter().all(|id| *id > 0));
    let mut renamed = shop();
    renamed.title = "Another".to_owned();
    renamed.rows.insert(0, Row { title: "New".to_owned(), panels: vec![Panel::stat("New")] });
    assert_eq!(ids(&renamed)[2..], before);
    assert_eq!(renamed.json()["uid"], "shop");
}

#[test]
fn variables_filter_what_has_their_label() {
    let json = shop().json();
    let list = json["templating"]["list"].as_array().unwrap();
    let names: Vec<_> = list.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "job", "country", "exported_job"]);
    assert_eq!(list[3]["query"]["query"], "label_values(shop_order_total, exported_job)");
    assert_eq!(
        list[2]["query"]["query"],
        "label_values({__name__=~\"shop_order_seconds_bucket|shop_order_total\"}, country)"
    );
    let expressions: Vec<_> = panels(&shop())
        .iter()
        .filter_map(|panel| panel["targets"][0]["expr"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(
        expressions,
        [
            "shop_stock_size{job=~\"${job}\"}",
            "sum by (country, exported_job) (rate(shop_order_total{job=~\"${job}\", country=~\"${country}\", \
             exported_job=~\"${exported_job}\"}[$__rate_interval]))",
            "sum by (le) (increase(shop_order_seconds_bucket{job=~\"${job}\", country=~\"${country}\"}[$__rate_interval]))",
            "histogram_quantile(0.5, sum by (le) (rate(shop_order_seconds_bucket{job=~\"${job}\", \
             country=~\"${country}\"}[$__rate_interval])))",
            "shop_build_info{job=~\"${job}\"}",
            "shop_stock_size{job=~\"${job}\"}",
        ]
    );
    assert_eq!(variable_of("datasource"), "tag_datasource");
}

fn variable_of(tag: &str) -> String {
    let metric = [last_value("a.b").tags([tag])];
    let json = Dashboard::new("a", "A").variables([tag]).metrics(&metric).json();
    json["templating"]["list"][2]["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_uid_is_one_that_grafana_takes() {
    let uid = |uid: &str| Dashboard::new(uid, "").uid().to_owned();
    assert_eq!([uid("shop_1-a"), uid("a b/ü.c"), uid("")], ["shop_1-a", "a-b---c", "dashboard"]);
    let long = uid(&"a".repeat(41));
    assert_eq!(long.len(), 40);
    assert_ne!(long, uid(&"a".repeat(42)), "{long}");
}

#[test]
fn rows_are_of_metrics_whose_names_begin_alike() {
    let groups = ["a", "a.b", "a.b.c", "a.b.c.d"].map(group);
    assert_eq!(groups, ["a", "a", "a.b", "a.b"]);
}

#[test]
fn what_is_written_replaces_what_was_there_and_leaves_nothing_else() {
    let directory = std::env::temp_dir().join(format!("radiosonde-grafana-{}", std::process::id()));
    let nested = directory.join("dashboards");
    shop().description("old").write(&nested).unwrap();
    let path = shop().write(&nested).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), shop().to_json());
    assert_eq!(fs::read_dir(&nested).unwrap().count(), 1);
    // A file is no directory.
    shop().write(&path).unwrap_err();
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn another_uid_and_title_change_nothing_else() {
    let mut renamed = shop().named("other shop", "The other shop").json();
    assert_eq!(
        (&renamed["uid"], &renamed["title"]),
        (&"other-shop".into(), &"The other shop".into())
    );
    (renamed["uid"], renamed["title"]) = ("shop".into(), "The shop".into());
    assert_eq!(renamed, shop().json());
}

#[test]
fn a_provider_has_no_variables_of_the_environment_in_it() {
    let yaml = provider("Sales in $", "/srv/$HOME \"of\" all");
    assert!(yaml.contains("folder: \"Sales in $$\"\n"), "{yaml}");
    assert!(yaml.contains("path: \"/srv/$$HOME \\\"of\\\" all\"\n"), "{yaml}");
}

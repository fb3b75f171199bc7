//! Uploads and annotations to a stub in place of Grafana, which keeps what arrives.

use std::io::{ErrorKind, Read as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use radiosonde_grafana::{Annotations, Dashboard, Grafana, GrafanaError, Uploaded};
use serde_json::{Value as Json, json};

use crate::receiver::{Receiver, Request};

const TOKEN: &str = "glsa_pl4nted";
const DEADLINE: Duration = Duration::from_secs(10);

fn grafana(url: &str) -> Grafana {
    Grafana::new(url, TOKEN.to_owned()).unwrap()
}

fn shop() -> Dashboard {
    Dashboard::new("shop", "The shop")
}

/// What Grafana keeps: a dashboard with its folder, and the folders' uids.
#[derive(Default)]
struct Stored {
    dashboard: Option<(Json, Json)>,
    folders: Vec<Json>,
}

/// As Grafana answers, as far as this is about it.
fn answer(stored: &mut Stored, request: &Request) -> (u16, Json) {
    let body = &request.body;
    match request.path.as_str() {
        "/api/dashboards/uid/shop" => match &stored.dashboard {
            Some((dashboard, folder)) => {
                (200, json!({ "dashboard": dashboard, "meta": { "folderUid": folder } }))
            }
            None => (404, json!({ "message": "Dashboard not found" })),
        },
        "/api/dashboards/db" => {
            if !body["folderUid"].is_null() && !stored.folders.contains(&body["folderUid"]) {
                return (404, json!({ "message": "folder not found" }));
            }
            let mut dashboard = body["dashboard"].clone();
            dashboard["id"] = 1.into();
            dashboard["version"] = 4.into();
            let folder = body["folderUid"].as_str().unwrap_or_default();
            stored.dashboard = Some((dashboard, folder.into()));
            (200, json!({ "status": "success", "uid": "shop" }))
        }
        "/api/folders" => {
            stored.folders.push(body["uid"].clone());
            (200, json!({ "uid": body["uid"] }))
        }
        path => {
            let uid = Json::from(path.trim_start_matches("/api/folders/"));
            (if stored.folders.contains(&uid) { 200 } else { 404 }, json!({}))
        }
    }
}

fn receiver() -> Receiver {
    let stored = Mutex::new(Stored::default());
    Receiver::answering(move |_, request| {
        let (status, body) = answer(&mut stored.lock().unwrap(), request);
        (status, body.to_string())
    })
}

fn refusing(status: u16) -> Receiver {
    Receiver::answering(move |_, _| (status, json!({ "message": "no" }).to_string()))
}

fn paths(receiver: &Receiver) -> Vec<String> {
    receiver.requests().into_iter().map(|request| request.path).collect()
}

#[test]
fn a_dashboard_is_created_and_replaced_and_left_alone_where_it_is_the_same() {
    let receiver = receiver();
    let grafana = grafana(&receiver.url).folder("team", "The team");
    assert_eq!(grafana.upload(&shop()), Ok(Uploaded::Created));
    assert_eq!(
        paths(&receiver),
        ["/api/dashboards/uid/shop", "/api/folders/team", "/api/folders", "/api/dashboards/db"]
    );
    let requests = receiver.requests();
    assert!(
        requests.iter().all(|request| request.header("authorization") == format!("Bearer {TOKEN}"))
    );
    assert_eq!(requests[2].body, json!({ "uid": "team", "title": "The team" }));
    let dashboard: Json = serde_json::from_str(&shop().to_json()).unwrap();
    assert_eq!(
        requests[3].body,
        json!({ "dashboard": dashboard, "folderUid": "team", "overwrite": true, "message": "radiosonde-grafana 0.1.0" })
    );

    assert_eq!(grafana.upload(&shop()), Ok(Uploaded::Unchanged));
    assert_eq!(paths(&receiver)[4..], ["/api/dashboards/uid/shop"]);

    assert_eq!(grafana.upload(&shop().description("New.")), Ok(Uploaded::Updated));
    assert_eq!(
        paths(&receiver)[5..],
        ["/api/dashboards/uid/shop", "/api/folders/team", "/api/dashboards/db"]
    );
    // In another place it is another one.
    let general = self::grafana(&receiver.url);
    assert_eq!(general.upload(&shop().description("New.")), Ok(Uploaded::Updated));
    assert_eq!(receiver.requests().last().unwrap().body["folderUid"], Json::Null);
}

#[test]
fn a_folder_that_another_process_makes_at_the_same_time_is_no_failure() {
    let receiver = Receiver::answering(|number, request| match (number, request.path.as_str()) {
        (0 | 1, _) => (404, "{}".to_owned()),
        (_, "/api/folders") => (412, "{}".to_owned()),
        _ => (200, "{}".to_owned()),
    });
    let uploaded = grafana(&receiver.url).folder("team", "The team").upload(&shop());
    assert_eq!(uploaded, Ok(Uploaded::Created));
    assert_eq!(paths(&receiver)[2..], ["/api/folders", "/api/folders/team", "/api/dashboards/db"]);
}

#[test]
fn a_refusal_says_what_to_do_about_it() {
    for (status, expected) in [
        (302, "the URL leads to another one"),
        (401, "the token is wrong"),
        (403, "the role Editor"),
        (412, "another dashboard or folder has that name"),
        (500, "try again later"),
        (503, "try again later"),
    ] {
        let receiver = refusing(status);
        let error = grafana(&receiver.url).upload(&shop()).unwrap_err();
        assert!(matches!(&error, GrafanaError::Refused { status: told, .. } if *told == status));
        let message = error.to_string();
        assert!(message.contains(expected) && message.ends_with("it says: no"), "{message}");
        assert!(!format!("{message} {error:?}").contains(TOKEN));
        assert_eq!(receiver.requests().len(), 1, "nothing is repeated");
    }
    // What is not there is made, so only a POST fails by it.
    let error = grafana(&refusing(404).url).upload(&shop()).unwrap_err().to_string();
    assert!(error.contains("answered 404 to the dashboard: the URL is not the root"), "{error}");
}

#[test]
fn a_proxy_that_shows_what_it_was_sent_does_not_show_the_token() {
    let receiver = Receiver::answering(|_, request| {
        (403, format!("denied: {}", request.header("authorization")))
    });
    let error = grafana(&receiver.url).upload(&shop()).unwrap_err();
    assert!(error.to_string().ends_with("it says: denied: Bearer [redacted]"), "{error}");
    assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
}

#[test]
fn a_grafana_that_is_down_cannot_be_reached() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = grafana(&format!("http://{address}")).upload(&shop()).unwrap_err();
    assert!(matches!(error, GrafanaError::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_start_and_a_stop_are_marked_at_their_times_with_the_version() {
    let milliseconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let before = milliseconds();
    let receiver = Receiver::start();
    let annotations = Annotations::start(&grafana(&receiver.url), "shop", "1.2.3").unwrap();
    annotations.shutdown(DEADLINE).unwrap();
    let mut requests = receiver.requests();
    assert_eq!(paths(&receiver), ["/api/annotations", "/api/annotations"]);
    let times: Vec<_> = requests
        .iter_mut()
        .map(|request| {
            request.body.as_object_mut().unwrap().remove("time").unwrap().as_u64().unwrap()
        })
        .collect();
    assert!(before <= times[0] && times[0] <= times[1] && times[1] <= milliseconds(), "{times:?}");
    let bodies: Vec<_> = requests.into_iter().map(|request| request.body).collect();
    assert_eq!(
        bodies,
        [
            json!({ "tags": ["radiosonde", "shop", "start"], "text": "shop 1.2.3 has started" }),
            json!({ "tags": ["radiosonde", "shop", "stop"], "text": "shop 1.2.3 has stopped" }),
        ]
    );
}

#[test]
fn a_dropped_one_has_told_the_stop() {
    let receiver = Receiver::start();
    drop(Annotations::start(&grafana(&receiver.url), "shop", "1").unwrap());
    assert_eq!(receiver.requests().len(), 2);
}

#[test]
fn nobody_waits_for_a_grafana_that_does_not_answer() {
    // It takes connections, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let grafana = grafana(&format!("http://{}", listener.local_addr().unwrap()));
    let annotations = Annotations::start(&grafana, "shop", "1").unwrap();
    let shutdown = annotations.shutdown(Duration::from_millis(20));
    assert_eq!(shutdown, Err(GrafanaError::Deadline));
    // The start's request is still waiting: its connection is open.
    let (mut connection, _) = listener.accept().unwrap();
    connection.set_nonblocking(true).unwrap();
    let mut request = Vec::new();
    let end = connection.read_to_end(&mut request).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::WouldBlock);
}

#[test]
fn annotations_that_are_refused_change_nothing_and_are_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let handler = "grafana-annotations-refused";
    let keep = Arc::clone(&told);
    radiosonde::attach(handler, "telemetry.grafana.request.exception", move |event| {
        keep.lock().unwrap().push(format!("{event:?}"));
    })
    .unwrap();
    let receiver = refusing(401);
    let annotations = Annotations::start(&grafana(&receiver.url), "shop", "1").unwrap();
    let error = annotations.shutdown(DEADLINE).unwrap_err();
    radiosonde::detach(handler).unwrap();
    assert!(matches!(error, GrafanaError::Refused { status: 401, what: "annotation", .. }));
    let told = told.lock().unwrap();
    // Other tests execute it, too, but no other has an annotation refused so.
    let refused = |event: &&String| event.contains("answered 401 to the annotation");
    assert_eq!(told.iter().filter(refused).count(), 2, "{told:?}");
    assert!(told.iter().all(|event| !event.contains(TOKEN)));
}

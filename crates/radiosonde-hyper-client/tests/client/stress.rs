//! Many requests at once, given up at any point: nothing is lost, and nothing is told twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Request;
use parking_lot::Mutex;
use radiosonde_hyper_client::Client;

use crate::support::*;

/// How often each event of a client was executed.
#[derive(Clone, Default)]
struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    fn of(client: &'static str) -> Self {
        let tally = Self::default();
        let counts = tally.0.clone();
        radiosonde::attach(format!("tally {client}"), "http.client.**", move |event| {
            if event.metadata("name") == client {
                *counts.lock().entry(event.name().to_string()).or_default() += 1;
            }
        })
        .unwrap();
        tally
    }

    fn count(&self, name: &str) -> u64 {
        self.0.lock().get(&format!("http.client.{name}")).copied().unwrap_or_default()
    }
}

/// Answers after a while, in pieces, and now and then closes the connection instead.
async fn moody() -> Server {
    Server::start(|mut stream, _| async move {
        while read_head(&mut stream).await.is_some() {
            let mood = fastrand::u64(0..20);
            tokio::time::sleep(Duration::from_micros(mood * 100)).await;
            if mood == 0 {
                return;
            }
            write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbo").await;
            if mood == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_micros(mood * 20)).await;
            write(&mut stream, "dy").await;
        }
    })
    .await
}

/// One request, read to its end, to its middle or not at all, with or without a body.
async fn request(client: Client, url: String) {
    let frames = if fastrand::bool() { vec!["one", "two"] } else { vec![] };
    let then = if fastrand::u8(..20) == 0 { Then::Error } else { Then::End };
    let request = if fastrand::bool() { Request::get(url) } else { Request::put(url) };
    let Ok(response) = client.request(request.body(Frames::new(frames, then)).unwrap()).await
    else {
        return;
    };
    let mut body = response.into_body();
    for _ in 0..fastrand::usize(..4) {
        if !matches!(body.frame().await, Some(Ok(_))) {
            return;
        }
    }
}

async fn run(client: &Client, url: &str, are_given_up: bool) {
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (client, url) = (client.clone(), url.to_owned());
            tokio::spawn(async move {
                for _ in 0..40 {
                    let request = request(client.clone(), url.clone());
                    if are_given_up {
                        let limit = Duration::from_micros(fastrand::u64(..8_000));
                        let _ = tokio::time::timeout(limit, request).await;
                    } else {
                        request.await;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn assert_all_ended(tally: &Tally) {
    for phase in ["request", "queue", "connect", "send", "receive"] {
        let started = tally.count(&format!("{phase}.start"));
        let ended =
            tally.count(&format!("{phase}.stop")) + tally.count(&format!("{phase}.exception"));
        assert_eq!(started, ended, "{phase}");
        assert!(started > 0, "{phase}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_connection_that_was_opened_was_told() {
    let server = moody().await;
    let client = Client::builder("patient").pool_size(5).build();
    let tally = Tally::of("patient");
    run(&client, &server.url(), false).await;
    assert_all_ended(&tally);
    assert_eq!(tally.count("request.start"), 64 * 40);
    let status = status(&client);
    assert_eq!((status.available, status.in_use, status.queued), (5, 0, 0));
    assert!(status.idle <= 5);
    // The last ones may not have been accepted yet.
    while (server.accepted() as u64) < tally.count("connect.stop") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(server.accepted() as u64, tally.count("connect.stop"));
    radiosonde::detach("tally patient").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_permit_comes_back_whenever_a_request_is_given_up() {
    let server = moody().await;
    let client = Client::builder("impatient").pool_size(5).build();
    let tally = Tally::of("impatient");
    run(&client, &server.url(), true).await;
    assert_all_ended(&tally);
    let status = status(&client);
    assert_eq!((status.available, status.in_use, status.queued), (5, 0, 0));
    assert!(status.idle <= 5);
    // One that was given up while it was opened may have been accepted all the same.
    assert!(tally.count("connect.start") >= server.accepted() as u64);
    radiosonde::detach("tally impatient").unwrap();
}

//! Sessions of axum's WebSockets with a real client.

use std::future::pending;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use futures_util::{SinkExt, StreamExt};
use radiosonde::{Capture, OwnedEvent, capture};
use radiosonde_metrics::{SeriesValue, Store};
use radiosonde_tower::websocket::{self, MeasuredWebSocket, WebSocketSession};
use radiosonde_trace_context::TraceParent;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, protocol};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::peers::{TelemetryLayer, connect, ended, phase, said, serve, until};

type Client = WebSocketStream<TcpStream>;

/// The sessions of a process are counted together, so the tests take turns.
static TURN: Mutex<()> = Mutex::const_new(());

async fn echo(mut socket: MeasuredWebSocket) {
    // To the very end, which is behind the close frame.
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_)) {
            socket.send(message).await.unwrap();
        }
    }
}

async fn route(upgrade: WebSocketUpgrade, session: WebSocketSession) -> Response {
    session.on_upgrade(upgrade, echo)
}

fn app() -> Router {
    let split = |upgrade: WebSocketUpgrade, session: WebSocketSession| async {
        session.on_upgrade(upgrade, |socket| async {
            assert!(socket.protocol().is_none());
            let (mut sender, mut receiver) = socket.split();
            receiver.next().await;
            let trace = TraceParent::current().map(|trace| trace.to_string());
            sender.send(Message::text(trace.unwrap_or_default())).await.unwrap();
            sender.close().await.unwrap();
        })
    };
    let panics = |upgrade: WebSocketUpgrade, session: WebSocketSession| async {
        session.on_upgrade(upgrade, |mut socket| async move {
            socket.recv().await;
            panic!("out of words")
        })
    };
    let returns = |upgrade: WebSocketUpgrade, session: WebSocketSession| async {
        session.on_upgrade(upgrade, |_socket| async {})
    };
    let stays = |upgrade: WebSocketUpgrade, session: WebSocketSession| async {
        session.on_upgrade(upgrade, |_socket| pending())
    };
    Router::new()
        .route("/echo/{room}", any(route))
        .route("/split", any(split))
        .route("/panics", any(panics))
        .route("/returns", any(returns))
        .route("/stays", any(stays))
        .layer(TelemetryLayer::new())
}

async fn open(server: SocketAddr, path: &str) -> Client {
    let stream = connect(server).await;
    client_async(format!("ws://{server}{path}"), stream).await.unwrap().0
}

async fn begin(path: &str) -> (Client, Capture, MutexGuard<'static, ()>) {
    let turn = TURN.lock().await;
    let capture = capture(["http.server.**"]);
    (open(serve(app()).await, path).await, capture, turn)
}

/// The end of the session, after that of its request.
async fn session(capture: &Capture) -> OwnedEvent {
    until(|| ended(capture).len() == 2).await;
    let mut ends = ended(capture);
    assert_eq!(said(&ends[0], &["route", "status", "status_class"])[1..], ["101", "1xx"]);
    ends.remove(1)
}

#[tokio::test]
async fn a_session_is_a_span_inside_the_request_that_asked_for_it() {
    let (mut client, capture, _turn) = begin("/echo/7").await;
    for text in ["one", "two"] {
        client.send(tungstenite::Message::text(text)).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap().into_text().unwrap(), text);
    }
    client.send(tungstenite::Message::Ping("?".into())).await.unwrap();
    let code = protocol::frame::coding::CloseCode::Away;
    client.close(Some(CloseFrame { code, reason: "bye".into() })).await.unwrap();
    while client.next().await.is_some() {}

    let stop = session(&capture).await;
    assert_eq!(stop.name(), "http.server.websocket.stop");
    assert_eq!(said(&stop, &["route", "close"]), ["/echo/{room}", "going_away"]);
    assert!(stop.measurement("received") == 2 && stop.measurement("sent") == 2);
    let request = &capture.events()[0];
    assert!(
        stop.metadata("telemetry_parent_span_context")
            == request.metadata("telemetry_span_context")
    );
}

#[tokio::test]
async fn the_session_is_current_while_it_runs_and_the_first_to_close_says_how() {
    let (mut client, capture, _turn) = begin("/split").await;
    client.send(tungstenite::Message::text("where are you")).await.unwrap();
    let trace = client.next().await.unwrap().unwrap().into_text().unwrap();
    while client.next().await.is_some() {}
    let stop = session(&capture).await;
    assert!(stop.metadata("telemetry_span_context") == trace.as_str());
    assert!(stop.measurement("sent") == 1 && stop.metadata("close") == "no_status");
}

#[tokio::test]
async fn a_client_that_is_gone_without_a_close_frame_is_abnormal() {
    let (client, capture, _turn) = begin("/echo/7").await;
    drop(client);
    let stop = session(&capture).await;
    assert_eq!((phase(&stop), said(&stop, &["close"])), ("stop", vec!["abnormal".to_owned()]));
}

#[tokio::test]
async fn a_session_that_returns_closes_nothing_and_one_that_panics_is_a_panic() {
    let (_client, capture, turn) = begin("/returns").await;
    let stop = session(&capture).await;
    assert_eq!((phase(&stop), said(&stop, &["close"])), ("stop", vec!["none".to_owned()]));
    drop((capture, turn));

    let (mut client, capture, _turn) = begin("/panics").await;
    client.send(tungstenite::Message::text("go on")).await.unwrap();
    let exception = session(&capture).await;
    assert_eq!(said(&exception, &["kind", "route"]), ["panic", "/panics"]);
    assert!(exception.measurement("received") == 1);
}

#[test]
fn a_session_that_is_dropped_is_cancelled_and_in_flight_no_longer() {
    let _turn = TURN.blocking_lock();
    let store = Store::new(websocket::metrics()).unwrap();
    let _attached = store.attach(radiosonde::global()).unwrap();
    let in_flight = || match store.snapshot().value("http.server.websocket.sessions.in_flight", &[])
    {
        Some(SeriesValue::Number(number)) => number,
        other => panic!("{other:?}"),
    };
    let capture = capture(["http.server.**"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let client = open(serve(app()).await, "/stays").await;
        until(|| in_flight() == 1.0).await;
        client
    });
    drop(runtime);
    drop(client);
    let exception = ended(&capture).remove(1);
    assert_eq!(said(&exception, &["kind", "route", "close"]), ["cancelled", "/stays", "none"]);
    assert_eq!(in_flight(), 0.0);
    let sessions = "http.server.websocket.sessions.total";
    let count =
        store.snapshot().value(sessions, &["/stays", "none"]).map(|value| format!("{value:?}"));
    assert_eq!(count.as_deref(), Some("Count(1)"));
}

//! The pool: its bound, its queue, its idle connections, and what it says of itself.

use std::time::Duration;

use radiosonde::capture;
use radiosonde_hyper_client::{Client, ErrorKind};
use tokio::time::{advance, pause};

use crate::support::*;

#[tokio::test]
async fn who_comes_first_has_the_connection_first() {
    let server = Server::answering(OK).await;
    let client = Client::builder("shop").pool_size(1).build();
    let held = get(&client, &server.url()).await.unwrap();
    let url = server.url();
    let (mut first, mut second) =
        (Box::pin(get_and_read(&client, &url)), Box::pin(get_and_read(&client, &url)));
    assert!(poll_for_a_while(&mut first).await.is_none());
    assert!(poll_for_a_while(&mut second).await.is_none());
    assert_eq!(status(&client).queued, 2);
    read(held).await.unwrap();

    // The second is not let through, although the connection is idle and the first asleep.
    assert!(poll_for_a_while(&mut second).await.is_none());
    assert_eq!(status(&client).queued, 2);
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!((status(&client).queued, status(&client).idle), (0, 1));
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn the_queue_says_how_long_the_wait_was_and_gives_up_in_time() {
    let server = Server::answering(OK).await;
    let client = Client::builder("shop").pool_size(1).queue_timeout(Duration::from_secs(3)).build();
    let held = get(&client, &server.url()).await.unwrap();
    let capture = capture(["http.client.**"]);
    pause();
    let before = tokio::time::Instant::now();
    let error = get(&client, &server.url()).await.unwrap_err();
    assert_eq!(before.elapsed().as_secs(), 3);
    assert_eq!(error.kind(), ErrorKind::QueueTimeout);
    assert!(error.to_string().contains("`pool_size`"), "{error}");
    assert_eq!(
        told(&capture),
        [
            "request.start",
            "queue.start",
            "queue.exception queue_timeout",
            "request.exception queue_timeout"
        ]
    );
    assert_eq!((status(&client).queued, status(&client).in_use), (0, 1));
    read(held).await.unwrap();
    get_and_read(&client, &server.url()).await.unwrap();
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn as_many_as_the_pool_has_run_at_once() {
    let server = Server::answering(OK).await;
    let client = Client::builder("shop").pool_size(3).build();
    let mut held = Vec::new();
    for in_use in 1..=3 {
        held.push(get(&client, &server.url()).await.unwrap());
        let status = status(&client);
        assert_eq!((status.in_use, status.available), (in_use, 3 - in_use));
    }
    assert!(poll_for_a_while(&mut Box::pin(get(&client, &server.url()))).await.is_none());
    for response in held {
        read(response).await.unwrap();
    }
    assert_eq!((status(&client).idle, status(&client).available), (3, 3));
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn a_pool_may_be_as_large_as_can_be() {
    let server = Server::answering(OK).await;
    let client = Client::builder("shop").pool_size(usize::MAX).build();
    assert_eq!(get_and_read(&client, &server.url()).await.unwrap(), "body");
    assert_eq!(status(&client).available, status(&client).size);
}

#[tokio::test(start_paused = true)]
async fn connections_that_were_idle_for_too_long_are_closed() {
    let server = Server::answering(OK).await;
    let client = Client::builder("shop").idle_timeout(Duration::from_secs(60)).build();
    get_and_read(&client, &server.url()).await.unwrap();
    advance(Duration::from_secs(59)).await;
    let capture = capture(["http.client.queue.stop"]);
    get_and_read(&client, &server.url()).await.unwrap();
    let idle_time =
        last(&capture, "http.client.queue.stop").measurement("idle_time").as_f64().unwrap();
    assert!((59e9..60e9).contains(&idle_time), "{idle_time}");
    assert_eq!((server.accepted(), status(&client).idle), (1, 1));

    advance(Duration::from_secs(61)).await;
    get_and_read(&client, &server.url()).await.unwrap();
    assert_eq!(server.accepted(), 2);
    advance(Duration::from_secs(61)).await;
    // Somebody who only looks sees to it, too.
    assert_eq!(status(&client).idle, 0);
}

#[tokio::test]
async fn servers_beyond_the_limit_take_the_place_of_those_not_used_for_longest() {
    let servers =
        [Server::answering(OK).await, Server::answering(OK).await, Server::answering(OK).await];
    let [first, second, third] = servers.each_ref().map(Server::url);
    let known = |client: &Client| {
        let ports: Vec<_> = client.pools().iter().map(|pool| pool.port).collect();
        servers.each_ref().map(|server| ports.contains(&server.address.port()))
    };
    let client = Client::builder("shop").origins(2).build();
    for url in [&first, &second, &first, &third] {
        get_and_read(&client, url).await.unwrap();
    }
    assert_eq!(known(&client), [true, false, true]);

    // All are in use: one more is served, and forgotten.
    let held = [get(&client, &first).await.unwrap(), get(&client, &third).await.unwrap()];
    get_and_read(&client, &second).await.unwrap();
    assert_eq!(known(&client), [true, false, true]);
    drop(held);
    get_and_read(&client, &second).await.unwrap();
    assert_eq!(known(&client), [false, true, true]);
}

#[tokio::test]
async fn the_same_server_has_one_pool_however_it_is_written() {
    let server = Server::answering(OK).await;
    let client = Client::new("shop");
    for host in ["localhost", "LOCALHOST", "user:password@localhost"] {
        let url = format!("http://{host}:{}/", server.address.port());
        get_and_read(&client, &url).await.unwrap();
    }
    assert_eq!(client.pools().len(), 1);
    assert_eq!(status(&client).host, "localhost");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn the_state_of_each_pool_is_an_event() {
    let servers = [Server::answering(OK).await, Server::answering(OK).await];
    let client = Client::builder("shop").pool_size(8).build();
    let held = get(&client, &servers[0].url()).await.unwrap();
    get_and_read(&client, &servers[1].url()).await.unwrap();
    let capture = capture(["http.client.pool"]);
    client.execute_pool_events();
    for server in &servers {
        let events = capture.events();
        let port = server.address.port();
        let pool = events.iter().find(|event| event.metadata("port") == port).unwrap();
        let in_use = u64::from(port == servers[0].address.port());
        assert!(pool.measurement("in_use") == in_use && pool.measurement("idle") == 1 - in_use);
        assert!(pool.measurement("available") == 8 - in_use && pool.measurement("size") == 8);
        assert!(pool.measurement("queued") == 0 && pool.metadata("name") == "shop");
    }
    drop(held);
}

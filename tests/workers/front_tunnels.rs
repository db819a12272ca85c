//! WebSockets and other upgrades of a fronted app: carried, waited for, and ended as they should.

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::support::client::{End, is_ok};
use crate::support::upgrades::{UPGRADE, echo, is_upgraded, raw};
use crate::support::websocket::WebSocketClient;
use crate::support::{Start, as_test};

const TUNNEL: &str = "worker_connections{state=\"tunnel\"}";

/// The worker in front of this very program, told by its environment to be an app.
fn a_fronted_app(options: &str) -> Start {
    let app = env::current_exe().unwrap();
    let app = format!("-- {} {}", app.display(), as_test(module_path!(), "the_app"));
    Start::worker().on_tcp().env("BE_AN_APP", "1").args(options).args(&app)
}

/// An ordinary app: it knows nothing of drains.
#[test]
fn the_app() {
    if env::var_os("BE_AN_APP").is_none() {
        return;
    }
    let unasked = || async {
        Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).body(Body::empty()).unwrap()
    };
    let app = Router::new()
        .route("/", get(|| async { "fine\n" }))
        .route("/echo", get(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }))
        .route("/raw", get(raw))
        .route("/unasked", get(unasked));
    let port: u16 = env::var("PORT").unwrap().parse().unwrap();
    let serve = async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        axum::serve(listener, app).await.unwrap();
    };
    tokio::runtime::Runtime::new().unwrap().block_on(serve);
}

#[test]
fn a_websocket_reaches_the_app_and_back() {
    let worker = a_fronted_app("").ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/echo");
    client.echoes("hello");
    client.echoes(&"large ".repeat(200_000));
    worker.until(TUNNEL, 1);
    client.says_goodbye();
    worker.until(TUNNEL, 0);
}

#[test]
fn websockets_are_closed_by_1001_and_not_all_at_once() {
    let worker = a_fronted_app("--tunnel-grace 600ms").ready();
    let clients = (0..12).map(|_| {
        let mut client = WebSocketClient::new(worker.client_stream(), "/echo");
        client.echoes("hello");
        client
    });
    let clients: Vec<_> = clients.collect();
    worker.is_told_to_go();
    let told = Instant::now();
    let waiting = clients.into_iter().map(|mut client| {
        thread::spawn(move || {
            // Kept, so that nothing but the goodbye ends it.
            client.echoes("still here");
            client.is_told_1001();
            told.elapsed()
        })
    });
    let waiting: Vec<_> = waiting.collect();
    let took: Vec<_> = waiting.into_iter().map(|client| client.join().unwrap()).collect();
    let (first, last) = (took.iter().min().unwrap(), took.iter().max().unwrap());
    assert!(*first >= Duration::from_millis(500), "not kept: {took:?}");
    assert!(*last - *first > Duration::from_millis(60), "all at once: {took:?}");
    let log = worker.ends_well();
    assert!(log.contains("drained 12 connections: 0 lingered, 0 lost, 0 requests cut"), "{log}");
    assert!(log.contains("12 WebSockets closed"), "{log}");
}

#[test]
fn another_protocol_is_kept_to_the_deadline_and_cut_then() {
    let worker = a_fronted_app("--tunnel-grace 50ms --drain-timeout 5s").ready();
    let mut websocket = WebSocketClient::new(worker.client_stream(), "/echo");
    let mut client = worker.client();
    client.sends(UPGRADE);
    is_upgraded(&mut client);
    worker.until(TUNNEL, 2);
    worker.is_told_to_go();
    websocket.is_told_1001();
    client.sends("hello");
    assert_eq!(client.reads_bytes(5), b"hello");
    assert_eq!(client.sees_end(), End::Reset(String::new()));
    let (status, log) = worker.ends();
    assert_eq!(status, 3, "{log}");
    assert!(log.contains("cut at the deadline: the tunnel of GET /raw after"), "{log}");
    assert!(log.contains("1 requests cut, 1 WebSockets closed"), "{log}");
}

#[test]
fn a_websocket_whose_client_does_not_read_is_cut_at_the_deadline() {
    let worker = a_fronted_app("--tunnel-grace 0s --drain-timeout 1s").ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/echo");
    client.sends_without_reading();
    worker.is_told_to_go();
    let (status, log) = worker.ends();
    assert_eq!(status, 3, "{log}");
    assert!(log.contains("cut at the deadline: the tunnel of GET /echo after"), "{log}");
}

#[test]
fn bytes_that_came_with_the_request_reach_the_app_and_each_side_ends_on_its_own() {
    let worker = a_fronted_app("").ready();
    let mut client = worker.client();
    client.sends(UPGRADE.to_owned() + "hello");
    is_upgraded(&mut client);
    assert_eq!(client.reads_bytes(5), b"hello");
    client.closes_its_side();
    assert_eq!(client.sees_end(), End::Closed("bye".to_owned()));
    worker.until(TUNNEL, 0);
}

#[test]
fn an_app_that_does_not_upgrade_just_answers() {
    let worker = a_fronted_app("").ready();
    let mut client = worker.client();
    client.sends(UPGRADE.replace("/raw", "/"));
    is_ok(&client.reads());
    is_ok(&client.asks("/"));
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_a_bad_gateway() {
    let worker = a_fronted_app("").ready();
    let mut client = worker.client();
    assert!(client.asks("/unasked").starts_with("HTTP/1.1 502 "));
    is_ok(&client.asks("/"));
}

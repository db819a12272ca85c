//! A connection that leaves HTTP (a WebSocket, any other upgrade) stays in the worker's books: it
//! is waited for in the drain, and cut at the deadline.

use std::env;
use std::future::pending;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use rollctl::worker::{self, About, Config, Worker};
use rustix::process::Signal;

use crate::support::client::{Client, End, get as request, is_last, is_ok};
use crate::support::upgrades::{UPGRADE, echo, is_upgraded, raw};
use crate::support::websocket::WebSocketClient;
use crate::support::{Start, as_test, unix_listener};

const TUNNEL: &str = "worker_connections{state=\"tunnel\"}";

/// This very program, told by its environment to be a service with upgrades.
fn a_service_of_its_own() -> Start {
    let start = Start::program(env::current_exe().unwrap()).env("BE_A_SERVICE", "1");
    start.args(&as_test(module_path!(), "the_service"))
}

#[test]
fn the_service() {
    if env::var_os("BE_A_SERVICE").is_none() {
        return;
    }
    worker::log::start().unwrap();
    let worker = Worker::new(Config::from_env().unwrap()).unwrap();
    let app = app(worker.about());
    let outcome = worker.run(TowerToHyperService::new(app)).unwrap();
    std::process::exit(if outcome.cut > 0 { 3 } else { 0 });
}

fn app(about: About) -> Router {
    let polite = move |upgrade: WebSocketUpgrade| async move {
        upgrade.on_upgrade(move |socket| echo_until_the_drain(socket, about))
    };
    Router::new()
        .route("/", get(|| async { "fine\n" }))
        .route("/echo", get(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }))
        .route("/polite", get(polite))
        .route("/blind", get(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(never_look) }))
        .route("/raw", get(raw))
}

async fn echo_until_the_drain(mut socket: WebSocket, about: About) {
    tokio::select! {
        () = about.draining() => {}
        _ = socket.recv() => panic!("a client of this story says nothing"),
    }
    let reason = Utf8Bytes::from_static("going away");
    let _ = socket.send(Message::Close(Some(CloseFrame { code: 1001, reason }))).await;
    while let Some(Ok(_)) = socket.recv().await {}
}

async fn never_look(socket: WebSocket) {
    pending::<()>().await;
    drop(socket);
}

#[test]
fn whatever_bytes_pass_a_tunnel_as_they_are() {
    let worker = a_service_of_its_own().on_tcp().ready();
    let mut client = worker.client();
    // No HTTP at all, and there before the answer is: nobody may look for requests in it.
    let bytes = "\n\0GET / HTTP/1.1\nhost: a\nhost: b\n\n";
    client.sends(format!("{UPGRADE}{bytes}"));
    is_upgraded(&mut client);
    assert_eq!(client.reads_bytes(bytes.len()), bytes.as_bytes());
    client.sends(bytes);
    assert_eq!(client.reads_bytes(bytes.len()), bytes.as_bytes());
}

#[test]
fn a_websocket_is_a_connection_until_it_ends_and_no_request() {
    let worker = a_service_of_its_own().on_tcp().ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/echo");
    client.echoes("hello");
    worker.until(TUNNEL, 1);
    assert_eq!(worker.metric("worker_in_flight"), 0);
    assert_eq!(worker.metric("worker_requests_total{class=\"1xx\"}"), 1);
    client.says_goodbye();
    worker.until(TUNNEL, 0);
    assert_eq!(worker.metric("worker_tunnels_total"), 1);
    worker.is_told_to_go();
    worker.ends_well();
}

#[test]
fn the_drain_waits_for_a_websocket_and_says_so() {
    let worker = a_service_of_its_own().on_tcp().env("WORKER_LINGER", "50ms").ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/echo");
    let mut idle = worker.client();
    is_ok(&idle.asks("/"));
    worker.signal(Signal::TERM);
    let said = worker.says("STOPPING=1");
    assert!(said.contains("draining: 0 requests, 2 connections, 1 of them tunnels"), "{said}");
    // The linger time is for what is idle, and this is not.
    idle.sees_clean_end();
    client.echoes("still here");
    client.says_goodbye();
    let log = worker.ends_well();
    assert!(log.contains("drained 2 connections: 1 lingered, 0 lost, 0 requests cut"), "{log}");
}

#[test]
fn an_app_that_hears_of_the_drain_ends_its_websockets_itself() {
    let worker = a_service_of_its_own().on_tcp().ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/polite");
    worker.until(TUNNEL, 1);
    worker.is_told_to_go();
    client.is_told_1001();
    let log = worker.ends_well();
    assert!(log.contains("drained 1 connections: 0 lingered, 0 lost, 0 requests cut"), "{log}");
}

#[test]
fn a_websocket_that_the_app_does_not_end_is_cut_at_the_deadline() {
    let worker = a_service_of_its_own().on_tcp().env("WORKER_DRAIN_TIMEOUT", "300ms").ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/echo");
    worker.until(TUNNEL, 1);
    let told = Instant::now();
    worker.is_told_to_go();
    assert!(client.is_cut(), "a clean-looking end");
    let (status, log) = worker.ends();
    // Its app sees the cut and lets go, so nothing is left to wait for.
    assert!(told.elapsed() < Duration::from_secs(4), "took {:?}", told.elapsed());
    assert_eq!(status, 3, "{log}");
    assert!(log.contains("cut at the deadline: the tunnel of GET /echo after"), "{log}");
    assert!(log.contains("drained 1 connections: 0 lingered, 0 lost, 1 requests cut"), "{log}");
}

#[test]
fn an_app_that_never_looks_at_its_websocket_cannot_keep_it() {
    let worker = a_service_of_its_own().on_tcp().env("WORKER_DRAIN_TIMEOUT", "300ms").ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/blind");
    worker.until(TUNNEL, 1);
    worker.is_told_to_go();
    assert!(client.is_cut(), "a clean-looking end");
    // Told by the deadline, not by the end of the worker, which waits for the app a little.
    assert_eq!(worker.metric("worker_tunnels_cut_total"), 1);
    let (status, log) = worker.ends();
    assert_eq!(status, 3, "{log}");
}

#[test]
fn a_second_sigterm_cuts_a_websocket() {
    let worker = a_service_of_its_own().on_tcp().ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/echo");
    worker.until(TUNNEL, 1);
    worker.is_told_to_go();
    worker.signal(Signal::TERM);
    assert!(client.is_cut(), "a clean-looking end");
    assert_eq!(worker.ends().0, 3);
}

#[test]
fn on_a_unix_socket_a_tunnel_is_cut_too() {
    let (_dir, path, listener) = unix_listener();
    let start = a_service_of_its_own().socket(listener).env("WORKER_DRAIN_TIMEOUT", "300ms");
    let worker = start.ready();
    let mut client = Client::unix(&path);
    client.sends(UPGRADE);
    is_upgraded(&mut client);
    worker.until(TUNNEL, 1);
    worker.is_told_to_go();
    assert!(!client.has_more());
    let (status, log) = worker.ends();
    assert_eq!(status, 3, "{log}");
}

#[test]
fn a_quiet_websocket_knows_no_idle_limit() {
    let limits = a_service_of_its_own().on_tcp().env("WORKER_IDLE_TIMEOUT", "50ms");
    let worker = limits.env("WORKER_HEADER_TIMEOUT", "50ms").ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/echo");
    let mut witness = worker.client();
    is_ok(&witness.asks("/"));
    witness.sees_clean_end();
    // Time itself is the story here: many times the limit.
    thread::sleep(Duration::from_millis(500));
    client.echoes("hello");
}

#[test]
fn what_a_websocket_moves_asks_systemd_for_time() {
    let worker = a_service_of_its_own().on_tcp().ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/echo");
    worker.is_told_to_go();
    client.echoes("hello");
    worker.says("EXTEND_TIMEOUT_USEC=5000000");
    client.says_goodbye();
    worker.ends_well();
}

#[test]
fn a_tunnel_takes_a_place_as_any_connection_does() {
    let worker = a_service_of_its_own().on_tcp().env("WORKER_MAX_CONNECTIONS", "1").ready();
    let mut client = WebSocketClient::new(worker.client_stream(), "/echo");
    let mut queued = worker.client();
    queued.sends(request("/"));
    client.echoes("hello");
    assert_eq!(worker.metric("worker_accepted_total"), 1);
    client.says_goodbye();
    is_ok(&queued.reads());
}

#[test]
fn bytes_that_came_with_the_request_are_the_first_of_the_tunnel() {
    let worker = a_service_of_its_own().on_tcp().ready();
    let mut client = worker.client();
    client.sends(UPGRADE.to_owned() + "hello");
    is_upgraded(&mut client);
    assert_eq!(client.reads_bytes(5), b"hello");
}

#[test]
fn each_side_of_a_tunnel_is_closed_on_its_own() {
    let worker = a_service_of_its_own().on_tcp().ready();
    let mut client = worker.client();
    client.sends(UPGRADE);
    is_upgraded(&mut client);
    client.closes_its_side();
    assert_eq!(client.sees_end(), End::Closed("bye".to_owned()));

    let mut client = worker.client();
    client.sends(UPGRADE);
    is_upgraded(&mut client);
    client.sends("done");
    assert!(!client.has_more());
    client.sends("and yet");
    worker.logs("heard \"and yet\"");
    worker.until(TUNNEL, 1);
    drop(client);
    worker.until(TUNNEL, 0);
}

#[test]
fn an_upgrade_on_an_old_connection_is_served_in_the_drain() {
    let worker = a_service_of_its_own().on_tcp().ready();
    let (mut client, mut neighbour) = (worker.client(), worker.client());
    is_ok(&client.asks("/"));
    is_ok(&neighbour.asks("/"));
    worker.is_told_to_go();
    is_last(&neighbour.asks("/"));
    client.sends(UPGRADE);
    is_upgraded(&mut client);
    client.sends("hello");
    assert_eq!(client.reads_bytes(5), b"hello");
    client.closes_its_side();
    assert_eq!(client.sees_end(), End::Closed("bye".to_owned()));
    worker.ends_well();
}

#[test]
fn what_comes_behind_an_upgrade_in_vain_destroys_no_answer() {
    let worker = Start::worker().on_tcp().ready();
    for head in [
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n",
    ] {
        let mut client = worker.client();
        // More than the worker reads before it answers.
        client.sends_what_goes([head.as_bytes(), &[b'x'; 1 << 20]].concat());
        let end = client.sees_end();
        let End::Closed(answer) = &end else { panic!("{head}: {end:?}") };
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }
}

//! A Rust service gets all of it by putting the library around itself, whatever it does.

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};

use crate::support::client::{Client, get, is_last, is_ok};
use crate::support::http2::{HEADERS, Http2};
use crate::support::{Start, own_worker};

/// More than all buffers between a server and a client that does not read.
const LARGE: usize = 32 << 20;

/// This very program, told by its environment to be a service with bad habits.
fn a_service_of_its_own() -> Start {
    Start::own_service(module_path!(), "1").on_tcp()
}

#[test]
fn the_service() {
    let Some(worker) = own_worker() else { return };
    let outcome = worker.run(service_fn(bad_habits)).unwrap();
    std::process::exit(if outcome.cut > 0 { 3 } else { 0 });
}

async fn bad_habits(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
    match request.uri().path() {
        "/panic" => panic!("a bad habit"),
        "/fail" => Err(io::Error::other("another one")),
        "/block" => loop {
            thread::sleep(Duration::from_secs(60));
        },
        "/large" => Ok(Response::new(Full::from(vec![b'x'; LARGE]))),
        _ => Ok(Response::new(Full::from("fine\n"))),
    }
}

#[test]
fn is_served_and_drained_like_the_built_in_app() {
    let worker = a_service_of_its_own().ready();
    let mut client = worker.client();
    is_ok(&client.asks("/"));
    worker.is_told_to_go();
    is_last(&client.asks("/"));
    drop(client);
    worker.ends_well();
}

#[test]
fn a_panic_is_a_500_and_nobody_else_notices() {
    let worker = a_service_of_its_own().ready();
    let mut neighbour = worker.client();
    is_ok(&neighbour.asks("/"));
    let mut client = worker.client();
    assert!(client.asks("/panic").starts_with("HTTP/1.1 500 "));
    client.sees_clean_end();
    assert!(worker.client().asks("/fail").starts_with("HTTP/1.1 500 "));
    is_ok(&neighbour.asks("/"));
    assert_eq!(worker.metric("worker_requests_total{class=\"5xx\"}"), 2);
    worker.until("worker_in_flight", 0);
    drop((client, neighbour));
    worker.is_told_to_go();
    let log = worker.ends_well();
    assert!(log.contains("GET /panic: the app panicked, answering 500: a bad habit"), "{log}");
    assert!(log.contains("GET /fail: the app failed, answering 500: another one"), "{log}");
}

#[test]
fn a_panic_in_one_http2_stream_leaves_the_others_alone() {
    let worker = a_service_of_its_own().ready();
    let mut client = Http2::new(worker.client());
    client.asks(1, "/panic");
    let head = client.reads_until(|frame| frame.kind == HEADERS && frame.stream == 1);
    // `0x8e` is `:status 500` in HPACK's static table.
    assert_eq!(head.payload[0], 0x8e, "{head:?}");
    client.asks(3, "/");
    client.is_answered(3);
}

/// What is read at once first makes the kernel's buffers large on the worker's side: what it sees of
/// a client that is slow from then on would come in steps of more than a megabyte.
#[test]
fn a_slow_reader_of_a_big_response_is_not_idle() {
    const AT_ONCE: usize = 24 << 20;
    const PIECE: usize = 64 << 10;
    const PIECES: usize = 50;
    let worker = a_service_of_its_own().env("WORKER_IDLE_TIMEOUT", "1s").ready();
    let mut client = Client::with_a_small_window(worker.address());
    client.sends(get("/large"));
    client.reads_until(b"\r\n\r\n");
    client.reads_bytes(AT_ONCE);
    for _ in 0..PIECES {
        client.reads_bytes(PIECE);
        thread::sleep(Duration::from_millis(80));
    }
    client.reads_bytes(LARGE - AT_ONCE - PIECES * PIECE);
    is_ok(&client.asks("/"));
    client.sees_clean_end();
}

#[test]
fn a_client_that_reads_at_last_gets_all_of_its_response() {
    let worker = a_service_of_its_own().env("WORKER_IDLE_TIMEOUT", "50ms").ready();
    let mut client = worker.client();
    client.sends(get("/large"));
    client.reads_until(b"\r\n\r\n");
    // Long enough to be given up, and short enough to be in time for the last chance.
    thread::sleep(Duration::from_millis(300));
    client.reads_bytes(LARGE);
    client.sees_clean_end();
    assert!(!worker.stderr().contains("cut: "), "{}", worker.stderr());
}

#[test]
fn a_client_that_does_not_read_its_response_is_cut() {
    let worker = a_service_of_its_own().env("WORKER_IDLE_TIMEOUT", "50ms").ready();
    worker.cuts_who_does_not_read("/large");
}

#[test]
fn a_stuck_runtime_stops_feeding_the_watchdog() {
    let worker = a_service_of_its_own().env("WATCHDOG_USEC", "200000").ready();
    worker.says("WATCHDOG=1");
    worker.says("WATCHDOG=1");
    worker.client().sends(get("/block"));
    // Fed every 100 ms as long as it lives: a second without a word is ten missed feedings.
    let silent = (0..20).any(|_| {
        let _ = worker.said();
        thread::sleep(Duration::from_secs(1));
        worker.said().is_empty()
    });
    assert!(silent, "the watchdog is still being fed");
}

#[test]
fn the_axum_example_serves_and_drains() {
    let worker = Start::program(axum_example()).on_tcp().ready();
    let mut client = worker.client();
    is_ok(&client.asks("/"));
    assert!(client.asks("/you").ends_with("hello you\n"));
    worker.is_told_to_go();
    is_last(&client.asks("/"));
    drop(client);
    worker.ends_well();
}

/// `cargo test` builds the examples first; one test alone may have to.
fn axum_example() -> PathBuf {
    let test = env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples/axum");
    if !built.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        let status = cargo.args(["build", "--example", "axum", "--all-features"]).status();
        assert!(status.unwrap().success(), "the example does not build");
    }
    built
}

//! How a worker leaves: nothing that was accepted is dropped, and what cannot be kept is counted.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::client::{Client, End, get, is_last, is_ok};
use crate::support::http2::{GOAWAY, Http2, PING};
use crate::support::{Start, unix_listener};

const IDLE: &str = "worker_connections{state=\"idle\"}";
const HEAD: &str = "worker_connections{state=\"head\"}";
const BUSY: &str = "worker_connections{state=\"busy\"}";
const CLOSING: &str = "worker_connections{state=\"closing\"}";

#[test]
fn a_request_on_an_idle_connection_is_served_after_sigterm() {
    let worker = Start::worker().on_tcp().ready();
    let mut client = worker.client();
    let first = client.asks("/");
    is_ok(&first);
    assert!(!first.contains("connection: close"), "{first}");
    worker.is_told_to_go();
    is_last(&client.asks("/"));
    client.sees_clean_end();
    let log = worker.ends_well();
    assert!(log.contains("drained 1 connections: 0 lingered, 0 lost, 0 requests cut"), "{log}");
}

#[test]
fn sigint_is_a_sigterm_too() {
    let worker = Start::worker().on_tcp().ready();
    worker.signal(Signal::INT);
    worker.says("STOPPING=1");
    worker.ends_well();
}

#[test]
fn a_fresh_connection_whose_request_came_with_sigterm_is_served() {
    let worker = Start::worker().on_tcp().ready();
    let mut client = worker.accepted_client();
    worker.signal(Signal::STOP);
    client.sends(get("/"));
    worker.signal(Signal::TERM);
    worker.signal(Signal::CONT);
    // Which of the two the worker sees first is not ours to say.
    is_ok(&client.reads());
    drop(client);
    worker.ends_well();
}

#[test]
fn a_fresh_connection_that_speaks_late_is_served() {
    let worker = Start::worker().on_tcp().ready();
    let mut client = worker.accepted_client();
    worker.is_told_to_go();
    is_last(&client.asks("/"));
    worker.ends_well();
}

#[test]
fn half_a_head_may_be_finished_after_the_linger_time() {
    let worker = Start::worker().on_tcp().args("--linger 50ms").ready();
    let mut witness = worker.client();
    is_ok(&witness.asks("/"));
    let mut client = worker.client();
    client.sends("GET / HTTP/1.1\r\nho");
    worker.until(HEAD, 1);
    worker.is_told_to_go();
    // The linger time is over when the idle one is closed.
    witness.sees_clean_end();
    client.sends("st: test\r\n\r\n");
    is_last(&client.reads());
    worker.ends_well();
}

#[test]
fn half_a_head_that_only_the_parser_has_seen_is_no_idle_connection() {
    let worker = Start::worker().on_tcp().args("--linger 50ms").ready();
    let mut witness = worker.client();
    is_ok(&witness.asks("/"));
    let mut client = worker.client();
    client.sends(get("/") + "GET / HTTP/1.1\r\nho");
    is_ok(&client.reads());
    worker.is_told_to_go();
    witness.sees_clean_end();
    client.sends("st: test\r\n\r\n");
    is_last(&client.reads());
    worker.ends_well();
}

#[test]
fn a_slow_request_is_finished_and_nobody_waits_for_the_linger_time() {
    let worker = Start::worker().on_tcp().args("--linger 1min --drain-timeout 2min").ready();
    let mut client = worker.client();
    client.sends(get("/slow?ms=300"));
    worker.until(BUSY, 1);
    worker.is_told_to_go();
    is_last(&client.reads());
    worker.ends_well();
}

#[test]
fn a_body_that_was_half_sent_at_sigterm_is_echoed_whole() {
    let worker = Start::worker().on_tcp().args("--linger 1s").ready();
    let mut client = worker.client();
    client.sends("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhello");
    client.reads_until(b"hello");
    worker.is_told_to_go();
    client.sends("world");
    client.reads_until(b"world");
    client.sees_clean_end();
    worker.ends_well();
}

#[test]
fn an_idle_connection_is_closed_at_the_end_of_the_linger_time() {
    let worker = Start::worker().on_tcp().args("--linger 50ms").ready();
    let mut idle = worker.client();
    is_ok(&idle.asks("/"));
    let mut fresh = worker.accepted_client();
    worker.is_told_to_go();
    idle.sees_clean_end();
    fresh.sees_clean_end();
    drop((idle, fresh));
    let log = worker.ends_well();
    assert!(log.contains("drained 2 connections: 2 lingered, 0 lost"), "{log}");
}

#[test]
fn a_last_look_finds_the_request_that_came_with_the_end_of_the_linger_time() {
    let linger = Duration::from_secs(1);
    let worker = Start::worker().on_tcp().args("--linger 1s").ready();
    let (mut client, mut fresh) = (worker.client(), worker.accepted_client());
    is_ok(&client.asks("/"));
    worker.is_told_to_go();
    worker.signal(Signal::STOP);
    // Time itself is the story here: the linger time passes while the worker stands still.
    thread::sleep(linger + Duration::from_millis(100));
    client.sends(get("/"));
    fresh.sends(get("/"));
    worker.signal(Signal::CONT);
    is_last(&client.reads());
    is_last(&fresh.reads());
    let log = worker.ends_well();
    assert!(log.contains("0 lingered, 0 lost"), "{log}");
}

#[test]
fn a_response_that_outlasts_the_linger_time_leaves_its_connection_usable() {
    let linger = Duration::from_millis(500);
    let worker = Start::worker().on_tcp().args("--linger 500ms").ready();
    let mut client = worker.client();
    client.sends("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhello");
    let head = client.reads_until(b"hello");
    assert!(!head.contains("connection: close"), "it could not know: {head}");
    worker.is_told_to_go();
    thread::sleep(linger + Duration::from_millis(100));
    client.sends("world");
    client.reads_until(b"world");
    // Long enough for a connection to be closed that is not waited for.
    thread::sleep(Duration::from_millis(50));
    is_last(&client.asks("/"));
    let log = worker.ends_well();
    assert!(log.contains("0 lingered, 0 lost"), "{log}");
}

#[test]
fn what_arrives_after_the_close_is_counted_as_lost() {
    let worker = Start::worker().on_tcp().args("--linger 50ms").ready();
    let mut client = worker.client();
    is_ok(&client.asks("/"));
    worker.is_told_to_go();
    client.sees_clean_end();
    worker.until(CLOSING, 1);
    client.sends(get("/"));
    client.closes_its_side();
    let log = worker.ends_well();
    assert!(log.contains("1 lingered, 1 lost, 0 requests cut"), "{log}");
}

#[test]
fn a_client_that_never_closes_holds_the_worker_up_for_two_seconds() {
    let worker = Start::worker().on_tcp().args("--linger 50ms").ready();
    let mut client = worker.client();
    is_ok(&client.asks("/"));
    let told = Instant::now();
    worker.is_told_to_go();
    worker.ends_well();
    assert!(told.elapsed() < Duration::from_secs(4), "took {:?}", told.elapsed());
    drop(client);
}

#[test]
fn what_connects_after_sigterm_waits_for_the_next_worker() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    waits_for_the_next_worker(|| listener.try_clone().unwrap().into(), || Client::tcp(address));
}

#[test]
fn so_it_does_on_a_unix_socket() {
    let (_dir, path, listener) = unix_listener();
    waits_for_the_next_worker(|| listener.try_clone().unwrap().into(), || Client::unix(&path));
}

fn waits_for_the_next_worker(socket: impl Fn() -> OwnedFd, connect: impl Fn() -> Client) {
    let old = Start::worker().socket(socket()).ready();
    let mut busy = connect();
    busy.sends(get("/slow?ms=500"));
    old.until(BUSY, 1);
    old.is_told_to_go();
    let mut late = connect();
    late.sends(get("/"));
    is_last(&busy.reads());
    drop(busy);
    // It goes, although somebody waits in the queue.
    let log = old.ends_well();
    assert!(log.contains("drained 1 connections"), "{log}");
    let new = Start::worker().socket(socket()).ready();
    is_ok(&late.reads());
    drop(new);
}

#[test]
fn a_worker_without_connections_goes_at_once() {
    let worker = Start::worker().on_tcp().args("--linger 1min --drain-timeout 2min").ready();
    let told = Instant::now();
    worker.is_told_to_go();
    worker.ends_well();
    assert!(told.elapsed() < Duration::from_secs(2), "took {:?}", told.elapsed());
}

#[test]
fn a_request_behind_the_last_one_is_not_begun() {
    let worker = Start::worker().on_tcp().ready();
    let mut client = worker.client();
    client.sends(get("/slow?ms=300"));
    worker.until(BUSY, 1);
    client.sends("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi");
    worker.is_told_to_go();
    is_last(&client.reads());
    // Answered or not begun at all: its client may send it again.
    client.sees_clean_end();
    assert_eq!(worker.metric("worker_requests_total{class=\"2xx\"}"), 1);
    drop(client);
    worker.ends_well();
}

#[test]
fn http2_streams_finish_and_the_connection_says_goodbye() {
    let worker = Start::worker().on_tcp().ready();
    let mut client = Http2::new(worker.client());
    client.asks(1, "/");
    client.is_answered(1);
    client.asks(3, "/slow?ms=300");
    worker.until("worker_in_flight", 1);
    worker.is_told_to_go();
    client.reads_until(|frame| frame.kind == GOAWAY);
    // Between the two GOAWAYs a stream may still be begun; the ping says where they are.
    client.asks(5, "/");
    client.is_answered(5);
    client.is_answered(3);
    client.sees_end();
    worker.ends_well();
}

#[test]
fn an_idle_http2_connection_goes_at_once() {
    let worker = Start::worker().on_tcp().args("--linger 1min --drain-timeout 2min").ready();
    let mut client = Http2::new(worker.client());
    client.asks(1, "/");
    client.is_answered(1);
    worker.is_told_to_go();
    client.reads_until(|frame| frame.kind == GOAWAY);
    client.sees_end();
    worker.ends_well();
}

#[test]
fn http2_streams_begun_after_the_last_goaway_are_not_served() {
    let worker = Start::worker().on_tcp().ready();
    let mut client = Http2::new(worker.client());
    client.asks(1, "/slow?ms=1000");
    worker.until("worker_in_flight", 1);
    worker.is_told_to_go();
    client.reads_until(|frame| frame.kind == GOAWAY);
    let last = client.reads_until(|frame| frame.kind == GOAWAY);
    assert_eq!(last.payload[..4], [0, 0, 0, 1], "the last stream that counts");
    // Its client knows that it may send it again elsewhere.
    client.asks(3, "/");
    client.is_answered(1);
    client.sees_end();
    worker.ends_well();
}

#[test]
fn an_http2_client_that_answers_no_ping_is_waited_for_five_seconds() {
    let worker = Start::worker().on_tcp().args("--drain-timeout 2min").ready();
    let mut client = Http2::new(worker.client());
    client.answers_pings = false;
    client.asks(1, "/");
    client.is_answered(1);
    let told = Instant::now();
    worker.is_told_to_go();
    client.reads_until(|frame| frame.kind == PING);
    client.sees_end();
    worker.ends_well();
    let took = told.elapsed();
    assert!((5..8).contains(&took.as_secs()), "took {took:?}");
}

#[test]
fn at_the_deadline_a_request_without_an_answer_gets_503() {
    let worker = Start::worker().on_tcp().args("--drain-timeout 100ms").ready();
    let mut client = worker.client();
    client.sends(get("/slow?ms=60000"));
    worker.until(BUSY, 1);
    worker.is_told_to_go();
    let response = client.reads();
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    assert!(response.contains("retry-after: 1\r\n"), "{response}");
    assert!(response.contains("connection: close\r\n"), "{response}");
    let (status, log) = worker.ends();
    assert_eq!(status, 3, "{log}");
    assert!(log.contains("cut at the deadline: GET /slow?ms=60000 after"), "{log}");
    assert!(log.contains("1 requests cut"), "{log}");
}

#[test]
fn at_the_deadline_a_response_that_has_begun_never_looks_whole() {
    let worker = Start::worker().on_tcp().args("--drain-timeout 100ms").ready();
    let mut client = worker.client();
    client.sends("POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    client.sends("5\r\nhello\r\n");
    client.reads_until(b"hello\r\n");
    worker.is_told_to_go();
    assert_eq!(client.sees_end(), End::Reset(String::new()));
    let (status, log) = worker.ends();
    assert_eq!(status, 3, "{log}");
    assert!(log.contains("cut at the deadline: POST /echo"), "{log}");
    assert!(log.contains("1 requests cut"), "{log}");
}

#[test]
fn at_the_deadline_http2_streams_are_refused_too() {
    let worker = Start::worker().on_tcp().args("--drain-timeout 100ms").ready();
    let mut client = Http2::new(worker.client());
    client.asks(1, "/slow?ms=60000");
    worker.until("worker_in_flight", 1);
    worker.is_told_to_go();
    let head = client.reads_until(|frame| frame.kind == 1 && frame.stream == 1);
    // HPACK: a literal for :status (index 8), "503" in three bytes or their Huffman code.
    assert_ne!(head.payload[0], 0x88, "not refused: {head:?}");
    let (status, log) = worker.ends();
    assert_eq!(status, 3, "{log}");
}

#[test]
fn a_second_sigterm_is_the_deadline() {
    let worker = Start::worker().on_tcp().args("--drain-timeout 10min").ready();
    let mut client = worker.client();
    client.sends(get("/slow?ms=60000"));
    worker.until(BUSY, 1);
    worker.is_told_to_go();
    worker.signal(Signal::TERM);
    assert!(client.reads().starts_with("HTTP/1.1 503 "));
    let (status, log) = worker.ends();
    assert_eq!(status, 3, "{log}");
    assert!(log.contains("a second time"), "{log}");
}

#[test]
fn the_admin_socket_answers_until_the_end() {
    let worker = Start::worker().on_tcp().ready();
    let mut client = worker.client();
    client.sends(get("/slow?ms=500"));
    worker.until(BUSY, 1);
    assert!(worker.admin("GET /healthz").starts_with("HTTP/1.1 200 OK"));
    worker.is_told_to_go();
    let health = worker.admin("GET /healthz");
    assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
    assert!(health.contains("\"state\":\"draining\""), "{health}");
    is_last(&client.reads());
    worker.ends_well();
}

#[test]
fn asks_for_time_while_bytes_move_and_stays_alive_to_the_watchdog() {
    let start = Start::worker().on_tcp().env("WATCHDOG_USEC", "100000").args("--linger 1s");
    let worker = start.args("--drain-timeout 1min").ready();
    let mut client = worker.client();
    client.sends("POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    client.sends("5\r\nhello\r\n");
    client.reads_until(b"hello\r\n");
    worker.is_told_to_go();
    client.sends("5\r\nworld\r\n");
    client.reads_until(b"world\r\n");
    worker.says("EXTEND_TIMEOUT_USEC=5000000");
    worker.says("WATCHDOG=1");
    client.sends("0\r\n\r\n");
    client.reads_until(b"0\r\n\r\n");
    client.sees_clean_end();
    worker.ends_well();
}

#[test]
fn asks_for_no_time_when_nothing_moves() {
    let worker = Start::worker().on_tcp().args("--linger 2500ms").ready();
    let mut client = worker.client();
    is_ok(&client.asks("/"));
    worker.until(IDLE, 1);
    worker.is_told_to_go();
    client.sees_clean_end();
    let said = worker.said();
    assert!(!said.iter().any(|said| said.contains("EXTEND_TIMEOUT")), "{said:?}");
    drop(client);
    worker.ends_well();
}

#[test]
fn the_status_tells_what_is_being_waited_for() {
    let worker = Start::worker().on_tcp().ready();
    let mut client = worker.client();
    client.sends(get("/slow?ms=1500"));
    worker.says("STATUS=serving: 1 requests in flight, 1 connections");
    worker.signal(Signal::TERM);
    let said = worker.says("STOPPING=1");
    assert!(said.contains("STATUS=draining: 1 requests, 1 connections"), "{said}");
    is_last(&client.reads());
    worker.ends_well();
}

//! What a worker does about slow, silent, greedy and malformed clients, and what it tells of them.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::client::{End, get, is_ok};
use crate::support::http2::{GOAWAY, Http2};
use crate::support::{Start, Worker};

const HEAD: &str = "worker_connections{state=\"head\"}";
const IDLE: &str = "worker_connections{state=\"idle\"}";

fn worker() -> Worker {
    Start::worker().on_tcp().ready()
}

#[test]
fn a_head_that_takes_too_long_gets_408() {
    let worker = Start::worker().on_tcp().args("--header-timeout 100ms").ready();
    let mut fresh = worker.client();
    fresh.sends("GET / HT");
    assert!(fresh.reads().starts_with("HTTP/1.1 408 "));
    fresh.sees_clean_end();
    let mut second = worker.client();
    is_ok(&second.asks("/"));
    second.sends("G");
    assert!(second.reads().starts_with("HTTP/1.1 408 "));
    second.sees_clean_end();
    let mut preface = worker.client();
    preface.sends("PRI * HTTP/2");
    assert!(preface.reads().starts_with("HTTP/1.1 408 "));
}

#[test]
fn the_header_timeout_does_not_run_on_idle_connections() {
    let args = "--header-timeout 50ms --idle-timeout 400ms";
    let worker = Start::worker().on_tcp().args(args).ready();
    let (mut idle, mut fresh) = (worker.client(), worker.client());
    is_ok(&idle.asks("/"));
    // Not a word of 408: they are closed by the idle timeout, in silence.
    idle.sees_clean_end();
    fresh.sees_clean_end();
}

#[test]
fn the_idle_timeout_does_not_run_on_a_slow_request() {
    let worker = Start::worker().on_tcp().args("--idle-timeout 50ms").ready();
    let mut client = worker.client();
    is_ok(&client.asks("/slow?ms=300"));
    client.sees_clean_end();
}

#[test]
fn an_idle_http2_connection_is_said_goodbye_to() {
    let worker = Start::worker().on_tcp().args("--idle-timeout 100ms").ready();
    let mut client = Http2::new(worker.client());
    client.asks(1, "/");
    client.is_answered(1);
    client.reads_until(|frame| frame.kind == GOAWAY);
    client.sees_end();
}

#[test]
fn bytes_on_a_connection_closed_for_idleness_are_counted_as_lost() {
    let worker = Start::worker().on_tcp().args("--idle-timeout 50ms").ready();
    let mut client = worker.client();
    is_ok(&client.asks("/"));
    client.sees_clean_end();
    client.sends(get("/"));
    drop(client);
    worker.until("worker_lost_total", 1);
}

#[test]
fn at_the_limit_clients_queue_for_the_siblings() {
    let worker = Start::worker().on_tcp().args("--max-connections 2").ready();
    let (mut first, mut second) = (worker.client(), worker.client());
    is_ok(&first.asks("/"));
    is_ok(&second.asks("/"));
    let mut third = worker.client();
    third.sends(get("/"));
    // The two that are in are served on, while the third is not accepted.
    for _ in 0..20 {
        is_ok(&first.asks("/"));
        is_ok(&second.asks("/"));
    }
    assert_eq!(worker.metric("worker_accepted_total"), 2);
    drop(first);
    is_ok(&third.reads());
}

#[test]
fn a_client_that_does_not_read_a_response_in_the_making_is_cut() {
    let worker = Start::fronting("").env("WORKER_IDLE_TIMEOUT", "1s").ready();
    worker.cuts_who_does_not_read("/big?500000000");
    // One that is quiet because the app is, is not.
    is_ok(&worker.client().asks("/slow?2500"));
}

#[test]
fn who_has_vanished_is_asked_for() {
    let worker = Start::worker().on_tcp().ready();
    let _client = worker.accepted_client();
    // Source: proc_net_tcp, https://docs.kernel.org/networking/proc_net_tcp.html
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", worker.address().port());
    let timers = sockets.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_ours = fields[1].ends_with(&port) && fields[3] == "01";
        is_ours.then(|| fields[5].to_owned())
    });
    let timers: Vec<String> = timers.collect();
    assert!(timers.len() == 1 && timers[0].starts_with("02:"), "no keepalive: {timers:?}");
}

#[test]
fn out_of_descriptors_is_a_line_and_a_pause_and_then_it_goes_on() {
    let worker = Start::worker().on_tcp().env("FILES", "-n 24").ready();
    worker.logs("set LimitNOFILE=10064 in the unit");
    let clients: Vec<_> = (0..40).map(|_| worker.client()).collect();
    worker.logs("cannot accept, trying again in 100ms: Too many open files");
    drop(clients);
    is_ok(&worker.client().asks("/"));
}

#[test]
fn a_low_soft_limit_of_descriptors_is_raised() {
    let worker = Start::worker().on_tcp().env("FILES", "-S -n 24").ready();
    let mut clients: Vec<_> = (0..40).map(|_| worker.client()).collect();
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    assert!(!worker.stderr().contains("cannot accept"), "{}", worker.stderr());
}

#[test]
fn says_how_bad_it_is_to_a_systemd_without_a_journal() {
    let (_, line) = Start::worker().env("INVOCATION_ID", "abc").refused();
    assert!(line.starts_with("<3>worker: no listening socket"), "{line}");
    let worker = Start::worker().on_tcp().env("INVOCATION_ID", "abc").ready();
    worker.logs("<6>worker: serving");
}

#[test]
fn both_sockets_are_served_at_a_limit_of_one() {
    let (_dir, path, unix) = crate::support::unix_listener();
    let start = Start::worker().on_tcp().socket(unix).args("--max-connections 1");
    let worker = start.ready();
    for _ in 0..3 {
        is_ok(&worker.client().asks("/"));
        is_ok(&crate::support::client::Client::unix(&path).asks("/"));
    }
}

#[test]
fn malformed_requests_get_a_4xx_or_a_close_and_the_next_client_is_served() {
    let worker = worker();
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1_000));
    let wrong: [(&[u8], &str); 12] = [
        (b"\0\0\0\0\r\n\r\n", "400"),
        (b"GET\r\n\r\n", "400"),
        (b"GET / HTTP/9.9\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", "400"),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "400"),
        (b"POST /echo HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", "400"),
        (long.as_bytes(), "431"),
        (many.as_bytes(), "431"),
        (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all", ""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"),
    ];
    for (bytes, status) in wrong {
        let mut client = worker.client();
        client.sends_what_goes(bytes);
        client.closes_its_side();
        let (End::Closed(answer) | End::Reset(answer)) = client.sees_end();
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        let expected = format!("HTTP/1.1 {status}");
        assert!(status.is_empty() || answer.starts_with(&expected), "{shown:?}: {answer:?}");
        is_ok(&worker.client().asks("/"));
    }
    assert!(!worker.stderr().contains("panicked"), "{}", worker.stderr());
}

/// Valid requests with bytes changed, which gets deeper than noise; and noise.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let good: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x05\x01\x05\0\0\0\x01\x82\x86\x84\x41\0",
    ];
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let changed = (prop::sample::select(good.to_vec()), prop::collection::vec(change, 0..4));
    let changed = changed.prop_map(|(good, changes)| {
        let mut bytes = good.to_vec();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    prop_oneof![4 => changed, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

#[test]
fn no_bytes_make_it_panic_hang_or_forget_a_request() {
    let worker = worker();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) };
    TestRunner::new(config)
        .run(&any_bytes(), |bytes| {
            let mut client = worker.client();
            client.sends_what_goes(&bytes);
            client.closes_its_side();
            client.sees_end();
            Ok(())
        })
        .unwrap();
    worker.until("worker_in_flight", 0);
    assert!(!worker.stderr().contains("panicked"), "{}", worker.stderr());
    worker.is_told_to_go();
    worker.ends_well();
}

#[test]
fn a_client_that_goes_in_the_middle_leaves_nothing_behind() {
    let worker = worker();
    for request in ["GET / HT", "GET /slow?ms=60000 HTTP/1.1\r\nhost: x\r\n\r\n", ""] {
        worker.client().sends(request);
    }
    let mut upload = worker.client();
    upload.sends("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhello");
    upload.reads_until(b"hello");
    drop(upload);
    is_ok(&worker.client().asks("/"));
    worker.until(HEAD, 0);
    worker.until(IDLE, 0);
}

#[test]
fn the_built_in_app_answers_people_and_programs() {
    let worker = Start::worker().on_tcp().env("WORKER_INSTANCE", "7").env("INVOCATION_ID", "abc");
    let worker = worker.ready();
    let mut client = worker.client();
    let page = client.asks("/");
    assert!(page.contains("text/html") && page.contains("<th>instance<td>7"), "{page}");
    client.sends("GET / HTTP/1.1\r\nhost: x\r\naccept: application/json\r\n\r\n");
    let json = client.reads();
    for part in
        ["application/json", "\"instance\":\"7\"", "\"invocation\":\"abc\"", "\"requests\":1"]
    {
        assert!(json.contains(part), "{json}");
    }
    client.sends("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello");
    assert!(client.reads_until(b"hello").contains("content-length: 5\r\n"));
    for (path, status) in [
        ("/nothing", "404"),
        ("/slow", "400"),
        ("/slow?ms=-1", "400"),
        ("/slow?ms=99999999999999999999", "400"),
        ("/slow?ms=60001", "400"),
        ("/echo", "405"),
        ("/slow?x=1&ms=1", "200"),
    ] {
        let response = client.asks(path);
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {response}");
    }
}

#[test]
fn the_admin_socket_names_this_run_and_counts() {
    let start = Start::worker().on_tcp().env("WORKER_INSTANCE", "7").env("INVOCATION_ID", "abc");
    let worker = start.ready();
    let health = worker.admin("GET /healthz");
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n"), "{health}");
    let body = health.split("\r\n\r\n").nth(1).unwrap();
    let health: serde_json::Value = serde_json::from_str(body).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let expected = serde_json::json!(
        {"instance": "7", "invocation": "abc", "version": version, "state": "serving"}
    );
    assert_eq!(health, expected);

    let mut client = worker.client();
    is_ok(&client.asks("/"));
    client.asks("/nothing");
    assert_eq!(worker.metric("worker_requests_total{class=\"2xx\"}"), 1);
    assert_eq!(worker.metric("worker_requests_total{class=\"4xx\"}"), 1);
    assert_eq!(worker.metric("worker_request_duration_seconds_count"), 2);
    worker.until(IDLE, 1);
    assert!(worker.admin("GET /else").starts_with("HTTP/1.1 404 "));
    assert!(worker.admin("POST /healthz").starts_with("HTTP/1.1 405 "));
    assert!(worker.admin("nonsense").starts_with("HTTP/1.1 400 "));
}

#[test]
fn the_admin_socket_takes_the_place_of_one_that_was_left_behind() {
    let (dir, path, listener) = crate::support::unix_listener();
    drop(listener);
    let admin = format!("--admin unix:{}", path.display());
    let _worker = Start::worker().on_tcp().args(&admin).ready();
    let mut client = crate::support::client::Client::unix(&path);
    assert!(client.asks("/healthz").starts_with("HTTP/1.1 200 OK"));
    let (status, line) = Start::worker().on_tcp().args(&admin).refused();
    assert_eq!(status, 1, "two admin sockets at one place: {line}");
    drop(dir);
}

#[test]
fn a_wrong_value_is_one_line_that_names_it() {
    for (name, value) in [
        ("WORKER_LINGER", "soon"),
        ("WORKER_DRAIN_TIMEOUT", "-1s"),
        ("WORKER_IDLE_TIMEOUT", "5 parsecs"),
        ("WORKER_HEADER_TIMEOUT", "infinity"),
        ("WORKER_MAX_CONNECTIONS", "0"),
        ("WORKER_MAX_CONNECTIONS", "many"),
        ("WORKER_THREADS", "0"),
        ("WORKER_ADMIN", "unix:relative"),
        ("WORKER_LISTEN", "nowhere"),
        ("RUST_LOG", "worker=loud=very"),
    ] {
        let (status, line) = Start::worker().on_tcp().env(name, value).refused();
        assert_eq!(status, 2, "{line}");
        assert!(line.starts_with(&format!("worker: {name}: ")), "{line}");
        let flag = format!("--{}", name.trim_start_matches("WORKER_").to_lowercase());
        if let Some(value) = (name != "RUST_LOG").then_some(value) {
            let flag = format!("{}={}", flag.replace('_', "-"), value.replace(' ', "_"));
            let (status, line) = Start::worker().on_tcp().args(&flag).refused();
            assert_eq!(status, 2, "{line}");
        }
    }
    let (status, line) = Start::worker().on_tcp().args("--bogus").refused();
    assert_eq!(status, 2);
    assert!(line.contains("--bogus"), "{line}");
}

#[test]
fn the_command_line_goes_before_the_environment() {
    let start = Start::worker().on_tcp().env("WORKER_IDLE_TIMEOUT", "1h");
    let worker = start.args("--idle-timeout 50ms").ready();
    let mut client = worker.client();
    is_ok(&client.asks("/"));
    client.sees_clean_end();
}

#[test]
fn several_threads_serve_as_one() {
    let worker = Start::worker().on_tcp().args("--threads 2").ready();
    let mut clients: Vec<_> = (0..8).map(|_| worker.client()).collect();
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    worker.is_told_to_go();
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    drop(clients);
    let log = worker.ends_well();
    assert!(log.contains("drained 8 connections: 0 lingered, 0 lost"), "{log}");
}

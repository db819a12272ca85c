//! What passes through the worker to an app and back, byte by byte.

use serde_json::Value;

use crate::support::client::{Client, End, get, is_ok};
use crate::support::http2::Http2;
use crate::support::{Start, Worker, unix_listener};

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap().1
}

/// What the app got of a request.
#[track_caller]
fn app_gets(worker: &Worker, request: &str) -> Value {
    let mut client = worker.client();
    client.sends(request);
    told(&mut client)
}

#[track_caller]
fn told(client: &mut Client) -> Value {
    let response = client.reads();
    is_ok(&response);
    serde_json::from_str(body(&response)).unwrap()
}

/// The value of a field that the app got once.
#[track_caller]
fn field<'a>(told: &'a Value, name: &str) -> Option<&'a str> {
    let head = told["head"].as_str().unwrap();
    let mut found = head.lines().filter_map(|line| {
        let (field, value) = line.split_once(": ")?;
        field.eq_ignore_ascii_case(name).then_some(value)
    });
    let value = found.next();
    assert!(found.next().is_none(), "{name} twice in {head}");
    value
}

#[test]
fn fields_of_one_connection_only_do_not_pass() {
    let worker = Start::fronting("").ready();
    let told = app_gets(
        &worker,
        "GET /head HTTP/1.1\r\nhost: test\r\nconnection: keep-alive, x-mine, host\r\n\
         x-mine: 1\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\n\
         proxy-authorization: basic x\r\nte: gzip\r\nx-kept: 2\r\n\r\n",
    );
    for gone in
        ["x-mine", "keep-alive", "proxy-connection", "proxy-authorization", "te", "connection"]
    {
        assert_eq!(field(&told, gone), None, "{gone}");
    }
    assert_eq!((field(&told, "host"), field(&told, "x-kept")), (Some("test"), Some("2")));

    let response = worker.client().asks("/one-hop");
    is_ok(&response);
    assert!(!response.contains("x-secret") && !response.contains("keep-alive"), "{response}");
    assert!(response.contains("x-kept: 2\r\n"), "{response}");
}

#[test]
fn a_target_with_an_authority_goes_before_the_host() {
    let worker = Start::fronting("").ready();
    let request = "GET http://other:81/head?x HTTP/1.1\r\nhost: test\r\n\r\n";
    let told = app_gets(&worker, request);
    assert!(told["head"].as_str().unwrap().starts_with("GET /head?x HTTP/1.1\r\n"), "{told}");
    assert_eq!(field(&told, "host"), Some("other:81"));
}

#[test]
fn a_trusted_peer_is_believed_and_extended() {
    let worker = Start::fronting("").ready();
    let told = app_gets(
        &worker,
        "GET /head HTTP/1.1\r\nhost: shop\r\nx-forwarded-for: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2\r\n\
         x_forwarded_for: 192.0.2.9\r\nx_kept: 1\r\n\
         x-forwarded-proto: https\r\nforwarded: for=192.0.2.1\r\nx-request-id: abc\r\n\r\n",
    );
    assert_eq!(field(&told, "x_forwarded_for"), None, "WSGI would take it for the other");
    assert_eq!(field(&told, "x_kept"), Some("1"));
    assert_eq!(field(&told, "x-forwarded-for"), Some("192.0.2.1, 192.0.2.2, 127.0.0.1"));
    assert_eq!(field(&told, "x-forwarded-proto"), Some("https"));
    assert_eq!(field(&told, "x-forwarded-host"), Some("shop"));
    let forwarded = "for=192.0.2.1, for=127.0.0.1;proto=http;host=\"shop\"";
    assert_eq!(field(&told, "forwarded"), Some(forwarded));
    assert_eq!(field(&told, "x-request-id"), Some("abc"));
}

#[test]
fn a_stranger_is_not_believed() {
    let worker = Start::fronting("--trust 192.0.2.0/24").ready();
    let told = app_gets(
        &worker,
        "GET /head HTTP/1.1\r\nhost: shop\r\nx-forwarded-for: 192.0.2.1\r\nx-real-ip: 192.0.2.1\r\n\
         x-forwarded-proto: https\r\nforwarded: for=192.0.2.1\r\nx-request-id: abc\r\n\r\n",
    );
    assert_eq!(field(&told, "x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(field(&told, "x-forwarded-proto"), Some("http"));
    assert_eq!(field(&told, "x-real-ip"), None);
    assert_eq!(field(&told, "forwarded"), Some("for=127.0.0.1;proto=http;host=\"shop\""));
    assert_eq!(field(&told, "x-request-id").unwrap().len(), 32);
}

#[test]
fn nobody_changes_to_http2_past_the_worker() {
    let worker = Start::fronting("").ready();
    let told = |upgrade: &str| {
        let mut client = worker.client();
        let more = format!("connection: upgrade\r\nupgrade: {upgrade}\r\nhttp2-settings: AA\r\n");
        client.sends(get("/head").replace("\r\n\r\n", &format!("\r\n{more}\r\n")));
        let told = told(&mut client);
        assert_eq!(field(&told, "http2-settings"), None);
        field(&told, "upgrade").map(str::to_owned)
    };
    assert_eq!(told("h2c"), None);
    assert_eq!(told("H2C , h2c"), None);
    assert_eq!(told("h2c, websocket"), Some("websocket".to_owned()));
}

#[test]
fn a_client_of_a_unix_socket_has_no_address() {
    let (_dir, path, listener) = unix_listener();
    let _worker = Start::in_front("").socket(listener).ready();
    let mut client = Client::unix(&path);
    client.sends(get("/head"));
    let told = told(&mut client);
    assert_eq!(field(&told, "x-forwarded-for"), None);
    assert_eq!(field(&told, "forwarded"), Some("for=unknown;proto=http;host=\"test\""));
}

#[test]
fn bodies_pass_both_ways_piece_by_piece() {
    let worker = Start::fronting("").ready();
    let mut client = worker.client();
    client.sends("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhello");
    // The second half is not there yet, and the first has been there and back.
    client.reads_until(b"5\r\nhello\r\n");
    client.sends("world");
    client.reads_until(b"5\r\nworld\r\n0\r\n\r\n");
    client.sends("POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    client.sends("3\r\nabc\r\n");
    client.reads_until(b"3\r\nabc\r\n");
    client.sends("0\r\n\r\n");
    client.reads_until(b"0\r\n\r\n");
    is_ok(&client.asks("/"));
}

#[test]
fn events_are_not_held_back() {
    let worker = Start::fronting("").ready();
    let mut client = worker.client();
    client.sends(get("/drip?5"));
    for number in 0..5 {
        client.reads_until(format!("data: {number}\n\n\r\n").as_bytes());
    }
    client.reads_until(b"0\r\n\r\n");
}

#[test]
fn a_get_may_have_a_body() {
    let worker = Start::fronting("").ready();
    let told = app_gets(
        &worker,
        "GET /head HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    );
    assert_eq!(told["body"], "hi");
    let request = "DELETE /head HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
    let told = app_gets(&worker, request);
    assert_eq!((&told["body"], field(&told, "content-length")), (&"hi".into(), Some("2")));
}

#[test]
fn trailers_pass_both_ways() {
    let worker = Start::fronting("").ready();
    let told = app_gets(
        &worker,
        "POST /head HTTP/1.1\r\nhost: test\r\nte: trailers\r\ntrailer: x-sum\r\n\
         transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 2\r\n\r\n",
    );
    assert_eq!(told["trailers"], serde_json::json!(["x-sum: 2"]));
    assert_eq!(field(&told, "te"), Some("trailers"));
    let mut client = worker.client();
    client.sends("GET /trailers HTTP/1.1\r\nhost: test\r\nte: trailers\r\n\r\n");
    let response = client.reads_until(b"x-sum: 5\r\n\r\n");
    assert!(response.contains("trailer: x-sum\r\n"), "{response}");
}

#[test]
fn head_has_a_length_and_no_body() {
    let worker = Start::fronting("").ready();
    let mut client = worker.client();
    client.sends("HEAD / HTTP/1.1\r\nhost: test\r\n\r\n");
    let head = client.reads_until(b"\r\n\r\n");
    assert!(head.contains("content-length: 6\r\n"), "{head}");
    // Nothing but the next answer follows.
    is_ok(&client.asks("/"));
}

#[test]
fn a_body_waits_for_the_apps_word() {
    let worker = Start::fronting("").ready();
    let head = "POST /continue HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\n\
                content-length: 5\r\n\r\n";
    let mut client = worker.client();
    client.sends(head);
    client.reads_until(b"HTTP/1.1 100 Continue\r\n\r\n");
    client.sends("hello");
    assert!(client.reads().ends_with("\r\n\r\nhello"));
    // An app that does not want it says so before it was sent.
    let mut client = worker.client();
    client.sends(head.replace("/continue", "/continue?refuse"));
    let response = client.reads();
    assert!(response.starts_with("HTTP/1.1 417 "), "{response}");
    // And one that never says a word gets it after a while.
    let mut client = worker.client();
    client.sends(head.replace("/continue", "/continue?silent"));
    client.reads_until(b"HTTP/1.1 100 Continue\r\n\r\n");
    client.sends("hello");
    assert!(client.reads().ends_with("\r\n\r\nhello"));
}

#[test]
fn an_early_answer_reaches_a_client_that_still_sends() {
    let worker = Start::fronting("").ready();
    let mut client = worker.client();
    client.sends("POST /early HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000\r\n\r\nhello");
    let response = client.reads();
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    is_ok(&worker.client().asks("/"));
}

#[test]
fn http2_in_is_http1_to_the_app() {
    let worker = Start::fronting("").ready();
    let mut client = Http2::new(worker.client());
    client.asks(1, "/head");
    client.asks(3, "/slow?100");
    client.is_answered(3);
    worker.logs("GET /head");
    drop(client);
    is_ok(&worker.client().asks("/"));
}

#[test]
fn an_app_that_breaks_off_before_its_answer_is_a_502() {
    let worker = Start::fronting("").ready();
    for path in ["/close-unanswered", "/garbage", "/switch-unasked"] {
        let response = worker.client().asks(path);
        assert!(response.starts_with("HTTP/1.1 502 "), "{path}: {response}");
    }
    let mut client = worker.client();
    assert!(client.asks("/close-unanswered").starts_with("HTTP/1.1 502 "));
    // The client's connection is none the worse for it.
    is_ok(&client.asks("/"));
}

#[test]
fn an_app_that_breaks_off_in_its_answer_never_looks_whole() {
    let worker = Start::fronting("").ready();
    let mut client = worker.client();
    client.sends(get("/half"));
    client.reads_until(b"hello");
    assert_eq!(client.sees_end_text(), "");
    let mut client = worker.client();
    client.sends(get("/half-chunked"));
    client.reads_until(b"5\r\nhello\r\n");
    assert_eq!(client.sees_end_text(), "", "no last chunk");
    // An HTTP/1.0 client takes the end of the connection for that of the body: it is reset.
    let mut client = worker.client();
    client.sends("GET /half-chunked HTTP/1.0\r\nhost: test\r\n\r\n");
    client.reads_until(b"hello");
    assert_eq!(client.sees_end(), End::Reset(String::new()));
}

#[test]
fn an_app_that_takes_too_long_is_a_504() {
    let worker = Start::fronting("--app-timeout 300ms").ready();
    let mut client = worker.client();
    let response = client.asks("/never");
    assert!(response.starts_with("HTTP/1.1 504 "), "{response}");
    is_ok(&client.asks("/"));
    // As long as the body moves, the app has not had its time.
    client.sends("POST /swallow HTTP/1.1\r\nhost: test\r\ncontent-length: 6\r\n\r\n");
    for byte in ["a", "b", "c", "d", "e", "f"] {
        // Time itself is the story here.
        std::thread::sleep(std::time::Duration::from_millis(150));
        client.sends(byte);
    }
    assert!(client.reads().ends_with("\r\n\r\n6"));
}

#[test]
fn a_kept_connection_that_the_app_has_closed_costs_no_request() {
    // It closes idle connections sooner than the worker does, and without a word.
    let worker = Start::fronting("").env("ODD_KEEP_ALIVE", "0.05").ready();
    let mut client = worker.client();
    for (number, path) in ["/swallow", "/close-unsaid"].repeat(10).into_iter().enumerate() {
        client.sends(format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi"));
        is_ok(&client.reads());
        // One more is that of the readiness check.
        worker.logs_times("closed a connection", number + 2);
    }
}

#[test]
fn only_what_may_be_done_twice_is_sent_twice() {
    let worker = Start::fronting("").ready();
    let mut client = worker.client();
    // On a connection that has served before, for a new one is not tried again.
    is_ok(&client.asks("/"));
    is_ok(&client.asks("/close-unanswered-once"));
    is_ok(&client.asks("/"));
    client.sends("POST /close-unanswered HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi");
    assert!(client.reads().starts_with("HTTP/1.1 502 "));
    let counts = worker.client().asks("/counts");
    let counts: Value = serde_json::from_str(body(&counts)).unwrap();
    assert_eq!(counts["/close-unanswered-once"], 2);
    assert_eq!(counts["/close-unanswered"], 1, "a POST reached the app twice");
}

//! What arrives from clients, byte for byte: what is served, what is refused, and that nothing
//! behind what was refused is ever served.

use std::collections::HashSet;
use std::net::TcpListener;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::client::{Client, End, is_ok};
use crate::support::http2::Http2;
use crate::support::reference::may_be_answered;
use crate::support::requests::{self, Pace, Site, answers};
use crate::support::{Start, Worker};

const BUILT_IN: Site = Site { page: "/", echo: "/echo" };

/// Checks every row on a client of its own, and shows all that went wrong.
#[track_caller]
fn check(pace: Pace, client: impl Fn() -> Client) {
    let rows = requests::all();
    let wrong: Vec<_> = rows
        .iter()
        .filter_map(|row| requests::check(row, pace, BUILT_IN, client()).err())
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn every_request_in_the_table_gets_what_it_should() {
    let names: HashSet<_> = requests::all().iter().map(|row| row.name).collect();
    assert!(names.len() == requests::all().len() && names.len() >= 60, "{} rows", names.len());
    let worker = Start::worker().on_tcp().ready();
    check(Pace::AtOnce, || worker.client());
    assert!(!worker.stderr().contains("panicked"), "{}", worker.stderr());
}

#[test]
fn and_also_when_it_comes_byte_by_byte() {
    let worker = Start::worker().on_tcp().ready();
    check(Pace::ByteByByte, || worker.client());
    assert!(!worker.stderr().contains("panicked"), "{}", worker.stderr());
}

#[test]
fn in_front_of_an_app_it_gets_the_same() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    // An app like any other: the built-in one, in a process of its own.
    let dir = tempfile::tempdir().unwrap();
    let app = format!("{} --listen {address}", env!("CARGO_BIN_EXE_worker"));
    let admin = format!("--admin unix:{}", dir.path().join("app.sock").display());
    let args = format!("--app-port {} -- {app} {admin}", address.port());
    let worker = Start::worker().on_tcp().args(&args).ready();
    check(Pace::AtOnce, || worker.client());
    check(Pace::ByteByByte, || worker.client());
    assert!(!worker.stderr().contains("panicked"), "{}", worker.stderr());
}

#[test]
fn refused_on_the_last_look_too() {
    // The head is begun after SIGTERM, when only a look past the event loop finds it.
    let worker = Start::worker().on_tcp().args("--linger 0s").ready();
    let mut client = worker.accepted_client();
    client.sends("GET / HTTP/1.1\nhost: x\n\n");
    worker.is_told_to_go();
    assert!(client.reads().starts_with("HTTP/1.1 400 "));
    client.sees_clean_end();
    worker.ends_well();
}

#[test]
fn malformed_content_is_400_also_for_an_app_that_has_not_answered_yet() {
    let worker = Start::worker().on_tcp().ready();
    let mut client = worker.client();
    client.sends(
        "GET /slow?ms=300 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
         x\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
    );
    let End::Closed(text) = client.sees_end() else { panic!("it was reset") };
    assert_eq!(answers(&text, false), Ok(vec![400]), "{text}");
}

/// Valid requests one after the other, with pieces changed, put in, left out or doubled.
fn any_requests() -> impl Strategy<Value = Vec<u8>> {
    let good = [
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 31\r\n\r\nGET /evil HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
         1f\r\nGET /evil HTTP/1.1\r\nhost: x\r\n\r\n\r\n0\r\nGET: / HTTP/1.1\r\n\r\n",
    ];
    let pieces = [
        "\r",
        "\n",
        "\r\n",
        "\r\n\r\n",
        "\n\n",
        " ",
        "\t",
        ":",
        ";",
        "0",
        "1",
        "\0",
        "host: x\r\n",
        "content-length: 5\r\n",
        "content-length: 0\r\n",
        "Content-Length:31\r\n",
        "transfer-encoding: chunked\r\n",
        "Transfer-Encoding:\tgzip\r\n",
        "0\r\n\r\n",
        "connection: close\r\n",
    ];
    let index = any::<prop::sample::Index>;
    let change = prop_oneof![
        (index(), prop::sample::select(pieces.to_vec())).prop_map(|(at, piece)| (at, 0, piece)),
        (index(), 1..3_usize).prop_map(|(at, removed)| (at, removed, "")),
        (index(), prop::sample::select(pieces.to_vec())).prop_map(|(at, piece)| (at, 1, piece)),
    ];
    let base = prop::collection::vec(prop::sample::select(good.to_vec()), 1..4);
    (base, prop::collection::vec(change, 0..4)).prop_map(|(base, changes)| {
        let mut bytes = base.concat().into_bytes();
        for (at, removed, piece) in changes {
            let at = at.index(bytes.len());
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
            bytes.extend(bytes.is_empty().then_some(b'x'));
        }
        bytes
    })
}

#[test]
fn no_bytes_are_answered_more_often_than_they_hold_requests() {
    let worker = Start::worker().on_tcp().ready();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) };
    let run = TestRunner::new(config).run(&any_requests(), |bytes| {
        let mut client = worker.client();
        client.sends_what_goes(&bytes);
        client.closes_its_side();
        let (End::Closed(text) | End::Reset(text)) = client.sees_end();
        let allowed = may_be_answered(&bytes);
        let statuses = answers(&text, false).unwrap_or_else(|whole| whole);
        // One more answer is the refusal, which is the last.
        let served = statuses.iter().filter(|status| !matches!(status, 400 | 431 | 501)).count();
        prop_assert!(served <= allowed, "{statuses:?}, not {allowed}: {text}");
        prop_assert!(statuses.len() <= allowed + 1, "{statuses:?}, not {allowed}: {text}");
        prop_assert!(!text.contains("evil"), "{text}");
        Ok(())
    });
    run.unwrap();
    worker.until("worker_in_flight", 0);
    is_ok(&worker.client().asks("/"));
    assert!(!worker.stderr().contains("panicked"), "{}", worker.stderr());
}

/// What a worker says to a GET of `/` with these fields beside method, scheme and path.
#[track_caller]
fn over_http2(worker: &Worker, fields: &[(&str, &str)]) -> String {
    let mut client = Http2::new(worker.client());
    let usual = [(":method", "GET"), (":scheme", "http"), (":path", "/")];
    let is_connect = fields.contains(&(":method", "CONNECT"));
    let is_given = |name: &str| is_connect || fields.iter().any(|(given, _)| *given == name);
    let usual = usual.into_iter().filter(|(name, _)| !is_given(name));
    let (pseudo, rest): (Vec<_>, Vec<_>) =
        usual.chain(fields.iter().copied()).partition(|(name, _)| name.starts_with(':'));
    client.asks_with(1, &[pseudo, rest].concat());
    let outcome = client.outcome(1);
    if outcome != "end" {
        // One bad stream is no reason to end the others.
        client.asks(3, "/");
        client.is_answered(3);
    }
    outcome
}

#[test]
fn http2_requests_are_held_to_the_same() {
    let worker = Start::worker().on_tcp().ready();
    let host = (":authority", "x");
    let table: &[(&str, &[(&str, &str)])] = &[
        ("200", &[host]),
        ("200", &[host, ("host", "x")]),
        ("200", &[("host", "x")]),
        ("200", &[host, ("te", "trailers")]),
        // RFC 9113, 8.3.1: one host, and no user.
        ("400", &[]),
        ("400", &[host, ("host", "y")]),
        ("400", &[host, ("host", "x"), ("host", "x")]),
        ("400", &[("host", "a b")]),
        ("400", &[(":authority", "user@x")]),
        ("400", &[(":path", "*"), host]),
        ("501", &[(":method", "CONNECT"), host]),
        // RFC 9113, 8.2.2: fields that belong to a connection of HTTP/1.
        ("reset", &[host, ("connection", "close")]),
        ("reset", &[host, ("keep-alive", "1")]),
        ("reset", &[host, ("proxy-connection", "close")]),
        ("reset", &[host, ("transfer-encoding", "chunked")]),
        ("reset", &[host, ("upgrade", "x")]),
        ("reset", &[host, ("te", "gzip")]),
        // RFC 9113, 8.1.1: as long as its content, and that is none.
        ("reset", &[host, ("content-length", "5")]),
        // RFC 9113, 8.2.1 and 8.3: no upper case, no line ends, nothing unknown, nothing twice. h2
        // takes some of these for the end of all understanding.
        ("end", &[host, ("Upper", "x")]),
        ("end", &[host, ("a", "b\r\nc: d")]),
        ("end", &[host, ("a", "b\0")]),
        ("end", &[host, ("a b", "c")]),
        ("end", &[host, (":unknown", "x")]),
        ("reset", &[host, host]),
        ("reset", &[(":path", ""), host]),
        ("reset", &[(":path", "/\r\n"), host]),
    ];
    let wrong: Vec<_> = table
        .iter()
        .map(|(expected, fields)| (expected, over_http2(&worker, fields), fields))
        .filter(|(expected, found, _)| found != *expected)
        .map(|(expected, found, fields)| format!("{fields:?}: {found}, not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

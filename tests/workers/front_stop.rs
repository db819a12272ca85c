//! How an app is stopped: after its last request, gently, then by force.

use rustix::process::Signal;

use crate::support::Start;
use crate::support::client::{get, is_last, is_ok};
use crate::support::group::Group;

#[test]
fn an_app_without_any_grace_is_told_to_go_when_nothing_is_in_flight() {
    let worker = Start::fronting("").ready();
    let mut client = worker.client();
    client.sends(get("/slow?700"));
    worker.logs("GET /slow");
    worker.is_told_to_go();
    assert!(!worker.stderr().contains("told to go"), "{}", worker.stderr());
    is_last(&client.reads());
    drop(client);
    let log = worker.ends_well();
    assert!(log.contains("told to go"), "{log}");
    assert!(log.contains("the app exited with status 0"), "{log}");
}

/// It accepts once, to be taken for ready, and then has room for one more in its queue.
const HANGS: &str = "import os, socket, time
place = socket.socket(socket.AF_UNIX)
place.bind(os.environ['SOCKET_PATH'])
place.listen(0)
first = place.accept()
time.sleep(1000)";

#[test]
fn an_app_that_hangs_with_a_full_queue_does_not_keep_the_worker_from_going() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.sock");
    let options =
        format!("--app-socket {} --app-grace 200ms --drain-timeout 500ms", path.display());
    let start = Start::worker().on_tcp().args(&options).args("-- python3 -c").arg(HANGS);
    let worker = start.ready();
    let mut clients: Vec<_> = (0..4).map(|_| worker.client()).collect();
    clients.iter_mut().for_each(|client| client.sends(get("/")));
    worker.until("worker_in_flight", 4);
    worker.is_told_to_go();
    let (status, log) = worker.ends();
    assert_eq!(status, 3, "{log}");
}

#[test]
fn an_upload_and_a_download_outlast_sigterm() {
    let worker = Start::fronting("").ready();
    let (mut up, mut down) = (worker.client(), worker.client());
    up.sends("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhello");
    up.reads_until(b"hello\r\n");
    down.sends(get("/drip?10"));
    down.reads_until(b"data: 0\n\n\r\n");
    worker.is_told_to_go();
    up.sends("world");
    up.reads_until(b"world\r\n0\r\n\r\n");
    down.reads_until(b"data: 9\n\n\r\n0\r\n\r\n");
    drop((up, down));
    worker.ends_well();
}

#[test]
fn an_idle_client_is_served_after_sigterm() {
    let worker = Start::fronting("").ready();
    let mut client = worker.client();
    is_ok(&client.asks("/"));
    worker.is_told_to_go();
    is_last(&client.asks("/"));
    client.sees_clean_end();
    worker.ends_well();
}

#[test]
fn an_app_that_does_not_go_is_killed_with_its_whole_group() {
    let start = Start::fronting("--app-grace 200ms").env("ODD_IGNORES_TERM", "1");
    let worker = start.env("ODD_CHILD", "1").ready();
    worker.is_told_to_go();
    let log = worker.ends_well();
    assert!(log.contains("the app did not end in 200ms: killing it"), "{log}");
}

#[test]
fn the_grace_begins_at_the_deadline_when_something_is_still_in_flight() {
    let worker = Start::fronting("--drain-timeout 200ms").ready();
    let mut client = worker.client();
    client.sends(get("/slow?60000"));
    worker.logs("GET /slow");
    worker.is_told_to_go();
    assert!(client.reads().starts_with("HTTP/1.1 503 "));
    drop(client);
    let (status, log) = worker.ends();
    assert_eq!(status, 3, "{log}");
    assert!(log.contains("told to go"), "{log}");
}

#[test]
fn another_sigterm_ends_the_grace() {
    let worker = Start::fronting("--app-grace 10min").env("ODD_IGNORES_TERM", "1").ready();
    worker.is_told_to_go();
    worker.logs("told to go");
    worker.signal(Signal::TERM);
    let log = worker.ends_well();
    assert!(log.contains("told to go once more: killing the app"), "{log}");
}

/// A socket of its own is known by its name: who waits there waits for nobody else.
#[test]
fn in_refuse_mode_newcomers_are_refused_while_the_socket_is_nobody_elses() {
    let own = Start::fronting("--drain-mode refuse").env("LISTEN_FDNAMES", "web@1.socket");
    let worker = own.ready();
    let mut old = worker.client();
    is_ok(&old.asks("/"));
    worker.is_told_to_go();
    for _ in 0..3 {
        let refused = worker.client().asks("/");
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    }
    assert_eq!(worker.metric("worker_refused_total"), 3);
    drop(old);
    let log = worker.ends_well();
    assert!(log.contains("drained 1 connections: 0 lingered, 0 lost"), "{log}");
}

#[test]
fn in_refuse_mode_newcomers_of_a_shared_socket_are_left_to_the_siblings() {
    let group = Group::on_tcp();
    let worker = group.joins(Start::in_front("--drain-mode refuse"), "1");
    let worker = worker.env("LISTEN_FDNAMES", "web.socket").ready();
    let mut old = worker.client();
    is_ok(&old.asks("/"));
    worker.is_told_to_go();
    let mut new = worker.client();
    new.sends(get("/"));
    let refused = old.asks("/");
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert_eq!(worker.metric("worker_refused_total"), 1);
    drop(old);
    worker.ends_well();
}

#[test]
fn in_refuse_mode_a_balancer_is_told_to_go_elsewhere() {
    for status in ["502", "503"] {
        let options = format!("--drain-mode refuse --drain-status {status}");
        let worker = Start::fronting(&options).ready();
        let (mut busy, mut idle, mut fresh) =
            (worker.client(), worker.client(), worker.accepted_client());
        busy.sends(get("/slow?500"));
        is_ok(&idle.asks("/"));
        worker.logs("GET /slow");
        worker.is_told_to_go();
        for client in [&mut idle, &mut fresh] {
            client.sends("POST /swallow HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi");
            let response = client.reads();
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
            assert!(response.contains("connection: close\r\n"), "{response}");
            assert!(response.contains("retry-after: 1\r\n"), "{response}");
        }
        assert_eq!(worker.metric("worker_refused_total"), 2);
        // What had come before is served.
        is_last(&busy.reads());
        drop((busy, idle, fresh));
        let log = worker.ends_well();
        assert!(!log.contains("POST"), "a refused request reached the app: {log}");
    }
}

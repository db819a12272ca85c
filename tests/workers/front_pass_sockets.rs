//! An app that takes the inherited sockets itself: the worker only supervises.

use crate::support::client::{get, is_ok};
use crate::support::{Start, Worker};

/// Serves on descriptor 3, once sd_listen_fds(3) would say that it is its own.
const APP: &str = r#"
import os, socket, signal, sys, time
assert os.environ["LISTEN_PID"] == str(os.getpid()), os.environ["LISTEN_PID"]
assert os.environ["LISTEN_FDS"] == "1"
listener = socket.socket(fileno=3)
listener.setblocking(True)
def told_to_go(*_):
    print("told to go", file=sys.stderr, flush=True)
    if not os.environ.get("STAYS"):
        sys.exit(0)
signal.signal(signal.SIGTERM, told_to_go)
if path := os.environ.get("NOTIFY_SOCKET"):
    time.sleep(0.2)
    print("ready now", file=sys.stderr, flush=True)
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", path)
while True:
    client, _ = listener.accept()
    head = client.recv(65536)
    if b"/die" in head:
        os._exit(7)
    body = os.environ["LISTEN_FDNAMES"].encode()
    client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
    client.close()
"#;

fn supervising(options: &str) -> Start {
    let start = Start::worker().on_tcp().args("--pass-sockets").args(options).args("-- python3 -c");
    start.arg(APP).env("LISTEN_FDNAMES", "http")
}

fn is_served(worker: &Worker) {
    let mut client = worker.client();
    client.sends(get("/"));
    let response = client.reads();
    is_ok(&response);
    assert!(response.ends_with("\r\n\r\nhttp"), "{response}");
}

#[test]
fn it_gets_them_as_systemd_passes_them() {
    let worker = supervising("").ready();
    is_served(&worker);
    assert!(worker.admin("GET /healthz").starts_with("HTTP/1.1 200 "));
    worker.is_told_to_go();
    let log = worker.ends_well();
    assert!(log.contains("told to go"), "{log}");
}

#[test]
fn it_is_ready_when_it_says_so() {
    let worker = supervising("--app-ready notify").ready();
    assert!(worker.stderr().contains("ready now"), "{}", worker.stderr());
    is_served(&worker);
}

#[test]
fn its_death_is_the_workers() {
    let worker = supervising("").ready();
    worker.client().sends(get("/die"));
    let (status, log) = worker.ends();
    assert_eq!(status, 4, "{log}");
    assert!(log.contains("the app exited with status 7"), "{log}");
}

#[test]
fn with_app_restart_it_gets_them_again() {
    let worker = supervising("--app-restart").ready();
    worker.client().sends(get("/die"));
    worker.logs("starting it again");
    is_served(&worker);
}

#[test]
fn it_has_the_drain_timeout_to_go() {
    let worker = supervising("--drain-timeout 300ms").env("STAYS", "1").ready();
    is_served(&worker);
    worker.is_told_to_go();
    let log = worker.ends_well();
    assert!(log.contains("the app did not end in 300ms: killing it"), "{log}");
}

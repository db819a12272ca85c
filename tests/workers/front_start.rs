//! How the worker starts an app: with nothing of its own, and READY only when the app is.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::client::{get, is_ok};
use crate::support::{Start, Worker, unix_listener};

/// Below the ports that the kernel hands out, so that no other test is given it.
fn own_port() -> u16 {
    20_000 + (std::process::id() % 10_000) as u16
}

/// What the app says of itself and of the request it got.
fn told(worker: &Worker) -> Value {
    let response = worker.client().asks("/head");
    is_ok(&response);
    serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn its_health_is_not_good_before_the_app_is_ready() {
    let worker = Start::fronting("").env("ODD_BOOT", "2").spawn();
    worker.says("starting: waiting for the app");
    assert!(worker.admin("GET /healthz").starts_with("HTTP/1.1 503 "));
    worker.says("READY=1");
    worker.is_healthy_as(200);
}

#[test]
fn is_ready_when_the_app_accepts_and_says_what_it_waits_for() {
    let worker = Start::fronting("").env("ODD_BOOT", "0.3").spawn();
    worker.says("STATUS=starting: waiting for the app at port");
    worker.says("READY=1");
    let log = worker.stderr();
    assert!(log.contains("booting"), "{log}");
    is_ok(&worker.client().asks("/"));
    worker.is_told_to_go();
    worker.ends_well();
}

#[test]
fn is_ready_when_the_app_answers_a_path_well() {
    let worker = Start::fronting("--app-ready /ready").ready();
    assert!(worker.stderr().matches("GET /ready").count() > 3, "{}", worker.stderr());
}

#[test]
fn is_ready_when_the_app_says_so() {
    let worker = Start::fronting("--app-ready notify").env("ODD_NOTIFIES", "0.3").ready();
    assert!(worker.stderr().contains("the app says: warm"), "{}", worker.stderr());
    is_ok(&worker.client().asks("/"));
}

#[test]
fn nothing_that_systemd_gave_the_worker_reaches_the_app() {
    let start = Start::fronting("").env("WATCHDOG_USEC", "5000000").env("LISTEN_FDNAMES", "http");
    let worker = start.env("KEPT", "1").ready();
    let told = told(&worker);
    let env = told["env"].as_object().unwrap();
    for name in ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "NOTIFY_SOCKET", "WATCHDOG_USEC"] {
        assert!(!env.contains_key(name), "{name} reached the app");
    }
    assert!(env.contains_key("KEPT"));
    // Its own: standard streams, the listener, and this one client.
    let fds = told["fds"].as_object().unwrap();
    let sockets: Vec<_> =
        fds.values().filter(|to| to.as_str().unwrap().contains("socket")).collect();
    assert_eq!(sockets.len(), 2, "{fds:?}");
    assert_eq!(told["pid"], told["group"], "it leads a group of its own");
}

#[test]
fn listens_where_it_is_told() {
    let port = own_port();
    let worker = Start::fronting(&format!("--app-port {port}")).ready();
    assert_eq!(told(&worker)["env"]["PORT"], port.to_string());
    drop(worker);

    let (_dir, path, listener) = unix_listener();
    // Left behind by a run that was killed: it would be in the way.
    drop(listener);
    let worker = Start::fronting(&format!("--app-socket {}", path.display())).ready();
    let told_env = told(&worker)["env"].take();
    assert_eq!(told_env["SOCKET_PATH"], path.display().to_string());
    assert!(told_env.get("PORT").is_none(), "{told_env}");
    drop(worker);

    let options = format!("--app-socket {} --socket-in-port", path.display());
    let worker = Start::fronting(&options).ready();
    assert_eq!(told(&worker)["env"]["PORT"], path.display().to_string());
}

#[test]
fn what_the_app_prints_goes_where_the_workers_lines_go_as_it_is() {
    let start = Start::worker().on_tcp().args("-- python3 -c");
    let app = "import sys; sys.stderr.write('no end: \\x00\\t<3>\\xe9'); sys.exit(5)";
    let (status, log) = start.arg(app).env("PYTHONIOENCODING", "utf-8").spawn().ends();
    assert_eq!(status, 4, "{log}");
    assert!(log.contains("no end: \0\t<3>\u{e9}worker: "), "{log:?}");
}

#[test]
fn an_app_that_listens_only_on_the_ipv6_loopback_is_found() {
    let worker = Start::fronting("").env("ODD_HOST", "::1").ready();
    is_ok(&worker.client().asks("/"));
}

#[test]
fn an_app_that_ends_before_it_is_ready_is_told_with_its_status() {
    let (status, log) = Start::fronting("").env("ODD_FAILS", "3").spawn().ends();
    assert_eq!(status, 4, "{log}");
    assert!(log.contains("worker: the app exited with status 3"), "{log}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let worker = Start::worker().on_tcp().args("-- /no/such/program");
    let (status, said) = worker.refused();
    assert_eq!(
        (status, &*said),
        (
            1,
            "worker: cannot start /no/such/program: \
        No such file or directory (os error 2)"
        )
    );
}

#[test]
fn a_stranger_at_the_place_of_the_app_is_not_taken_for_it() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let (status, said) = Start::fronting(&format!("--app-port {port}")).refused();
    assert_eq!(status, 1);
    assert!(said.contains(&format!("somebody listens at port {port} already")), "{said}");
}

#[test]
fn options_for_an_app_want_an_app() {
    let (status, said) = Start::worker().on_tcp().args("--app-port 80").refused();
    assert_eq!(status, 2);
    assert!(said.contains("required arguments"), "{said}");
}

#[test]
fn sigterm_during_the_start_ends_both_and_nobody_was_ready() {
    let worker = Start::fronting("").env("ODD_BOOT", "60").spawn();
    worker.logs("booting");
    worker.signal(Signal::TERM);
    let said = worker.said();
    assert!(!said.iter().any(|said| said.contains("READY")), "{said:?}");
    let log = worker.ends_well();
    assert!(log.contains("told to go"), "{log}");
}

#[test]
fn what_the_app_has_started_ends_with_it() {
    let worker = Start::fronting("").env("ODD_CHILD", "1").ready();
    let app = told(&worker)["pid"].as_u64().unwrap();
    let task = format!("/proc/{app}/task/{app}/children");
    let child = std::fs::read_to_string(task).unwrap().trim().to_owned();
    assert!(Path::new(&format!("/proc/{child}")).exists());
    worker.is_told_to_go();
    worker.ends_well();
    // Reaped by whoever adopts orphans here, so its end is told by its state.
    let until = std::time::Instant::now() + crate::support::PATIENCE;
    while is_alive(&child) {
        assert!(std::time::Instant::now() < until, "{child} lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn the_request_reaches_the_app_as_it_was_sent() {
    let worker = Start::fronting("").ready();
    let mut client = worker.client();
    client.sends("GET /head?a=b%20c&d HTTP/1.1\r\nHost: example.com\r\nX-Odd:  a,b \r\n\r\n");
    let response = client.reads();
    let head = serde_json::from_str::<Value>(response.split_once("\r\n\r\n").unwrap().1).unwrap();
    let head = head["head"].as_str().unwrap();
    assert!(head.starts_with("GET /head?a=b%20c&d HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("host: example.com\r\n"), "{head}");
    assert!(head.contains("x-odd: a,b\r\n"), "{head}");
    // One after the other on the same connection, of the client's and of the app's.
    client.sends(get("/"));
    is_ok(&client.reads());
}

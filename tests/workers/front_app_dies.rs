//! An app that dies: what was in flight is answered, and somebody starts it again.

use rustix::process::Signal;

use crate::support::Start;
use crate::support::client::{get, is_ok};

#[test]
fn what_was_in_flight_is_answered_and_systemd_is_told_by_the_status() {
    let worker = Start::fronting("").ready();
    let (mut waiting, mut idle) = (worker.client(), worker.client());
    is_ok(&idle.asks("/"));
    waiting.sends(get("/slow?60000"));
    worker.logs("GET /slow");
    let mut killer = worker.client();
    killer.sends(get("/die?9"));
    assert!(killer.reads().starts_with("HTTP/1.1 502 "));
    assert!(waiting.reads().starts_with("HTTP/1.1 502 "));
    // What comes next had better go to a sibling.
    idle.sees_clean_end();
    drop((waiting, killer, idle));
    let (status, log) = worker.ends();
    assert_eq!(status, 4, "{log}");
    assert!(log.contains("the app exited with status 9"), "{log}");
}

#[test]
fn the_signal_that_killed_it_is_named() {
    let worker = Start::fronting("").ready();
    let response = worker.client().asks("/head");
    let told: serde_json::Value =
        serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap();
    let app = rustix::process::Pid::from_raw(told["pid"].as_i64().unwrap() as i32).unwrap();
    rustix::process::kill_process(app, Signal::KILL).unwrap();
    let (status, log) = worker.ends();
    assert_eq!(status, 4, "{log}");
    assert!(log.contains("the app was killed by SIGKILL"), "{log}");
}

#[test]
fn with_app_restart_new_requests_wait_for_the_next_one() {
    let worker = Start::fronting("--app-restart").env("ODD_BOOT", "0.5").ready();
    let mut waiting = worker.client();
    waiting.sends(get("/slow?60000"));
    worker.logs("GET /slow");
    assert!(worker.client().asks("/die").starts_with("HTTP/1.1 502 "));
    assert!(waiting.reads().starts_with("HTTP/1.1 502 "));
    worker.logs("starting it again");
    let health = worker.is_healthy_as(503);
    assert!(health.contains("app down"), "{health}");
    let mut held = worker.client();
    held.sends("POST /swallow HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi");
    is_ok(&held.reads());
    worker.is_healthy_as(200);
    worker.is_told_to_go();
    drop((held, waiting));
    worker.ends_well();
}

#[test]
fn requests_are_held_no_longer_than_told() {
    let worker = Start::fronting("--app-restart --hold 200ms").env("ODD_BOOT", "2").ready();
    assert!(worker.client().asks("/die").starts_with("HTTP/1.1 502 "));
    worker.logs("starting it again");
    let response = worker.client().asks("/");
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    assert!(response.contains("retry-after: 1\r\n"), "{response}");
}

#[test]
fn an_app_that_dies_in_the_drain_holds_nobody_up() {
    let worker = Start::fronting("").ready();
    let (mut waiting, mut killer) = (worker.client(), worker.client());
    waiting.sends(get("/slow?60000"));
    worker.logs("GET /slow");
    is_ok(&killer.asks("/"));
    worker.is_told_to_go();
    assert!(killer.asks("/die").starts_with("HTTP/1.1 502 "));
    assert!(waiting.reads().starts_with("HTTP/1.1 502 "));
    drop((waiting, killer));
    let (status, log) = worker.ends();
    assert!(log.contains("before its last request was answered"), "{log}");
    assert_eq!(status, 4, "{log}");
}

//! Clients that never come to the point do not keep the others from being served.

#![cfg(all(feature = "worker", feature = "cli", feature = "load"))]

#[path = "workers/support/mod.rs"]
mod support;

use std::time::Duration;

use rollctl::load::{Load, Slow, Style};
use rustix::process::{Resource, getrlimit, setrlimit};
use support::Start;

const HEAD: &str = "worker_connections{state=\"head\"}";
const CROWD: usize = 2_000;

/// Room for the crowd: the usual soft limit is 1024.
fn raise_the_limit_of_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
fn a_crowd_that_sends_a_byte_a_second_is_cut_at_the_header_timeout_and_harms_nobody() {
    raise_the_limit_of_files();
    let worker = Start::worker().on_tcp().args("--header-timeout 5s").ready();
    let load = Load::to(worker.address()).clients(8, Style::get("/"));
    let load = load.clients(4, Style::post("/echo", 1_000)).clients(2, Style::connect("/"));
    let load = load.start().unwrap();
    let crowd = Slow::to(worker.address(), CROWD).start().unwrap();
    worker.until(HEAD, CROWD as u64);
    let before = load.answered();
    let ends = crowd.wait();
    let meanwhile = load.answered() - before;
    let report = load.stop_and_wait();
    assert_eq!(report.total().lost(), 0, "{:?}", report.total());
    assert!(meanwhile > 100, "{meanwhile} normal requests while all of the crowd was there");
    assert_eq!(ends.len(), CROWD);
    for end in ends {
        let said = end.said.as_deref().unwrap_or("nothing");
        assert!(said.starts_with("HTTP/1.1 408 "), "{end:?}");
        assert!(end.lasted >= Duration::from_secs(5), "{end:?}");
    }
    worker.until(HEAD, 0);
}

#[test]
fn they_do_not_hold_up_a_drain_longer_than_their_header_timeout() {
    let args = "--header-timeout 2s --linger 1s --drain-timeout 20s";
    let worker = Start::worker().on_tcp().args(args).ready();
    let crowd = Slow::to(worker.address(), 20).start().unwrap();
    worker.until(HEAD, 20);
    worker.is_told_to_go();
    // Exit status 0: none of them was cut at the drain's deadline.
    let log = worker.ends_well();
    assert!(log.contains("drained 20 connections: 0 lingered, 0 lost, 0 requests cut"), "{log}");
    assert!(
        crowd.wait().iter().all(|end| {
            end.said.as_deref().is_some_and(|said| said.starts_with("HTTP/1.1 408 "))
        })
    );
}

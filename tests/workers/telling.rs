//! What the worker tells systemd, and who waits for that.

use std::time::{Duration, Instant};

use crate::support::Start;
use crate::support::client::is_ok;

/// In which the worker looks at its status twice.
const LOOKS: Duration = Duration::from_millis(2500);

#[test]
fn nobody_waits_while_systemd_has_no_time_to_listen() {
    let worker = Start::worker().on_tcp().ready();
    worker.fills_the_queue();
    let mut client = worker.client();
    let until = Instant::now() + LOOKS;
    while Instant::now() < until {
        is_ok(&client.asks("/"));
    }
    assert_eq!(worker.threads(), 1, "beside a second one, each system call costs more");
    worker.says("1 connections");
}

#[test]
fn a_systemd_that_never_listens_does_not_keep_it_from_going() {
    let worker = Start::worker().on_tcp().ready();
    worker.fills_the_queue();
    worker.signal(rustix::process::Signal::TERM);
    worker.ends_well();
}

//! Instances with fewer connections accept first, and nobody waits for those that do not accept.

use std::fs::File;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use crate::support::Worker;
use crate::support::client::{Client, is_ok};
use crate::support::group::Group;

const ACCEPTED: &str = "worker_accepted_total";

/// For so long a client waits for one with fewer connections that does not come.
const DEFERRAL: Duration = Duration::from_millis(5);

fn four(group: &Group, args: &str) -> [Worker; 4] {
    ["1", "2", "3", "4"].map(|name| group.worker(name).args(args).ready())
}

/// Of each instance, once all of so many clients were accepted.
#[track_caller]
fn accepted(workers: &[Worker], clients: u64) -> Vec<u64> {
    let until = Instant::now() + crate::support::PATIENCE;
    loop {
        let counts: Vec<u64> = workers.iter().map(|worker| worker.metric(ACCEPTED)).collect();
        if counts.iter().sum::<u64>() == clients {
            return counts;
        }
        assert!(Instant::now() < until, "{counts:?} of {clients}");
        sleep(Duration::from_millis(5));
    }
}

/// Within a fifth of each other.
#[track_caller]
fn are_even(counts: &[u64]) {
    println!("{counts:?}");
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(5 * most <= 6 * least, "{counts:?}");
}

#[test]
fn clients_that_come_at_once_are_spread() {
    let group = Group::on_tcp();
    let workers = four(&group, "");
    let _clients: Vec<Client> = (0..128).map(|_| workers[0].client()).collect();
    are_even(&accepted(&workers, 128));
}

#[test]
fn clients_that_come_one_by_one_are_spread() {
    let group = Group::on_tcp();
    let workers = four(&group, "");
    let mut clients = vec![];
    for _ in 0..64 {
        let mut client = workers[0].client();
        is_ok(&client.asks("/"));
        clients.push(client);
    }
    are_even(&accepted(&workers, 64));
}

#[test]
fn so_they_are_over_unix_sockets_and_where_one_has_gone() {
    let (group, path) = Group::on_unix();
    let [first, second, third, fourth] = four(&group, "");
    fourth.signal(Signal::TERM);
    fourth.ends_well();
    let clients: Vec<Client> = (0..60).map(|_| Client::unix(&path)).collect();
    are_even(&accepted(&[first, second, third], 60));
    drop(clients);
}

/// How long clients take to be answered that come further apart than any suspension lasts.
fn waits(worker: &Worker) -> Vec<Duration> {
    // What is known of the board holds for a second.
    sleep(Duration::from_secs(1));
    let mut clients = vec![];
    let mut wait = || {
        sleep(Duration::from_millis(150));
        let begun = Instant::now();
        let mut client = worker.client();
        is_ok(&client.asks("/"));
        clients.push(client);
        begun.elapsed()
    };
    (0..8).map(|_| wait()).collect()
}

/// What an instance of this group that is alive and has no connections has on the board.
fn slot(group: &Group, id: u64) -> File {
    let file = group.puts_on_the_board("9", &[&id.to_le_bytes()[..], &[0; 8]].concat());
    flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    file
}

#[test]
fn one_that_is_stuck_is_waited_for_only_now_and_then() {
    let group = Group::on_tcp();
    let worker = group.worker("1").ready();
    let _first = worker.accepted_client();
    let _stuck = slot(&group, group.id());
    let waits = waits(&worker);
    assert!(waits.iter().all(|wait| *wait >= DEFERRAL), "{waits:?}");
    let mut client = worker.client();
    let quick = (0..20).map(|_| {
        let begun = Instant::now();
        client = worker.client();
        is_ok(&client.asks("/"));
        begun.elapsed()
    });
    let quick: Vec<Duration> = quick.collect();
    assert!(quick.iter().min().unwrap() < &DEFERRAL, "{quick:?}");
}

#[test]
fn nobody_waits_for_the_dead_nor_for_strangers() {
    for is_dead in [true, false] {
        let group = Group::on_tcp();
        let worker = group.worker("1").ready();
        let _first = worker.accepted_client();
        let other = slot(&group, if is_dead { group.id() } else { 1 });
        if is_dead {
            // As the kernel does when a process ends.
            drop(other);
        } else {
            std::mem::forget(other);
        }
        let waits = waits(&worker);
        assert!(waits.iter().any(|wait| *wait < DEFERRAL), "{waits:?}");
    }
}

#[test]
fn nobody_waits_where_it_is_switched_off() {
    let group = Group::on_tcp();
    let worker = group.worker("1").args("--balance no").ready();
    let _first = worker.accepted_client();
    let _other = slot(&group, group.id());
    let waits = waits(&worker);
    assert!(waits.iter().any(|wait| *wait < DEFERRAL), "{waits:?}");
    assert!(!group.has_on_the_board("1"));
}

#[test]
fn one_that_goes_leaves_the_board() {
    let group = Group::on_tcp();
    let worker = group.worker("1").ready();
    assert!(group.has_on_the_board("1"));
    let mut client = worker.client();
    is_ok(&client.asks("/"));
    worker.is_told_to_go();
    assert!(!group.has_on_the_board("1"));
    drop(client);
    worker.ends_well();
}

//! Whoever dies or stops in the middle of a hand-over, and whenever: no connection is answered by
//! two, none hangs, and what is lost was with the one that was killed.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::client::{Client, get, is_ok};
use crate::support::group::Group;
use crate::support::{Start, Worker};

const CLIENTS: usize = 150;

/// From before the first word of the link to after the last; `MOMENTS=50` for more of them.
fn moments() -> impl Iterator<Item = Duration> {
    let all = std::env::var("MOMENTS").map_or(4, |text| text.parse().unwrap());
    (0..all).map(move |step| Duration::from_micros(step * 4_800 / all))
}

/// One that hands over, and two that take.
struct Story {
    _group: Group,
    giver: Worker,
    takers: [Worker; 2],
    clients: Vec<Client>,
}

impl Story {
    fn begin() -> Self {
        let group = Group::on_tcp();
        let giver = group.joins(Start::worker(), "1").args("--linger 1s").ready();
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| giver.client()).collect();
        clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
        // Some are in the middle of a head.
        clients.iter_mut().step_by(5).for_each(|client| client.sends(&get("/")[..10]));
        giver.until("worker_connections{state=\"head\"}", CLIENTS as u64 / 5);
        let takers = ["2", "3"].map(|name| group.taker(name).ready());
        Self { _group: group, giver, takers, clients }
    }

    /// Each asks once more; how many were answered, all others having seen the end.
    fn answered(&mut self) -> usize {
        let mut answered = 0;
        for (at, client) in self.clients.iter_mut().enumerate() {
            let rest = get("/");
            client.sends_what_goes(if at % 5 == 0 { &rest[10..] } else { &rest });
        }
        for client in &mut self.clients {
            if client.has_more_or_ended() {
                is_ok(&client.reads());
                answered += 1;
            }
        }
        answered
    }
}

/// How many connections the giver's last word tells of.
fn moved(log: &str) -> u64 {
    let (before, _) = log.split_once(" moved, ").unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_taker_is_killed() {
    for moment in moments() {
        let mut story = Story::begin();
        story.giver.signal(Signal::TERM);
        thread::sleep(moment);
        story.takers[0].signal(Signal::KILL);
        let answered = story.answered();
        let log = story.giver.ends_well();
        let adopted = story.takers[1].metric("worker_adopted_total");
        assert!(log.contains(" 0 lost, 0 requests cut"), "{log}");
        let with_the_killed = moved(&log) - adopted;
        assert_eq!(answered as u64, CLIENTS as u64 - with_the_killed, "after {moment:?}: {log}");
    }
}

#[test]
fn the_giver_is_killed() {
    for moment in moments() {
        let mut story = Story::begin();
        story.giver.signal(Signal::TERM);
        thread::sleep(moment);
        story.giver.signal(Signal::KILL);
        let adopted = || story.takers.each_ref().map(|taker| taker.metric("worker_adopted_total"));
        let mut before = adopted();
        // Whatever was sent is taken.
        loop {
            thread::sleep(Duration::from_millis(10));
            let now = adopted();
            if now == before {
                break;
            }
            before = now;
        }
        let answered = story.answered();
        assert_eq!(answered as u64, before.iter().sum::<u64>(), "after {moment:?}");
    }
}

#[test]
fn a_taker_stops_for_a_while() {
    for moment in moments() {
        let mut story = Story::begin();
        story.giver.signal(Signal::TERM);
        thread::sleep(moment);
        story.takers[0].signal(Signal::STOP);
        thread::sleep(Duration::from_millis(100));
        story.takers[0].signal(Signal::CONT);
        assert_eq!(story.answered(), CLIENTS, "after {moment:?}");
        story.clients.clear();
        story.giver.ends_well();
    }
}

#[test]
fn the_giver_stops_for_a_while() {
    for moment in moments() {
        let mut story = Story::begin();
        story.giver.signal(Signal::TERM);
        thread::sleep(moment);
        story.giver.signal(Signal::STOP);
        thread::sleep(Duration::from_millis(100));
        story.giver.signal(Signal::CONT);
        assert_eq!(story.answered(), CLIENTS, "after {moment:?}");
        story.giver.ends_well();
    }
}

#[test]
fn a_taker_that_goes_too_hands_on_what_it_has_got() {
    for moment in moments() {
        let mut story = Story::begin();
        story.giver.signal(Signal::TERM);
        thread::sleep(moment);
        story.takers[0].signal(Signal::TERM);
        assert_eq!(story.answered(), CLIENTS, "after {moment:?}");
        story.giver.ends_well();
    }
}

/// It gives by two links then, and the newcomer hears it on both.
#[test]
fn the_giver_goes_while_a_newcomer_takes_its_share() {
    for moment in moments() {
        let group = Group::on_tcp();
        let giver = group.worker("1").args("--linger 1s").ready();
        // Answered one by one, for the queue of those to be accepted is shorter.
        let mut clients: Vec<Client> = (0..10 * CLIENTS).map(|_| client_of(&giver)).collect();
        let newcomer = group.worker("2").ready();
        thread::sleep(moment);
        giver.signal(Signal::TERM);
        let log = giver.ends_well();
        assert!(log.contains(" 0 lingered, 0 lost, 0 requests cut"), "after {moment:?}: {log}");
        clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
        assert_eq!(newcomer.metric("worker_adopted_total"), clients.len() as u64);
    }
}

fn client_of(worker: &Worker) -> Client {
    let mut client = worker.client();
    is_ok(&client.asks("/"));
    client
}

/// With few descriptors left, part of a message's does not arrive.
#[test]
fn a_taker_runs_out_of_descriptors() {
    let group = Group::on_tcp();
    let giver = group.worker("1").args("--linger 1s").ready();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| giver.client()).collect();
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    let taker = group.taker("2").env("FILES", "-n 60").ready();
    giver.is_told_to_go();
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    clients.clear();
    let log = giver.ends_well();
    assert!(log.contains(" 0 lost, 0 requests cut"), "{log}");
    drop(taker);
}

//! An instance that has just started gets its share of the connections of its siblings, and nobody
//! notices: whatever becomes of either in the meantime.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::Worker;
use crate::support::client::{Client, get, is_last, is_ok};
use crate::support::group::{Group, Link};

const ADOPTED: &str = "worker_adopted_total";
const BALANCED: &str = "worker_balanced_total";
const HEAD: &str = "worker_connections{state=\"head\"}";
const BUSY: &str = "worker_connections{state=\"busy\"}";

/// An instance with so many clients, each of which was answered.
fn with_clients(count: usize, args: &str) -> (Group, Worker, Vec<Client>) {
    let group = Group::on_tcp();
    let old = group.worker("1").args(args).ready();
    let mut clients: Vec<Client> = (0..count).map(|_| old.client()).collect();
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    (group, old, clients)
}

/// How many clients each of these instances answers, none of them for the last time.
fn answered_by(clients: &mut [Client], instances: &[&str]) -> Vec<usize> {
    let answers: Vec<String> = clients.iter_mut().map(|client| client.asks("/")).collect();
    for answer in &answers {
        is_ok(answer);
        assert!(!answer.contains("connection: close"), "{answer}");
    }
    let by = |it: &&str| {
        let row = format!("instance<td>{it}\n");
        answers.iter().filter(|answer| answer.contains(&row)).count()
    };
    instances.iter().map(by).collect()
}

#[test]
fn a_newcomer_gets_its_share_and_no_client_notices() {
    let (group, old, mut clients) = with_clients(60, "");
    let second = group.worker("2").ready();
    second.until(ADOPTED, 30);
    let third = group.worker("3").ready();
    third.until(ADOPTED, 20);
    assert_eq!(answered_by(&mut clients, &["1", "2", "3"]), [20, 20, 20]);
    assert_eq!((old.metric(BALANCED), second.metric(BALANCED)), (40, 10));
}

#[test]
fn half_a_head_is_finished_at_the_newcomer() {
    let (group, old, mut clients) = with_clients(10, "");
    clients.iter_mut().for_each(|client| client.sends("GET / HTTP/1.1\r\nho"));
    old.until(HEAD, 10);
    let new = group.worker("2").ready();
    new.until(ADOPTED, 5);
    clients.iter_mut().for_each(|client| client.sends("st: test\r\n\r\n"));
    clients.iter_mut().for_each(|client| is_ok(&client.reads()));
    assert_eq!(answered_by(&mut clients, &["1", "2"]), [5, 5]);
}

#[test]
fn a_busy_connection_goes_when_it_is_answered() {
    let (group, old, mut clients) = with_clients(2, "");
    clients.iter_mut().for_each(|client| client.sends(get("/slow?ms=300")));
    old.until(BUSY, 2);
    let new = group.worker("2").ready();
    for client in &mut clients {
        let answer = client.reads();
        is_ok(&answer);
        assert!(!answer.contains("connection: close"), "{answer}");
    }
    new.until(ADOPTED, 1);
    assert_eq!(answered_by(&mut clients, &["1", "2"]), [1, 1]);
}

#[test]
fn one_that_stays_busy_stays() {
    let (group, old, mut clients) = with_clients(1, "");
    clients[0].sends(get("/slow?ms=1500"));
    old.until(BUSY, 1);
    let link = asks(&group, 1);
    assert_eq!(link.reads().0, b"", "it is waited for no longer");
    is_ok(&clients[0].reads());
    assert_eq!(answered_by(&mut clients, &["1"]), [1]);
}

/// Somebody who has room and no connections asks instance 1 for some.
fn asks(group: &Group, wanted: u16) -> Link {
    let (link, _) = group.calls("1");
    link.says(&group.hello(), &[]);
    link.asks_for(wanted);
    link
}

#[test]
fn nobody_gives_more_than_makes_the_two_equal() {
    let (group, old, _clients) = with_clients(9, "");
    let link = asks(&group, 1000);
    let (seq, fds) = link.is_given();
    assert_eq!(fds.len(), 4);
    link.acknowledges(seq, 4);
    old.until(BALANCED, 4);
    assert_eq!(link.reads().0, b"", "the link stays open");
}

#[test]
fn who_has_it_switched_off_gives_nothing() {
    for off in ["--balance no", "--handoff no", "--drain-mode refuse"] {
        let (group, old, mut clients) = with_clients(8, off);
        if off == "--balance no" {
            let (link, _) = group.calls("1");
            link.says(&group.hello(), &[]);
            assert_eq!(link.reads().0, b"");
        }
        let new = group.worker("2").ready();
        assert_eq!(answered_by(&mut clients, &["1"]), [8]);
        assert_eq!((old.metric("worker_moved_total"), new.metric(ADOPTED)), (0, 0));
    }
}

#[test]
fn who_has_it_switched_off_does_not_ask() {
    let group = Group::on_tcp();
    let impostor = group.impostor("1");
    let new = group.worker("2").args("--balance no").ready();
    new.signal(Signal::TERM);
    // So the first time it calls is in its drain, with nothing to give.
    let link = impostor.is_called();
    new.ends_well();
    assert_eq!(link.reads().0, b"");
}

#[test]
fn a_sibling_of_another_version_is_not_asked() {
    let group = Group::on_tcp();
    let impostor = group.impostor("1");
    let new = group.worker("2").ready();
    let mut hello = group.hello_of(100);
    hello[5] += 1;
    assert_eq!(impostor.is_called_and_says(&hello).reads().0, b"");
    new.logs("connections cannot move there: version 2 of the hand-off, not 1");
    is_ok(&new.client().asks("/"));
}

#[test]
fn nor_is_one_on_another_socket() {
    let group = Group::on_tcp();
    let impostor = group.impostor("1");
    let _new = group.worker("2").ready();
    let stranger = Group::on_tcp().hello_of(100);
    assert_eq!(impostor.is_called_and_says(&stranger).reads().0, b"");
}

#[test]
fn one_of_another_version_that_asks_gets_nothing() {
    let (group, old, mut clients) = with_clients(8, "");
    let (link, _) = group.calls("1");
    let mut hello = group.hello();
    hello[5] += 1;
    link.says(&hello, &[]);
    assert_eq!(link.reads().0, b"");
    let (link, _) = group.calls("1");
    link.says(&Group::on_tcp().hello(), &[]);
    assert_eq!(link.reads().0, b"", "one on another socket");
    let (link, _) = group.calls("1");
    link.asks_for(4);
    assert_eq!(link.reads().0, b"", "one that has not said who it is");
    assert_eq!(answered_by(&mut clients, &["1"]), [8]);
    assert_eq!(old.metric(BALANCED), 0);
}

#[test]
fn a_sibling_that_does_not_know_the_question_is_left_alone() {
    let group = Group::on_tcp();
    let impostor = group.impostor("1");
    let new = group.worker("2").ready();
    let link = impostor.is_called_and_says(&group.hello_of(100));
    link.is_asked_for(50);
    drop(link);
    is_ok(&new.client().asks("/"));
    new.signal(Signal::TERM);
    drop(impostor);
    new.ends_well();
}

#[test]
fn what_a_newcomer_did_not_acknowledge_stays() {
    let (group, old, mut clients) = with_clients(8, "");
    let link = asks(&group, 4);
    let (seq, fds) = link.is_given();
    drop(fds);
    link.acknowledges(seq, 1);
    drop(link);
    let closed = clients.iter_mut().map(|client| {
        client.sends_what_goes(get("/"));
        !client.has_more_or_ended()
    });
    assert_eq!(closed.filter(|is_closed| *is_closed).count(), 1, "the one that it took");
    assert_eq!(old.metric(BALANCED), 1);
}

#[test]
fn what_a_stuck_newcomer_holds_is_waited_for_and_the_rest_is_served() {
    let (group, old, mut clients) = with_clients(8, "--drain-timeout 500ms");
    let link = asks(&group, 4);
    let (_, fds) = link.is_given();
    old.is_told_to_go();
    let held: Vec<TcpStream> = fds.into_iter().map(TcpStream::from).collect();
    let held: Vec<_> = held.iter().map(|stream| stream.peer_addr().unwrap()).collect();
    clients.retain(|client| !held.contains(&client.address()));
    assert_eq!(clients.len(), 4);
    clients.iter_mut().for_each(|client| is_last(&client.asks("/")));
    clients.clear();
    let log = old.ends_well();
    assert!(log.contains("4 connections moved without an answer"), "{log}");
}

const CLIENTS: usize = 100;

/// From READY, when it begins to ask, until long after it was given; `MOMENTS=50` for more of them.
fn moments() -> impl Iterator<Item = Duration> {
    let all = std::env::var("MOMENTS").map_or(5, |text| text.parse().unwrap());
    (0..all).map(move |step| Duration::from_micros(step * 4_000 / all))
}

/// An instance with clients, some in the middle of a head, and one that has been ready for `moment`.
fn with_a_newcomer(moment: Duration) -> (Group, Worker, Worker, Vec<Client>) {
    let (group, old, mut clients) = with_clients(CLIENTS, "--linger 1s");
    clients.iter_mut().step_by(5).for_each(|client| client.sends(&get("/")[..10]));
    old.until(HEAD, CLIENTS as u64 / 5);
    let new = group.worker("2").ready();
    thread::sleep(moment);
    (group, old, new, clients)
}

/// Each asks once more; how many were answered, all others having seen the end.
fn answered(clients: &mut [Client]) -> usize {
    let mut answered = 0;
    for (at, client) in clients.iter_mut().enumerate() {
        let rest = get("/");
        client.sends_what_goes(if at % 5 == 0 { &rest[10..] } else { &rest });
    }
    for client in clients {
        if client.has_more_or_ended() {
            is_ok(&client.reads());
            answered += 1;
        }
    }
    answered
}

#[test]
fn a_newcomer_is_killed() {
    for moment in moments() {
        let (_group, old, mut new, mut clients) = with_a_newcomer(moment);
        new.signal(Signal::KILL);
        new.is_gone();
        let answered = answered(&mut clients);
        let with_the_killed = old.metric(BALANCED) as usize;
        assert_eq!(answered, CLIENTS - with_the_killed, "after {moment:?}");
    }
}

#[test]
fn a_newcomer_stops_for_a_while() {
    for moment in moments() {
        let (_group, _old, new, mut clients) = with_a_newcomer(moment);
        new.signal(Signal::STOP);
        thread::sleep(Duration::from_millis(100));
        new.signal(Signal::CONT);
        assert_eq!(answered(&mut clients), CLIENTS, "after {moment:?}");
    }
}

#[test]
fn a_newcomer_is_told_to_go_at_once() {
    for moment in moments() {
        let (_group, _old, new, mut clients) = with_a_newcomer(moment);
        new.signal(Signal::TERM);
        new.ends_well();
        assert_eq!(answered(&mut clients), CLIENTS, "after {moment:?}");
    }
}

#[test]
fn the_one_that_is_asked_is_told_to_go() {
    for moment in moments() {
        let (_group, old, new, mut clients) = with_a_newcomer(moment);
        old.signal(Signal::TERM);
        let log = old.ends_well();
        assert!(log.contains(" 0 lost, 0 requests cut"), "after {moment:?}: {log}");
        assert_eq!(answered(&mut clients), CLIENTS, "after {moment:?}");
        assert_eq!(new.metric(ADOPTED), CLIENTS as u64);
    }
}

#[test]
fn the_one_that_is_asked_is_killed() {
    for moment in moments() {
        let (_group, mut old, new, mut clients) = with_a_newcomer(moment);
        old.signal(Signal::KILL);
        old.is_gone();
        let answered = answered(&mut clients);
        assert_eq!(answered as u64, new.metric(ADOPTED), "after {moment:?}");
    }
}

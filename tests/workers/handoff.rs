//! Connections move to a sibling when their worker leaves, and nobody notices: the client keeps its
//! connection, and each of its requests is answered once.

use std::env;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use rollctl::handoff::Frame;
use rustix::process::Signal;

use crate::support::client::{Client, End, get, is_last, is_ok};
use crate::support::group::Group;
use crate::support::{OWN_SERVICE, Start, Worker as Instance, own_worker};

const ADOPTED: &str = "worker_adopted_total";
const HEAD: &str = "worker_connections{state=\"head\"}";
/// A little longer than makes a connection one that was just passed on.
const STAY: Duration = Duration::from_millis(15);
const BUSY: &str = "worker_connections{state=\"busy\"}";

/// An old instance with a client of its own, and a new one beside it.
fn handing_over(old: &str, new: &str) -> (Group, Instance, Client, Instance) {
    let group = Group::on_tcp();
    let old = group.worker("1").args(old).ready();
    let mut client = old.client();
    answers(&mut client, "1");
    let new = group.worker("2").args(new).ready();
    (group, old, client, new)
}

/// The client is answered by this instance, and may go on asking.
#[track_caller]
fn answers(client: &mut Client, instance: &str) {
    let answer = client.asks("/");
    is_answer_of(&answer, instance);
}

#[track_caller]
fn is_answer_of(answer: &str, instance: &str) {
    is_ok(answer);
    assert!(answer.contains(&format!("instance<td>{instance}\n")), "{answer}");
    assert!(!answer.contains("connection: close"), "{answer}");
}

#[track_caller]
fn has_moved(old: Instance, connections: usize) {
    let log = old.ends_well();
    assert!(
        log.contains(&format!(" 0 lost, 0 requests cut, 0 WebSockets closed, {connections} moved")),
        "{log}"
    );
}

#[test]
fn an_idle_connection_moves_and_its_client_does_not_notice() {
    let (_group, old, mut client, new) = handing_over("", "");
    old.signal(Signal::TERM);
    old.says("STATUS=moved 1, lost 0");
    has_moved(old, 1);
    answers(&mut client, "2");
    assert_eq!(new.metric(ADOPTED), 1);
}

#[test]
fn a_fresh_connection_moves_before_it_speaks() {
    let group = Group::on_tcp();
    let old = group.worker("1").ready();
    let mut client = old.accepted_client();
    let _new = group.worker("2").ready();
    old.signal(Signal::TERM);
    has_moved(old, 1);
    answers(&mut client, "2");
}

#[test]
fn half_a_head_is_finished_at_the_sibling() {
    let (_group, old, mut client, _new) = handing_over("", "");
    client.sends("GET / HTTP/1.1\r\nho");
    old.until(HEAD, 1);
    old.signal(Signal::TERM);
    has_moved(old, 1);
    client.sends("st: test\r\n\r\n");
    is_answer_of(&client.reads(), "2");
}

#[test]
fn the_time_for_a_head_goes_on_at_the_sibling() {
    let (_group, old, mut client, _new) = handing_over("", "--header-timeout 2s");
    client.sends("GET / HTTP/1.1\r\nho");
    old.until(HEAD, 1);
    thread::sleep(Duration::from_secs(2));
    old.signal(Signal::TERM);
    has_moved(old, 1);
    let asked = Instant::now();
    assert!(client.reads().starts_with("HTTP/1.1 408 "));
    assert!(asked.elapsed() < Duration::from_secs(1), "it had a second chance");
}

#[test]
fn the_time_to_be_idle_goes_on_at_the_sibling() {
    let (_group, old, mut client, _new) = handing_over("", "--idle-timeout 2s");
    thread::sleep(Duration::from_secs(2));
    old.signal(Signal::TERM);
    has_moved(old, 1);
    let moved = Instant::now();
    client.sees_clean_end();
    assert!(moved.elapsed() < Duration::from_secs(1), "it had a second chance");
}

#[test]
fn a_request_in_flight_is_finished_and_then_its_connection_moves() {
    let (_group, old, mut client, _new) = handing_over("", "");
    client.sends(get("/slow?ms=300"));
    old.until(BUSY, 1);
    old.is_told_to_go();
    let answer = client.reads();
    is_ok(&answer);
    assert!(!answer.contains("connection: close"), "{answer}");
    has_moved(old, 1);
    answers(&mut client, "2");
}

#[test]
fn a_body_half_sent_at_sigterm_is_echoed_whole_and_then_its_connection_moves() {
    let (_group, old, mut client, _new) = handing_over("", "");
    client.sends("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhello");
    client.reads_until(b"hello");
    old.is_told_to_go();
    client.sends("world");
    client.reads_until(b"world");
    has_moved(old, 1);
    answers(&mut client, "2");
}

#[test]
fn pipelined_requests_are_answered_once_each_and_in_order() {
    let (_group, old, mut client, _new) = handing_over("", "");
    let post = |text: &str| {
        format!("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{text}", text.len())
    };
    let requests: String = (0..3000).map(|number| post(&format!("{number:08}"))).collect();
    let (first, rest) = requests.split_at(requests.len() / 2 + 13);
    client.sends(get("/slow?ms=100"));
    old.until(BUSY, 1);
    client.sends(first);
    old.signal(Signal::TERM);
    client.sends(rest);
    is_ok(&client.reads());
    for number in 0..3000 {
        let answer = client.reads();
        assert!(answer.ends_with(&format!("{number:08}")), "{number}: {answer}");
    }
    old.ends_well();
    answers(&mut client, "2");
}

#[test]
fn connections_of_unix_sockets_move_too() {
    let (group, path) = Group::on_unix();
    let old = group.worker("1").ready();
    let mut client = Client::unix(&path);
    answers(&mut client, "1");
    let _new = group.worker("2").ready();
    old.signal(Signal::TERM);
    has_moved(old, 1);
    answers(&mut client, "2");
}

#[test]
fn many_move_at_once_and_are_spread() {
    let group = Group::on_tcp();
    let old = group.worker("1").ready();
    let mut clients: Vec<Client> = (0..300).map(|_| old.client()).collect();
    clients.iter_mut().for_each(|client| answers(client, "1"));
    let (second, third) = (group.taker("2").ready(), group.taker("3").ready());
    old.signal(Signal::TERM);
    has_moved(old, 300);
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    let counts = [second, third].map(|new| new.metric(ADOPTED));
    assert_eq!(counts.iter().sum::<u64>(), 300);
    assert!(counts.iter().all(|count| (120..=180).contains(count)), "{counts:?}");
}

#[test]
fn a_connection_can_move_many_times() {
    let group = Group::on_tcp();
    let mut worker = group.worker("0").ready();
    let mut client = worker.client();
    for round in 1..=20 {
        let next = group.worker(&round.to_string()).ready();
        // What does not stay is only passed on, and not for ever; workers can start in less time.
        thread::sleep(STAY);
        worker.signal(Signal::TERM);
        // Shown should the next line fail.
        println!("{}", worker.ends_well());
        answers(&mut client, &round.to_string());
        worker = next;
    }
}

#[test]
fn what_is_switched_off_stays() {
    for (old, new) in [("--handoff no", ""), ("", "--handoff no"), ("--drain-mode refuse", "")] {
        let (_group, old, mut client, new) = handing_over(old, new);
        old.is_told_to_go();
        assert!(client.asks("/").contains("connection: close"));
        drop(client);
        has_moved(old, 0);
        assert_eq!(new.metric(ADOPTED), 0);
    }
}

#[test]
fn a_sibling_takes_no_more_than_it_has_room_for() {
    let group = Group::on_tcp();
    let old = group.worker("1").ready();
    let mut clients = [(); 3].map(|()| old.accepted_client());
    let new = group.taker("2").args("--max-connections 2").ready();
    old.is_told_to_go();
    old.until("worker_moved_total", 1);
    let answers = clients.each_mut().map(|client| client.asks("/"));
    let last = answers.iter().filter(|answer| answer.contains("connection: close")).count();
    assert_eq!(last, 2, "{answers:?}");
    has_moved(old, 1);
    assert_eq!(new.metric(ADOPTED), 1);
}

#[test]
fn strangers_on_another_socket_are_no_siblings() {
    let (_group, old, mut client, impostor) = with_an_impostor();
    let hello = Group::on_tcp().impostor("2").hello();
    let greeting = thread::spawn(move || impostor.is_called_and_says(&hello));
    old.is_told_to_go();
    is_last(&client.asks("/"));
    assert_eq!(greeting.join().unwrap().reads().0, b"", "it was given something");
    has_moved(old, 0);
}

#[test]
fn a_stopped_sibling_is_given_nothing() {
    let (_group, old, mut client, new) = handing_over("", "");
    new.signal(Signal::STOP);
    old.is_told_to_go();
    is_last(&client.asks("/"));
    has_moved(old, 0);
    new.signal(Signal::CONT);
}

#[test]
fn a_sibling_that_was_stopped_gets_what_is_left_when_it_goes_on() {
    let (_group, old, mut client, new) = handing_over("", "");
    new.signal(Signal::STOP);
    old.is_told_to_go();
    new.signal(Signal::CONT);
    has_moved(old, 1);
    answers(&mut client, "2");
}

#[test]
fn and_so_does_one_that_answers_when_the_others_have_refused() {
    let (group, old, mut client, impostor) = with_an_impostor();
    let new = group.taker("3").ready();
    new.signal(Signal::STOP);
    let refusing = thread::spawn(move || {
        let link = impostor.is_called();
        let (seq, fds) = link.is_given();
        drop(fds);
        link.acknowledges(seq, 0);
        link
    });
    old.is_told_to_go();
    let _link = refusing.join().unwrap();
    new.signal(Signal::CONT);
    has_moved(old, 1);
    answers(&mut client, "3");
}

/// An instance with a client, and somebody who only looks like a sibling.
fn with_an_impostor() -> (Group, Instance, Client, crate::support::group::Impostor) {
    let group = Group::on_tcp();
    let old = group.worker("1").ready();
    let mut client = old.client();
    answers(&mut client, "1");
    let impostor = group.impostor("2");
    (group, old, client, impostor)
}

#[test]
fn a_sibling_of_another_version_is_given_nothing() {
    let (_group, old, mut client, impostor) = with_an_impostor();
    let mut hello = impostor.hello();
    hello[5] += 1;
    let greeting = thread::spawn(move || impostor.is_called_and_says(&hello));
    old.is_told_to_go();
    greeting.join().unwrap();
    is_last(&client.asks("/"));
    has_moved(old, 0);
}

#[test]
fn what_a_dead_sibling_did_not_acknowledge_goes_to_the_next() {
    let (group, old, mut client, impostor) = with_an_impostor();
    let mut taken = old.accepted_client();
    let _next = group.taker("3").ready();
    old.signal(Signal::TERM);
    let link = impostor.is_called();
    let (_, fds) = link.is_given();
    drop((link, fds));
    has_moved(old, 2);
    answers(&mut client, "3");
    answers(&mut taken, "3");
}

#[test]
fn what_a_dead_sibling_did_acknowledge_is_not_answered_again() {
    let (_group, old, mut client, impostor) = with_an_impostor();
    old.signal(Signal::TERM);
    let link = impostor.is_called();
    let (seq, fds) = link.is_given();
    client.sends(get("/"));
    link.acknowledges(seq, 1);
    drop((link, fds));
    assert!(matches!(client.sees_end(), End::Closed(text) | End::Reset(text) if text.is_empty()));
    has_moved(old, 1);
}

#[test]
fn what_is_not_taken_stays() {
    let (_group, old, mut client, impostor) = with_an_impostor();
    old.signal(Signal::TERM);
    let link = impostor.is_called();
    let (seq, fds) = link.is_given();
    drop(fds);
    link.acknowledges(seq, 0);
    is_last(&client.asks("/"));
    has_moved(old, 0);
}

#[test]
fn a_sibling_that_says_nothing_is_waited_for_and_then_has_it() {
    let group = Group::on_tcp();
    let old = group.worker("1").args("--drain-timeout 500ms").ready();
    let mut client = old.client();
    answers(&mut client, "1");
    let impostor = group.impostor("2");
    old.signal(Signal::TERM);
    let link = impostor.is_called();
    let (_, fds) = link.is_given();
    client.sends(get("/"));
    let log = old.ends_well();
    assert!(log.contains("1 connections moved without an answer"), "{log}");
    // Nobody else has answered it: the request is still there for its new owner.
    let stream = TcpStream::from(fds.into_iter().next().unwrap());
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut request = [0; 3];
    std::io::Read::read_exact(&mut &stream, &mut request).unwrap();
    assert_eq!(&request, b"GET");
}

#[test]
fn connections_of_an_app_behind_the_worker_move() {
    let group = Group::on_tcp();
    let old = group.joins(Start::in_front(""), "1").ready();
    let mut client = old.client();
    is_ok(&client.asks("/counts"));
    let new = group.joins(Start::in_front(""), "2").ready();
    client.sends(get("/slow?300"));
    old.until(BUSY, 1);
    old.signal(Signal::TERM);
    let answer = client.reads();
    is_ok(&answer);
    assert!(!answer.contains("connection: close"), "{answer}");
    has_moved(old, 1);
    is_ok(&client.asks("/counts"));
    assert_eq!(new.metric(ADOPTED), 1);
}

/// Both ends of a connection that no worker has accepted.
fn pair() -> (Client, OwnedFd) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::tcp(listener.local_addr().unwrap());
    (client, listener.accept().unwrap().0.into())
}

#[test]
fn a_giver_that_dies_at_once_has_given() {
    let group = Group::on_tcp();
    let worker = group.worker("1").ready();
    let (mut client, ours) = pair();
    let (link, _) = group.calls("1");
    worker.signal(Signal::STOP);
    link.gives(1, &[&ours], b"GET / HTTP/1.1\r\nho");
    drop((link, ours));
    worker.signal(Signal::CONT);
    client.sends("st: test\r\n\r\n");
    is_answer_of(&client.reads(), "1");
}

#[test]
fn a_message_that_is_wrong_ends_its_link_and_nothing_else() {
    let group = Group::on_tcp();
    let worker = group.worker("1").ready();
    let (_client, ours) = pair();
    let mut truncated = Frame::Ack { seq: 1, taken: 1 }.encode();
    truncated.pop();
    for wrong in [b"hello".to_vec(), truncated, Frame::Ack { seq: 1, taken: 1 }.encode()] {
        let (link, _) = group.calls("1");
        link.says(&wrong, &[&ours]);
        assert_eq!(link.reads().0, b"");
    }
    let (link, _) = group.calls("1");
    link.gives(2, &[&ours], b"");
    assert_eq!(link.reads().0, b"", "out of order");
    let listening: OwnedFd = TcpListener::bind("127.0.0.1:0").unwrap().into();
    let (link, _) = group.calls("1");
    link.gives(1, &[&listening], b"");
    assert_eq!(Frame::decode(&link.reads().0), Ok(Frame::Ack { seq: 1, taken: 1 }));
    is_ok(&worker.client().asks("/"));
    worker.until("worker_adopted_total", 0);
}

/// This very program, told by its environment to be a service that answers before it has read.
fn an_early_service(group: &Group, name: &str) -> Start {
    group.joins(Start::own_service(module_path!(), name), name)
}

#[test]
fn the_service() {
    let Some(worker) = own_worker() else { return };
    worker.run(service_fn(early)).unwrap();
    std::process::exit(0);
}

/// Answers at once, and reads the content half a second later.
async fn early(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let answer = format!("{} {}\n", env::var(OWN_SERVICE).unwrap(), request.uri().path());
    if request.method() == hyper::Method::POST {
        tokio::spawn(async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            request.into_body().collect().await.unwrap();
        });
    }
    Ok(Response::new(Full::from(answer)))
}

/// What a service has not read of the content looks like a request: no sibling may take it for one.
#[test]
fn content_that_is_not_read_yet_does_not_become_a_request() {
    // More than is taken in for a service that does not read.
    let smuggled = get("/smuggled").repeat(20_000);
    let head =
        format!("POST /early HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n", smuggled.len());
    for cut in [0, 10, 100_000] {
        let group = Group::on_tcp();
        let old = an_early_service(&group, "old").ready();
        let mut client = old.client();
        client.sends(head.clone() + &smuggled[..cut]);
        assert!(client.reads().ends_with("old /early\n"));
        let answered = Instant::now();
        let _new = an_early_service(&group, "new").ready();
        old.is_told_to_go();
        client.sends(smuggled[cut..].to_owned() + &get("/after"));
        let after = client.reads();
        assert!(after.ends_with(" /after\n"), "cut {cut}: {after}");
        has_moved(old, 1);
        assert!(answered.elapsed() > Duration::from_millis(400), "cut {cut}: moved too early");
        assert!(client.asks("/last").ends_with("new /last\n"));
    }
}

#[test]
fn nor_does_it_when_the_connection_has_been_idle_for_too_long() {
    let smuggled = get("/smuggled");
    let group = Group::on_tcp();
    let service = an_early_service(&group, "old").env("WORKER_IDLE_TIMEOUT", "100ms").ready();
    let mut client = service.client();
    client.sends(format!(
        "POST /early HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n",
        smuggled.len()
    ));
    client.sends(smuggled);
    assert!(client.reads().ends_with("old /early\n"));
    let rest = client.sees_end_text();
    assert!(!rest.contains("smuggled"), "{rest}");
}

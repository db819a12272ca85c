//! Restarts under load, one after another, with clients that never retry: nothing may be lost.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

use crate::support::client::{Client, get};
use crate::support::{Start, Worker};

const RESTARTS: usize = 40;

/// How a client behaves; each of them is what some real one does.
#[derive(Clone, Copy, Debug)]
enum Style {
    KeepAliveGet,
    /// The head and the body in two writes, so that a close can come in between.
    KeepAlivePost,
    /// The head itself in two writes.
    SplitHead,
    NewConnection,
    Slow,
}

const STYLES: [Style; 5] = [
    Style::KeepAliveGet,
    Style::KeepAlivePost,
    Style::SplitHead,
    Style::NewConnection,
    Style::Slow,
];

#[test]
fn nothing_is_lost_in_restarts_one_after_another() {
    restart_under_load("--linger 10s");
}

#[test]
fn nor_with_several_threads() {
    restart_under_load("--linger 10s --threads 3");
}

fn restart_under_load(args: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut workers = vec![start(&listener, args), start(&listener, args)];
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<JoinHandle<usize>> = STYLES
        .into_iter()
        .cycle()
        .take(STYLES.len() * 3)
        .map(|style| load(style, address, is_over.clone()))
        .collect();
    for _ in 0..RESTARTS {
        let old = workers.remove(0);
        old.is_told_to_go();
        let log = old.ends_well();
        assert!(log.contains(" 0 lost, 0 requests cut"), "{log}");
        workers.push(start(&listener, args));
    }
    is_over.store(true, Relaxed);
    for client in clients {
        assert_ne!(client.join().expect("nothing lost"), 0);
    }
}

fn start(listener: &TcpListener, args: &str) -> Worker {
    Start::worker().socket(listener.try_clone().unwrap()).args(args).ready()
}

/// Asks until the end; panics at the first answer that does not come.
fn load(style: Style, address: SocketAddr, is_over: Arc<AtomicBool>) -> JoinHandle<usize> {
    thread::spawn(move || {
        let mut client = Client::tcp(address);
        let mut answered = 0;
        while !is_over.load(Relaxed) {
            let response = ask(style, &mut client);
            assert!(response.starts_with("HTTP/1.1 200 OK"), "{style:?}: {response}");
            answered += 1;
            // Only told to does a client leave a connection.
            let is_last = response.contains("connection: close\r\n");
            if is_last || matches!(style, Style::NewConnection) {
                client = Client::tcp(address);
            }
        }
        answered
    })
}

fn ask(style: Style, client: &mut Client) -> String {
    match style {
        Style::KeepAliveGet | Style::NewConnection => client.sends(get("/")),
        Style::Slow => client.sends(get("/slow?ms=20")),
        Style::SplitHead => {
            client.sends("GET / HTTP/1.1\r\nho");
            thread::yield_now();
            client.sends("st: test\r\n\r\n");
        }
        Style::KeepAlivePost => {
            client.sends("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 1024\r\n\r\n");
            thread::yield_now();
            client.sends([b'x'; 1024]);
        }
    }
    client.reads()
}

//! Where a worker takes its sockets from, and what it refuses to be ready with.

use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{AddressFamily, SocketType, socket};

use crate::support::client::{Client, is_ok};
use crate::support::{Start, unix_listener};

#[test]
fn serves_on_a_tcp_socket_of_either_family() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let _worker = Start::worker().socket(listener).ready();
        is_ok(&Client::tcp(address).asks("/"));
    }
}

#[test]
fn serves_on_a_unix_socket() {
    let (_dir, path, listener) = unix_listener();
    let _worker = Start::worker().socket(listener).ready();
    is_ok(&Client::unix(&path).asks("/"));
}

#[test]
fn serves_on_several_sockets_and_knows_their_names() {
    let (_dir, path, unix) = unix_listener();
    let start = Start::worker().on_tcp().socket(unix);
    let start = start.env("LISTEN_FDNAMES", "web:local").env("RUST_LOG", "debug");
    let worker = start.ready();
    is_ok(&worker.client().asks("/"));
    is_ok(&Client::unix(&path).asks("/"));
    let log = worker.stderr();
    assert!(log.contains("accepting from web") && log.contains("accepting from local"), "{log}");
}

#[test]
fn binds_a_socket_of_its_own_only_when_it_was_passed_none() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _worker = Start::worker().args(&format!("--listen {free}")).ready();
    is_ok(&Client::tcp(free).asks("/"));
    let (status, line) = Start::worker().on_tcp().args("--listen 127.0.0.1:0").refused();
    assert_eq!(status, 1);
    assert!(line.contains("leave --listen out"), "{line}");
}

#[test]
fn says_what_to_type_when_there_is_no_socket() {
    let (status, line) = Start::worker().refused();
    assert_eq!(status, 1);
    assert!(line.contains("--listen ADDR"), "{line}");
}

#[test]
fn is_never_ready_with_a_socket_that_cannot_serve() {
    let not_listening = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let wrong: [(OwnedFd, &str); 4] = [
        (not_listening, "is not listening"),
        (UdpSocket::bind("127.0.0.1:0").unwrap().into(), "not a TCP or unix stream socket"),
        (UnixDatagram::unbound().unwrap().into(), "not a TCP or unix stream socket"),
        (File::open("/dev/null").unwrap().into(), "not a TCP or unix stream socket"),
    ];
    for (socket, why) in wrong {
        let (status, line) = Start::worker().socket(socket).refused();
        assert_eq!(status, 1);
        assert!(line.contains(why) && line.contains("descriptor 3"), "{line}");
    }
}

#[test]
fn one_wrong_socket_among_good_ones_is_named() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let start = Start::worker().on_tcp().socket(udp).env("LISTEN_FDNAMES", "web:dns");
    let (_, line) = start.refused();
    assert!(line.contains("descriptor 4 from systemd (dns)"), "{line}");
}

#[test]
fn is_never_ready_with_a_socket_that_is_not_there() {
    let (status, line) = Start::worker().env("LISTEN_FDS", "9").refused();
    assert_eq!(status, 1);
    assert!(line.contains("descriptor"), "{line}");
    for nonsense in ["-1", "many", "99999999999"] {
        let (status, line) = Start::worker().env("LISTEN_FDS", nonsense).refused();
        assert_eq!(status, 2);
        assert!(line.contains("LISTEN_FDS"), "{line}");
    }
}

/// Every start of a sibling without `NonBlocking=yes` does this to the shared description.
#[test]
fn a_sibling_that_makes_the_listener_blocking_never_blocks_the_runtime() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let siblings_copy = listener.try_clone().unwrap();
    let _worker = Start::worker().socket(listener).ready();
    let mut witness = Client::tcp(address);
    is_ok(&witness.asks("/"));
    siblings_copy.set_nonblocking(true).unwrap();
    let sibling = std::thread::spawn(move || {
        let mut stolen = 0;
        for _ in 0..2_000 {
            let flags = fcntl_getfl(&siblings_copy).unwrap();
            fcntl_setfl(&siblings_copy, flags - OFlags::NONBLOCK).unwrap();
            let client = std::net::TcpStream::connect(address).unwrap();
            rustix::io::ioctl_fionbio(&siblings_copy, true).unwrap();
            stolen += usize::from(siblings_copy.accept().is_ok());
            fcntl_setfl(&siblings_copy, flags - OFlags::NONBLOCK).unwrap();
            drop(client);
        }
        stolen
    });
    while !sibling.is_finished() {
        is_ok(&witness.asks("/"));
    }
    assert_ne!(sibling.join().unwrap(), 0, "no race was run");
    is_ok(&witness.asks("/"));
}

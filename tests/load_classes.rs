//! Each request of a load ends in exactly one class; proved on a server that misbehaves on purpose.
#![cfg(all(feature = "lab", feature = "worker"))]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rollctl::load::{Class, Load, Report, Style, Target, pattern};
use socket2::SockRef;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const LAST: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";

/// Serves connections one after another, the n-th (from 0) by `act(n, connection)`.
fn server(act: impl Fn(usize, TcpStream) + Send + 'static) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, connection) in listener.incoming().enumerate() {
            act(number, connection.unwrap());
        }
    });
    Target::Tcp(address)
}

/// Reads one request head; false at the end of the connection.
fn request(connection: &mut impl Read) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) => return false,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return false,
            Err(error) => panic!("{error}"),
        }
    }
    true
}

fn reset(connection: &TcpStream) {
    SockRef::from(connection).set_linger(Some(Duration::ZERO)).unwrap();
}

/// One client, this many requests.
fn load(target: Target, style: Style, requests: u64) -> Report {
    let load = Load::to(target).clients(1, style).requests(requests);
    let load = load.request_timeout(Duration::from_millis(300));
    load.connect_timeout(Duration::from_millis(300)).start().unwrap().wait()
}

/// Asserts that all requests are `ok` good ones and one of this class.
fn assert_one(class: Class, ok: u64, report: &Report) {
    let total = report.total();
    assert_eq!((total.count(Class::Ok), total.lost_by_class()), (ok, vec![(class, 1)]), "{report}");
    assert_eq!(total.samples().len(), 1, "a lost request has its words kept");
}

#[test]
fn keep_alive_uses_one_connection() {
    let target = server(|_, mut c| {
        while request(&mut c) {
            c.write_all(OK.as_bytes()).unwrap()
        }
    });
    let total = load(target, Style::get("/").expect("hi"), 10).total();
    assert_eq!((total.count(Class::Ok), total.lost(), total.connects), (10, 0, 1));
}

#[test]
fn a_new_connection_each_is_one_each() {
    let target = server(|_, mut c| {
        assert!(request(&mut c));
        c.write_all(LAST.as_bytes()).unwrap();
    });
    let total = load(target, Style::connect("/"), 10).total();
    assert_eq!((total.count(Class::Ok), total.lost(), total.connects), (10, 0, 10));
}

#[test]
fn connection_close_is_a_normal_end() {
    let target = server(|_, mut c| {
        assert!(request(&mut c));
        c.write_all(OK.as_bytes()).unwrap();
        assert!(request(&mut c));
        c.write_all(LAST.as_bytes()).unwrap();
    });
    let total = load(target, Style::get("/"), 10).total();
    assert_eq!((total.count(Class::Ok), total.lost()), (10, 0));
    assert_eq!((total.connects, total.reconnects, total.idle_closes), (5, 4, 0));
}

#[test]
fn an_idle_connection_seen_to_close_loses_nothing() {
    let target = server(|_, mut c| {
        assert!(request(&mut c));
        c.write_all(OK.as_bytes()).unwrap();
    });
    let style = Style::get("/").think(Duration::from_millis(300));
    let total = load(target, style, 3).total();
    assert_eq!((total.count(Class::Ok), total.lost()), (3, 0));
    assert_eq!((total.connects, total.idle_closes), (3, 2));
}

#[test]
fn another_status_is_lost() {
    let target = server(|_, mut c| {
        assert!(request(&mut c));
        c.write_all(OK.as_bytes()).unwrap();
        assert!(request(&mut c));
        let unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        c.write_all(unavailable.as_bytes()).unwrap();
    });
    assert_one(Class::OtherStatus, 1, &load(target, Style::get("/"), 2));
}

#[test]
fn a_closed_port_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target::Tcp(listener.local_addr().unwrap());
    drop(listener);
    assert_one(Class::Refused, 0, &load(target, Style::get("/"), 1));
}

#[test]
fn a_missing_unix_socket_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let target = Target::Unix(dir.path().join("nobody"));
    assert_one(Class::Refused, 0, &load(target, Style::get("/"), 1));
}

#[test]
fn a_full_queue_times_out_the_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The smallest queue; the kernel drops the handshake of whoever comes when it is full.
    rustix::net::listen(&listener, 0).unwrap();
    let _queued: Vec<_> = (0..4).map_while(|_| quick_connect(address)).collect();
    assert_one(Class::ConnectTimeout, 0, &load(Target::Tcp(address), Style::get("/"), 1));
}

fn quick_connect(address: std::net::SocketAddr) -> Option<TcpStream> {
    TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok()
}

#[test]
fn a_full_unix_queue_times_out_the_connect() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _queued = std::os::unix::net::UnixStream::connect(&path).unwrap();
    assert_one(Class::ConnectTimeout, 0, &load(Target::Unix(path), Style::get("/"), 1));
}

#[test]
fn a_fresh_connection_that_ends_or_resets_before_any_byte() {
    let ends = server(|_, mut c| assert!(request(&mut c)));
    assert_one(Class::EndFresh, 0, &load(ends, Style::get("/"), 1));
    let resets = server(|_, mut c| {
        assert!(request(&mut c));
        reset(&c);
    });
    assert_one(Class::EndFresh, 0, &load(resets, Style::get("/"), 1));
}

#[test]
fn a_fresh_connection_that_closes_unread() {
    let target = server(|_, _| ());
    assert_one(Class::EndFresh, 0, &load(target, Style::get("/"), 1));
}

#[test]
fn a_reused_connection_that_ends_or_resets_before_any_byte() {
    let ends = server(|_, mut c| {
        assert!(request(&mut c));
        c.write_all(OK.as_bytes()).unwrap();
        assert!(request(&mut c));
    });
    assert_one(Class::EndReused, 1, &load(ends, Style::get("/"), 2));
    let resets = server(|_, mut c| {
        assert!(request(&mut c));
        c.write_all(OK.as_bytes()).unwrap();
        assert!(request(&mut c));
        reset(&c);
    });
    assert_one(Class::EndReused, 1, &load(resets, Style::get("/"), 2));
}

#[test]
fn a_response_that_breaks_off_is_cut() {
    let heads = ["HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi"];
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    for part in heads.into_iter().chain([chunked, "not HTTP at all\r\n\r\n"]) {
        let target = server(move |number, mut c| {
            assert!(request(&mut c));
            c.write_all(part.as_bytes()).unwrap();
            // Once ended in order, once reset behind the bytes.
            if number == 1 {
                reset(&c);
            }
        });
        assert_one(Class::Cut, 0, &load(target.clone(), Style::get("/"), 1));
        assert_one(Class::Cut, 0, &load(target, Style::get("/"), 1));
    }
}

#[test]
fn silence_and_a_stalled_body_time_out() {
    for part in ["", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi"] {
        let target = server(move |_, mut c| {
            assert!(request(&mut c));
            c.write_all(part.as_bytes()).unwrap();
            // Until the client gives up.
            assert!(!request(&mut c));
        });
        assert_one(Class::TimedOut, 0, &load(target, Style::get("/"), 1));
    }
}

#[test]
fn another_body_is_wrong() {
    let target = server(|_, mut c| {
        while request(&mut c) {
            c.write_all(OK.as_bytes()).unwrap()
        }
    });
    assert_one(Class::WrongBody, 0, &load(target, Style::get("/").expect("ho"), 1));
}

/// Echoes bodies of 64 bytes; from the third request on, the body of the one before.
fn stale_echo(_: usize, mut c: TcpStream) {
    let mut bodies = vec![];
    while request(&mut c) {
        let mut body = [0; 64];
        c.read_exact(&mut body).unwrap();
        bodies.push(body);
        let answer = if bodies.len() < 3 { body } else { bodies[bodies.len() - 2] };
        c.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n").unwrap();
        c.write_all(&answer).unwrap();
    }
    c.shutdown(Shutdown::Both).ok();
}

#[test]
fn an_echo_of_another_request_is_wrong() {
    assert_one(Class::WrongBody, 2, &load(server(stale_echo), Style::post("/echo", 64), 3));
}

#[test]
fn an_upload_takes_its_time_and_comes_back_whole() {
    let target = server(|_, mut c| {
        assert!(request(&mut c));
        c.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").unwrap();
        let begun = Instant::now();
        let mut body = [0; 5000];
        c.read_exact(&mut body).unwrap();
        assert!(begun.elapsed() > Duration::from_millis(90), "all at once");
        c.write_all(&body).unwrap();
        while request(&mut c) {}
    });
    let total = load(target, Style::upload("/", 5000, Duration::from_millis(100)), 1).total();
    assert_eq!((total.count(Class::Ok), total.lost()), (1, 0), "{total:?}");
}

#[test]
fn a_download_is_read_no_faster_than_told() {
    let body = pattern(4 << 20);
    let target = server(move |_, mut c| {
        assert!(request(&mut c));
        write!(c, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
        c.write_all(&body).unwrap();
    });
    let total = load(target, Style::download("/", 4 << 20, Duration::from_millis(200)), 1).total();
    assert_eq!((total.count(Class::Ok), total.lost()), (1, 0), "{total:?}");
    assert!(total.max() >= Duration::from_millis(200), "{total:?}");
}

const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n";

#[test]
fn events_come_one_by_one() {
    let target = server(|_, mut c| {
        assert!(request(&mut c));
        c.write_all(EVENTS.as_bytes()).unwrap();
        for number in 0..3 {
            write!(c, "data: {number}\n\n").unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let total = load(target, Style::events("/", 3, Duration::from_millis(50)), 1).total();
    assert_eq!((total.count(Class::Ok), total.lost()), (1, 0), "{total:?}");
}

#[test]
fn events_that_were_held_back_are_lost() {
    let target = server(|_, mut c| {
        assert!(request(&mut c));
        std::thread::sleep(Duration::from_millis(100));
        write!(c, "{EVENTS}data: 0\n\ndata: 1\n\ndata: 2\n\n").unwrap();
    });
    let style = Style::events("/", 3, Duration::from_millis(50));
    assert_one(Class::WrongBody, 0, &load(target, style, 1));
}

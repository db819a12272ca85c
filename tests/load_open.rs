//! An open loop feels a stall of the server in full; a closed one hides it.
#![cfg(all(feature = "lab", feature = "worker"))]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use rollctl::load::{Class, Load, Report, Style, Target};

const EVERY: Duration = Duration::from_millis(10);
const STALL: Duration = Duration::from_millis(500);

/// Answers at once, but the 20th request of its one connection only after this time.
fn stalls_once(stall: Duration) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut connection = listener.accept().unwrap().0;
        // Small requests arrive in one piece on loopback.
        for number in 1.. {
            if !connection.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
                return;
            }
            if number == 20 {
                std::thread::sleep(stall);
            }
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    Target::Tcp(address)
}

fn load(style: Style) -> Report {
    let load = Load::to(stalls_once(STALL)).clients(1, style).requests(100);
    load.timeline(Duration::from_millis(100)).start().unwrap().wait()
}

#[test]
fn every_request_that_a_stall_held_up_has_its_share_of_it() {
    let total = load(Style::get("/").every(EVERY)).total();
    assert_eq!((total.count(Class::Ok), total.lost(), total.connects), (100, 0, 1));
    // Of 100 wishes 50 fell into the stall, evenly: 40 of them waited for more than a fifth of it.
    assert!(total.quantile(0.61) >= STALL / 5, "{total:?}");
    assert!(total.quantile(0.80) >= STALL / 2, "{total:?}");
    assert!(total.max() >= STALL, "{total:?}");
}

#[test]
fn a_closed_loop_has_one_slow_request_for_it() {
    let total = load(Style::get("/").think(EVERY)).total();
    assert_eq!((total.count(Class::Ok), total.lost()), (100, 0));
    assert!(total.max() >= STALL && total.quantile(0.99) < STALL / 5, "{total:?}");
}

#[test]
fn a_rate_is_kept_and_its_clients_take_turns() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map(Result::unwrap) {
            std::thread::spawn(move || {
                while connection.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
                    let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                }
            });
        }
    });
    let load = Load::to(address).clients(5, Style::get("/").every(EVERY * 5));
    let load = load.timeline(EVERY).lasting(EVERY * 100).start().unwrap();
    let report = load.wait();
    let total = report.total();
    // One wish each 10 ms from 0 to 1000 ms, both included.
    assert!((100..=101).contains(&total.requests()), "{report}");
    assert_eq!(total.lost(), 0, "{report}");
    assert!(report.cpu > Duration::ZERO && report.cpu < EVERY * 100);
}

#[test]
fn what_waited_for_too_long_is_lost_and_so_is_what_was_wished_when_it_ended() {
    let load =
        Load::to(stalls_once(Duration::from_secs(5))).clients(1, Style::get("/").every(EVERY));
    let load = load.request_timeout(STALL).lasting(EVERY * 60).start().unwrap();
    let report = load.wait();
    let total = report.total();
    // Wished at 0, 10 … 600 ms. The 20th, at 190 ms, times out at 690; nobody accepts its successor's
    // connection, so that one times out at 1190, and all others have waited for longer than allowed.
    assert!((60..=61).contains(&total.requests()), "{report}");
    assert_eq!(total.count(Class::Ok), 19, "{report}");
    assert_eq!(total.count(Class::TimedOut), total.requests() - 19, "{report}");
}

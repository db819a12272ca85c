//! A load runs beside its caller: it is marked, watched and stopped, and its report adds up.
#![cfg(all(feature = "lab", feature = "worker"))]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rollctl::load::{Class, Load, Running, Style, Target};

/// Answers every request of every connection after `delay`.
fn server(delay: Duration) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map(Result::unwrap) {
            std::thread::spawn(move || {
                // Small requests arrive in one piece on loopback.
                while connection.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
                    std::thread::sleep(delay);
                    let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                }
            });
        }
    });
    Target::Tcp(address)
}

fn wait_for(load: &Running, answered: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while load.answered() < answered {
        assert!(Instant::now() < deadline, "{} of {answered} answered", load.answered());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn phases_and_styles_add_up_to_the_total() {
    let load = Load::to(server(Duration::ZERO))
        .clients(2, Style::get("/"))
        .clients(2, Style::connect("/"))
        .start()
        .unwrap();
    wait_for(&load, 100);
    load.mark("during");
    wait_for(&load, load.answered() + 100);
    load.mark("after");
    let report = load.stop_and_wait();
    let requests = |name: &str| report.phase(name).requests();
    assert!(requests("before") >= 96 && requests("during") >= 96, "{report}");
    let total = report.total();
    assert_eq!(requests("before") + requests("during") + requests("after"), total.requests());
    let styles = report.styles().map(|style| report.style(style).requests());
    assert_eq!(styles.sum::<u64>(), total.requests());
    assert_eq!((total.lost(), total.count(Class::Ok)), (0, total.requests()), "{report}");
}

#[test]
fn stopping_lets_the_requests_in_flight_finish() {
    let load = Load::to(server(Duration::from_millis(100))).clients(8, Style::get("/"));
    let load = load.start().unwrap();
    wait_for(&load, 8);
    let total = load.stop_and_wait().total();
    assert_eq!((total.lost(), total.requests() % 8), (0, 0), "no client was cut off");
    assert!(total.p50() >= Duration::from_millis(100), "{:?}", total.p50());
    assert!(total.max() >= total.p99() && total.p99() >= total.p50());
}

#[test]
fn a_quiet_client_is_stopped_in_its_thoughts() {
    let style = Style::get("/").think(Duration::from_secs(600));
    let load = Load::to(server(Duration::ZERO)).clients(4, style).start().unwrap();
    wait_for(&load, 4);
    let (stopped, wait) = mpsc::channel();
    std::thread::spawn(move || stopped.send(load.stop_and_wait().total().requests()));
    assert_eq!(wait.recv_timeout(Duration::from_secs(5)), Ok(4));
}

#[test]
fn a_load_can_end_by_itself() {
    let target = server(Duration::ZERO);
    let counted = Load::to(target.clone()).clients(4, Style::get("/")).requests(41).start();
    assert_eq!(counted.unwrap().wait().total().requests(), 41);
    let begun = Instant::now();
    let timed = Load::to(target).clients(1, Style::get("/")).lasting(Duration::from_millis(50));
    assert!(timed.start().unwrap().wait().total().requests() > 0);
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[test]
fn a_path_that_is_none_is_an_error_at_the_start() {
    let load = Load::to(server(Duration::ZERO)).clients(1, Style::get("no path")).start();
    assert!(load.is_err());
}

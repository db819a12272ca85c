//! A roll closes no connection: those of the clients move on from instance to instance.
#![cfg(all(feature = "lab", feature = "cli", feature = "ctl", feature = "worker"))]

mod roll_support;

use std::time::Duration;

use roll_support::Stage;
use rollctl::load::Style;

const ROLLS: usize = 3;

#[test]
fn quiet_clients_keep_their_connections() {
    keep_their_connections(64, Style::get("/").think(Duration::from_millis(300)));
}

#[test]
fn busy_clients_keep_their_connections() {
    keep_their_connections(16, Style::get("/"));
}

#[test]
fn clients_that_post_keep_their_connections() {
    keep_their_connections(16, Style::post("/echo", 16 * 1024));
}

#[test]
fn clients_whose_requests_outlast_a_roll_keep_their_connections() {
    keep_their_connections(16, Style::upload("/echo", 4096, Duration::from_secs(1)));
}

#[track_caller]
fn keep_their_connections(clients: usize, style: Style) {
    let stage = Stage::four();
    let load = stage.load(clients, style);
    for _ in 0..ROLLS {
        let before = stage.runs();
        stage.roll(&["--observe", "0"]).exits_with(0);
        stage.all_are_new_since(&before);
    }
    let report = load.lose_nothing();
    let total = report.total();
    assert_eq!(
        (total.connects, total.reconnects, total.idle_closes),
        (clients as u64, 0, 0),
        "{report}"
    );
}

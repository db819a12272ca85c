//! A roll under load loses nothing: whatever the clients do, and whoever asks for the roll.

use std::time::Duration;

use rollctl::lab::{GroupPlan, Lab};
use rollctl::load::Style;

use crate::support::{Stage, four};

/// Clients that leave the machine some time for the rest of the story.
const THOUGHT: Duration = Duration::from_millis(3);

#[test]
fn keep_alive_gets_lose_nothing() {
    loses_nothing_with(Style::get("/").think(THOUGHT));
}

#[test]
fn clients_that_never_rest_lose_nothing() {
    loses_nothing_with(Style::get("/"));
}

#[test]
fn keep_alive_posts_lose_nothing() {
    loses_nothing_with(Style::post("/echo", 16 * 1024).think(THOUGHT));
}

#[test]
fn new_connections_lose_nothing() {
    loses_nothing_with(Style::connect("/").think(THOUGHT));
}

#[test]
fn slow_requests_in_flight_lose_nothing() {
    loses_nothing_with(Style::slow(Duration::from_millis(300)));
}

#[track_caller]
fn loses_nothing_with(style: Style) {
    let stage = Stage::four();
    let before = stage.runs();
    let clients = stage.load(16, style);
    stage.roll(&[]).exits_with(0);
    clients.lose_nothing();
    stage.all_are_new_since(&before);
    stage.all_serve();
}

#[test]
fn clients_that_think_lose_nothing() {
    let stage = Stage::group(quick_to_give_up_idle_connections());
    let before = stage.runs();
    let clients = stage.load(24, Style::get("/").think(Duration::from_millis(200)));
    stage.roll(&[]).exits_with(0);
    clients.lose_nothing();
    stage.all_are_new_since(&before);
}

/// Well above the time its clients think.
fn quick_to_give_up_idle_connections() -> GroupPlan {
    four().drop_in("worker@.service", "[Service]\nEnvironment=WORKER_LINGER=2s\n")
}

#[test]
fn all_sorts_of_clients_at_once_lose_nothing() {
    let stage = Stage::four();
    let before = stage.runs();
    let clients = stage.mixed_load();
    let rolled = stage.roll(&[]).exits_with(0);
    assert_eq!(rolled.order(), stage.instances);
    clients.lose_nothing();
    stage.all_are_new_since(&before);
}

#[test]
fn a_group_on_a_unix_socket_loses_nothing() {
    let lab = Lab::start().unwrap();
    let socket = lab.dir().join("group.sock").to_string_lossy().into_owned();
    let stage = Stage::group_in(lab, four().listen(socket));
    let before = stage.runs();
    let clients = stage.mixed_load();
    stage.roll(&[]).exits_with(0);
    clients.lose_nothing();
    stage.all_are_new_since(&before);
}

#[test]
fn what_an_instance_says_while_it_drains_is_told() {
    let stage = Stage::group(four().instances(1));
    let clients = stage.load(4, Style::slow(Duration::from_secs(1)));
    let mut roll = stage.begin_roll(&[]);
    roll.until_event("a draining instance", |event| {
        event["event"] == "status" && event["text"].as_str().unwrap().starts_with("draining:")
    });
    roll.end().exits_with(0);
    clients.lose_nothing();
}

#[test]
fn systemctl_reload_is_a_roll() {
    rolls_by(&["reload", "worker"]);
}

#[test]
fn a_roll_can_be_a_unit_of_its_own() {
    rolls_by(&["start", "roll@worker"]);
}

#[track_caller]
fn rolls_by(command: &[&str]) {
    let stage = Stage::four();
    let before = stage.runs();
    let clients = stage.mixed_load();
    stage.systemctl(command);
    clients.lose_nothing();
    stage.all_are_new_since(&before);
    stage.all_serve();
}

#[test]
fn twenty_five_rolls_without_nonblocking_lose_nothing() {
    let stage = Stage::group(four().drop_in("worker@.service", "[Service]\nNonBlocking=no\n"));
    let clients = stage.mixed_load();
    for _ in 0..25 {
        let before = stage.runs();
        stage.roll(&["--observe", "0"]).exits_with(0);
        stage.all_are_new_since(&before);
    }
    clients.lose_nothing();
}

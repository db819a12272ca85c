//! After a roll each instance has its share of the connections, whatever the clients are doing.

use std::time::Duration;

use rollctl::load::{Loyal, LoyalRunning, Manner, Style};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Stage, four, wait_until};

const QUICKLY: &[&str] = &["--observe", "0"];

impl Stage {
    fn idle(&self, count: usize) -> LoyalRunning {
        Loyal::to(self.address.parse().unwrap()).clients(count, Manner::Idle).start().unwrap()
    }

    /// The last one to start may still be asking when the roll is over.
    #[track_caller]
    fn comes_to_be_even(&self, all: u64) {
        let mut found = vec![];
        let is_even = || {
            found = self.connections();
            let (least, most) = (found.iter().min().unwrap(), found.iter().max().unwrap());
            found.iter().sum::<u64>() == all && 5 * most <= 6 * least
        };
        wait_until("they are even", is_even);
        println!("{found:?}");
    }

    fn signal(&self, number: usize, signal: Signal) {
        let pid = self.lab.show(self.unit(number), "MainPID").unwrap().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

#[track_caller]
fn lose_nothing(clients: LoyalRunning) {
    assert_eq!(clients.stop_and_wait().failures, Vec::<String>::new());
}

#[test]
fn connections_of_idle_clients_are_even_after_each_roll() {
    let stage = Stage::four();
    let clients = stage.idle(128);
    for _ in 0..3 {
        stage.roll(QUICKLY).exits_with(0);
        stage.comes_to_be_even(128);
    }
    lose_nothing(clients);
}

#[test]
fn connections_of_busy_clients_are_even_too() {
    let stage = Stage::four();
    let gets = stage.load(32, Style::get("/").think(Duration::from_millis(1)));
    let posts = stage.load(32, Style::post("/echo", 1024).think(Duration::from_millis(1)));
    stage.roll(QUICKLY).exits_with(0);
    stage.comes_to_be_even(64);
    for load in [gets, posts] {
        let report = load.lose_nothing();
        let total = report.total();
        assert_eq!((total.reconnects, total.idle_closes), (0, 0), "{report}");
    }
}

/// What the others show comes of the asking.
#[test]
fn the_last_of_a_roll_stays_empty_where_it_does_not_ask() {
    let off = "[Service]\nEnvironment=WORKER_BALANCE=no\n";
    let stage = Stage::group(four().drop_in("worker@.service", off));
    let clients = stage.idle(128);
    stage.roll(QUICKLY).exits_with(0);
    let found = stage.connections();
    assert_eq!((found.iter().sum::<u64>(), found[3]), (128, 0), "{found:?}");
    lose_nothing(clients);
}

#[test]
fn newcomers_that_stop_for_a_while_cost_no_connection() {
    let stage = Stage::four();
    let clients = stage.idle(128);
    let mut rolling = stage.begin_roll(QUICKLY);
    for number in 1..=4 {
        rolling.until(stage.unit(number), "probing");
        stage.signal(number, Signal::STOP);
        std::thread::sleep(Duration::from_millis(200));
        stage.signal(number, Signal::CONT);
    }
    rolling.end().exits_with(0);
    stage.comes_to_be_even(128);
    lose_nothing(clients);
}

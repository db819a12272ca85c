//! A roll closes no connection: those of the clients move on from instance to instance.

use std::time::Duration;

use rollctl::load::Style;

use crate::support::{Stage, nobody_notices};

const ROLLS: usize = 3;

impl Stage {
    fn roll_a_few_times(&self) {
        for _ in 0..ROLLS {
            let before = self.runs();
            self.roll(&["--observe", "0"]).exits_with(0);
            self.all_are_new_since(&before);
        }
    }
}

#[test]
fn clients_of_all_manners_keep_their_connections() {
    let stage = Stage::four();
    nobody_notices(&stage, Stage::roll_a_few_times);
}

#[test]
fn uploads_that_outlast_an_instance_keep_their_connections() {
    let stage = Stage::four();
    let load = stage.load(16, Style::upload("/echo", 4096, Duration::from_millis(500)));
    stage.roll(&["--observe", "0"]).exits_with(0);
    load.keep_their_connections();
}

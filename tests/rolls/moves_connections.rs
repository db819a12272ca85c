//! A roll closes no connection: those of the clients move on from instance to instance.

use std::time::Duration;

use rollctl::load::{Loyal, Manner, Style};

use crate::support::Stage;

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
    let loyal = Loyal::to(stage.address.parse().unwrap())
        .clients(16, Manner::Halves(Duration::from_millis(5)))
        .clients(4, Manner::Pipeline(2_000))
        .clients(200, Manner::Idle)
        .clients(40, Manner::HalfHead)
        .start()
        .unwrap();
    let quiet = stage.load(32, Style::get("/").think(Duration::from_millis(300)));
    let posts = stage.load(8, Style::post("/echo", 16 * 1024).think(Duration::from_millis(3)));
    stage.roll_a_few_times();
    let report = loyal.stop_and_wait();
    assert_eq!(report.failures, Vec::<String>::new());
    assert!(report.answered > 1_000, "{report:?}");
    for load in [quiet, posts] {
        let report = load.lose_nothing();
        let total = report.total();
        assert_eq!((total.reconnects, total.idle_closes), (0, 0), "{report}");
    }
}

#[test]
fn uploads_that_outlast_an_instance_keep_their_connections() {
    let stage = Stage::four();
    let load = stage.load(16, Style::upload("/echo", 4096, Duration::from_millis(500)));
    stage.roll(&["--observe", "0"]).exits_with(0);
    let report = load.lose_nothing();
    assert_eq!((report.total().reconnects, report.total().idle_closes), (0, 0), "{report}");
}

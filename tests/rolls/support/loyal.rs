//! Clients that each keep one connection, and end when anything is wrong with it.

use std::time::Duration;

use rollctl::load::{Loyal, LoyalRunning, Manner, Style};

use super::Stage;

impl Stage {
    /// A crowd of them, to be filled.
    pub fn loyal(&self) -> Loyal {
        Loyal::to(self.address.parse().unwrap())
    }
}

/// Each still has its connection; how many answers they got.
#[track_caller]
pub fn have_noticed_nothing(clients: LoyalRunning) -> u64 {
    let report = clients.stop_and_wait();
    assert_eq!(report.failures, Vec::<String>::new());
    report.answered
}

/// Clients of all manners keep their connections through this deed.
pub fn nobody_notices(stage: &Stage, deed: impl FnOnce(&Stage)) {
    let loyal = stage
        .loyal()
        .clients(16, Manner::Halves(Duration::from_millis(5)))
        .clients(4, Manner::Pipeline(2_000))
        .clients(200, Manner::Idle)
        .clients(40, Manner::HalfHead)
        .start()
        .unwrap();
    let quiet = stage.load(32, Style::get("/").think(Duration::from_millis(300)));
    let posts = stage.load(8, Style::post("/echo", 16 * 1024).think(Duration::from_millis(3)));
    deed(stage);
    quiet.keep_their_connections();
    posts.keep_their_connections();
    assert!(have_noticed_nothing(loyal) > 1_000);
}

//! Clients that never retry, and must lose nothing while the story goes on.

use std::time::Duration;

use rollctl::load::{Class, Load, Report, Running, Style, Target};

use super::{Stage, wait_until};

/// Leaves the machine some time for the rest of the story.
const THOUGHT: Duration = Duration::from_millis(5);

/// So many answers show that the clients are served.
const MANY: u64 = 50;

/// A load at work.
pub struct Clients(Running);

impl Stage {
    /// Clients of one style; they are busy when this returns.
    pub fn load(&self, clients: usize, style: Style) -> Clients {
        Clients::begin(Load::to(self.address.parse::<Target>().unwrap()).clients(clients, style))
    }

    /// Clients of all four styles; they are busy when this returns.
    pub fn mixed_load(&self) -> Clients {
        let load = Load::to(self.address.parse::<Target>().unwrap());
        Clients::begin(
            load.clients(4, Style::get("/").think(THOUGHT))
                .clients(4, Style::post("/echo", 1024).think(THOUGHT))
                .clients(4, Style::connect("/").think(THOUGHT))
                .clients(4, Style::slow(Duration::from_millis(50))),
        )
    }
}

impl Clients {
    pub fn begin(load: Load) -> Self {
        let clients = Self(load.start().unwrap());
        clients.get_answers(MANY);
        clients.0.mark("during");
        clients
    }

    /// Waits for so many more answers.
    #[track_caller]
    pub fn get_answers(&self, more: u64) {
        let enough = self.0.answered() + more;
        wait_until("the clients get answers", || self.0.answered() >= enough);
    }

    /// Lets the requests in flight finish; what became of all.
    pub fn stop(self) -> Report {
        self.0.stop_and_wait()
    }

    /// Every request since the load began got its 2xx, and there were many.
    #[track_caller]
    pub fn lose_nothing(self) -> Report {
        // Whoever was cut off, or will never be answered, is heard of only now. A request counts for
        // the phase in which most of it fell: what was in flight at the mark may not count below.
        self.get_answers(2 * MANY);
        let report = self.0.stop_and_wait();
        assert_eq!(report.lost(), 0, "{report}");
        assert!(report.phase("during").count(Class::Ok) >= MANY, "{report}");
        report
    }
}

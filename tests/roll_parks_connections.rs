//! An instance alone, or all at once: with nobody there to take them, connections wait in systemd for
//! the next run, and no client notices.
#![cfg(all(feature = "lab", feature = "cli", feature = "ctl", feature = "worker"))]

mod roll_support;

use std::time::{Duration, Instant};

use roll_support::{PATIENCE, Stage, four, get, wait_until};
use rollctl::load::{Loyal, LoyalRunning, Manner, Style};

const RESTARTS: usize = 3;

/// So many instances of the shipped units, with these lines in the drop-in of their `[Service]`.
fn group(instances: usize, lines: &str) -> Stage {
    let mut plan = four().instances(instances);
    if rustix::process::geteuid().is_root() {
        // The lab's bus must know the user, and nothing in a lab tells it those of `DynamicUser=`.
        plan = plan.drop_in("worker@.service", "[Service]\nUser=daemon\n");
    }
    Stage::group(plan.drop_in("worker@.service", &format!("[Service]\n{lines}\n")))
}

impl Stage {
    fn restarts(&self) {
        for _ in 0..RESTARTS {
            let before = self.runs();
            self.systemctl(&["restart", "worker@*"]);
            self.all_are_new_since(&before);
        }
    }

    fn loyal(&self) -> Loyal {
        Loyal::to(self.address.parse().unwrap())
    }

    /// How many descriptors systemd keeps for an instance.
    fn stored(&self, number: usize) -> String {
        self.lab.show(self.unit(number), "NFileDescriptorStore").unwrap()
    }
}

#[track_caller]
fn have_noticed_nothing(clients: LoyalRunning) -> u64 {
    let report = clients.stop_and_wait();
    assert_eq!(report.failures, Vec::<String>::new());
    report.answered
}

/// Clients of all manners, while `stage` restarts all it has, again and again.
fn nobody_notices(stage: &Stage) {
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
    stage.restarts();
    for load in [quiet, posts] {
        let report = load.lose_nothing();
        let total = report.total();
        assert_eq!((total.reconnects, total.idle_closes), (0, 0), "{report}");
    }
    assert!(have_noticed_nothing(loyal) > 1_000);
}

#[test]
fn clients_of_a_lone_instance_keep_their_connections() {
    let stage = group(1, "");
    nobody_notices(&stage);
    assert_eq!(stage.stored(1), "0", "something stayed behind in systemd");
}

#[test]
fn clients_of_instances_that_restart_all_at_once_keep_their_connections() {
    nobody_notices(&group(4, ""));
}

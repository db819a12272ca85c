//! Whatever systemd runs can be rolled: on shared, own or no sockets, with pauses, without READY.

use std::path::Path;

use rollctl::load::{Load, Style, Target};

use crate::support::{Clients, SLEEPER, Stage, four, release};

// ---- a socket for each instance ----

const OWN_SOCKET: &str =
    "[Socket]\nListenStream=%t/rp-%i.sock\nSocketMode=0666\n[Install]\nWantedBy=sockets.target\n";

/// Two of our workers, each on a socket of its own.
fn each_on_its_own() -> Stage {
    let stage = Stage::units(&[("rp@.socket", OWN_SOCKET)], &[]);
    let worker = format!(
        "[Service]\nType=notify\nNonBlocking=yes\nRuntimeDirectory=rp/%i\nExecStart={}\n",
        stage.worker()
    );
    stage.lab.install("rp@.service", &worker).unwrap();
    stage.lab.reload().unwrap();
    stage.systemctl(&["start", "rp@1.socket", "rp@2.socket"]);
    stage.systemctl(&["start", "rp@1.service", "rp@2.service"]);
    let instances = ["rp@1.service", "rp@2.service"].map(str::to_owned).to_vec();
    Stage { instances, ..stage }
}

fn load_on(socket: &Path) -> Clients {
    Clients::begin(Load::to(Target::from(socket)).clients(8, Style::connect("/").think(THOUGHT)))
}

const THOUGHT: std::time::Duration = std::time::Duration::from_millis(5);

#[test]
fn instances_on_sockets_of_their_own_lose_nothing() {
    let stage = each_on_its_own();
    let before = stage.runs();
    let plan = stage.plan(&["rp"]);
    assert!(plan.contains("listener of rp@2.socket"), "{plan}");
    let clients = load_on(&stage.lab.run_dir().join("rp-2.sock"));
    stage.restart(&["rp"]).exits_with(0);
    clients.lose_nothing();
    stage.all_are_new_since(&before);
    stage.all_serve();
}

#[test]
fn traffic_that_ends_a_stop_pause_early_is_said_and_taken_for_the_start() {
    let stage = each_on_its_own();
    let before = stage.runs();
    let plan = stage.plan(&["rp", "--stop-pause", "60s"]);
    let warning = "rp@1 and rp@2: has a socket of its own, so that traffic may start it before";
    assert!(plan.contains(warning), "{plan}");
    let clients = load_on(&stage.lab.run_dir().join("rp-1.sock"));
    let mut roll = stage.begin_restart(&["rp@1", "--stop-pause", "60s"]);
    roll.until_noted("rp@1.service", "started early");
    roll.end().exits_with(0);
    clients.lose_nothing();
    stage.are_new_since(&before, &[1]);
}

#[test]
fn instances_on_sockets_of_their_own_need_not_say_ready() {
    let units = [("own@.socket", OWN_SOCKET), ("own@.service", SLEEPER)];
    let stage = Stage::units(&units, &["own@1.socket", "own@2.socket"]);
    stage.systemctl(&["start", "own@1.service", "own@2.service"]);
    let rolled = stage.restart(&["own@*", "--observe", "100ms"]).exits_with(0);
    assert_eq!(rolled.order(), ["own@1.service", "own@2.service"]);
}

// ---- another program on a shared socket ----

const APP_SOCKET: &str = "[Socket]\nListenStream=%t/app.sock\n";
const APP_GROUP: &str = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n";
const APP: &str = "[Service]\nType=notify\nNotifyAccess=all\nSockets=app.socket\n\
    ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep 1000'\n";

#[test]
fn a_program_that_tells_no_health_is_judged_by_ready_and_its_listener() {
    let units = [("app.socket", APP_SOCKET), ("app.service", APP_GROUP), ("app@.service", APP)];
    let stage = Stage::units(&units, &["app@1.service", "app@2.service"]);
    let before = stage.runs();
    let plan = stage.plan(&["app"]);
    assert!(plan.contains("listener of app.socket"), "{plan}");
    assert_eq!(stage.restart(&["app"]).exits_with(0).order(), stage.instances);
    stage.all_are_new_since(&before);
}

// ---- no socket, no READY ----

#[test]
fn queue_consumers_are_rolled_with_a_warning_that_started_is_not_ready() {
    let stage = Stage::units(
        &[("queue@.service", SLEEPER)],
        &["queue@mail.service", "queue@video.service"],
    );
    let before = stage.runs();
    let plan = stage.plan(&["queue@*"]);
    assert!(plan.contains("queue@mail and queue@video: started is taken for ready"), "{plan}");
    stage.restart(&["queue@*"]).exits_with(0);
    stage.all_are_new_since(&before);
}

#[test]
fn one_that_ends_under_observation_has_failed_though_it_started() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    stage.change("q@.service", "50-release", &release("/bin/sleep 0.2", ""));
    let rolled = stage.restart(&["q", "--observe", "2s"]).exits_with(1);
    assert_eq!(rolled.order(), ["q@1.service"]);
    rolled.says("q@1.service came up and ended again");
    assert_eq!(stage.run_of(2), before[1]);
    assert_eq!(stage.state("q@2.service"), "active");
}

#[test]
fn an_exec_service_that_cannot_be_started_fails() {
    let ends = "[Service]\nType=exec\nExecStart=%t/program 1000\n";
    let stage = Stage::units(&[("queue@.service", ends)], &[]);
    let program = stage.lab.run_dir().join("program");
    std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
    stage.systemctl(&["start", "queue@1", "queue@2"]);
    std::fs::remove_file(&program).unwrap();
    let rolled = stage.restart(&["queue"]).exits_with(1).says("queue@1.service did not come back");
    assert_eq!(rolled.order(), ["queue@1.service"]);
    assert_eq!(stage.state("queue@2.service"), "active");
}

// ---- pauses ----

#[test]
fn in_a_stop_pause_it_is_down_and_its_siblings_serve() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let clients = stage.mixed_load();
    let mut roll = stage.begin_roll(&["--stop-pause", "1500ms"]);
    roll.until("worker@1.service", "stopped");
    assert_eq!(stage.state("worker@1.service"), "inactive");
    assert!(stage.is_serving("worker@2.service"));
    clients.get_answers(100);
    let rolled = roll.end().exits_with(0);
    clients.lose_nothing();
    for unit in &stage.instances {
        let down = rolled.entered(unit, "starting") - rolled.entered(unit, "stopped");
        assert!((1.5..4.0).contains(&down), "{unit} was down for {down} s:\n{}", rolled.story());
    }
    stage.all_are_new_since(&before);
    stage.all_serve();
}

#[test]
fn in_a_pause_between_batches_everybody_serves() {
    let stage = Stage::group(four().instances(2));
    let mut roll = stage.begin_roll(&["--pause", "1s"]);
    roll.until_pausing();
    stage.all_serve();
    let rolled = roll.end().exits_with(0);
    let waited = rolled.entered("worker@2.service", "stopping")
        - rolled.entered("worker@1.service", "serving");
    assert!(waited >= 1.0, "it waited for {waited} s:\n{}", rolled.story());
}

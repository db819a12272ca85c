//! A roll's death and what comes after: `status` tells it, `resume` goes on with what is not done.

use std::path::Path;

use rustix::process::Signal;

use crate::support::{Clock, SLEEPER, Stage, four, release, wait_until};

const TEMPLATE: &str = "worker@.service";
const SLOW_START: &str = "[Service]\nExecStartPre=/bin/sleep 1\n";

#[test]
fn status_tells_of_a_roll_under_way_and_of_its_end() {
    let stage = Stage::group(four().instances(2));
    stage.status(&["worker"]).exits_with(3).says("no roll of worker is on record");
    let mut roll = stage.begin_roll(&["--pause", "1s"]);
    roll.until_pausing();
    let status = stage.prints("status", &["worker"]);
    assert!(status.contains("worker: roll 1 is under way since "), "{status}");
    assert!(status.contains(&format!("(process {}): 1 of 2 are new", roll.pid())), "{status}");
    assert!(status.contains("worker@1  serving") && status.contains("worker@2  pending"));
    roll.end().exits_with(0);
    let status = stage.prints("status", &["worker"]);
    assert!(status.contains("worker: roll 1 is done: 2 of 2 are new and serving"), "{status}");
}

#[test]
fn plain_units_are_resumed_as_the_group_that_they_were() {
    let units = [("a.service", SLEEPER), ("b.service", SLEEPER)];
    let stage = Stage::units(&units, &["a.service", "b.service"]);
    let mut roll = stage.begin_restart(&["a.service", "b.service", "--pause", "60s"]);
    roll.until_pausing().send(Signal::KILL);
    wait_until("it has died", || stage.prints("status", &["a"]).contains("roll 1 died"));
    let before = stage.runs();
    let rolled = stage.resume(&["a"]).exits_with(0);
    assert_eq!(rolled.order(), ["b.service"]);
    stage.are_new_since(&before, &[2]);
    let status = stage.prints("status", &["a"]);
    assert!(status.contains("a.service b.service: roll 2 is done"), "{status}");
    stage.resume(&["a"]).exits_with(0);
    stage.are_new_since(&before, &[2]);
}

#[test]
fn when_all_are_new_nothing_is_left_to_resume_whatever_else_failed() {
    let stage = Stage::queue(&["1"]);
    let before = stage.runs();
    stage.restart(&["q", "--observe", "0", "--after-roll", "/bin/false"]).exits_with(1);
    stage.all_are_new_since(&before);
    let status = stage.prints("status", &["q"]);
    assert!(status.contains("next: rollctl list --user q"), "{status}");
    let told = stage.prints("resume", &["q"]);
    assert!(told.contains("q: every instance of roll 1 is new and serves"), "{told}");
}

#[test]
fn a_log_without_its_first_line_is_no_roll() {
    let stage = Stage::queue(&["1"]);
    stage.restart(&["q", "--observe", "0"]).exits_with(0);
    std::fs::write(stage.lab.dir().join("state/rollctl/q/000002.jsonl"), "").unwrap();
    let status = stage.prints("status", &["q"]);
    assert!(status.contains("q: roll 1 is done"), "{status}");
    stage.restart(&["q", "--observe", "0"]).exits_with(0);
    assert!(stage.prints("status", &["q"]).contains("q: roll 3 is done"));
}

#[test]
fn a_roll_that_died_before_it_chose_is_to_be_resumed() {
    let stage = Stage::queue(&["1"]);
    stage.restart(&["q", "--observe", "0"]).exits_with(0);
    let log = stage.lab.dir().join("state/rollctl/q/000001.jsonl");
    let header = std::fs::read_to_string(&log).unwrap().lines().next().unwrap().to_owned();
    std::fs::write(&log, header + "\n").unwrap();
    let status = stage.prints("status", &["q"]);
    assert!(status.contains("next: rollctl resume --user q"), "{status}");
}

#[test]
fn each_step_is_in_the_log_before_it_is_done() {
    let stage = Stage::queue(&["1", "2"]);
    let (log, seen) = (stage.lab.dir().join("state/rollctl/q/000001.jsonl"), stage.lab.dir());
    let copy = |name: &str| format!("/bin/cp {} {}/{name}-%i", log.display(), seen.display());
    let (stop, start) = (copy("stop"), copy("start"));
    stage.change(
        "q@.service",
        "50-look",
        &format!("[Service]\nExecStop={stop}\nExecStartPre=-{start}\n"),
    );
    stage.restart(&["q", "--stop-pause", "100ms", "--observe", "0"]).exits_with(0);
    for (instance, name, phase) in [
        ("q@1.service", "stop-1", "stopping"),
        ("q@1.service", "start-1", "starting"),
        ("q@2.service", "stop-2", "stopping"),
        ("q@2.service", "start-2", "starting"),
    ] {
        let told = std::fs::read_to_string(seen.join(name)).unwrap();
        let last: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&last["instance"], &last["phase"]),
            (&instance.into(), &phase.into()),
            "{told}"
        );
    }
}

#[test]
fn after_a_kill_status_tells_what_happened_and_resume_goes_on_with_the_rest() {
    let stage = Stage::group(four().instances(3));
    stage.change(TEMPLATE, "50-slow", SLOW_START);
    let before = stage.runs();
    let mut roll = stage.begin_roll(&["--observe", "100ms"]);
    roll.until("worker@2.service", "starting").send(Signal::KILL);
    wait_until("its process is gone", || {
        !stage.prints("status", &["worker"]).contains("under way")
    });
    let status = stage.prints("status", &["worker"]);
    assert!(status.contains("died"), "{status}");
    assert!(status.contains("while worker@2 was starting: 1 of 3 are new"), "{status}");
    assert!(status.contains("worker@2  starting  activ"), "{status}");
    assert!(status.contains("next: rollctl resume --user worker"), "{status}");
    stage.all_come_to_serve();
    let halfway = stage.runs();
    let resumed = stage.resume(&["worker"]).exits_with(0);
    assert_eq!(resumed.order(), ["worker@2.service", "worker@3.service"]);
    stage.are_new_since(&halfway, &[2, 3]);
    stage.all_are_new_since(&before);
    let status = stage.prints("status", &["worker"]);
    assert!(status.contains("worker: roll 2 is done: 2 of 2"), "{status}");
    assert!(stage.prints("resume", &["worker"]).contains("roll 2 is done, nothing is left of it"));
}

#[test]
fn who_waited_to_resume_finds_that_another_did() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = stage.begin_restart(&["q", "--pause", "60s"]);
    roll.until_pausing().send(Signal::KILL);
    wait_until("it is gone", || stage.prints("status", &["q"]).contains("died"));
    stage.change(
        "q@.service",
        "50-slow",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=\nExecStart=/bin/sleep 2\n",
    );
    let path = stage.lab.run_dir().join("rollctl/q.lock");
    let lock = std::fs::File::open(&path).unwrap();
    lock.lock().unwrap();
    let mut second = stage.begin("resume", &["q", "--lock-wait", "30s"]);
    wait_until("it has read of the roll and waits", || has_open(second.pid(), &path));
    second.send(Signal::STOP);
    wait_until("it is stopped", || is_stopped(second.pid()));
    drop(lock);
    let mut first = stage.begin("resume", &["q"]);
    first.until("q@2.service", "starting");
    second.send(Signal::CONT);
    first.end().exits_with(0);
    let after = stage.runs();
    second.end().exits_with(5).says("another went on with roll 1 of q meanwhile");
    assert_eq!(stage.runs(), after);
}

fn has_open(pid: u32, path: &Path) -> bool {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    open.filter_map(|it| std::fs::read_link(it.path()).ok()).any(|it| it == path)
}

fn is_stopped(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ")
}

#[test]
fn after_a_failure_resume_begins_with_the_one_that_failed_and_keeps_the_options() {
    let stage = Stage::group(four().instances(3));
    stage.change("worker@2.service", "50-release", &release("/bin/false", ""));
    stage.roll(&["--observe", "123ms"]).exits_with(1);
    let status = stage.prints("status", &["worker"]);
    assert!(
        status.contains("ended early: 1 of 3") && status.contains("its job failed"),
        "{status}"
    );
    stage.change_back("worker@2.service", "50-release");
    let resumed = stage.resume(&["worker"]).exits_with(0);
    assert_eq!(resumed.order(), ["worker@2.service", "worker@3.service"]);
    let observed = resumed.entered("worker@2.service", "serving")
        - resumed.entered("worker@2.service", "observing");
    assert!((0.12..0.45).contains(&observed), "observed for {observed} s, not for 123 ms");
    stage.all_serve();
}

#[test]
fn after_a_reboot_the_roll_is_overtaken() {
    let (stage, next) = (Stage::queue(&["1", "2"]), Stage::queue(&["1", "2"]));
    let mut roll = stage.begin_restart(&["q", "--pause", "60s"]);
    roll.until_pausing().send(Signal::KILL);
    wait_until("it is gone", || stage.prints("status", &["q"]).contains("died"));
    // The same disk under another life of the manager.
    let state = |stage: &Stage| stage.lab.dir().join("state/rollctl/q");
    std::fs::create_dir_all(state(&next)).unwrap();
    std::fs::copy(state(&stage).join("000001.jsonl"), state(&next).join("000001.jsonl")).unwrap();
    let status = next.prints("status", &["q"]);
    assert!(status.contains("q: roll 1 was overtaken by a reboot"), "{status}");
    let before = next.runs();
    next.resume(&["q"]).exits_with(5).says("overtaken by a reboot").says("q --outdated");
    assert_eq!(next.runs(), before);
}

#[test]
fn a_clock_that_is_set_changes_nothing() {
    let stage = Stage::queue(&["1", "2", "3"]);
    let Some(clock) = Clock::of(&stage) else { return };
    let before = stage.runs();
    let mut rollctl = stage.rollctl();
    clock.give_to(&mut rollctl);
    let mut roll = stage.begin_as(rollctl, "restart", &["q", "--observe", "1s", "--pause", "1s"]);
    roll.until("q@1.service", "observing");
    clock.set("+1d");
    roll.until("q@2.service", "observing");
    clock.set("-2d");
    let rolled = roll.end().exits_with(0);
    stage.all_are_new_since(&before);
    let of = |at: usize, field: &str| rolled.events[at][field].clone();
    let (last, elapsed) = (rolled.events.len() - 1, |at| of(at, "elapsed").as_f64().unwrap());
    assert!(of(last, "time").as_str() < of(0, "time").as_str(), "its clock was not set");
    assert!((1..=last).all(|at| elapsed(at) >= elapsed(at - 1)), "{:#?}", rolled.events);
    assert!((5.0..30.0).contains(&elapsed(last)), "{}", elapsed(last));
    let status = stage.prints("status", &["q"]);
    assert!(status.contains("q: roll 1 is done: 3 of 3 are new and serving"), "{status}");
}

#[test]
fn a_reexec_is_no_reboot() {
    let stage = Stage::queue(&["1", "2"]);
    let mut roll = stage.begin_restart(&["q", "--pause", "60s"]);
    roll.until_pausing();
    stage.systemctl(&["daemon-reexec"]);
    roll.send(Signal::KILL);
    wait_until("it is gone", || stage.prints("status", &["q"]).contains("died"));
    stage.resume(&["q"]).exits_with(0);
}

#[test]
fn outdated_are_those_started_before_something_of_theirs_changed() {
    let stage = Stage::queue(&["1", "2", "3"]);
    let before = stage.runs();
    assert!(restart_outdated(&stage).contains("q: every instance runs what is on disk"));
    assert_eq!(stage.runs(), before);
    stage.change("q@2.service", "50-new", "[Service]\nEnvironment=A=B\n");
    assert!(restart_outdated(&stage).contains("q: 1 instance is new and serving"));
    stage.are_new_since(&before, &[2]);
    stage.change("q@.service", "50-all", "[Service]\nEnvironment=C=D\n");
    assert!(restart_outdated(&stage).contains("q: 3 instances are new and serving"));
    stage.all_are_new_since(&before);
}

fn restart_outdated(stage: &Stage) -> String {
    let restart = stage.as_unit("restart", &["q", "--outdated"]).output().unwrap();
    String::from_utf8(restart.stdout).unwrap()
}

#[test]
fn a_program_that_was_replaced_makes_its_instances_outdated() {
    let stage = Stage::queue(&[]);
    let program = stage.lab.dir().join("program");
    let put = || {
        let new = program.with_extension("new");
        std::fs::copy("/bin/sleep", &new).unwrap();
        std::fs::rename(&new, &program).unwrap();
    };
    put();
    let unit = format!("[Service]\nExecStart={} 1000\n", program.display());
    stage.lab.install("p.service", &unit).unwrap();
    stage.lab.reload().unwrap();
    stage.systemctl(&["start", "p"]);
    let run = || stage.lab.show("p.service", "InvocationID").unwrap();
    let before = run();
    stage.restart(&["p", "--outdated"]).exits_with(0);
    assert_eq!(run(), before, "it runs what is on disk");
    put();
    stage.restart(&["p", "--outdated"]).exits_with(0);
    assert_ne!(run(), before, "it runs what is no longer there");
}

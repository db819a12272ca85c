//! What rollctl tells: of a group, before a roll, during it, and at its end.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Stage, four, release};

// ---- of a group ----

#[test]
fn a_list_shows_every_instance() {
    let stage = Stage::group(four().instances(2));
    let pid = stage.lab.show("worker@2.service", "MainPID").unwrap();
    let list = stage.prints("list", &[]);
    let row = |name: &str| list.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(row("worker@1").contains("active (running)"), "{list}");
    assert!(row("worker@2").contains(&pid), "{list}");
}

#[test]
fn a_list_of_one_shows_no_other() {
    let list = Stage::group(four().instances(2)).prints("list", &["worker@2"]);
    assert!(list.contains("worker@2") && !list.contains("worker@1"), "{list}");
}

// ---- before a roll ----

#[test]
fn a_plan_shows_what_a_roll_would_do_and_touches_nothing() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let plan = stage.plan(&["worker@1", "--pause", "2s"]);
    let row = plan.lines().find(|line| line.contains("worker@1")).unwrap_or_default();
    assert!(row.contains("restart") && row.contains("listener of worker.socket"), "{plan}");
    assert!(plan.contains("not touched, but counted: worker@2"), "{plan}");
    let mut rows = plan.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>());
    assert!(rows.any(|row| row == ["pause", "2s"]), "{plan}");
    assert_eq!(stage.runs(), before);
}

#[test]
fn a_dry_run_touches_nothing() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let told = stage.prints("restart", &["--dry-run", "q"]);
    assert!(told.contains("2 batches"), "{told}");
    assert_eq!(told, stage.plan(&["q"]));
    assert_eq!(stage.runs(), before);
}

// ---- during it ----

#[test]
fn away_from_a_terminal_every_change_is_a_line() {
    let stage = Stage::queue(&["1", "2"]);
    stage.systemctl(&["mask", "q@4"]);
    let told = stage.prints("restart", &["q", "--observe", "100ms"]);
    let lines = ["q@4: left out: masked", "q: rolling 2 instances in 2 batches", "q@1: serving ("];
    let at = lines.map(|line| told.find(line).unwrap_or_else(|| panic!("no {line:?}:\n{told}")));
    assert!(at.is_sorted(), "{told}");
}

#[test]
fn quiet_says_nothing_while_all_is_well() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    assert_eq!(stage.prints("restart", &["q", "-q", "--observe", "100ms"]), "");
    stage.all_are_new_since(&before);
}

// ---- at its end ----

#[test]
fn the_last_lines_of_the_failed_run_are_shown_without_their_control_characters() {
    let stage = Stage::group(four().instances(2));
    stage.change("worker@.service", "50-release", &release("/bin/false", ""));
    let mut command = stage.rollctl();
    command.args(["restart", "--user", "worker"]).env("PATH", with_a_journal(&stage));
    let output = command.output().unwrap();
    let (told, run) = (String::from_utf8(output.stderr).unwrap(), stage.run_of(1));
    let last = format!("  | cannot [31mbind\n  | _SYSTEMD_INVOCATION_ID={run}\n  next: ");
    assert!(told.contains(&last), "no {last:?} in:\n{told}");
}

/// The lab has no journal: a stand-in for its reader says which run it was asked for.
fn with_a_journal(stage: &Stage) -> String {
    const READER: &str = "#!/bin/sh\nprintf 'cannot \\033[31mbind\\n%s\\n' \"$5\"\n";
    let path = stage.lab.dir().join("journalctl");
    std::fs::write(&path, READER).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", stage.lab.dir().display(), std::env::var("PATH").unwrap())
}

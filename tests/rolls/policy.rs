//! Policy lives with the unit: `[X-Roll]` in unit files and drop-ins, and the command line on top.

use crate::support::{SLEEPER, Stage, four};

/// The value of a setting and where it comes from, as `plan` shows them.
#[track_caller]
fn setting<'a>(plan: &'a str, name: &str) -> (&'a str, &'a str) {
    let cells = |line: &'a str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    let rows = plan.lines().map(|line| cells(line).collect::<Vec<&str>>());
    let mut found = rows.filter(|row| row.len() == 3 && row[0] == name);
    let row = found.next().unwrap_or_else(|| panic!("no {name} in:\n{plan}"));
    (row[1], row[2])
}

#[track_caller]
fn says(plan: &str, name: &str, value: &str, from: &str) {
    let (told, where_from) = setting(plan, name);
    assert!(told == value && where_from.ends_with(from), "{name}: {told} from {where_from}");
}

#[test]
fn a_later_word_wins_and_plan_says_where_it_was_given() {
    let stage = Stage::group(four());
    stage.change("worker@.service", "50-a", "[X-Roll]\nMaxUnavailable=2\nObserveSec=100ms\n");
    stage.change("worker@.service", "60-b", "[X-Roll]\n# why\nPauseSec=1\\\n  s\nObserveSec=2s\n");
    stage.change("worker.service", "50-c", "[X-Roll]\nMaxUnavailable=50%\nObserveSec=1s\n");
    let plan = stage.plan(&["worker", "--timeout", "40s"]);
    says(&plan, "max-unavailable", "50%", "worker.service.d/50-c.conf:2");
    says(&plan, "pause", "1s", "worker@.service.d/60-b.conf:3");
    says(&plan, "observe", "2s", "worker@.service.d/60-b.conf:5");
    says(&plan, "timeout", "40s", "command line");
    says(&plan, "stop-pause", "0", "default");
    let plan = stage.plan(&["worker", "--observe", "0", "--max-unavailable", "1"]);
    says(&plan, "observe", "0", "command line");
    says(&plan, "max-unavailable", "1", "command line");
}

#[test]
fn an_empty_value_takes_back_what_a_unit_file_said() {
    let units = [("q@.service", &*format!("{SLEEPER}[X-Roll]\nPauseSec=9s\nObserveSec=3s\n"))];
    let stage = Stage::units(&units, &["q@1.service", "q@2.service"]);
    says(&stage.plan(&["q"]), "pause", "9s", "q@.service:4");
    stage.change("q@.service", "50-none", "[X-Roll]\nPauseSec=\nObserveSec=10ms\n");
    let plan = stage.plan(&["q"]);
    says(&plan, "pause", "0", "default");
    says(&plan, "observe", "10ms", "50-none.conf:3");
}

#[test]
fn what_the_units_say_is_what_the_roll_does() {
    let stage = Stage::group(four());
    stage.change("worker.service", "50-roll", "[X-Roll]\nMaxUnavailable=2\nPauseSec=300ms\n");
    let before = stage.runs();
    let mut roll = stage.begin_roll(&[]);
    roll.until_pausing();
    let rolled = roll.end().exits_with(0);
    assert_eq!(rolled.batches().iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    stage.all_are_new_since(&before);
}

#[test]
fn an_instance_may_have_a_word_of_its_own_but_not_about_the_whole() {
    let stage = Stage::queue(&["1", "2"]);
    stage.change("q@2.service", "50-own", "[X-Roll]\nObserveSec=2s\nMaxUnavailable=5\n");
    let plan = stage.plan(&["q"]);
    says(&plan, "observe of q@2", "2s", "50-own.conf:2");
    says(&plan, "observe of q@1", "500ms", "default");
    assert!(plan.contains("50-own.conf:3: MaxUnavailable= concerns the whole roll"), "{plan}");
    says(&plan, "max-unavailable", "1, or the largest batch", "default");
}

#[test]
fn an_unknown_key_is_told_with_file_and_line_and_does_no_harm() {
    let stage = Stage::queue(&["1"]);
    stage.change("q@.service", "50-odd", "[X-Roll]\nObserveSec=10ms\nMaxUnavailble=2\nnonsense\n");
    let plan = stage.plan(&["q"]);
    assert!(plan.contains("50-odd.conf:3: MaxUnavailble= is no setting of a roll"), "{plan}");
    assert!(plan.contains("50-odd.conf:4: the line has no '='"), "{plan}");
    let rolled = stage.restart(&["q"]).exits_with(0);
    assert!(rolled.story().contains("MaxUnavailble= is no setting"), "{}", rolled.story());
}

#[test]
fn a_bad_value_is_refused_with_file_and_line() {
    let stage = Stage::queue(&["1"]);
    let before = stage.runs();
    for (line, why) in [
        ("PauseSec=soon", "PauseSec= \"soon\" is not a time span"),
        ("TimeoutSec=0", "TimeoutSec= it must be longer than nothing"),
        ("Batches=1,0%", "Batches= \"0%\": it must be at least one instance"),
        ("OnFailure=restart", "OnFailure= \"restart\" is neither stop nor continue"),
        ("BeforeStop=drain %i", "BeforeStop= \"drain %i\": a command begins with an absolute path"),
    ] {
        stage.change("q@.service", "50-bad", &format!("[X-Roll]\n{line}\n"));
        let rolled = stage.restart(&["q"]).exits_with(5).touched_nothing();
        rolled.says(&format!("50-bad.conf:2: {why}"));
    }
    assert_eq!(stage.runs(), before);
}

#[test]
fn edited_units_are_read_once_before_the_first_step() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let text = "[Unit]\nDescription=new\n[X-Roll]\nPauseSec=10ms\n";
    stage.lab.drop_in("worker@.service", "50-unread", text).unwrap();
    let plan = stage.plan(&["worker"]);
    assert!(plan.contains("worker@1 and worker@2: changed on disk"), "{plan}");
    let mut roll = stage.begin_roll(&[]);
    roll.until_pausing();
    roll.end().exits_with(0);
    stage.all_are_new_since(&before);
    assert_eq!(stage.lab.show("worker@1.service", "Description").unwrap(), "new");
    assert_eq!(stage.lab.show("worker@1.service", "NeedDaemonReload").unwrap(), "no");
}

#[test]
fn what_systemd_has_not_read_after_a_reload_is_refused() {
    let stage = Stage::group(four().instances(2));
    let before = stage.runs();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    // Somebody who writes on and on is as good as a reload that does not take (systemd#43001).
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                stage.lab.drop_in("worker@.service", "50-unread", "[X-Roll]\n").unwrap();
            }
        });
        let rolled = stage.restart(&["worker"]);
        is_over.store(true, std::sync::atomic::Ordering::SeqCst);
        let rolled = rolled.exits_with(5).touched_nothing();
        rolled.says("after a daemon-reload systemd has still not read it");
    });
    assert_eq!(stage.runs(), before);
}

#[test]
fn plain_units_have_a_policy_of_their_own_too() {
    let units = [("one.service", &*format!("{SLEEPER}[X-Roll]\nObserveSec=20ms\n"))];
    let stage = Stage::units(&units, &["one.service"]);
    says(&stage.plan(&["one.service"]), "observe", "20ms", "one.service:4");
    stage.restart(&["one.service"]).exits_with(0);
}

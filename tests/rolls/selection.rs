//! Whom a roll takes, in what order, and how many at a time.

use std::path::PathBuf;

use crate::support::{Rolling, SLEEPER, Script, Stage, four, release, wait_until};

const AT_ONCE: [&str; 2] = ["--observe", "100ms"];

// ---- by name ----

#[test]
fn two_comes_before_ten() {
    let stage = Stage::queue(&["1", "10", "2"]);
    let before = stage.runs();
    let rolled = stage.restart(&["q@*", "--observe", "100ms"]).exits_with(0);
    assert_eq!(rolled.order(), ["q@1.service", "q@2.service", "q@10.service"]);
    stage.all_are_new_since(&before);
}

#[test]
fn a_range_means_these_and_no_others() {
    let stage = Stage::queue(&["1", "2", "3", "4"]);
    let before = stage.runs();
    let rolled = stage.restart(&["q@{1..3}", "--observe", "100ms"]).exits_with(0);
    assert_eq!(rolled.order(), ["q@1.service", "q@2.service", "q@3.service"]);
    stage.are_new_since(&before, &[1, 2, 3]);
}

#[test]
fn one_instance_can_be_rolled_alone() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    stage.restart(&["q@2", "--observe", "100ms"]).exits_with(0);
    stage.are_new_since(&before, &[2]);
}

#[test]
fn plain_units_are_rolled_in_the_order_in_which_they_are_named() {
    let units = [("a.service", SLEEPER), ("b.service", SLEEPER), ("c.service", SLEEPER)];
    let stage = Stage::units(&units, &["a.service", "b.service", "c.service"]);
    let before = stage.runs();
    let [observe, briefly] = AT_ONCE;
    let plan = stage.plan(&["b", "a.service"]);
    assert!(plan.contains("b and a: started is taken for ready"), "{plan}");
    let rolled = stage.restart(&["b", "a.service", observe, briefly]).exits_with(0);
    assert_eq!(rolled.order(), ["b.service", "a.service"]);
    stage.are_new_since(&before, &[1, 2]);
}

#[test]
fn a_service_with_a_template_beside_it_is_a_plain_unit_while_the_template_is_not_used() {
    let units = [("db.service", SLEEPER), ("db@.service", SLEEPER)];
    let stage = Stage::units(&units, &["db.service"]);
    let before = stage.runs();
    let rolled = stage.restart(&["db.service", "--observe", "100ms"]).exits_with(0);
    assert_eq!(rolled.order(), ["db.service"]);
    stage.all_are_new_since(&before);
}

// ---- two groups ----

/// Two instances of a queue, and one of a job.
fn a_queue_and_a_job() -> Stage {
    let units = [("q@.service", SLEEPER), ("job@.service", SLEEPER)];
    Stage::units(&units, &["q@1.service", "q@2.service", "job@1.service"])
}

#[test]
fn groups_are_rolled_one_after_the_other_as_they_are_named() {
    let stage = a_queue_and_a_job();
    let before = stage.runs();
    let rolled = stage.restart(&["q@*", "job@*", "--observe", "100ms"]).exits_with(0);
    assert_eq!(rolled.order(), ["q@1.service", "q@2.service", "job@1.service"]);
    stage.all_are_new_since(&before);
}

#[test]
fn after_a_failure_the_next_group_is_not_begun() {
    let stage = a_queue_and_a_job();
    let before = stage.runs();
    stage.change("q@.service", "50-release", &release("/bin/false", ""));
    let rolled = stage.restart(&["q", "job"]).exits_with(1);
    assert_eq!(rolled.order(), ["q@1.service"]);
    rolled.says("q@2 was left alone and serves").says("job was not begun");
    assert_eq!(stage.runs()[1..], before[1..], "the others were touched");
}

/// Of both groups; the last instance of the first is not over before the file is there.
fn roll_held_at_the_end_of_q(stage: &Stage) -> (Rolling, PathBuf) {
    let go = Script::beside(stage, "go");
    let is_free = format!("[ $ROLL_INSTANCE != q@2.service ] || [ -e {} ]", go.display());
    let hold = Script::new(stage, "hold", &format!("until {is_free}; do sleep 0.05; done"));
    let arguments = ["q", "job", "--observe", "0", "--after-start", hold.path()];
    let mut roll = stage.begin_restart(&arguments);
    roll.until("q@2.service", "probing");
    (roll, go)
}

#[test]
fn interrupted_at_the_end_of_one_group_the_next_is_not_begun() {
    let stage = a_queue_and_a_job();
    let before = stage.runs();
    let (roll, go) = roll_held_at_the_end_of_q(&stage);
    let told = stage.prints("abort", &["q"]);
    std::fs::write(go, "").unwrap();
    assert!(told.contains("q: the roll ends; q@2 will be finished first"), "{told}");
    let rolled = roll.end().exits_with(130);
    rolled.says("job was not begun").says("next: rollctl restart --user job");
    stage.are_new_since(&before, &[1, 2]);
}

#[test]
fn paused_at_the_end_of_one_group_the_next_waits() {
    let stage = a_queue_and_a_job();
    let before = stage.runs();
    let (roll, go) = roll_held_at_the_end_of_q(&stage);
    stage.prints("pause", &["q"]);
    std::fs::write(go, "").unwrap();
    wait_until("the roll of job waits", || {
        let told = stage.status(&["job"]);
        told.status == 0 && format!("{:?}", told.events).contains("\"paused\"")
    });
    stage.are_new_since(&before, &[1, 2]);
    stage.prints("resume", &["job"]);
    roll.end().exits_with(0);
    stage.all_are_new_since(&before);
}

// ---- up, enabled, masked ----

#[test]
fn an_enabled_one_that_is_stopped_comes_first_and_is_started() {
    let stage = Stage::group(four().instances(3));
    let before = stage.runs();
    stage.systemctl(&["stop", "worker@3"]);
    let rolled = stage.roll(&[]).exits_with(0);
    assert_eq!(rolled.order(), ["worker@3.service", "worker@1.service", "worker@2.service"]);
    stage.all_are_new_since(&before);
    stage.all_serve();
}

#[test]
fn one_that_is_neither_up_nor_enabled_is_started_only_by_its_name() {
    let stage = Stage::queue(&["1", "2"]);
    stage.systemctl(&["stop", "q@2"]);
    let rolled = stage.restart(&["q@*", "--observe", "100ms"]).exits_with(0);
    assert_eq!(rolled.order(), ["q@1.service"]);
    for unit in ["q@2.service", "q@9.service"] {
        let rolled = stage.restart(&[unit, "--observe", "100ms"]).exits_with(0);
        assert_eq!(rolled.order(), [unit]);
        assert_eq!(stage.state(unit), "active");
    }
}

#[test]
fn a_masked_instance_is_listed_and_left_out() {
    let stage = Stage::group(four().instances(3));
    let before = stage.runs();
    stage.systemctl(&["mask", "worker@2"]);
    leaves_the_second_out(&stage, &before);
    stage.lab.reload().unwrap();
    leaves_the_second_out(&stage, &stage.runs());
}

#[track_caller]
fn leaves_the_second_out(stage: &Stage, before: &[String]) {
    let plan = stage.plan(&["worker"]);
    assert!(plan.contains("worker@2 is left out: masked"), "{plan}");
    let rolled = stage.roll(&[]).exits_with(0);
    assert_eq!(rolled.order(), ["worker@1.service", "worker@3.service"]);
    stage.are_new_since(before, &[1, 3]);
    stage.all_serve();
}

// ---- how many at a time ----

#[test]
fn two_at_a_time_are_batches_of_two() {
    takes_two_at_a_time("2");
}

#[test]
fn half_of_four_is_two_at_a_time() {
    takes_two_at_a_time("50%");
}

#[track_caller]
fn takes_two_at_a_time(unavailable: &str) {
    let stage = Stage::four();
    let before = stage.runs();
    let clients = stage.mixed_load();
    let rolled = stage.roll(&["--max-unavailable", unavailable]).exits_with(0);
    let two = [["worker@1.service", "worker@2.service"], ["worker@3.service", "worker@4.service"]];
    assert_eq!(rolled.batches(), two);
    clients.lose_nothing();
    stage.all_are_new_since(&before);
}

//! Hooks around a roll and around each instance: their order, their veto, their failures.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Script, Stage, is_alive, release, wait_until};

const QUICK: [&str; 3] = ["q", "--observe", "20ms"];

/// Two instances, and the policy that runs this script at every step.
fn with_hooks(body: &str) -> (Stage, Script) {
    let stage = Stage::queue(&["1", "2"]);
    let script = Script::new(&stage, "hook", body);
    let path = script.path();
    stage.change(
        "q@.service",
        "50-hooks",
        &format!(
            "[X-Roll]\nObserveSec=20ms\nBeforeRoll={path} %p\nBeforeStop={path} %i '%i of %p'\n\
             AfterStart={path} %n\nAfterRoll={path} %p\n"
        ),
    );
    (stage, script)
}

fn hooks<'a>(events: &'a [Value], event: &str) -> Vec<&'a Value> {
    events.iter().filter(|it| it["event"] == event).collect()
}

// ---- when all is well ----

#[test]
fn each_hook_has_its_moment_and_knows_it() {
    let (stage, script) = with_hooks("echo \"$ROLL_GROUP ${#ROLL_ID}\"");
    let before = stage.runs();
    let rolled = stage.restart(&["q"]).exits_with(0);
    assert_eq!(
        script.calls(),
        [
            "before-roll - q",
            "before-stop q@1.service 1 1 of q",
            "after-start q@1.service q@1.service",
            "before-stop q@2.service 2 2 of q",
            "after-start q@2.service q@2.service",
            "after-roll - q done",
        ]
    );
    stage.all_are_new_since(&before);
    let said = hooks(&rolled.events, "hook_said");
    assert_eq!(said.len(), 6, "{}", rolled.story());
    assert!(said.iter().all(|it| it["line"] == "q 32"), "{}", rolled.story());
    let ended = hooks(&rolled.events, "hook_ended");
    assert!(ended.iter().all(|it| it["error"].is_null()), "{}", rolled.story());
}

#[test]
fn an_instance_is_up_until_its_first_hook_ends_and_again_before_the_second() {
    let stage = Stage::queue(&["1", "2"]);
    let states = Script::beside(&stage, "states");
    let show = format!(
        "systemctl --user show -p ActiveState --value $ROLL_INSTANCE >>{}",
        states.display()
    );
    let script = Script::new(&stage, "hook", &show);
    let hooks = ["--before-stop", script.path(), "--after-start", script.path()];
    stage.restart(&[&QUICK[..], &hooks].concat()).exits_with(0);
    assert_eq!(std::fs::read_to_string(states).unwrap(), "active\n".repeat(4));
}

#[test]
fn what_is_down_has_nothing_to_drain() {
    let (stage, script) = with_hooks("");
    stage.systemctl(&["stop", "q@1"]);
    stage.restart(&["q@1"]).exits_with(0);
    let calls = script.calls();
    assert!(!calls.iter().any(|call| call.starts_with("before-stop")), "{calls:?}");
    assert!(calls.iter().any(|call| call.starts_with("after-start q@1")), "{calls:?}");
}

#[test]
fn none_on_the_command_line_takes_back_what_the_unit_says() {
    let (stage, script) = with_hooks("exit 1");
    let none = ["--before-roll", "--before-stop", "--after-start", "--after-roll"];
    let none = none.iter().flat_map(|flag| [*flag, "none"]);
    let arguments: Vec<&str> = ["q"].into_iter().chain(none).collect();
    stage.restart(&arguments).exits_with(0);
    assert_eq!(script.calls(), [""; 0]);
}

// ---- when one fails ----

#[test]
fn before_roll_may_forbid_it_and_after_roll_hears_so() {
    let (stage, script) = with_hooks("echo 'the schema is too old'; [ $ROLL_STEP != before-roll ]");
    let before = stage.runs();
    let rolled = stage.restart(&["q"]).exits_with(5).touched_nothing();
    assert_eq!(script.calls(), ["before-roll - q", "after-roll - q refused"]);
    assert_eq!(stage.runs(), before);
    assert!(rolled.story().contains("the schema is too old"), "{}", rolled.story());
    rolled.says("q was not touched: BeforeRoll= exited with status 1");
}

#[test]
fn an_instance_whose_drain_fails_is_not_stopped() {
    let (stage, script) = with_hooks("[ $ROLL_STEP != before-stop ]");
    let before = stage.runs();
    let rolled = stage.restart(&["q"]).exits_with(1);
    assert_eq!(stage.runs(), before);
    assert_eq!(rolled.standing("q@1.service"), "failed_left");
    assert_eq!(script.calls().last().unwrap(), "after-roll - q failed");
    rolled.says("q@1.service was not stopped: its BeforeStop= exited with status 1");
}

#[test]
fn an_instance_whose_return_fails_stays_up_and_ends_the_roll() {
    let (stage, _script) = with_hooks("[ $ROLL_STEP != after-start ] || kill -9 $$");
    let before = stage.runs();
    let rolled = stage.restart(&["q"]).exits_with(1);
    stage.are_new_since(&before, &[1]);
    rolled.says("q@1.service is up, but its AfterStart= was killed by signal 9");
}

#[test]
fn with_after_roll_failed_every_instance_serves_and_yet_all_is_not_well() {
    let (stage, _script) = with_hooks("[ $ROLL_STEP != after-roll ]");
    let before = stage.runs();
    let rolled = stage.restart(&["q"]).exits_with(1);
    stage.all_are_new_since(&before);
    rolled.says("every instance is new and serves, but AfterRoll= exited with status 1");
}

#[test]
fn a_failed_instance_is_not_returned_to_the_balancer() {
    let (stage, script) = with_hooks("");
    stage.change("q@.service", "60-release", &release("/bin/false", ""));
    stage.restart(&["q", "--observe", "300ms", "--health", "none"]).exits_with(1);
    let calls = script.calls();
    assert_eq!(calls.last().unwrap(), "after-roll - q failed");
}

#[test]
fn a_hook_that_takes_too_long_is_killed_with_its_children() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let pids = Script::beside(&stage, "pids");
    let hangs = format!("sleep 1000 & echo $! >{}; wait", pids.display());
    let script = Script::new(&stage, "hook", &hangs);
    let hang = ["--before-stop", script.path(), "--hook-timeout", "500ms"];
    let rolled = stage.restart(&[&QUICK[..], &hang].concat()).exits_with(1);
    rolled.says("its BeforeStop= took longer than 500ms and was killed");
    let child = std::fs::read_to_string(pids).unwrap();
    wait_until("its child is gone", || !is_alive(child.trim()));
    assert_eq!(stage.runs(), before);
}

#[test]
fn a_hook_that_is_not_there_says_so() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let rolled = stage.restart(&["q", "--before-roll", "/nonexistent"]).exits_with(5);
    rolled.says("BeforeRoll= could not be run: No such file or directory");
    assert_eq!(stage.runs(), before);
}

// ---- when somebody else is at work, or wants an end ----

/// A roll that waits in the hook of this step, until the file is there.
fn waiting_at(stage: &Stage, step: &str) -> (Script, std::path::PathBuf) {
    let go = Script::beside(stage, "go");
    let body =
        format!("[ $ROLL_STEP != {step} ] || until [ -e {} ]; do sleep 0.02; done", go.display());
    (Script::new(stage, "hook", &body), go)
}

const AT_EVERY_STEP: [&str; 4] =
    ["--before-roll", "--before-stop", "--after-start", "--after-roll"];

fn begin(stage: &Stage, script: &Script, step: &str) -> crate::support::Rolling {
    let hooks = AT_EVERY_STEP.iter().flat_map(|flag| [*flag, script.path()]);
    let arguments: Vec<&str> = QUICK.into_iter().chain(hooks).collect();
    let mut roll = stage.begin_restart(&arguments);
    let hook = step.replace('-', "_");
    roll.until_event(step, |event| event["event"] == "hook_began" && event["hook"] == *hook);
    wait_until("the hook runs", || script.calls().iter().any(|call| call.starts_with(step)));
    roll
}

#[test]
fn who_restarts_the_instance_while_it_is_drained_ends_the_roll() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let (script, go) = waiting_at(&stage, "before-stop");
    let roll = begin(&stage, &script, "before-stop");
    stage.systemctl(&["restart", "q@1"]);
    let theirs = stage.run_of(1);
    std::fs::write(go, "").unwrap();
    roll.end().exits_with(1).says("q@1.service was taken over by others");
    assert_eq!(stage.runs(), [theirs, before[1].clone()]);
}

#[test]
fn who_restarts_the_instance_while_it_is_returned_ends_the_roll() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let (script, go) = waiting_at(&stage, "after-start");
    let roll = begin(&stage, &script, "after-start");
    stage.systemctl(&["restart", "q@1"]);
    std::fs::write(go, "").unwrap();
    roll.end().exits_with(1).says("q@1.service was taken over by others");
    assert_eq!(stage.run_of(2), before[1]);
}

#[test]
fn ctrl_c_while_it_is_drained_finishes_the_instance_in_hand() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let (script, go) = waiting_at(&stage, "before-stop");
    let mut roll = begin(&stage, &script, "before-stop");
    roll.interrupt().until_interrupted(1);
    std::fs::write(go, "").unwrap();
    let rolled = roll.end().exits_with(130);
    assert_eq!(rolled.standing("q@1.service"), "serving");
    stage.are_new_since(&before, &[1]);
    assert_eq!(script.calls().last().unwrap(), "after-roll - interrupted");
}

#[test]
fn ctrl_c_before_the_first_step_begins_nothing() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let (script, go) = waiting_at(&stage, "before-roll");
    let mut roll = begin(&stage, &script, "before-roll");
    roll.interrupt().until_interrupted(1);
    std::fs::write(go, "").unwrap();
    roll.end().exits_with(130).touched_nothing();
    assert_eq!(script.calls(), ["before-roll -", "after-roll - interrupted"]);
    assert_eq!(stage.runs(), before);
}

#[test]
fn twice_in_any_hook_kills_the_hook_and_leaves_everything_up() {
    for (step, status) in
        [("before-roll", 130), ("before-stop", 130), ("after-start", 130), ("after-roll", 1)]
    {
        let stage = Stage::queue(&["1", "2"]);
        let (script, _never) = waiting_at(&stage, step);
        let mut roll = begin(&stage, &script, step);
        roll.interrupt().until_interrupted(1).interrupt();
        roll.end().exits_with(status);
        for unit in &stage.instances {
            assert_eq!(stage.state(unit), "active", "{step}");
        }
    }
}

#[test]
fn a_rollctl_that_is_killed_in_a_hook_leaves_everything_up_and_the_hook_to_itself() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let (script, go) = waiting_at(&stage, "before-stop");
    let mut roll = begin(&stage, &script, "before-stop");
    roll.send(Signal::KILL);
    drop(roll);
    std::fs::write(go, "").unwrap();
    assert_eq!(stage.runs(), before);
    stage.restart(&QUICK).exits_with(0);
}

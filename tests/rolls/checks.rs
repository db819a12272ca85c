//! Health checks that are commands: what they are told, what they may answer, how long they have.

use crate::support::{Script, Stage, is_alive, wait_until};

const QUICK: [&str; 3] = ["q", "--observe", "20ms"];

fn exec(script: &Script, arguments: &str) -> String {
    format!("exec:{} {arguments}", script.path())
}

#[test]
fn a_command_that_succeeds_is_a_proof_of_health() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    // It is asked once before and once after the observation, each time about this very run.
    let asks = "[ \"$(systemctl --user show -p InvocationID --value $ROLL_INSTANCE)\" = \
                \"$ROLL_INVOCATION\" ] && kill -0 $ROLL_MAINPID";
    let script = Script::new(&stage, "check", asks);
    let health = exec(&script, "%i");
    let plan = stage.plan(&[&QUICK[..], &["--health", &health]].concat());
    assert!(plan.contains(&format!("health by {} 2", script.path())), "{plan}");
    stage.restart(&[&QUICK[..], &["--health", &health]].concat()).exits_with(0);
    let calls = script.calls();
    assert_eq!(
        calls,
        ["health-check q@1.service 1"; 2]
            .iter()
            .chain(&["health-check q@2.service 2"; 2])
            .map(|call| (*call).to_owned())
            .collect::<Vec<_>>()
    );
    stage.all_are_new_since(&before);
}

#[test]
fn a_command_of_the_units_own_is_asked_too() {
    let stage = Stage::queue(&["1", "2"]);
    let script = Script::new(&stage, "check", "");
    let policy = format!("[X-Roll]\nObserveSec=0\nHealthCheck={}\n", exec(&script, "%i"));
    stage.change("q@.service", "50-check", &policy);
    stage.restart(&["q"]).exits_with(0);
    assert!(script.calls().len() >= 4, "{:?}", script.calls());
}

#[test]
fn a_command_that_fails_is_asked_again_until_it_succeeds() {
    let stage = Stage::queue(&["1", "2"]);
    let third_time = "[ $(grep -c $ROLL_INSTANCE $0.notes) -ge 3 ]";
    let script = Script::new(&stage, "check", third_time);
    let health = exec(&script, "");
    let rolled = stage.restart(&[&QUICK[..], &["--health", &health]].concat()).exits_with(0);
    assert!(rolled.story().contains("check exited with status 1, trying again"));
}

#[test]
fn a_command_that_goes_on_failing_fails_the_instance_with_its_last_line() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let script = Script::new(&stage, "check", "echo 'no route to the database' >&2; exit 3");
    let health = exec(&script, "");
    let arguments = ["--health", &health, "--health-timeout", "1s"];
    let rolled = stage.restart(&[&QUICK[..], &arguments].concat()).exits_with(1);
    assert_eq!(stage.run_of(2), before[1]);
    let rolled = rolled.says("q@1.service did not become healthy within 1s");
    rolled.says("check exited with status 3: no route to the database");
}

#[test]
fn a_command_that_hangs_has_until_the_deadline_and_is_killed_with_its_children() {
    let stage = Stage::queue(&["1", "2"]);
    let pids = Script::beside(&stage, "pids");
    let hangs = format!("sleep 1000 & echo $! >{}; wait", pids.display());
    let script = Script::new(&stage, "check", &hangs);
    let health = exec(&script, "");
    let arguments = ["--health", &health, "--health-timeout", "700ms"];
    stage.restart(&[&QUICK[..], &arguments].concat()).exits_with(1);
    assert_eq!(script.calls().len(), 1, "it was asked again while it ran");
    let child = std::fs::read_to_string(pids).unwrap();
    wait_until("its child is gone", || !is_alive(child.trim()));
}

// ---- 75: it cannot tell ----

#[test]
fn away_from_a_terminal_what_cannot_tell_is_asked_again() {
    let stage = Stage::queue(&["1", "2"]);
    let unsure_once = "[ $(grep -c $ROLL_INSTANCE $0.notes) -ge 2 ] || { echo half; exit 75; }";
    let script = Script::new(&stage, "check", unsure_once);
    let health = exec(&script, "");
    let rolled = stage.restart(&[&QUICK[..], &["--health", &health]].concat()).exits_with(0);
    assert!(rolled.story().contains("check cannot tell: half, trying again"));
}

#[test]
fn away_from_a_terminal_doubt_does_not_outlast_the_deadline() {
    let stage = Stage::queue(&["1", "2"]);
    let before = stage.runs();
    let script = Script::new(&stage, "check", "exit 75");
    let health = exec(&script, "");
    let arguments = ["--health", &health, "--health-timeout", "1s"];
    let rolled = stage.restart(&[&QUICK[..], &arguments].concat()).exits_with(1);
    rolled.says("did not become healthy within 1s").says("cannot tell");
    assert_eq!(stage.run_of(2), before[1]);
}

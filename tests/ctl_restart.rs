//! `rollctl restart` on real systemd: whom it takes, in which order, and whom it leaves alone.
#![cfg(feature = "lab")]

mod ctl_support;

use ctl_support::{Stage, unit};

#[test]
fn every_instance_gets_a_new_run_in_natural_order() {
    let stage = Stage::with(&["1", "2", "10"]);
    let before = stage.runs_of(&["1", "2", "10"]);
    let ran = stage.rollctl(&["restart", "worker@*", "--json", "--observe", "0"]).ends_with(0);
    assert_eq!(ran.served(), [unit("1"), unit("2"), unit("10")]);
    for (instance, run) in before {
        assert_ne!(stage.run_of(&instance), run, "worker@{instance}");
    }
}

#[test]
fn only_what_was_named_is_touched() {
    let stage = Stage::with(&["1", "2", "3"]);
    let before = stage.run_of("3");
    let ran = stage.rollctl(&["restart", "worker@{1..2}", "--json"]).ends_with(0);
    assert_eq!(ran.served(), [unit("1"), unit("2")]);
    assert_eq!(stage.run_of("3"), before);
}

#[test]
fn the_enabled_but_stopped_are_started_first_and_the_masked_left_out() {
    let stage = Stage::with(&["1", "2", "3"]);
    stage.systemctl(&["stop", &unit("2")]);
    stage.systemctl(&["mask", "--quiet", &unit("4")]);
    let ran = stage.rollctl(&["restart", "worker", "--json"]).ends_with(0);
    assert_eq!(ran.served(), [unit("2"), unit("1"), unit("3")]);
    stage.rollctl(&["restart", "worker"]).ends_with(0).shows(&["worker@4: left out: masked"]);
    stage.rollctl(&["restart", "worker@4"]).ends_with(5).says(&["masked", "unmask worker@4"]);
}

#[test]
fn one_that_is_neither_up_nor_enabled_is_started_only_by_its_name() {
    let stage = Stage::with(&["1", "2"]);
    let ran = stage.rollctl(&["restart", "worker@*", "--json"]).ends_with(0);
    assert_eq!(ran.served(), [unit("1"), unit("2")]);
    let ran = stage.rollctl(&["restart", "worker@9", "--json"]).ends_with(0);
    assert_eq!(ran.served(), [unit("9")]);
}

#[test]
fn a_batch_goes_together() {
    let stage = Stage::with(&["1", "2", "3", "4"]);
    let ran = stage.rollctl(&["restart", "worker", "--max-unavailable", "50%", "--json"]);
    let ran = ran.ends_with(0);
    let batches = ran.events().into_iter().filter(|event| event["event"] == "batch_began");
    let batches: Vec<_> = batches.map(|event| event["instances"].to_string()).collect();
    let pair = |a, b| format!("[\"{}\",\"{}\"]", unit(a), unit(b));
    assert_eq!(batches, [pair("1", "2"), pair("3", "4")]);
}

#[test]
fn a_stop_pause_leaves_nobody_down() {
    let stage = Stage::with(&["1", "2"]);
    let before = stage.runs_of(&["1", "2"]);
    let ran = stage.rollctl(&["restart", "worker", "--stop-pause", "200ms", "--json"]);
    let ran = ran.ends_with(0).shows(&["\"phase\":\"stopped\""]);
    assert_eq!(ran.served(), [unit("1"), unit("2")]);
    for (instance, run) in before {
        assert_ne!(stage.run_of(&instance), run, "worker@{instance}");
    }
}

#[test]
fn plain_units_are_one_list_in_the_order_they_were_named() {
    let stage = Stage::with(&["1"]);
    for name in ["b", "a"] {
        let text = "[Service]\nExecStart=/bin/sleep 1000\n";
        stage.lab.install(&format!("{name}.service"), text).unwrap();
    }
    stage.systemctl(&["daemon-reload"]);
    stage.systemctl(&["start", "a", "b"]);
    let ran = stage.rollctl(&["restart", "b", "a.service", "--json"]).ends_with(0);
    assert_eq!(ran.served(), ["b.service", "a.service"]);
    let warning = ["b and a: started is taken for ready"];
    stage.rollctl(&["plan", "b", "a"]).ends_with(0).shows(&warning);
}

#[test]
fn instances_with_a_socket_each_are_rolled() {
    let stage = Stage::with(&["1"]);
    let socket = format!("[Socket]\nListenStream={}/own-%i.sock\n", stage.dir());
    let service = "[Service]\nExecStart=/bin/sleep 1000\n";
    stage.lab.install("own@.socket", &socket).unwrap();
    stage.lab.install("own@.service", service).unwrap();
    stage.systemctl(&["daemon-reload"]);
    let units = ["own@1.socket", "own@2.socket", "own@1.service", "own@2.service"];
    stage.systemctl(&[&["start"], units.as_slice()].concat());
    let ran = stage.rollctl(&["restart", "own@*", "--json"]).ends_with(0);
    assert_eq!(ran.served(), ["own@1.service", "own@2.service"]);
    let warning = ["own@1 and own@2: has a socket of its own", "listener of own@2.socket"];
    stage.rollctl(&["plan", "own", "--stop-pause", "1s"]).ends_with(0).shows(&warning);
}

#[test]
fn two_groups_are_rolled_one_after_the_other() {
    let stage = Stage::with(&["1", "2"]);
    stage.lab.install("job@.service", "[Service]\nExecStart=/bin/sleep 1000\n").unwrap();
    stage.systemctl(&["daemon-reload"]);
    stage.systemctl(&["start", "job@1", "job@2"]);
    let ran = stage.rollctl(&["restart", "job@*", "worker@*", "--json"]).ends_with(0);
    assert_eq!(ran.served(), ["job@1.service", "job@2.service", &unit("1"), &unit("2")]);
}

#[test]
fn a_plan_touches_nothing() {
    let stage = Stage::with(&["1", "2"]);
    let before = stage.runs_of(&["1", "2"]);
    let ran = stage.rollctl(&["plan", "worker@1", "--pause", "2s"]).ends_with(0);
    ran.shows(&["worker@1", "restart", "listener of worker.socket", "counted: worker@2", "2s"]);
    stage.rollctl(&["restart", "worker", "--dry-run"]).ends_with(0).shows(&["2 batches"]);
    assert_eq!(stage.runs_of(&["1", "2"]), before);
}

#[test]
fn a_list_shows_every_instance() {
    let stage = Stage::with(&["1", "2"]);
    let pid = stage.lab.show(&unit("2"), "MainPID").unwrap();
    let shown = ["worker@1", "active (running)", &pid];
    stage.rollctl(&["list"]).ends_with(0).shows(&shown);
    let ran = stage.rollctl(&["list", "worker@2"]).ends_with(0).shows(&["worker@2"]);
    assert!(!ran.out.contains("worker@1"), "{}", ran.out);
}

#[test]
fn quiet_says_nothing_while_all_is_well() {
    let stage = Stage::with(&["1", "2"]);
    let ran = stage.rollctl(&["restart", "worker", "-q", "--observe", "0"]).ends_with(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
}

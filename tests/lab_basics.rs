//! A lab is a systemd of one's own: real units, a real bus, and nothing left behind.
#![cfg(feature = "lab")]

use std::fs;
use std::time::{Duration, Instant};

use rollctl::lab::{Lab, LabError};

#[test]
fn runs_units_and_keeps_what_they_print() {
    let lab = Lab::start().unwrap();
    lab.install("hello.service", "[Service]\nType=oneshot\nExecStart=echo hello from %n\n")
        .unwrap();
    lab.systemctl(["start", "hello"]).unwrap();
    assert_eq!(lab.log("hello.service"), "hello from hello.service\n");
}

#[test]
fn a_drop_in_counts_after_a_reload() {
    let lab = Lab::start().unwrap();
    lab.install("a.service", "[Unit]\nDescription=one\n[Service]\nExecStart=sleep 100\n").unwrap();
    assert_eq!(lab.show("a.service", "Description").unwrap(), "one");
    lab.drop_in("a.service", "two", "[Unit]\nDescription=two\n").unwrap();
    lab.reload().unwrap();
    assert_eq!(lab.show("a.service", "Description").unwrap(), "two");
}

#[test]
fn a_failed_command_shows_what_it_said() {
    let lab = Lab::start().unwrap();
    let error = lab.systemctl(["start", "nobody.service"]).unwrap_err();
    assert!(matches!(error, LabError::Failed { .. }));
    let text = error.to_string();
    assert!(text.contains("nobody.service not found"), "{text}");
    assert!(text.starts_with("systemctl --user --no-pager start nobody.service failed"), "{text}");
}

#[test]
fn the_manager_is_on_the_bus() {
    let lab = Lab::start().unwrap();
    let manager =
        lab.command("busctl").args(["--user", "status", "org.freedesktop.systemd1"]).output();
    let text = String::from_utf8(manager.unwrap().stdout).unwrap();
    assert!(text.contains(&format!("PID={}\n", lab.manager_pid().unwrap())), "{text}");
}

#[test]
fn several_at_once_do_not_meet() {
    let labs: Vec<_> = (0..4).map(|_| Lab::start().unwrap()).collect();
    for (number, lab) in labs.iter().enumerate() {
        let text = format!("[Service]\nExecStart=sleep 10{number}\n");
        lab.install("same.service", &text).unwrap();
        lab.systemctl(["start", "same"]).unwrap();
    }
    for (number, lab) in labs.iter().enumerate() {
        let command = lab.show("same.service", "ExecStart").unwrap();
        assert!(command.contains(&format!("sleep 10{number} ")), "{command}");
    }
}

#[test]
fn private_tmp_and_stubborn_units_go_too() {
    let lab = Lab::start().unwrap();
    let unit = format!("stubborn-{}.service", std::process::id());
    let text =
        "[Service]\nPrivateTmp=yes\nKillSignal=SIGCONT\nRestart=always\nExecStart=sleep 1000\n";
    lab.install(&unit, text).unwrap();
    lab.systemctl(["start", &unit]).unwrap();
    // Older systemd ignores PrivateTmp= for ordinary users.
    assert!(temporary_directories_of(&unit) > 0 || !rustix::process::geteuid().is_root());
    let begun = Instant::now();
    drop(lab);
    // By itself it would take the 90 s of TimeoutStopSec=.
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    assert_eq!(temporary_directories_of(&unit), 0);
}

fn temporary_directories_of(unit: &str) -> usize {
    let entries = ["/tmp", "/var/tmp"].map(|dir| fs::read_dir(dir).unwrap()).into_iter().flatten();
    entries.filter(|entry| entry.as_ref().unwrap().path().to_string_lossy().contains(unit)).count()
}

#[test]
fn the_manager_s_log_is_at_hand() {
    const FAILURE: &str = "broken.service: Failed with result 'exit-code'.";
    let lab = Lab::start().unwrap();
    lab.install("broken.service", "[Service]\nExecStart=/nonexistent/program\n").unwrap();
    lab.systemctl(["start", "broken"]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline && !lab.manager_log().contains(FAILURE) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(lab.manager_log().contains(FAILURE), "{}", lab.manager_log());
}

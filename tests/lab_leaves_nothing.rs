//! However the owner of a lab ends, nothing of the lab stays: no process, group, mount, directory.
#![cfg(feature = "lab")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rollctl::lab::{Lab, Place};
use rustix::process::{Pid, Signal, kill_process_group};

#[test]
fn after_drop() {
    let lab = lab_with_a_service();
    let dir = lab.dir().to_owned();
    assert_ne!(traces(&dir), Vec::<String>::new());
    drop(lab);
    assert!(!dir.exists());
    // A scope that has ended is taken away by the manager above.
    assert_gone(&dir);
}

#[test]
fn after_ctrl_c() {
    ended_by(Signal::INT);
}

#[test]
fn after_sigterm() {
    ended_by(Signal::TERM);
}

#[test]
fn after_sigkill() {
    ended_by(Signal::KILL);
}

#[test]
fn after_a_panic() {
    let (mut owner, dir) = owner("owner_that_panics");
    assert!(!owner.wait().unwrap().success());
    assert_gone(&dir);
}

#[test]
#[ignore = "the owner that the tests above kill"]
fn owner_that_waits() {
    let lab = lab_with_a_service();
    println!("\nlab {}", lab.dir().display());
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
#[ignore = "the owner that panics for a test above"]
fn owner_that_panics() {
    let lab = lab_with_a_service();
    println!("\nlab {}", lab.dir().display());
    panic!("on purpose");
}

/// A lab with a unit, named like the lab, that makes directories outside of it.
fn lab_with_a_service() -> Lab {
    let lab = Lab::start().unwrap();
    let unit = format!("{}.service", lab.dir().file_name().unwrap().display());
    let text = "[Service]\nPrivateTmp=yes\nRestart=always\nExecStart=sleep 1000\n";
    lab.install(&unit, text).unwrap();
    lab.systemctl(["start", &unit]).unwrap();
    if Place::find().unwrap() == Place::Namespace {
        add_crash_loop(&lab, &format!("crash-{unit}"));
    }
    lab
}

/// Adds a unit that makes and leaves such directories all the time; beneath another manager they
/// cannot be told from those of other labs.
fn add_crash_loop(lab: &Lab, unit: &str) {
    let service = "[Service]\nPrivateTmp=yes\nRestart=always\nRestartSec=1ms\nExecStart=true\n";
    lab.install(unit, &format!("[Unit]\nStartLimitIntervalSec=0\n{service}")).unwrap();
    lab.systemctl(["start", unit]).unwrap();
}

/// Sends the signal to all of the owner's process group, as a terminal does.
fn ended_by(signal: Signal) {
    let (mut owner, dir) = owner("owner_that_waits");
    assert_ne!(traces(&dir), Vec::<String>::new());
    kill_process_group(Pid::from_child(&owner), signal).unwrap();
    assert!(!owner.wait().unwrap().success());
    assert_gone(&dir);
}

/// Runs one of the ignored tests of this file as a process of its own; its lab's directory.
fn owner(test: &str) -> (Child, PathBuf) {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", test])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let dir = lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix("lab ")?.into()));
    (owner, dir.expect("the owner says where its lab is"))
}

fn assert_gone(dir: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let left = traces(dir);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What there is of a lab: its directories, control groups and processes.
fn traces(dir: &Path) -> Vec<String> {
    let name = dir.file_name().unwrap().to_str().unwrap();
    let mut traces = Vec::new();
    if dir.exists() {
        traces.push(dir.display().to_string());
    }
    for temporary in
        ["/tmp", "/var/tmp"].map(|dir| fs::read_dir(dir).unwrap()).into_iter().flatten()
    {
        let path = temporary.unwrap().path().display().to_string();
        traces.extend(path.contains(name).then_some(path));
    }
    find_groups(Path::new("/sys/fs/cgroup"), name, &mut traces);
    for process in fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()) {
        let read = |file: &str| fs::read(process.join(file)).unwrap_or_default();
        // A dead process waits for whoever is PID 1 here to take notice.
        if String::from_utf8_lossy(&read("stat")).contains(") Z ") {
            continue;
        }
        let texts = [read("environ"), read("cgroup"), read("cmdline")].concat();
        if String::from_utf8_lossy(&texts).contains(name) {
            traces.push(format!("{} {}", process.display(), String::from_utf8_lossy(&texts)));
        }
    }
    traces
}

fn find_groups(dir: &Path, name: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().contains(name) {
            found.push(entry.path().display().to_string());
        }
        find_groups(&entry.path(), name, found);
    }
}

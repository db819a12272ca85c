//! A roll on a terminal of its own (`script` gives it one), followed by its event log.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Stage, wait_until};

/// A roll of the group `q` at work.
pub struct Terminal {
    child: Child,
    log: PathBuf,
    /// What `stty -g` says before, and after; and the exit status in between.
    notes: PathBuf,
    seen: usize,
}

impl Terminal {
    /// `rollctl restart --user q OPTIONS…`, typed there.
    pub fn roll(stage: &Stage, options: &[&str]) -> Self {
        Self::typed(stage, options, |command| command.to_owned())
    }

    /// The same with `&` behind it.
    pub fn roll_in_background(stage: &Stage, options: &[&str]) -> Self {
        Self::typed(stage, options, |command| format!("set -m; {command} & wait $!"))
    }

    /// The same with no shell above it, as ssh and systemd begin it.
    pub fn roll_alone(stage: &Stage, options: &[&str]) -> Self {
        Self::typed(stage, options, |command| format!("exec {command}"))
    }

    /// `rollctl attach --user q`, typed there while the first roll is under way.
    pub fn attach(stage: &Stage) -> Self {
        Self::typing(stage, 1, &["attach", "--user", "q"], |command| command.to_owned())
    }

    fn typed(stage: &Stage, options: &[&str], how: fn(&str) -> String) -> Self {
        let logs = std::fs::read_dir(logs(stage)).map_or(0, Iterator::count);
        Self::typing(stage, logs + 1, &[&["restart", "--user", "q"], options].concat(), how)
    }

    fn typing(stage: &Stage, number: usize, words: &[&str], how: fn(&str) -> String) -> Self {
        let log = logs(stage).join(format!("{number:06}.jsonl"));
        let notes = stage.lab.dir().join(format!("terminal-{}-{number}", words[0]));
        let words = [&[env!("CARGO_BIN_EXE_rollctl")], words].concat();
        let quoted = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''")));
        let (note, roll) = (notes.display(), how(&quoted.collect::<Vec<_>>().join(" ")));
        // Ctrl-C is for every process of the terminal, and not every shell survives it.
        let typed =
            format!("trap : INT; stty -g >{note}; {roll}; echo $? >>{note}; stty -g >>{note}");
        let mut script = stage.lab.command("script");
        script.env("SHELL", "/bin/sh");
        script.args(["--quiet", "--command", &typed, "/dev/null"]);
        script.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = script.spawn().unwrap();
        Self { child, log, notes, seen: 0 }
    }

    /// Waits until the log has it.
    #[track_caller]
    pub fn until(&mut self, name: &str, is_it: impl Fn(&Value) -> bool) -> &mut Self {
        wait_until(name, || {
            let events = self.events();
            let mut news = events.iter().skip(self.seen);
            let found = news.position(|it| it["event"] == name && is_it(it));
            self.seen += found.map_or(0, |at| at + 1);
            found.is_some()
        });
        self
    }

    pub fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.events()[0]["pid"].as_i64().unwrap().try_into().unwrap()).unwrap()
    }

    pub fn press(&mut self, keys: &str) -> &mut Self {
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
        self
    }

    pub fn kill(&mut self) {
        // It may be over by now, which is a moment like any other.
        let _ = kill_process(self.pid(), Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Waits for its end: with this status, and the terminal as it was before.
    #[track_caller]
    pub fn exits_with(&mut self, status: i32) {
        let notes = || std::fs::read_to_string(&self.notes).unwrap_or_default();
        wait_until("the roll ends", || notes().lines().count() == 3);
        let notes = notes();
        let lines: Vec<&str> = notes.lines().collect();
        assert_eq!(lines[1], status.to_string(), "{:#?}", self.events());
        assert_eq!(lines[0], lines[2], "the terminal was not given back");
    }
}

fn logs(stage: &Stage) -> PathBuf {
    stage.lab.dir().join("state/rollctl/q")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Already gone if it was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

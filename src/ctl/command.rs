//! Commands of the administrator's, hooks and checks: run with a deadline, in a process group that
//! is killed as a whole, and with their output read line by line.
//!
//! ```text
//! run ─► ended by itself ─► status
//!   ├──► its time is over ─► SIGTERM, a moment, SIGKILL: the whole group
//!   └──► dropped, for the roll is over ─► SIGKILL: the whole group
//! ```
//!
//! A rollctl that is killed with SIGKILL leaves the command to itself: it can do its work, and
//! nothing waits for it.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures_util::future::{Either, select};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::journal::tamed;

/// How long a group that was told to end may take to do so.
const GRACE: Duration = Duration::from_secs(2);
/// How long what it printed last is waited for: a child of its own may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// In bytes; what is told of it is shorter still.
const LINE_LIMIT: usize = 1000;
const LINES: usize = 1000;
/// What a service is told by its manager is not for the commands of a roll.
const NOT_OURS: [&str; 7] = [
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "JOURNAL_STREAM",
];

/// A command that is to be run.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// Program and arguments.
    pub(super) words: Vec<String>,
    /// What it is told about the roll.
    pub(super) environment: Vec<(&'static str, String)>,
    /// How long it may take.
    pub(super) within: Duration,
}

/// How a command ended.
#[derive(Debug)]
pub(super) enum Ended {
    Itself(ExitStatus),
    TimedOut(Duration),
    NotRun(String),
}

impl Ended {
    pub(super) fn code(&self) -> Option<i32> {
        match self {
            Self::Itself(status) => status.code(),
            _ => None,
        }
    }

    /// `Ok` for success, or why not as the rest of a sentence.
    pub(super) fn result(&self) -> Result<(), String> {
        match self.code() {
            Some(0) => Ok(()),
            _ => Err(self.to_string()),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "exited with status {code}"),
                (None, Some(signal)) => write!(f, "was killed by signal {signal}"),
                (None, None) => write!(f, "ended: {status}"),
            },
            Self::TimedOut(within) => {
                write!(f, "took longer than {} and was killed", crate::span::Span(*within))
            }
            Self::NotRun(why) => write!(f, "could not be run: {why}"),
        }
    }
}

/// Runs it to its end, and hands on each line that it prints.
pub(super) async fn run(order: &Order, mut said: impl FnMut(String)) -> Ended {
    let (mut child, output) = match begin(order) {
        Ok(begun) => begun,
        Err(why) => return Ended::NotRun(why.to_string()),
    };
    let group = Group::of(&child);
    let mut lines = Lines { output, line: Vec::new(), count: 0 };
    let status = {
        let waiting = pin!(timeout(order.within, child.wait()));
        let reading = pin!(lines.read(&mut said));
        match select(waiting, reading).await {
            Either::Left((status, _)) => status,
            Either::Right(((), waiting)) => waiting.await,
        }
    };
    let ended = match status {
        Ok(Ok(status)) => Ended::Itself(status),
        Ok(Err(why)) => Ended::NotRun(why.to_string()),
        Err(_) => group.end(&mut child, order.within).await,
    };
    group.is_over();
    // What it printed before its end is in the pipe; a child that it left behind may go on for ever.
    let rest = async { while lines.count <= LINES && lines.read_once(&mut said).await {} };
    let _ = timeout(LAST_WORDS, rest).await;
    lines.end_line(&mut said);
    ended
}

fn begin(order: &Order) -> io::Result<(Child, pipe::Receiver)> {
    let (reader, writer) = io::pipe()?;
    let [program, arguments @ ..] = order.words.as_slice() else {
        return Err(io::Error::other("it is empty"));
    };
    let mut command = Command::new(program);
    command.args(arguments).envs(order.environment.iter().map(|(name, value)| (name, value)));
    NOT_OURS.iter().for_each(|name| _ = command.env_remove(name));
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let child = command.current_dir("/").process_group(0).kill_on_drop(true).spawn()?;
    Ok((child, pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?))
}

/// The process group of a command; dropped before its end, it is killed.
struct Group(Cell<Option<Pid>>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(Cell::new(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?))))
    }

    async fn end(&self, child: &mut Child, within: Duration) -> Ended {
        self.send(Signal::TERM);
        let _ = timeout(GRACE, child.wait()).await;
        self.send(Signal::KILL);
        Ended::TimedOut(within)
    }

    /// What it left behind on purpose is not ours to end.
    fn is_over(&self) {
        self.0.set(None);
    }

    fn send(&self, signal: Signal) {
        if let Some(leader) = self.0.get() {
            // A group that has just ended needs no signal.
            let _ = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.send(Signal::KILL);
    }
}

/// What a command prints, cut into lines that are not too long and not too many.
struct Lines {
    output: pipe::Receiver,
    line: Vec<u8>,
    count: usize,
}

impl Lines {
    /// Until nobody holds the other end of the pipe.
    async fn read(&mut self, said: &mut impl FnMut(String)) {
        while self.read_once(said).await {}
    }

    /// False when there is nothing more to come.
    async fn read_once(&mut self, said: &mut impl FnMut(String)) -> bool {
        let mut buffer = [0; 4096];
        let read = self.output.read(&mut buffer).await.unwrap_or(0);
        for byte in &buffer[..read] {
            match byte {
                b'\n' => self.end_line(said),
                byte if self.line.len() < LINE_LIMIT => self.line.push(*byte),
                _ => {}
            }
        }
        read > 0
    }

    fn end_line(&mut self, said: &mut impl FnMut(String)) {
        let line = std::mem::take(&mut self.line);
        let line = tamed(&String::from_utf8_lossy(&line));
        if line.is_empty() {
            return;
        }
        self.count += 1;
        match self.count {
            ..=LINES => said(line),
            count if count == LINES + 1 => said("… (it prints more than is shown)".to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a shell command ended, and what it printed.
    async fn shell(script: &str, within: Duration) -> (Ended, Vec<String>) {
        let mut said = Vec::new();
        let words = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let environment = vec![("ROLL_STEP", "test".to_owned())];
        let order = Order { words, environment, within };
        let ended = run(&order, |line| said.push(line)).await;
        (ended, said)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn its_lines_come_in_order_and_its_status_is_told() {
        let (ended, said) = shell("echo $ROLL_STEP; echo b >&2; printf c; exit 75", LONG).await;
        assert_eq!(said, ["test", "b", "c"]);
        assert_eq!((ended.code(), ended.to_string()), (Some(75), "exited with status 75".into()));
        assert_eq!(shell("exit 0", LONG).await.0.result(), Ok(()));
    }

    #[tokio::test]
    async fn what_takes_too_long_is_killed_with_all_of_its_group() {
        let script = "trap '' TERM; sleep 1000 & echo $!; wait";
        let (ended, said) = shell(script, Duration::from_millis(300)).await;
        assert_eq!(ended.to_string(), "took longer than 300ms and was killed");
        is_gone(&said[0]);
    }

    #[tokio::test]
    async fn what_is_no_longer_wanted_is_killed_with_all_of_its_group() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let script = format!("sleep 1000 & echo $! >{}; wait", pid.display());
        let is_there = async {
            while !std::fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        drop(select(pin!(shell(&script, LONG)), pin!(is_there)).await);
        is_gone(std::fs::read_to_string(&pid).unwrap().trim());
    }

    #[tokio::test]
    async fn one_that_leaves_a_child_behind_has_ended_all_the_same() {
        let (ended, said) = shell("sleep 1 & echo done", LONG).await;
        assert_eq!((ended.result(), said), (Ok(()), vec!["done".to_owned()]));
        let chatty = "(for i in $(seq 100); do sleep 0.1; echo still; done) & echo done";
        let (ended, said) = shell(chatty, LONG).await;
        assert!(ended.result() == Ok(()) && said.len() < 50, "{ended}: {said:?}");
    }

    #[tokio::test]
    async fn what_it_prints_has_bounds() {
        let script = "head -c 5000 /dev/zero | tr '\\0' x; yes | head -n 3000";
        let (_, said) = shell(script, LONG).await;
        assert_eq!(said.len(), LINES + 1);
        assert!((100..=LINE_LIMIT).contains(&said[0].len()), "{}", said[0]);
    }

    #[tokio::test]
    async fn what_cannot_be_run_says_why() {
        let words = vec!["/nonexistent/hook".to_owned()];
        let ended = run(&Order { words, within: LONG, ..Order::default() }, drop).await;
        assert!(ended.to_string().starts_with("could not be run: No such file"), "{ended}");
    }

    #[track_caller]
    fn is_gone(pid: &str) {
        let stat = format!("/proc/{pid}/stat");
        let is_alive = || match std::fs::read_to_string(&stat) {
            Ok(text) => !text.contains(") Z "),
            Err(_) => false,
        };
        let deadline = std::time::Instant::now() + LONG;
        while is_alive() {
            assert!(std::time::Instant::now() < deadline, "{pid} lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

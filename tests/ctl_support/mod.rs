//! A group of stub services in a lab, and verbs for what is done with it.
#![allow(dead_code, unreachable_pub)] // Each test file uses its own part.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rollctl::lab::Lab;

/// Nothing of these tests takes so long unless it hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A shell service that does as the file `mode` says when it starts.
const STUB: &str = r#"
mode=$(cat "$LAB/mode-$1" 2>/dev/null || cat "$LAB/mode" 2>/dev/null)
case $mode in
  exit) exit 3;;
  never-ready) exec sleep 1000;;
  deaf) exec 3<&-; systemd-notify --ready; exec sleep 1000;;
  crash) systemd-notify --ready; exit 1;;
  hang) trap '' TERM; systemd-notify --ready; while :; do sleep 1; done;;
  drain)
    trap 'systemd-notify --stopping --status="draining: 3 requests"; sleep 2; exit 0' TERM
    systemd-notify --ready; sleep 1000 & wait; exit;;
esac
systemd-notify --ready --status=serving
exec sleep 1000
"#;

const SERVICE: &str = "[Unit]
PartOf=worker.service
StartLimitIntervalSec=0
[Service]
Type=notify
NotifyAccess=all
NonBlocking=yes
Sockets=worker.socket
Restart=always
RestartSec=100ms
TimeoutStartSec=5s
TimeoutStopSec=5s
Environment=LAB=@LAB@
ExecStart=/bin/sh @LAB@/stub.sh %i
[Install]
WantedBy=worker.service
";

/// A lab with a group in it.
pub struct Stage {
    pub lab: Lab,
}

/// What a program left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Stage {
    /// The group `worker` with these instances, enabled and up.
    pub fn with(instances: &[&str]) -> Self {
        let stage = Self { lab: Lab::start().unwrap() };
        let socket = format!("[Socket]\nListenStream={}/group.sock\n", stage.dir());
        let group = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n";
        fs::write(stage.lab.dir().join("stub.sh"), STUB).unwrap();
        stage.lab.install("worker.socket", &socket).unwrap();
        stage.lab.install("worker.service", group).unwrap();
        stage.lab.install("worker@.service", &SERVICE.replace("@LAB@", &stage.dir())).unwrap();
        stage.lab.reload().unwrap();
        let units: Vec<String> = instances.iter().map(|i| unit(i)).collect();
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        stage.systemctl(&[&["enable", "--quiet"], units.as_slice()].concat());
        stage
            .systemctl(&[&["start", "worker.socket", "worker.service"], units.as_slice()].concat());
        stage
    }

    pub fn dir(&self) -> String {
        self.lab.dir().to_str().unwrap().to_owned()
    }

    pub fn systemctl(&self, arguments: &[&str]) -> String {
        self.lab.systemctl(arguments).unwrap()
    }

    /// What every service does from its next start on.
    pub fn next_starts(&self, mode: &str) {
        fs::write(self.lab.dir().join("mode"), mode).unwrap();
    }

    /// What one service does from its next start on.
    pub fn next_start_of(&self, instance: &str, mode: &str) {
        fs::write(self.lab.dir().join(format!("mode-{instance}")), mode).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.lab.command(env!("CARGO_BIN_EXE_rollctl"));
        command.arg(arguments[0]).arg("--user").args(&arguments[1..]);
        command
    }

    /// Runs `rollctl VERB --user …` to its end.
    pub fn rollctl(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts a roll that tells its events.
    pub fn begin(&self, arguments: &[&str]) -> Rolling {
        let arguments = [&["restart", "--json"], arguments].concat();
        let mut command = self.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let events = lines_of(child.stdout.take().unwrap());
        Rolling { child, events, seen: String::new() }
    }

    /// The run that an instance is in.
    pub fn run_of(&self, instance: &str) -> String {
        self.lab.show(&unit(instance), "InvocationID").unwrap()
    }

    pub fn runs_of(&self, instances: &[&str]) -> BTreeMap<String, String> {
        instances.iter().map(|i| ((*i).to_owned(), self.run_of(i))).collect()
    }

    pub fn state_of(&self, unit: &str) -> String {
        self.lab.show(unit, "ActiveState").unwrap()
    }

    /// Waits for a condition; a test that waits longer has failed.
    pub fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !is_so() {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub fn unit(instance: &str) -> String {
    format!("worker@{instance}.service")
}

/// A roll under way.
pub struct Rolling {
    child: Child,
    events: Receiver<String>,
    seen: String,
}

impl Rolling {
    /// Reads events up to the first that holds all these words.
    pub fn until(&mut self, words: &[&str]) {
        loop {
            let line = self.events.recv_timeout(LIMIT);
            let line = line.unwrap_or_else(|_| panic!("no {words:?} came:\n{}", self.seen));
            self.seen += &line;
            if words.iter().all(|word| line.contains(word)) {
                return;
            }
        }
    }

    pub fn send(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    pub fn end(mut self) -> Ran {
        loop {
            match self.events.recv_timeout(LIMIT) {
                Ok(line) => self.seen += &line,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the roll hangs:\n{}", self.seen),
            }
        }
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let status: ExitStatus = self.child.wait().unwrap();
        Ran { code: status.code(), out: std::mem::take(&mut self.seen), err }
    }
}

/// Reads aside, so that a roll that hangs does not hang its test.
fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line + "\n").is_err() {
                return;
            }
        }
    });
    receiver
}

impl Drop for Rolling {
    fn drop(&mut self) {
        // Already ended in a test that went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ran {
    /// Asserts the exit status.
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// Asserts that the error says all of this.
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in:\n{}", self.err);
        }
        self
    }

    /// Asserts that the output shows all of this.
    pub fn shows(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.out.contains(word), "{word:?} is not in:\n{}", self.out);
        }
        self
    }

    /// The events of `--json`, each of them an object.
    pub fn events(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The instances in the order in which they became `serving`.
    pub fn served(&self) -> Vec<String> {
        let events = self.events();
        let serving = events.iter().filter(|event| event["phase"] == "serving");
        serving.map(|event| event["instance"].as_str().unwrap().to_owned()).collect()
    }
}

/// Answers every request at this socket with one response, until the test ends.
pub fn answer(socket: &str, status: &'static str, body: &'static str) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(head.as_bytes());
        }
    });
}

//! Verbs for the worker's stories: a real process, started as systemd starts it (sockets from
//! descriptor 3 on, a datagram socket for its notifications), and clients that count every byte.

#![allow(dead_code, unreachable_pub)]

pub mod client;
pub mod group;
pub mod http2;
pub mod reference;
pub mod requests;
pub mod upgrades;
pub mod websocket;

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rollctl::worker::Config;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use tempfile::TempDir;

use client::{Client, End, get};

/// How long anything may take before the story has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Puts what it finds at 0 and 1 where systemd puts sockets, and becomes the worker.
const AS_SYSTEMD_DOES: &str = r#"
    export LISTEN_PID=$$
    [ -z "$FILES" ] || ulimit $FILES
    case $LISTEN_FDS in
        1) exec 3<&0 0</dev/null ;;
        2) exec 3<&0 4<&1 0</dev/null 1>&2 ;;
    esac
    exec "$0" "$@"
"#;

/// How to start a worker.
pub struct Start {
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    sockets: Vec<OwnedFd>,
    address: Option<SocketAddr>,
    /// Its runtime directory; else one of its own is made.
    home: Option<PathBuf>,
}

impl Start {
    pub fn worker() -> Self {
        Self::program(env!("CARGO_BIN_EXE_worker"))
    }

    /// A worker that fronts the app of `tests/apps/odd.py`.
    pub fn fronting(options: &str) -> Self {
        Self::in_front(options).on_tcp()
    }

    /// The same, on sockets that are still to be given.
    pub fn in_front(options: &str) -> Self {
        let app = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/odd.py");
        let mut start = Self::worker().args(options);
        start.args.extend(["--", "python3", app].map(str::to_owned));
        start
    }

    /// This very program, told by its environment to be the service of a module (`module_path!()`):
    /// its test `the_service`, which begins with [`own_worker`].
    pub fn own_service(module: &str, name: &str) -> Self {
        let start = Self::program(std::env::current_exe().unwrap()).env(OWN_SERVICE, name);
        start.args(&as_test(module, "the_service"))
    }

    pub fn program(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        Self { program, args: vec![], env: vec![], sockets: vec![], address: None, home: None }
    }

    /// Passes a fresh TCP socket, as most stories want it.
    pub fn on_tcp(mut self) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.address = listener.local_addr().ok();
        self.socket(listener)
    }

    pub fn socket(mut self, socket: impl Into<OwnedFd>) -> Self {
        self.sockets.push(socket.into());
        self
    }

    /// Gives it a runtime directory beside those of its siblings.
    pub fn at_home_in(mut self, home: PathBuf) -> Self {
        self.home = Some(home);
        self
    }

    pub fn args(mut self, args: &str) -> Self {
        self.args.extend(args.split_whitespace().map(str::to_owned));
        self
    }

    /// One argument, blanks and all.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Starts it without waiting for anything.
    pub fn spawn(self) -> Worker {
        let temporary = self.home.is_none().then(|| tempfile::tempdir().unwrap());
        let own = || temporary.as_ref().unwrap().path().to_owned();
        let dir = self.home.clone().unwrap_or_else(own);
        let notifications = UnixDatagram::bind(dir.join("notify")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", AS_SYSTEMD_DOES]).arg(&self.program).args(&self.args);
        command.env_remove("RUST_LOG").env("NOTIFY_SOCKET", dir.join("notify"));
        command.env("RUNTIME_DIRECTORY", &dir).envs(self.env);
        if !self.sockets.is_empty() {
            command.env("LISTEN_FDS", self.sockets.len().to_string());
        }
        let mut sockets = self.sockets.into_iter();
        command.stdin(sockets.next().map_or_else(Stdio::null, Stdio::from));
        command.stdout(sockets.next().map_or_else(Stdio::null, Stdio::from));
        assert!(sockets.next().is_none(), "this way takes two sockets at most");
        command.stderr(File::create(dir.join("stderr")).unwrap());
        let child = command.spawn().unwrap();
        Worker { child, dir, _temporary: temporary, notifications, address: self.address }
    }

    /// Starts it and waits until it says that it is ready.
    pub fn ready(self) -> Worker {
        let worker = self.spawn();
        worker.says("READY=1");
        worker
    }

    /// Starts it, expecting that it ends by itself without ever being ready: its exit status and
    /// the one line it said.
    pub fn refused(self) -> (i32, String) {
        let mut worker = self.spawn();
        let status = worker.wait();
        worker.notifications.set_nonblocking(true).unwrap();
        let told = worker.notifications.recv(&mut [0; 100]);
        assert_eq!(told.unwrap_err().kind(), ErrorKind::WouldBlock, "it told systemd something");
        let text = worker.stderr();
        assert_eq!(text.trim_end().lines().count(), 1, "not one line: {text:?}");
        (status.code().unwrap(), text.trim_end().to_owned())
    }
}

/// Set where this program is a service, to its name.
pub const OWN_SERVICE: &str = "BE_A_SERVICE";

/// The worker of a service of our own; `None` in an ordinary run of the tests.
pub fn own_worker() -> Option<rollctl::worker::Worker> {
    std::env::var_os(OWN_SERVICE)?;
    rollctl::worker::log::start().unwrap();
    Some(rollctl::worker::Worker::new(Config::from_env().unwrap()).unwrap())
}

/// The arguments that make this very program one test of a module: `module_path!()`, and its name.
pub fn as_test(module: &str, test: &str) -> String {
    let (_program, module) = module.split_once("::").expect("a module of a test program");
    format!("--exact {module}::{test} --nocapture --test-threads=1")
}

/// A running worker; killed when the story ends before it does.
pub struct Worker {
    child: Child,
    dir: PathBuf,
    _temporary: Option<TempDir>,
    notifications: UnixDatagram,
    address: Option<SocketAddr>,
}

impl Worker {
    /// Waits for a notification that contains `text`, and returns it.
    #[track_caller]
    pub fn says(&self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut buffer = [0; 4096];
        let mut said = Vec::new();
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.notifications.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let length = match self.notifications.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => panic!("cannot hear it: {error}; log: {}", self.stderr()),
            };
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if message.contains(text) {
                return message;
            }
            said.push(message);
        }
        panic!("never said {text:?}, but {said:?}; log: {}", self.stderr());
    }

    /// Everything said and not yet listened to.
    pub fn said(&self) -> Vec<String> {
        self.notifications.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        let mut said = Vec::new();
        while let Ok(length) = self.notifications.recv(&mut buffer) {
            said.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        self.notifications.set_nonblocking(false).unwrap();
        said
    }

    /// Says so much in its place that nothing more fits.
    pub fn fills_the_queue(&self) {
        let fits = || {
            let filler = UnixDatagram::unbound().unwrap();
            filler.set_nonblocking(true).unwrap();
            filler.connect(self.dir.join("notify")).unwrap();
            // What one socket may have on its way may be less than the queue holds.
            std::iter::from_fn(|| filler.send(b"X_TEST=1").ok()).count() > 0
        };
        while fits() {}
    }

    pub fn address(&self) -> SocketAddr {
        self.address.expect("a story on TCP")
    }

    pub fn client(&self) -> Client {
        Client::tcp(self.address())
    }

    /// A connection for a client of another kind.
    pub fn client_stream(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address.expect("a story on TCP")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A client that the worker has accepted, told by its count of connections.
    #[track_caller]
    pub fn accepted_client(&self) -> Client {
        let before = self.metric("worker_accepted_total");
        let client = self.client();
        self.until("worker_accepted_total", before + 1);
        client
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Sends SIGTERM and waits until it is being acted upon.
    #[track_caller]
    pub fn is_told_to_go(&self) {
        self.signal(Signal::TERM);
        self.says("STOPPING=1");
    }

    /// Asks the admin socket; status line, headers and body as they come.
    pub fn admin(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(self.dir.join("admin.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nhost: admin\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// Waits until the health check answers with this status.
    #[track_caller]
    pub fn is_healthy_as(&self, status: u16) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let health = self.admin("GET /healthz");
            if health.starts_with(&format!("HTTP/1.1 {status} ")) {
                return health;
            }
            assert!(Instant::now() < until, "not {status}, but {health}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn metric(&self, name: &str) -> u64 {
        let text = self.admin("GET /metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let line = line.unwrap_or_else(|| panic!("no metric {name} in {text}"));
        line.parse().unwrap()
    }

    /// A client asks and reads nothing of its answer.
    #[track_caller]
    pub fn cuts_who_does_not_read(&self, path: &str) {
        let mut client = self.client();
        client.sends(get(path));
        self.until("worker_connections{state=\"busy\"}", 1);
        self.until("worker_connections{state=\"busy\"}", 0);
        assert!(matches!(client.sees_end(), End::Reset(_)));
        assert!(self.stderr().contains("a response that its client does not read"));
    }

    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().count()
    }

    /// What it has in memory.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits until a metric has a value.
    #[track_caller]
    pub fn until(&self, name: &str, value: u64) {
        let until = Instant::now() + PATIENCE;
        let mut found = self.metric(name);
        while found != value {
            assert!(Instant::now() < until, "{name} is {found}, not {value}");
            std::thread::sleep(Duration::from_millis(5));
            found = self.metric(name);
        }
    }

    /// Waits until its log contains `text`.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        self.logs_times(text, 1);
    }

    /// Waits until its log contains `text` so many times.
    #[track_caller]
    pub fn logs_times(&self, text: &str, times: usize) {
        let until = Instant::now() + PATIENCE;
        while self.stderr().matches(text).count() < times {
            assert!(Instant::now() < until, "never logged {text:?}: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(self.dir.join("stderr")).unwrap()
    }

    /// Waits for its end: the exit status and what it logged.
    #[track_caller]
    pub fn ends(mut self) -> (i32, String) {
        let status = self.wait();
        (status.code().unwrap_or(-1), self.stderr())
    }

    #[track_caller]
    pub fn ends_well(self) -> String {
        let (status, log) = self.ends();
        assert_eq!(status, 0, "{log}");
        log
    }

    /// Waits for the end of one that was killed.
    pub fn is_gone(&mut self) {
        self.wait();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end; log: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Under systemd the control group would end with it; here an app that it fronts lives on.
        let id = self.child.id();
        let apps = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let apps = apps.split_whitespace().filter_map(|app| Pid::from_raw(app.parse().ok()?));
        apps.for_each(end_group);
    }
}

/// A signal is only on its way when `kill` returns: the place where the app listened is free once it
/// is gone, and whoever comes next may want it.
fn end_group(leader: Pid) {
    let end = pidfd_open(leader, PidfdFlags::empty());
    let _ = kill_process_group(leader, Signal::KILL);
    let Ok(end) = end else { return };
    let patience = Timespec::try_from(PATIENCE).unwrap();
    let _ = poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&patience));
}

/// A unix listener in a directory of its own.
pub fn unix_listener() -> (TempDir, PathBuf, UnixListener) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web.sock");
    let listener = UnixListener::bind(&path).unwrap();
    (dir, path, listener)
}

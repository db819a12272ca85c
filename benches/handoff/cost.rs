//! 5,000 idle connections, 500 of them with half a head, from one worker to another: how long that
//! takes, and what it costs either, beside what a worker pays for a client that has to come again. No
//! systemd here: nothing else is measured.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rollctl::lab::program;
use rustix::process::{Pid, Signal, kill_process};

const IDLE: usize = 4_500;
const HALF_HEADS: usize = 500;
const ALL: usize = IDLE + HALF_HEADS;
const ROUNDS: usize = 7;

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: Some(20_000), maximum: Some(20_000) },
    )?;
    let mut rounds = (0..ROUNDS).map(|_| round()).collect::<Result<Vec<_>, _>>()?;
    println!(
        "\n{ALL} idle connections, {HALF_HEADS} with half a head, to one sibling, {ROUNDS} rounds:"
    );
    let words = [
        "SIGTERM to the end of the giver",
        "CPU of the giver",
        "CPU of the taker",
        "CPU of a worker to which they connect, with a request each",
    ];
    for (at, words) in words.into_iter().enumerate() {
        rounds.sort_unstable_by_key(|round| round[at]);
        let median = rounds[ROUNDS / 2][at];
        let each = median.as_secs_f64() * 1e6 / ALL as f64;
        println!("  {words:<59}{:>7.1} ms {each:>6.2} µs a connection", median.as_secs_f64() * 1e3);
    }
    Ok(())
}

fn round() -> Result<[Duration; 4], Box<dyn Error>> {
    let group = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut giver = Worker::start(&listener, &group.path().join("1"))?;
    let at_first = giver.cpu();
    let mut clients = (0..ALL).map(|_| Client::new(address)).collect::<Result<Vec<_>, _>>()?;
    let connected = giver.cpu() - at_first;
    clients.iter_mut().take(HALF_HEADS).try_for_each(|client| client.send(&HEAD[..20]))?;
    let mut taker = Worker::start(&listener, &group.path().join("2"))?;
    let before = [giver.cpu(), taker.cpu()];
    let begun = Instant::now();
    giver.terminate()?;
    let (took, given) = giver.end(begun);
    let taken = taker.cpu() - before[1];
    for (at, client) in clients.iter_mut().enumerate() {
        client.send(if at < HALF_HEADS { &HEAD[20..] } else { HEAD })?;
        client.hear()?;
    }
    taker.child.kill()?;
    Ok([took, given - before[0], taken, connected])
}

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let stream = TcpStream::connect(address)?;
        let mut client = Self(BufReader::with_capacity(1024, stream));
        client.send(HEAD)?;
        client.hear()?;
        Ok(client)
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    fn hear(&mut self) -> Result<(), Box<dyn Error>> {
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Err("a connection has ended".into());
            }
            match line.trim_end().split_once(": ") {
                Some(("content-length", value)) => length = value.parse()?,
                Some(("connection", "close")) => return Err("it says close".into()),
                None if line == "\r\n" => break,
                _ => {}
            }
        }
        std::io::Read::read_exact(&mut self.0, &mut vec![0; length])?;
        Ok(())
    }
}

struct Worker {
    child: Child,
}

impl Worker {
    /// As systemd starts it; returns when it is ready.
    fn start(listener: &TcpListener, home: &Path) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(home)?;
        let notify: PathBuf = home.join("notify");
        let notices = UnixDatagram::bind(&notify)?;
        let script = "export LISTEN_PID=$$; exec 3<&0 0</dev/null; exec \"$0\"";
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(program("worker")?)
            .env("LISTEN_FDS", "1")
            .env("NOTIFY_SOCKET", notify)
            .env("RUNTIME_DIRECTORY", home)
            .stdin(Stdio::from(OwnedFd::from(listener.try_clone()?)))
            .stderr(Stdio::null())
            .spawn()?;
        notices.set_read_timeout(Some(Duration::from_secs(10)))?;
        notices.recv(&mut [0; 512])?;
        UnixStream::connect(home.join("admin.sock"))?;
        Ok(Self { child })
    }

    /// What the kernel has counted of its running so far, to the nanosecond.
    fn cpu(&self) -> Duration {
        self.try_cpu().unwrap_or_default()
    }

    fn try_cpu(&self) -> Option<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }

    fn terminate(&self) -> Result<(), Box<dyn Error>> {
        let pid = Pid::from_raw(self.child.id().try_into()?).ok_or("no process")?;
        Ok(kill_process(pid, Signal::TERM)?)
    }

    /// When it has ended, and what it had used by then.
    fn end(&mut self, begun: Instant) -> (Duration, Duration) {
        let mut used = Duration::ZERO;
        loop {
            // What is left of an ended process still tells.
            used = self.try_cpu().unwrap_or_default().max(used);
            let state = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
            if state.is_ok_and(|state| state.contains(") Z ")) {
                break;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        let took = begun.elapsed();
        used = self.try_cpu().unwrap_or_default().max(used);
        let _ = self.child.wait();
        (took, used)
    }
}

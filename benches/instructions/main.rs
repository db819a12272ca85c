//! Instructions a request, as valgrind's callgrind counts them: repeatable, so that a change of 2 %
//! is seen whatever else the machine does.
//!
//! ```text
//! cargo bench --all-features --bench instructions
//! ```
//!
//! One client on one connection asks a few times, and then, in a run of its own, many times more: the
//! difference is free of start and end. Kernel and app are not counted.

#[path = "../support/bare.rs"]
mod bare;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/raw.rs"]
mod raw;
#[allow(dead_code)]
#[path = "../fronting/servers.rs"]
mod servers;

use std::env;
use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use raw::Instructions;
use rollctl::load::{Load, Style};
use rustix::process::{Pid, Signal, kill_process};
use servers::{SERVE, free_address, wait_for};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const FEW: u64 = 200;
const MANY: u64 = 2_200;
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    servers::serve_if_told();
    // `cargo test --all-targets` runs benches too, without this; they prove nothing there.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed (apt-get install valgrind)");
        return Ok(());
    }
    let [get, post]: [fn() -> Style; 2] = [|| Style::get("/"), || Style::post("/echo", 1024)];
    let paths = [
        ("bare hyper, GET", bare as fn(SocketAddr) -> Result<Command>, get),
        ("worker, built-in app, GET", built_in, get),
        ("worker, built-in app, POST of 1 KiB", built_in, post),
        ("worker → Node, GET", fronting, get),
        ("worker → Node, POST of 1 KiB", fronting, post),
    ];
    let mut all = Vec::new();
    for (path, command, style) in paths {
        let rounds = (0..ROUNDS).map(|_| a_request(command, style));
        let each = rounds.collect::<Result<Vec<f64>>>()?;
        let told: Vec<String> = each.iter().map(|count| format!("{count:.0}")).collect();
        println!("{path:<40}{}", told.join("  "));
        all.push(Instructions { path: path.to_owned(), each });
    }
    raw::write("instructions", &all)
}

fn a_request(command: fn(SocketAddr) -> Result<Command>, style: fn() -> Style) -> Result<f64> {
    let [few, many] = [FEW, MANY].map(|count| run(command, style(), count));
    Ok((many? - few?) as f64 / (MANY - FEW) as f64)
}

/// All instructions of a server that has served so many requests.
fn run(command: fn(SocketAddr) -> Result<Command>, style: Style, count: u64) -> Result<u64> {
    let address = free_address();
    let out = env::temp_dir().join(format!("instructions-{}", std::process::id()));
    let served = command(address)?;
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "-q"])
        .arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.arg(served.get_program()).args(served.get_args());
    served.get_envs().for_each(|(name, value)| {
        valgrind.env(name, value.unwrap_or_default());
    });
    let mut child = Running(valgrind.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    wait_for(address);
    let tally = Load::to(address).clients(1, style).requests(count).start()?.wait().total();
    child.terminate()?;
    let total = total(&out);
    fs::remove_file(&out)?;
    match tally.lost() {
        0 => total,
        _ => Err(format!("{served:?}: {tally:?}").into()),
    }
}

struct Running(Child);

impl Running {
    fn terminate(&mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.0), Signal::TERM)?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The sum at the end of callgrind's file.
fn total(out: &Path) -> Result<u64> {
    let text = fs::read_to_string(out)?;
    let line = text.lines().find_map(|line| line.strip_prefix("summary: "));
    let line = line.or_else(|| text.lines().find_map(|line| line.strip_prefix("totals: ")));
    Ok(line.ok_or("no summary of callgrind")?.trim().parse()?)
}

fn built_in(address: SocketAddr) -> Result<Command> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.arg("--listen").arg(address.to_string());
    Ok(command)
}

fn fronting(address: SocketAddr) -> Result<Command> {
    let mut command = built_in(address)?;
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/node/server.js");
    command.args(["--", "node"]).arg(app);
    Ok(command)
}

/// This program again, which serves by hyper alone where it is told to; it ends by SIGTERM, at which
/// callgrind writes its file.
fn bare(address: SocketAddr) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.env(SERVE, address.to_string());
    Ok(command)
}

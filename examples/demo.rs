//! `make demo`: four workers are restarted twice under load, by rollctl and by systemctl, and
//! `rollctl prove` shows what that cost their clients. Ends with 0 only if the roll lost nothing.

use std::error::Error;
use std::process::{Command, ExitCode, ExitStatus};

use rollctl::lab::{GroupPlan, Lab, program};
use tokio::signal::unix::{SignalKind, signal};

const INSTANCES: usize = 4;

/// Real applications take their time to start: it is what makes the difference visible.
const BOOT: &str = "[Service]\nExecStartPre=sleep 1\n";

const LOAD: [&str; 4] = ["--clients", "32", "--before", "3s"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // What is dropped on the way out takes the lab and the load with it.
    let ended = tokio::select! {
        ended = demo() => ended,
        interrupted = interrupt() => interrupted,
    };
    ended.unwrap_or_else(|error| {
        eprintln!("demo: {error}");
        ExitCode::FAILURE
    })
}

async fn demo() -> Result<ExitCode, Box<dyn Error>> {
    println!("Starting {INSTANCES} workers, each with a boot time of 1 s, on a private systemd …");
    let lab = Lab::start()?;
    let group = GroupPlan::new().instances(INSTANCES).known_user().drop_in("worker@.service", BOOT);
    let group = group.start(&lab)?;
    let url = format!("http://{}/", group.address);

    let rolled = shown(&lab, &url, &["worker", "--user"]).await?;
    shown(&lab, &url, &["--instead", "systemctl --user restart 'worker@*'"]).await?;

    println!("\nOne by one first, then all at once: see what was lost, and the longest latency.");
    Ok(if rolled.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Types `rollctl prove`, and runs it.
async fn shown(lab: &Lab, url: &str, what: &[&str]) -> Result<ExitStatus, Box<dyn Error>> {
    let arguments = [&["prove", "--url", url], &LOAD[..], what].concat();
    println!("\n$ rollctl {}", shlex::try_join(arguments.iter().copied())?);
    let mut rollctl: Command = lab.command(program("rollctl")?);
    rollctl.args(arguments);
    Ok(tokio::process::Command::from(rollctl).kill_on_drop(true).status().await?)
}

/// Ctrl-C and SIGTERM, which must not end the program before the lab is gone.
async fn interrupt() -> Result<ExitCode, Box<dyn Error>> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => (),
    }
    eprintln!("demo: interrupted, taking everything away");
    Ok(ExitCode::from(130))
}

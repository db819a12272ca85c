//! `make demo`: four workers under load are restarted twice, by rollctl and by systemctl, and the
//! requests lost and the latencies of both are shown. Ends with 0 only if rollctl lost nothing.

mod measure;
mod table;

use std::error::Error;
use std::process::ExitCode;

use rollctl::lab::{GroupPlan, Lab, program};
use tokio::signal::unix::{SignalKind, signal};

use measure::{Measured, measure};

const INSTANCES: u32 = 4;

/// Real applications take their time to start: it is what makes the difference visible.
const BOOT: &str = "[Service]\nExecStartPre=sleep 1\n";

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
    let group = GroupPlan::new().instances(INSTANCES as usize).drop_in("worker@.service", BOOT);
    let group = group.start(&lab)?;

    let mut rollctl = lab.command(program("rollctl")?);
    rollctl.args(["restart", "--user", "worker@*", "--pause", "0s"]);
    let rolled = measure("rollctl", 1, rollctl, &group).await?;
    let mut systemctl = lab.command("systemctl");
    systemctl.args(["--user", "restart", "worker@*"]);
    let plain = measure("systemctl", INSTANCES, systemctl, &group).await?;

    table::print(&[&rolled, &plain], INSTANCES);
    println!("\n{}", meaning(&rolled, &plain));
    let fine = rolled.succeeded && rolled.report.lost() == 0;
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

/// What the table says, in a sentence.
fn meaning(rolled: &Measured, plain: &Measured) -> String {
    let told = |measured: &Measured| {
        let (total, during) = (measured.report.total(), measured.quick("during"));
        format!(
            "lost {} of {} requests, and the slowest took {} ms",
            total.lost(),
            table::grouped(total.requests()),
            during.max().as_millis(),
        )
    };
    format!(
        "One by one (rollctl), the restart {}; all at once (systemctl), it {}.",
        told(rolled),
        told(plain),
    )
}

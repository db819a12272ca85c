//! An instance alone: its connections wait in systemd while it restarts, and what that takes.

use std::error::Error;
use std::time::{Duration, Instant};

use rollctl::lab::{GroupPlan, Lab};
use rollctl::load::{Loyal, Manner};

const UNIT: &str = "worker@1.service";
const ROUNDS: u32 = 7;

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    println!("\nAn instance alone, restarted with idle connections, a tenth with half a head:");
    for connections in [0, 500, 5_000] {
        let lab = Lab::start()?;
        let plan = GroupPlan::new().instances(1).known_user();
        let group = plan.start(&lab)?;
        let half_heads = connections / 10;
        let loyal = Loyal::to(group.address.parse()?)
            .clients(connections - half_heads, Manner::Idle)
            .clients(half_heads, Manner::HalfHead)
            .start()?;
        let (begun, used) = (Instant::now(), manager_cpu(&lab)?);
        for _ in 0..ROUNDS {
            lab.systemctl(["restart", UNIT])?;
        }
        let (took, used) = (begun.elapsed() / ROUNDS, (manager_cpu(&lab)? - used) / ROUNDS);
        let failures = loyal.stop_and_wait().failures;
        println!(
            "  {connections:>5} connections: {:>6.1} ms a restart, {:>5.1} ms of CPU of systemd, {} lost",
            took.as_secs_f64() * 1e3,
            used.as_secs_f64() * 1e3,
            failures.len()
        );
    }
    Ok(())
}

/// What the kernel has counted of the manager's running so far.
fn manager_cpu(lab: &Lab) -> Result<Duration, Box<dyn Error>> {
    let pid = lab.manager_pid().ok_or("no manager")?;
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    Ok(Duration::from_nanos(text.split(' ').next().ok_or("no time")?.parse()?))
}

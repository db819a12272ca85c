//! A roll of a thousand: its time against that of systemd alone, and what rollctl needs for it.
//!
//! ```text
//! cargo bench --all-features --bench scale                 # 1,000 instances, batches of 10 %
//! INSTANCES=200 ROUNDS=1 cargo bench --all-features --bench scale
//! ```
//!
//! The instances do nothing, so the ideal is what systemd itself takes to stop and to start them:
//! `systemctl restart` of each batch, one after the other. Nothing is observed meanwhile.

use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rollctl::lab::{Lab, program};

const UNIT: &str = "[Service]\nExecStart=/bin/sleep 100000\n";
const BATCHES: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let count = from_environment("INSTANCES", 1000)?;
    let rounds = from_environment("ROUNDS", 3)?;
    let bench = Bench::start(count)?;
    println!("{count} instances in {BATCHES} batches");
    for _ in 0..rounds {
        let plan = bench.rollctl(&["plan"])?;
        let ideal = bench.ideal()?;
        let roll = bench.rollctl(&["restart", "-q"])?;
        println!(
            "plan {:>6.0} ms, {:>4.1} MiB   roll {:>6.2} s, {:>4.1} MiB   ideal {:>6.2} s   ratio {:.2}",
            millis(plan.took),
            plan.peak_mib,
            roll.took.as_secs_f64(),
            roll.peak_mib,
            ideal.as_secs_f64(),
            roll.took.as_secs_f64() / ideal.as_secs_f64(),
        );
    }
    Ok(())
}

struct Bench {
    lab: Lab,
    units: Vec<String>,
}

struct Ran {
    took: Duration,
    peak_mib: f64,
}

impl Bench {
    fn start(count: usize) -> Result<Self, Box<dyn Error>> {
        let lab = Lab::start()?;
        lab.install("t@.service", UNIT)?;
        lab.reload()?;
        let units: Vec<String> = (1..=count).map(|number| format!("t@{number}.service")).collect();
        lab.systemctl(["start"].into_iter().chain(units.iter().map(String::as_str)))?;
        Ok(Self { lab, units })
    }

    /// What systemd takes for it by itself.
    fn ideal(&self) -> Result<Duration, Box<dyn Error>> {
        let begun = Instant::now();
        for batch in self.units.chunks(self.units.len().div_ceil(BATCHES)) {
            self.lab.systemctl(["restart"].into_iter().chain(batch.iter().map(String::as_str)))?;
        }
        Ok(begun.elapsed())
    }

    fn rollctl(&self, verb: &[&str]) -> Result<Ran, Box<dyn Error>> {
        let mut command: Command = self.lab.command(program("rollctl")?);
        command.args(verb).args(["--user", "t", "--observe", "0"]);
        command.args(["--batches", &format!("{}%", 100 / BATCHES)]).stdout(Stdio::null());
        let begun = Instant::now();
        let mut child = command.spawn()?;
        let peak_mib = until_its_end(&mut child)?;
        Ok(Ran { took: begun.elapsed(), peak_mib })
    }
}

/// The most memory that it was seen to have.
fn until_its_end(child: &mut Child) -> Result<f64, Box<dyn Error>> {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    loop {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or_default() / 1024.0);
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(peak),
            Some(status) => return Err(format!("rollctl ended with {status}").into()),
            None => sleep(Duration::from_millis(2)),
        }
    }
}

fn from_environment(name: &str, default: usize) -> Result<usize, Box<dyn Error>> {
    Ok(std::env::var(name).ok().map_or(Ok(default), |text| text.parse())?)
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

//! Rolls of 4 to 1,000: their time against that of systemd alone, and what rollctl needs for them.
//!
//! ```text
//! cargo bench --all-features --bench scale
//! ROUNDS=1 cargo bench --all-features --bench scale -- 1000x100   # a thousand, 100 at a time
//! ```
//!
//! The instances do nothing, so the ideal is what systemd itself takes to stop and to start them: a
//! shell loop of `systemctl restart` of each batch, one after the other. Nothing is observed
//! meanwhile.

#[path = "support/raw.rs"]
mod raw;

use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use raw::ScaleRound;
use rollctl::lab::{Lab, program};

const UNIT: &str = "[Service]\nExecStart=/bin/sleep 100000\n";

/// How many instances, and how many at a time.
const ROLLS: &[(usize, usize)] = &[(4, 1), (32, 1), (100, 10), (1000, 100)];

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs benches too, without this; they prove nothing there.
    if !words.iter().any(|word| word == "--bench") {
        return Ok(());
    }
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let rounds = std::env::var("ROUNDS").ok().map_or(Ok(3), |text| text.parse::<usize>())?;
    let mut all = Vec::new();
    for (instances, at_once) in ROLLS.iter().copied() {
        if wanted.is_empty() || wanted.iter().any(|it| **it == format!("{instances}x{at_once}")) {
            let bench = Bench::start(instances, at_once)?;
            for round in 0..rounds {
                all.push(bench.round(round % 2 == 0)?);
                all.last().into_iter().for_each(print);
            }
        }
    }
    raw::write("scale", &all)
}

fn print(round: &ScaleRound) {
    println!(
        "{:>5} instances, {:>3} at a time   plan {:>6.0} ms, {:>4.1} MiB   roll {:>6.2} s, {:>4.1} MiB   ideal {:>6.2} s   ratio {:.2}",
        round.instances,
        round.at_once,
        round.plan_s * 1000.0,
        round.plan_mib,
        round.roll_s,
        round.roll_mib,
        round.ideal_s,
        round.roll_s / round.ideal_s,
    );
}

struct Bench {
    lab: Lab,
    units: Vec<String>,
    at_once: usize,
}

struct Ran {
    took: Duration,
    peak_mib: f64,
}

impl Bench {
    fn start(instances: usize, at_once: usize) -> Result<Self, Box<dyn Error>> {
        let lab = Lab::start()?;
        lab.install("t@.service", UNIT)?;
        lab.reload()?;
        let units = (1..=instances).map(|number| format!("t@{number}.service"));
        let units: Vec<String> = units.collect();
        lab.systemctl(["start"].into_iter().chain(units.iter().map(String::as_str)))?;
        Ok(Self { lab, units, at_once })
    }

    /// They take turns in being the first, for a machine is not as fast all the time.
    fn round(&self, is_ideal_first: bool) -> Result<ScaleRound, Box<dyn Error>> {
        let plan = self.rollctl(&["plan"])?;
        let ideal = is_ideal_first.then(|| self.ideal()).transpose()?;
        let roll = self.rollctl(&["restart", "-q"])?;
        let ideal = ideal.map_or_else(|| self.ideal(), Ok)?;
        Ok(ScaleRound {
            instances: self.units.len(),
            at_once: self.at_once,
            plan_s: plan.took.as_secs_f64(),
            plan_mib: plan.peak_mib,
            roll_s: roll.took.as_secs_f64(),
            roll_mib: roll.peak_mib,
            ideal_s: ideal.as_secs_f64(),
        })
    }

    /// What systemd takes for it by itself.
    fn ideal(&self) -> Result<Duration, Box<dyn Error>> {
        let begun = Instant::now();
        for batch in self.units.chunks(self.at_once) {
            self.lab.systemctl(["restart"].into_iter().chain(batch.iter().map(String::as_str)))?;
        }
        Ok(begun.elapsed())
    }

    fn rollctl(&self, verb: &[&str]) -> Result<Ran, Box<dyn Error>> {
        let mut command: Command = self.lab.command(program("rollctl")?);
        command.args(verb).args(["--user", "t", "--observe", "0"]);
        command.args(["--batches", &self.at_once.to_string()]).stdout(Stdio::null());
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

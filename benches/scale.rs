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

#[path = "support/process.rs"]
mod process;
#[path = "support/raw.rs"]
mod raw;

use std::error::Error;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use raw::ScaleRound;
use rollctl::lab::{Lab, program};

const UNIT: &str = "[Service]\nExecStart=/bin/sleep 100000\n";

/// The last of a program's memory is seen so early, and it is disturbed so seldom.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// So many plans a round.
const PLANS: usize = 5;

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
        let plan = self.plan()?;
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

    /// The median of some, once systemd has tidied up after what was before.
    fn plan(&self) -> Result<Ran, Box<dyn Error>> {
        self.until_systemd_rests()?;
        let plans = (0..PLANS).map(|_| self.rollctl(&["plan"]));
        let mut plans = plans.collect::<Result<Vec<Ran>, _>>()?;
        plans.sort_by_key(|plan| plan.took);
        Ok(plans.swap_remove(PLANS / 2))
    }

    fn until_systemd_rests(&self) -> Result<(), Box<dyn Error>> {
        let pid = self.lab.manager_pid().ok_or("the lab has a manager")?;
        loop {
            let before = process::cpu(pid);
            sleep(Duration::from_millis(300));
            if process::cpu(pid) - before < Duration::from_millis(1) {
                return Ok(());
            }
        }
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
        let (pid, has_ended) = (child.id(), AtomicBool::new(false));
        let (status, took, peak_mib) = thread::scope(|scope| {
            let watching = scope.spawn(|| peak_mib(pid, &has_ended));
            let status = child.wait();
            let took = begun.elapsed();
            has_ended.store(true, Relaxed);
            (status, took, watching.join().unwrap_or_default())
        });
        match status? {
            status if status.success() => Ok(Ran { took, peak_mib }),
            status => Err(format!("rollctl ended with {status}").into()),
        }
    }
}

/// The most memory that it was seen to have.
fn peak_mib(pid: u32, has_ended: &AtomicBool) -> f64 {
    let path = format!("/proc/{pid}/status");
    let mut peak = 0.0_f64;
    while !has_ended.load(Relaxed) {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or_default() / 1024.0);
        sleep(LOOK_AGAIN);
    }
    peak
}

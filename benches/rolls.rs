//! Rolls under load, a row a client style: what was lost, and what the others felt of it.
//!
//! ```text
//! cargo bench --all-features --bench rolls            # 10 rolls in each style
//! ROLLS=30 OBSERVE=0 cargo bench --all-features --bench rolls   # back to back, no rest between
//! ```
//!
//! The overhead is rollctl's own: the time of a roll less the observation and the units' own stop
//! and start, for an instance. Latencies are in milliseconds, p50 / p99 / max. Clients, workers and
//! systemd share the machine, and only those that think leave any of it idle.

use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rollctl::lab::{Group, GroupPlan, Lab, program};
use rollctl::load::{Class, Load, Report, Style, Tally, Target};
use rollctl::span::Span;

const STEADY: Duration = Duration::from_secs(3);

/// As rollctl does by default.
const OBSERVE: Span = Span(Duration::from_millis(500));

fn main() -> Result<(), Box<dyn Error>> {
    let rolls = std::env::var("ROLLS").ok().map_or(Ok(10), |text| text.parse())?;
    let observe: Span = std::env::var("OBSERVE").map_or(Ok(OBSERVE), |text| text.parse())?;
    let (slow, busy) = (Duration::from_millis(500), Duration::from_millis(5));
    let styles = [
        (64, Style::get("/")),
        (64, Style::post("/echo", 1024)),
        (32, Style::connect("/")),
        (64, Style::slow(slow)),
        (64, Style::get("/").think(busy).named("GET, thinks 5 ms")),
        (64, Style::get("/").think(slow).named("GET, thinks 500 ms")),
    ];
    println!(
        "{:<24}{:>6}{:>11}{:>6}{:>26}{:>26}{:>9}{:>11}",
        "style", "rolls", "requests", "lost", "steady", "rolling", "roll", "overhead"
    );
    let mut everything = (0, 0);
    for (clients, style) in styles {
        let bench = Bench::start(observe)?;
        let row = bench.run(clients, style, rolls)?;
        row.print(rolls);
        everything.0 += row.report.total().requests();
        everything.1 += row.report.lost();
    }
    println!("in all: {} requests, {} lost", everything.0, everything.1);
    Ok(())
}

struct Bench {
    lab: Lab,
    group: Group,
    observe: Span,
}

struct Row {
    style: String,
    report: Report,
    roll: Duration,
    overhead: Duration,
}

impl Bench {
    fn start(observe: Span) -> Result<Self, Box<dyn Error>> {
        let lab = Lab::start()?;
        let group = GroupPlan::new().instances(4).start(&lab)?;
        Ok(Self { lab, group, observe })
    }

    fn run(&self, clients: usize, style: Style, rolls: u32) -> Result<Row, Box<dyn Error>> {
        let target: Target = self.group.address.parse()?;
        let load = Load::to(target).clients(clients, style).start()?;
        sleep(STEADY);
        load.mark("rolling");
        let mut took = Duration::ZERO;
        let mut overhead = Duration::ZERO;
        for _ in 0..rolls {
            let roll = self.roll()?;
            took += roll;
            overhead += roll.saturating_sub(self.own_time()? + self.observe.0 * 4) / 4;
        }
        load.mark("after");
        sleep(Duration::from_secs(1));
        let report = load.stop_and_wait();
        let name = report.styles().next().unwrap_or_default().to_owned();
        Ok(Row { style: name, report, roll: took / rolls, overhead: overhead / rolls })
    }

    fn roll(&self) -> Result<Duration, Box<dyn Error>> {
        let begun = Instant::now();
        let mut rollctl = self.lab.command(program("rollctl")?);
        rollctl.args(["restart", "--user", "-q", "worker", "--observe"]);
        let status = rollctl.arg(self.observe.to_string()).status()?;
        if !status.success() {
            return Err(format!("the roll ended with {status}").into());
        }
        Ok(begun.elapsed())
    }

    /// From the first word of a stop to the last of a start, over all instances.
    fn own_time(&self) -> Result<Duration, Box<dyn Error>> {
        let mut micros = 0;
        for unit in self.group.units() {
            let read = |property: &str| -> Result<u64, Box<dyn Error>> {
                Ok(self.lab.show(&unit, property)?.parse()?)
            };
            let stopping = read("ActiveExitTimestampMonotonic")?;
            micros += read("ActiveEnterTimestampMonotonic")?.saturating_sub(stopping);
        }
        Ok(Duration::from_micros(micros))
    }
}

impl Row {
    fn print(&self, rolls: u32) {
        let total = self.report.total();
        println!(
            "{:<24}{:>6}{:>11}{:>6}{:>26}{:>26}{:>7.2} s{:>8.1} ms",
            self.style,
            rolls,
            total.requests(),
            total.lost(),
            latencies(&self.report.phase("before")),
            latencies(&self.report.phase("rolling")),
            self.roll.as_secs_f64(),
            millis(self.overhead),
        );
        for class in Class::ALL.into_iter().filter(|class| class.is_lost()) {
            match total.count(class) {
                0 => {}
                count => println!("    {class}: {count}"),
            }
        }
    }
}

fn latencies(tally: &Tally) -> String {
    let [p50, p99, max] = [tally.p50(), tally.p99(), tally.max()].map(millis);
    format!("{p50:.1} / {p99:.1} / {max:.1}")
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

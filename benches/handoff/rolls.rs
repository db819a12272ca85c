//! Rolls of four instances, back to back, and what their clients saw of it.

use std::error::Error;
use std::time::{Duration, Instant};

use rollctl::lab::{Group, GroupPlan, Lab, program};
use rollctl::load::{Load, Loyal, LoyalRunning, Manner, Running, Style, Target};

const HALVES: Manner = Manner::Halves(Duration::from_millis(5));

enum Clients {
    Of(Vec<(usize, Style)>),
    Loyal(Vec<(usize, Manner)>),
}

enum Crowd {
    Of(Running),
    Loyal(LoyalRunning),
}

/// What they saw: requests, lost ones, connections made beside the first, slowest 1 in 100.
struct Seen {
    requests: u64,
    lost: u64,
    reconnects: u64,
    p99: Option<Duration>,
    words: Vec<String>,
}

pub(crate) fn run(rolls: u32) -> Result<(), Box<dyn Error>> {
    let thinks = Duration::from_millis(1_500);
    let upload = Style::upload("/echo", 64 << 10, Duration::from_millis(700));
    let kinds = [
        (
            "quiet GET and POST",
            Clients::Of(vec![
                (64, Style::get("/").think(thinks)),
                (64, Style::post("/echo", 1024).think(thinks)),
            ]),
        ),
        (
            "busy GET and POST",
            Clients::Of(vec![(32, Style::get("/")), (32, Style::post("/echo", 1024))]),
        ),
        ("two halves, 5 ms apart", Clients::Loyal(vec![(128, HALVES)])),
        ("pipelines, 2,000 deep", Clients::Loyal(vec![(8, Manner::Pipeline(2_000))])),
        (
            "5,000 idle, 500 half heads",
            Clients::Loyal(vec![(4_500, Manner::Idle), (500, Manner::HalfHead)]),
        ),
        ("uploads of 0.7 s", Clients::Of(vec![(64, upload)])),
        (
            "all sorts",
            Clients::Loyal(vec![
                (64, HALVES),
                (4, Manner::Pipeline(500)),
                (400, Manner::Idle),
                (100, Manner::HalfHead),
            ]),
        ),
    ];
    println!(
        "{:<28}{:>6}{:>11}{:>6}{:>12}{:>10}{:>10}{:>22}",
        "clients", "rolls", "requests", "lost", "reconnects", "p99", "a roll", "connections each"
    );
    for (name, clients) in kinds {
        row(name, &clients, rolls)?;
    }
    Ok(())
}

fn row(name: &str, clients: &Clients, rolls: u32) -> Result<(), Box<dyn Error>> {
    let lab = Lab::start()?;
    let group = GroupPlan::new().instances(4).start(&lab)?;
    let load = clients.start(&group.address)?;
    let begun = Instant::now();
    for _ in 0..rolls {
        roll(&lab)?;
    }
    let took = begun.elapsed() / rolls;
    let counts = connections(&lab, &group)?;
    let seen = load.end();
    let p99 = seen.p99.map_or("".to_owned(), |p99| format!("{:.1} ms", p99.as_secs_f64() * 1e3));
    println!(
        "{name:<28}{rolls:>6}{:>11}{:>6}{:>12}{p99:>10}{:>7} ms{:>22}",
        seen.requests,
        seen.lost,
        seen.reconnects,
        took.as_millis(),
        counts.join("/")
    );
    seen.words.iter().take(5).for_each(|words| println!("    {words}"));
    Ok(())
}

fn roll(lab: &Lab) -> Result<(), Box<dyn Error>> {
    let mut rollctl = lab.command(program("rollctl")?);
    let status = rollctl.args(["restart", "--user", "-q", "worker", "--observe", "0"]).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("the roll ended with {status}").into()),
    }
}

/// The connections of each instance, as its own metrics count them.
fn connections(lab: &Lab, group: &Group) -> Result<Vec<String>, Box<dyn Error>> {
    let count = |number| {
        let text = get(&group.admin_socket(lab, number))?;
        let states = text.lines().filter(|line| line.starts_with("worker_connections{"));
        let numbers = states.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Ok(numbers.sum::<u64>().to_string())
    };
    (1..=group.instances).map(count).collect()
}

fn get(socket: &std::path::Path) -> std::io::Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

impl Clients {
    fn start(&self, address: &str) -> Result<Crowd, Box<dyn Error>> {
        match self {
            Self::Of(crews) => {
                let load = Load::to(address.parse::<Target>()?);
                let crews = crews.iter().cloned();
                let load = crews.fold(load, |load, (count, style)| load.clients(count, style));
                let running = load.start()?;
                let patience = Instant::now() + Duration::from_secs(30);
                while running.answered() < 200 {
                    if Instant::now() > patience {
                        return Err("the clients get no answers".into());
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                Ok(Crowd::Of(running))
            }
            Self::Loyal(crews) => {
                let loyal = Loyal::to(address.parse()?);
                let crews = crews.iter();
                let loyal =
                    crews.fold(loyal, |loyal, (count, manner)| loyal.clients(*count, *manner));
                Ok(Crowd::Loyal(loyal.start()?))
            }
        }
    }
}

impl Crowd {
    fn end(self) -> Seen {
        match self {
            Self::Of(running) => {
                let report = running.stop_and_wait();
                let total = report.total();
                Seen {
                    requests: total.requests(),
                    lost: total.lost(),
                    reconnects: total.reconnects,
                    p99: Some(total.p99()),
                    words: total.samples().iter().map(|sample| sample.text.clone()).collect(),
                }
            }
            Self::Loyal(running) => {
                let report = running.stop_and_wait();
                let lost = report.failures.len() as u64;
                // One that fails does not come back.
                Seen {
                    requests: report.answered,
                    lost,
                    reconnects: 0,
                    p99: None,
                    words: report.failures,
                }
            }
        }
    }
}

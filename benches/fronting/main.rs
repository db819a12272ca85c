//! What the worker costs in front of an app, against nginx in front of the same app.
//!
//! Each server is a process of its own, loaded in turn over the same number of keep-alive
//! connections, in alternating rounds. Printed: medians over the rounds of requests a second, p99
//! and CPU time a request (of proxy and app together, and of the proxy alone), each against nginx
//! in front of the app; then the worker's memory.
//! Run: `cargo bench --all-features --bench fronting`; it needs nginx and node (`make apps`).

#[path = "../support/bare.rs"]
mod bare;
mod memory;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/raw.rs"]
mod raw;
mod servers;

use std::time::Duration;

use rollctl::load::{Load, Style};
use servers::Server;

const CONNECTIONS: usize = 64;
const ROUND: Duration = Duration::from_secs(2);
const DEFAULT_ROUNDS: usize = 7;

fn main() {
    servers::serve_if_told();
    // `cargo test --all-targets` runs benches too, without this; they prove nothing there.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    compare(rounds.unwrap_or(DEFAULT_ROUNDS));
    memory::print();
}

fn compare(rounds: usize) {
    let servers = servers::all();
    let mut measured: Vec<Vec<Round>> = servers.iter().map(|_| Vec::new()).collect();
    // A first one each that does not count.
    for server in &servers {
        round(server);
    }
    for _ in 0..rounds {
        for (server, measured) in servers.iter().zip(&mut measured) {
            measured.push(round(server));
        }
    }
    let told = servers
        .iter()
        .zip(&measured)
        .flat_map(|(server, rounds)| rounds.iter().map(|round| round.told(server)));
    raw::write("fronting", &told.collect::<Vec<_>>()).expect("the raw results are written");
    let medians: Vec<Round> = measured.into_iter().map(median).collect();
    let nginx = servers.iter().position(|server| server.name == servers::NGINX_TO_NODE);
    let nginx = medians[nginx.expect("it is one of them")];
    println!("{rounds} rounds, {CONNECTIONS} connections; in brackets: against nginx → node");
    println!("{:22}{:>17}{:>18}{:>20}{:>14}", "", "requests/s", "p99 ms", "CPU µs", "proxy's µs");
    for (server, it) in servers.iter().zip(&medians) {
        let cell = |value: f64, base: f64, digits: usize| {
            format!("{value:.digits$} ({:.2})", value / base)
        };
        println!(
            "{:22}{:>17}{:>18}{:>20}{:>14.1}",
            server.name,
            cell(it.rate, nginx.rate, 0),
            cell(it.p99 * 1e3, nginx.p99 * 1e3, 2),
            cell(it.cpu * 1e6, nginx.cpu * 1e6, 1),
            it.proxy_cpu * 1e6,
        );
    }
}

/// One round of one server: requests a second, and seconds.
#[derive(Clone, Copy, Debug)]
struct Round {
    rate: f64,
    p99: f64,
    cpu: f64,
    proxy_cpu: f64,
}

impl Round {
    fn told(&self, server: &Server) -> raw::AnchorRound {
        raw::AnchorRound {
            server: server.name.to_owned(),
            rate: self.rate,
            p99_ms: self.p99 * 1e3,
            cpu_us: self.cpu * 1e6,
            proxy_cpu_us: self.proxy_cpu * 1e6,
            memory_mib: server.memory(),
        }
    }
}

fn round(server: &Server) -> Round {
    let (cpu, proxy_cpu) = (server.cpu(), server.proxy_cpu());
    let load = Load::to(server.address).clients(CONNECTIONS, Style::get("/")).lasting(ROUND);
    let tally = load.start().expect("a thread").wait().total();
    assert_eq!(tally.lost(), 0, "{}: {tally:?}", server.name);
    let requests = tally.requests() as f64;
    let each = |spent: Duration| spent.as_secs_f64() / requests;
    Round {
        rate: requests / ROUND.as_secs_f64(),
        p99: tally.p99().as_secs_f64(),
        cpu: each(server.cpu() - cpu),
        proxy_cpu: each(server.proxy_cpu() - proxy_cpu),
    }
}

fn median(rounds: Vec<Round>) -> Round {
    let of = |value: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Round {
        rate: of(|it| it.rate),
        p99: of(|it| it.p99),
        cpu: of(|it| it.cpu),
        proxy_cpu: of(|it| it.proxy_cpu),
    }
}

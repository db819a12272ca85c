//! What 2,000 connections that send a byte a second cost the clients beside them.
//!
//! One worker of one thread; normal clients on keep-alive connections, as fast as they can and at
//! a steady pace, in alternating rounds without and with the slow ones. Printed: medians over the
//! rounds of p50 and p99, and the ratio of p99. Run: `cargo bench --all-features --bench slow_clients`.

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use rollctl::load::{Load, Slow, Style};
use rollctl::worker::{Config, Worker, app};

const CROWD: usize = 2_000;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);

fn main() {
    // `cargo test --all-targets` runs benches too, without this; they prove nothing there.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let address = start_worker();
    let paced = Style::get("/").think(Duration::from_millis(2));
    for (name, style, clients) in [("at full speed", Style::get("/"), 8), ("paced", paced, 8)] {
        let mut rounds = [vec![], vec![]];
        round(address, &style, clients);
        for _ in 0..ROUNDS {
            rounds[0].push(round(address, &style, clients));
            rounds[1].push(beside_a_crowd(address, || round(address, &style, clients)));
        }
        let [without, with] = rounds.map(Medians::of);
        println!("{name}, without: {without}\n{name}, with:    {with}");
        println!("{name}, ratio of p99: {:.2}", with.p99 / without.p99);
    }
}

fn start_worker() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let mut config = Config::default();
    config.listen = Some(address.to_string().parse().expect("an address"));
    let worker = Worker::new(config).expect("a worker");
    thread::spawn(|| {
        let app = app::BuiltIn::new(worker.about());
        worker.run(app).expect("a run");
    });
    address
}

/// Runs a round while every one of the crowd is sending, and sees that nobody was cut meanwhile.
fn beside_a_crowd<T>(address: SocketAddr, round: impl FnOnce() -> T) -> T {
    let crowd = Slow::to(address, CROWD).start().expect("a thread");
    let until = Instant::now() + Duration::from_secs(20);
    while crowd.open() < CROWD {
        assert!(Instant::now() < until, "only {} got in", crowd.open());
        thread::sleep(Duration::from_millis(10));
    }
    let result = round();
    assert_eq!(crowd.open(), CROWD, "the round was longer than the header timeout");
    crowd.stop_and_wait();
    result
}

/// Latencies in microseconds.
struct Round {
    requests: u64,
    p50: f64,
    p99: f64,
}

fn round(address: SocketAddr, style: &Style, clients: usize) -> Round {
    let load = Load::to(address).clients(clients, style.clone()).lasting(ROUND);
    let tally = load.start().expect("a thread").wait().total();
    assert_eq!(tally.lost(), 0, "{tally:?}");
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    Round { requests: tally.requests(), p50: micros(tally.p50()), p99: micros(tally.p99()) }
}

struct Medians {
    rate: f64,
    p50: f64,
    p99: f64,
}

impl Medians {
    fn of(rounds: Vec<Round>) -> Self {
        let median = |value: fn(&Round) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let rate = median(|round| round.requests as f64) / ROUND.as_secs_f64();
        Self { rate, p50: median(|round| round.p50), p99: median(|round| round.p99) }
    }
}

impl std::fmt::Display for Medians {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rate, p50, p99 } = self;
        write!(f, "{rate:.0} requests/s, p50 {p50:.0} µs, p99 {p99:.0} µs")
    }
}

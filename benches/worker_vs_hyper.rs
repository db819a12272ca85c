//! What the worker costs over a bare hyper server of the same app.
//!
//! Both serve on one thread of this process, loaded in turn by one client thread over the same
//! number of keep-alive connections. Printed: medians over the rounds of requests a second and of
//! CPU time a request, and their ratios. Run: `cargo bench --bench worker_vs_hyper`.

#[path = "support/bare.rs"]
mod bare;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(400);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: bench\r\naccept: */*\r\n\r\n";

fn main() {
    // `cargo test --all-targets` runs benches too, without this; they prove nothing there.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let worker = Server::start(serve_worker);
    let bare = Server::start(bare::serve);
    let mut clients = [worker.clients(), bare.clients()];
    for (server, clients) in [&worker, &bare].into_iter().zip(&mut clients) {
        server.round(clients);
    }
    let mut rounds = [vec![], vec![]];
    for _ in 0..ROUNDS {
        for (index, server) in [&worker, &bare].into_iter().enumerate() {
            rounds[index].push(server.round(&mut clients[index]));
        }
    }
    let [worker, bare] = rounds.map(Medians::of);
    println!("worker: {worker}\nbare:   {bare}");
    println!(
        "ratio:  {:.3} of the requests a second, {:.3} of the CPU a request",
        worker.rate / bare.rate,
        worker.cpu / bare.cpu
    );
}

fn serve_worker(address: SocketAddr) {
    let (worker, app) = bare::worker_at(&address.to_string());
    worker.run(app).expect("a run");
}

/// A server on a thread of its own, whose CPU time can be read.
struct Server {
    address: SocketAddr,
    schedstat: String,
}

impl Server {
    fn start(serve: impl FnOnce(SocketAddr) + Send + 'static) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            tell.send(fs::read_link("/proc/thread-self").expect("/proc")).expect("told");
            serve(address);
        });
        let thread = told.recv().expect("a thread");
        Self { address, schedstat: format!("/proc/{}/schedstat", thread.display()) }
    }

    fn cpu_time(&self) -> Duration {
        let text = fs::read_to_string(&self.schedstat).expect("schedstat");
        let on_cpu = text.split(' ').next().and_then(|first| first.parse().ok());
        Duration::from_nanos(on_cpu.expect("nanoseconds"))
    }

    fn clients(&self) -> Vec<TcpStream> {
        (0..CONNECTIONS).map(|_| self.client()).collect()
    }

    /// Each server binds its socket by itself, a moment after its thread has begun.
    fn client(&self) -> TcpStream {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            match TcpStream::connect(self.address) {
                Ok(client) => {
                    client.set_nodelay(true).expect("nodelay");
                    return client;
                }
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
        }
    }

    /// Asks on every connection, then reads every answer, for the length of a round.
    fn round(&self, clients: &mut [TcpStream]) -> Round {
        let (begun, cpu) = (Instant::now(), self.cpu_time());
        let mut requests = 0;
        let mut buffer = vec![0; 16 * 1024];
        while begun.elapsed() < ROUND {
            for client in clients.iter_mut() {
                client.write_all(REQUEST).expect("a request");
            }
            for client in clients.iter_mut() {
                // An answer is far smaller than a segment of loopback, so it comes in one piece.
                let read = client.read(&mut buffer).expect("an answer");
                assert!(buffer[..read].starts_with(b"HTTP/1.1 200 OK\r\n"));
                assert!(buffer[..read].ends_with(b"</table>\n"));
                requests += 1;
            }
        }
        Round { requests, took: begun.elapsed(), cpu: self.cpu_time() - cpu }
    }
}

struct Round {
    requests: u32,
    took: Duration,
    cpu: Duration,
}

struct Medians {
    /// Requests a second.
    rate: f64,
    /// CPU seconds a request.
    cpu: f64,
}

impl Medians {
    fn of(rounds: Vec<Round>) -> Self {
        let rate = |round: &Round| f64::from(round.requests) / round.took.as_secs_f64();
        let cpu = |round: &Round| round.cpu.as_secs_f64() / f64::from(round.requests);
        Self { rate: median(rounds.iter().map(rate)), cpu: median(rounds.iter().map(cpu)) }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl std::fmt::Display for Medians {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} requests/s, {:.2} µs of CPU a request", self.rate, self.cpu * 1e6)
    }
}

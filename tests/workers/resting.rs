//! Connections that stay idle give their buffers back, and their clients do not notice.

use std::time::{Duration, Instant};

use crate::support::client::{get, is_ok};
use crate::support::{PATIENCE, Start};

const CLIENTS: usize = 500;
/// What hyper has of each, at least: what it reads into.
const BUFFERS: u64 = 8 * CLIENTS as u64;

#[test]
fn idle_connections_give_their_buffers_back_and_are_served_on() {
    // What is free goes back to the system at once.
    let worker = Start::worker().on_tcp().env("MIMALLOC_PURGE_DELAY", "0").ready();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| worker.client()).collect();
    clients.iter_mut().for_each(|client| is_ok(&client.asks("/")));
    let (busy, until) = (worker.resident_kib(), Instant::now() + PATIENCE);
    loop {
        // By asking, too: an allocator that is not called gives nothing back.
        worker.until("worker_connections{state=\"idle\"}", CLIENTS as u64);
        let resting = worker.resident_kib();
        if resting + BUFFERS < busy {
            break;
        }
        assert!(Instant::now() < until, "{resting} KiB after a while, {busy} before");
        std::thread::sleep(Duration::from_millis(50));
    }
    clients.iter_mut().for_each(|client| client.sends(&get("/")[..9]));
    clients.iter_mut().for_each(|client| {
        client.sends(get("/")[9..].to_owned() + &get("/"));
        is_ok(&client.reads());
        is_ok(&client.reads());
    });
    worker.is_told_to_go();
    clients.iter_mut().for_each(|client| client.sees_clean_end());
    worker.ends_well();
}

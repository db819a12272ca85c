//! The worker's memory: idle, with many idle connections, and while much passes through it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Process, mebibytes};
use crate::servers::{free_address, fronting, wait_for};

const IDLE: usize = 1_000;
/// After 5 s the worker gives their buffers back, and some 10 s later its allocator does.
const LONG_QUIET: Duration = Duration::from_secs(25);
const BODY: usize = 1 << 30;

pub(crate) fn print() {
    let address = free_address();
    let worker = fronting(address, &[]);
    wait_for(address);
    ask(address);
    println!("\nthe worker's memory, resident: {:.1} MiB idle", resident(&worker));
    let idle: Vec<TcpStream> = (0..IDLE).map(|_| ask(address)).collect();
    println!("with {IDLE} keep-alive connections: {:.1} MiB", resident(&worker));
    let until = Instant::now() + LONG_QUIET;
    while Instant::now() < until {
        ask(address);
        thread::sleep(Duration::from_millis(100));
    }
    println!("when they have been idle for {LONG_QUIET:?}: {:.1} MiB", resident(&worker));
    drop(idle);
    // The peak from here on; 5 resets it (proc(5)).
    fs::write(format!("/proc/{}/clear_refs", worker.id()), "5").expect("a reset of the peak");
    echo(address);
    let peak = mebibytes(worker.id(), "status", "VmHWM").expect("it runs");
    println!("1 GiB up and down again at the same time: {peak:.1} MiB at most");
}

fn resident(worker: &Process) -> f64 {
    mebibytes(worker.id(), "status", "VmRSS").expect("it runs")
}

/// A connection that has been answered once and stays open.
fn ask(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("a connection");
    client.write_all(b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n").expect("a request");
    let mut seen = Vec::new();
    while !seen.ends_with(b"hello\n") {
        let mut piece = [0; 4096];
        let read = client.read(&mut piece).expect("an answer");
        assert_ne!(read, 0, "no whole answer");
        seen.extend(&piece[..read]);
    }
    client
}

fn echo(address: SocketAddr) {
    let mut client = TcpStream::connect(address).expect("a connection");
    let mut sender = client.try_clone().expect("a descriptor");
    let sending = thread::spawn(move || {
        let head = format!(
            "POST /echo HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-length: {BODY}\r\n\r\n"
        );
        sender.write_all(head.as_bytes()).expect("a head");
        let piece = vec![b'x'; 1 << 20];
        (0..BODY >> 20).for_each(|_| sender.write_all(&piece).expect("a piece"));
    });
    let (mut back, mut piece) = (0, vec![0; 1 << 20]);
    loop {
        match client.read(&mut piece).expect("a piece") {
            0 => break,
            read => back += piece[..read].iter().filter(|byte| **byte == b'x').count(),
        }
    }
    sending.join().expect("all was sent");
    assert!(back >= BODY, "only {back} bytes came back");
}

//! Health: asked of a unix socket, and told by a tiny server of the story's own.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LIMIT: Option<Duration> = Some(Duration::from_secs(5));

/// The status and the rest of the answer to a GET at a unix socket.
pub fn get(socket: &Path, path: &str) -> Result<(u16, String)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(LIMIT)?;
    stream.set_write_timeout(LIMIT)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.unwrap_or_default(), answer))
}

/// Answers every request with 200 while it is well, and with 503 while it is not.
pub struct HealthServer {
    address: SocketAddr,
    is_well: Arc<AtomicBool>,
}

impl HealthServer {
    pub fn sick() -> Self {
        Self::begin(false)
    }

    pub fn well() -> Self {
        Self::begin(true)
    }

    fn begin(is_well: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_well = Arc::new(AtomicBool::new(is_well));
        let seen = is_well.clone();
        // Ends with the process: nobody connects to it after the story.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that went away needs no answer.
                let _ = answer_health(stream, seen.load(Ordering::SeqCst));
            }
        });
        Self { address, is_well }
    }

    /// The address to ask, another for each instance.
    pub fn url(&self) -> String {
        format!("http://{}/%i", self.address)
    }

    pub fn is_well_now(&self) {
        self.is_well.store(true, Ordering::SeqCst);
    }

    pub fn is_sick_now(&self) {
        self.is_well.store(false, Ordering::SeqCst);
    }
}

fn answer_health(stream: TcpStream, is_well: bool) -> Result<()> {
    stream.set_read_timeout(LIMIT)?;
    answer(stream, if is_well { "200 OK" } else { "503 Service Unavailable" }, "")
}

/// Answers every request at this unix socket so, until the test ends.
pub fn answer_at(socket: &Path, status: &'static str, body: &'static str) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that went away needs no answer.
            let _ = stream.set_read_timeout(LIMIT).and_then(|()| answer(stream, status, body));
        }
    });
}

fn answer(mut stream: impl Read + Write, status: &str, body: &str) -> Result<()> {
    let head = BufReader::new(&mut stream).lines().map_while(Result::ok);
    head.take_while(|line| !line.is_empty()).for_each(drop);
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n")?;
    write!(stream, "Connection: close\r\n\r\n{body}")
}

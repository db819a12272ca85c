//! A client of raw bytes, that tells how a connection ends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use socket2::{Domain, Socket, Type};

use super::PATIENCE;

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One connection.
pub struct Client {
    stream: Box<dyn Stream>,
    tcp: Option<TcpStream>,
    unread: Vec<u8>,
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The server closed its side, after these bytes.
    Closed(String),
    /// The server reset it, after these bytes.
    Reset(String),
}

impl Client {
    pub fn tcp(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).unwrap())
    }

    /// One that lets the kernel keep little of what it has not read.
    pub fn with_a_small_window(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(128 << 10).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::of(socket.into())
    }

    fn of(tcp: TcpStream) -> Self {
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        let again = tcp.try_clone().unwrap();
        Self { stream: Box::new(tcp), tcp: Some(again), unread: vec![] }
    }

    pub fn unix(path: &Path) -> Self {
        let unix = UnixStream::connect(path).unwrap();
        unix.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: Box::new(unix), tcp: None, unread: vec![] }
    }

    #[track_caller]
    pub fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends as much as goes before the server has had enough.
    pub fn sends_what_goes(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Its own end, which tells it from others.
    pub fn address(&self) -> SocketAddr {
        self.tcp.as_ref().unwrap().local_addr().unwrap()
    }

    pub fn closes_its_side(&self) {
        // A server that has closed already is told nothing new.
        let _ = self.tcp.as_ref().unwrap().shutdown(Shutdown::Write);
    }

    #[track_caller]
    pub fn asks(&mut self, path: &str) -> String {
        self.sends(get(path));
        self.reads()
    }

    /// Reads one response with a Content-Length.
    #[track_caller]
    pub fn reads(&mut self) -> String {
        let head = self.reads_until(b"\r\n\r\n");
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
        });
        let body = self.reads_bytes(length.unwrap_or_else(|| panic!("no length in {head:?}")));
        head + &String::from_utf8_lossy(&body)
    }

    #[track_caller]
    pub fn reads_until(&mut self, end: &[u8]) -> String {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                let rest = self.unread.split_off(at + end.len());
                let read = std::mem::replace(&mut self.unread, rest);
                return String::from_utf8_lossy(&read).into_owned();
            }
            self.reads_more();
        }
    }

    #[track_caller]
    pub fn reads_bytes(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            self.reads_more();
        }
        let rest = self.unread.split_off(length);
        std::mem::replace(&mut self.unread, rest)
    }

    #[track_caller]
    fn reads_more(&mut self) {
        let mut buffer = [0; 4096];
        let read = read(&mut self.stream, &mut buffer);
        let text = String::from_utf8_lossy(&self.unread[..self.unread.len().min(500)]);
        let read = read.unwrap_or_else(|error| panic!("{error} after {text:?}"));
        assert_ne!(read, 0, "the connection ended after {text:?}");
        self.unread.extend(&buffer[..read]);
    }

    /// Waits for bytes (true) or the end of the connection (false).
    pub fn has_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        if self.unread.is_empty() {
            let read = read(&mut self.stream, &mut buffer).unwrap();
            self.unread.extend(&buffer[..read]);
        }
        !self.unread.is_empty()
    }

    /// As [`Client::has_more`], of a connection that may be reset.
    pub fn has_more_or_ended(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match read(&mut self.stream, &mut buffer) {
            Ok(read) => self.unread.extend(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("neither an answer nor an end: {error}"),
        }
        !self.unread.is_empty()
    }

    /// Reads to the end of the connection.
    #[track_caller]
    pub fn sees_end(&mut self) -> End {
        let mut buffer = [0; 65536];
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        loop {
            match read(&mut self.stream, &mut buffer) {
                Ok(0) => return End::Closed(text(&self.unread)),
                Ok(read) => self.unread.extend(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return End::Reset(text(&self.unread));
                }
                Err(error) => panic!("{error} after {} bytes", self.unread.len()),
            }
        }
    }

    /// What is left before the end, closed or reset.
    #[track_caller]
    pub fn sees_end_text(&mut self) -> String {
        match self.sees_end() {
            End::Closed(text) | End::Reset(text) => text,
        }
    }

    #[track_caller]
    pub fn sees_clean_end(&mut self) {
        assert_eq!(self.sees_end(), End::Closed(String::new()));
    }
}

/// A read with a time limit is interrupted by signals that others would not see.
fn read(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

#[track_caller]
pub fn is_ok(response: &str) {
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
}

#[track_caller]
pub fn is_last(response: &str) {
    is_ok(response);
    assert!(response.contains("connection: close\r\n"), "{response}");
}

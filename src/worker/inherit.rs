//! The sockets to accept from: those that systemd passed, or one bound for trying it out; and what
//! the unit's last run left.

use std::env;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};

use listenfd::ListenFd;
use rustix::net::sockopt;

use super::handoff::{self, Left};
use super::{Address, Error};

/// One listening socket and the name its socket unit gave it.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
    pub(crate) is_tcp: bool,
}

impl Socket {
    /// Whether nobody else accepts from it: the socket unit is an instance (`worker@1.socket`). Its
    /// name comes with the socket, unless `FileDescriptorName=` says otherwise (systemd.socket(5)).
    pub(crate) fn is_of_one_instance(&self) -> bool {
        self.name.contains('@')
    }
}

/// What systemd passed.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    /// From the socket unit.
    pub(crate) sockets: Vec<Socket>,
    /// From the store of the unit: what its last run left there.
    pub(crate) lockers: Vec<Left>,
}

/// All that systemd passed, each checked; the socket at `listen` when there was none.
pub(crate) fn inherited(listen: Option<&Address>) -> Result<Inherited, Error> {
    let mut inherited = passed()?;
    match (inherited.sockets.len(), listen) {
        (0, None) => return Err(Error::NoSocket),
        (0, Some(address)) => inherited.sockets.push(bind(address)?),
        (_, None) => {}
        (passed, Some(address)) => return Err(Error::BothSockets(address.clone(), passed)),
    }
    Ok(inherited)
}

/// Takes all descriptors, not just the first: listenfd makes close-on-exec only what is taken.
fn passed() -> Result<Inherited, Error> {
    check_count()?;
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').map(str::to_owned);
    let mut passed = ListenFd::from_env();
    let mut inherited = Inherited::default();
    for index in 0..passed.len() {
        let name = names.next().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| "unnamed".to_owned());
        let bad = |why: String| Error::Inherited { fd: index + 3, name: name.clone(), why };
        if handoff::is_locker(&name) {
            let socket = take_locker(&mut passed, index).map_err(bad)?;
            inherited.lockers.push(Left { name, socket });
            continue;
        }
        let (fd, is_tcp) = take(&mut passed, index).map_err(bad)?;
        check_listening(&fd).map_err(bad)?;
        inherited.sockets.push(Socket { name, fd, is_tcp });
    }
    Ok(inherited)
}

fn take_locker(passed: &mut ListenFd, index: usize) -> Result<UnixDatagram, String> {
    let taken = passed.take_unix_datagram(index).ok().flatten();
    taken.ok_or_else(|| "is not one of ours, as its name says (rename it)".to_owned())
}

/// listenfd allocates what `LISTEN_FDS` says, so it must not say nonsense.
fn check_count() -> Result<(), Error> {
    match env::var("LISTEN_FDS") {
        Ok(text) => match text.parse::<u16>() {
            Ok(count) if count <= 1024 => Ok(()),
            _ => Err(Error::value("LISTEN_FDS", format!("{text:?} is not a count up to 1024"))),
        },
        Err(_) => Ok(()),
    }
}

fn take(passed: &mut ListenFd, index: usize) -> Result<(OwnedFd, bool), String> {
    if let Ok(Some(tcp)) = passed.take_tcp_listener(index) {
        return Ok((tcp.into(), true));
    }
    match passed.take_unix_listener(index) {
        Ok(Some(unix)) => Ok((unix.into(), false)),
        _ => {
            Err("is not a TCP or unix stream socket (use ListenStream= in the socket unit)".into())
        }
    }
}

fn check_listening(fd: &OwnedFd) -> Result<(), String> {
    match sockopt::socket_acceptconn(fd) {
        Ok(true) => Ok(()),
        Ok(false) => Err("is not listening (is Accept=yes set in the socket unit?)".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn bind(address: &Address) -> Result<Socket, Error> {
    let bound = match address {
        Address::Tcp(tcp) => TcpListener::bind(tcp).map(OwnedFd::from),
        Address::Unix(path) => bind_unix(path).map(OwnedFd::from),
    };
    let fd = bound.map_err(|error| Error::Bind(address.clone(), error))?;
    let is_tcp = matches!(address, Address::Tcp(_));
    Ok(Socket { name: address.to_string(), fd, is_tcp })
}

/// Binds a unix socket, in the place of one that nobody listens on any more.
pub(crate) fn bind_unix(path: &std::path::Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

/// Removes a unix socket that nobody listens on any more.
pub(crate) fn remove_stale(path: &std::path::Path) {
    if is_stale(path) {
        let _ = fs::remove_file(path);
    }
}

fn is_stale(path: &std::path::Path) -> bool {
    use std::os::unix::net::UnixStream;
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    UnixStream::connect(path).err().is_some_and(refused)
}

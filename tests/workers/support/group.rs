//! Several workers on one socket, with directories beside each other, and what takes the place of
//! one to do as no worker would.

use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rollctl::handoff::{Conn, Frame, Hello, MAX_MESSAGE};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketType, accept, bind, connect, listen,
    recvmsg, sendmsg, socket,
};
use tempfile::TempDir;

use super::{PATIENCE, Start};

/// A group, and the socket its workers share.
pub struct Group {
    dir: TempDir,
    socket: OwnedFd,
    address: Option<std::net::SocketAddr>,
}

impl Group {
    pub fn on_tcp() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().ok();
        Self { dir: tempfile::tempdir().unwrap(), socket: listener.into(), address }
    }

    pub fn on_unix() -> (Self, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.sock");
        let socket = UnixListener::bind(&path).unwrap().into();
        (Self { dir, socket, address: None }, path)
    }

    fn home(&self, name: &str) -> PathBuf {
        let home = self.dir.path().join(name);
        fs::create_dir_all(&home).unwrap();
        home
    }

    /// An instance of this name.
    pub fn worker(&self, name: &str) -> Start {
        self.joins(Start::worker(), name)
    }

    /// One that does not ask for its share when it starts: all that it gets is from drains.
    pub fn taker(&self, name: &str) -> Start {
        self.worker(name).args("--balance no")
    }

    pub fn joins(&self, start: Start, name: &str) -> Start {
        let mut start = start.socket(self.socket.try_clone().unwrap());
        start.address = self.address;
        start.at_home_in(self.home(name)).env("WORKER_INSTANCE", name)
    }

    /// Somebody who will be taken for an instance.
    pub fn impostor(&self, name: &str) -> Impostor {
        let path = self.home(name).join("handoff.sock");
        let listener = seqpacket();
        bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&listener, 8).unwrap();
        Impostor { listener, group: self.id() }
    }

    /// Writes what an instance would have on the board.
    pub fn puts_on_the_board(&self, name: &str, bytes: &[u8]) -> fs::File {
        let path = self.home(name).join("board");
        fs::write(&path, bytes).unwrap();
        fs::File::open(path).unwrap()
    }

    pub fn has_on_the_board(&self, name: &str) -> bool {
        self.home(name).join("board").exists()
    }

    /// A link to an instance, and what it says first.
    pub fn calls(&self, name: &str) -> (Link, Vec<u8>) {
        let link = Link(seqpacket());
        let path = self.home(name).join("handoff.sock");
        connect(&link.0, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        let (hello, _) = link.reads();
        (link, hello)
    }

    /// The first word of one that has room, and no connections.
    pub fn hello(&self) -> Vec<u8> {
        self.hello_of(0)
    }

    /// The same of one that has so many.
    pub fn hello_of(&self, connections: u32) -> Vec<u8> {
        hello(self.id(), connections)
    }

    pub fn id(&self) -> u64 {
        sockopt::socket_cookie(&self.socket).unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Listens where siblings are looked for.
pub struct Impostor {
    listener: OwnedFd,
    group: u64,
}

impl Impostor {
    /// Waits to be called, and says that it has room.
    pub fn is_called(&self) -> Link {
        self.is_called_and_says(&self.hello())
    }

    pub fn is_called_and_says(&self, hello: &[u8]) -> Link {
        sockopt::set_socket_timeout(&self.listener, Timeout::Recv, Some(PATIENCE)).unwrap();
        let link = Link(accept(&self.listener).unwrap());
        sockopt::set_socket_timeout(&link.0, Timeout::Recv, Some(PATIENCE)).unwrap();
        link.says(hello, &[]);
        link
    }

    pub fn hello(&self) -> Vec<u8> {
        hello(self.group, 0)
    }
}

fn hello(group: u64, connections: u32) -> Vec<u8> {
    Frame::Hello(Hello { group, connections, room: 1000 }).encode()
}

/// One end of a link.
pub struct Link(OwnedFd);

impl Link {
    pub fn says(&self, bytes: &[u8], fds: &[&OwnedFd]) {
        let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(fds.is_empty() || control.push(SendAncillaryMessage::ScmRights(&fds)));
        sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
    }

    /// One message, and what came with it; nothing at the end.
    pub fn reads(&self) -> (Vec<u8>, Vec<OwnedFd>) {
        sockopt::set_socket_timeout(&self.0, Timeout::Recv, Some(PATIENCE)).unwrap();
        let mut bytes = vec![0; MAX_MESSAGE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(&self.0, &mut slices, &mut control, flags).unwrap();
        let fds = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds.collect::<Vec<_>>()),
            _ => None,
        });
        let fds = fds.flatten().collect();
        bytes.truncate(received.bytes);
        (bytes, fds)
    }

    pub fn is_given(&self) -> (u32, Vec<OwnedFd>) {
        let (bytes, fds) = self.reads();
        let Ok(Frame::Conns { seq, conns }) = Frame::decode(&bytes) else {
            panic!("not connections: {bytes:?}")
        };
        assert_eq!(conns.len(), fds.len());
        (seq, fds)
    }

    pub fn asks_for(&self, wanted: u16) {
        self.says(&Frame::Pull { wanted }.encode(), &[]);
    }

    #[track_caller]
    pub fn is_asked_for(&self, wanted: u16) {
        assert!(matches!(Frame::decode(&self.reads().0), Ok(Frame::Hello(_))));
        assert_eq!(Frame::decode(&self.reads().0), Ok(Frame::Pull { wanted }));
    }

    pub fn acknowledges(&self, seq: u32, taken: u16) {
        self.says(&Frame::Ack { seq, taken }.encode(), &[]);
    }

    /// Gives connections, with nothing read of them.
    pub fn gives(&self, seq: u32, fds: &[&OwnedFd], unread: &[u8]) {
        let record = Default::default();
        let conns = fds.iter().map(|_| Conn { record, unread }).collect();
        self.says(&Frame::Conns { seq, conns }.encode(), fds);
    }
}

fn seqpacket() -> OwnedFd {
    socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap()
}

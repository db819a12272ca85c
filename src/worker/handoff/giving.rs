//! Giving connections away in the drain.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::parcel::Parcel;
use super::siblings::Sibling;
use super::socket::Link;
use crate::handoff::{Conn, Frame, Giver, Sending};
use crate::worker::connections::Connections;

/// When to try again what the kernel did not take, should no answer come before.
const BLOCKED: Duration = Duration::from_millis(10);

/// What came on a link.
#[derive(Debug)]
enum News {
    Answer { link: usize, seq: u32, taken: u16 },
    Ended { link: usize },
}

struct Giving {
    giver: Giver<Parcel>,
    links: Vec<Arc<Link>>,
    connections: Arc<Connections>,
    is_blocked: bool,
}

/// Gives what comes out of the outbox to `siblings`, until it is dropped.
pub(crate) fn give(
    siblings: Vec<Sibling>,
    parcels: UnboundedReceiver<Parcel>,
    connections: &Arc<Connections>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let mut giver = Giver::default();
    let (tell, news) = unbounded_channel();
    let mut links = Vec::new();
    for (id, Sibling { link, hello }) in siblings.into_iter().enumerate() {
        let link = Arc::new(link);
        giver.open(id, hello.connections);
        tasks.spawn(listen(id, link.clone(), tell.clone()));
        links.push(link);
    }
    let giving = Giving { giver, links, connections: connections.clone(), is_blocked: false };
    tasks.spawn(giving.run(parcels, news));
    tasks
}

/// Reads a link to its end: answers may still be in it when the sibling is gone.
async fn listen(link: usize, socket: Arc<Link>, tell: UnboundedSender<News>) {
    while let Ok(Some(packet)) = socket.receive().await {
        let Ok(Frame::Ack { seq, taken }) = Frame::decode(&packet.bytes) else { break };
        let _ = tell.send(News::Answer { link, seq, taken });
    }
    let _ = tell.send(News::Ended { link });
}

impl Giving {
    async fn run(
        mut self,
        mut parcels: UnboundedReceiver<Parcel>,
        mut news: UnboundedReceiver<News>,
    ) {
        let deadline = self.connections.deadline.clone();
        loop {
            tokio::select! {
                () = deadline.cancelled() => return self.give_up(),
                Some(news) = news.recv() => self.learn(news),
                Some(parcel) = parcels.recv() => {
                    self.giver.offer(parcel);
                    while let Ok(parcel) = parcels.try_recv() {
                        self.giver.offer(parcel);
                    }
                }
                () = sleep(BLOCKED), if self.is_blocked => self.giver.unblock(),
                else => return,
            }
            self.send_all();
            self.keep_the_stranded();
        }
    }

    fn learn(&mut self, news: News) {
        match news {
            News::Ended { link } => self.giver.ended(link),
            News::Answer { link, seq, taken } => match self.giver.acknowledged(link, seq, taken) {
                Ok(given) => given.into_iter().for_each(Parcel::given),
                Err(fault) => {
                    tracing::error!("a sibling answered what it was not sent: link {link}");
                    self.connections.metrics.lost.inc_by(fault.0.len() as u64);
                    fault.0.into_iter().for_each(Parcel::given);
                }
            },
        }
    }

    fn send_all(&mut self) {
        self.is_blocked = false;
        while let Some(sending) = self.giver.next_message() {
            match self.links[sending.link].send_now(&message(&sending), &descriptors(&sending)) {
                Ok(()) => self.giver.sent(sending),
                // The kernel limits the descriptors that a user has on their way.
                Err(Errno::AGAIN | Errno::TOOMANYREFS | Errno::NOBUFS | Errno::NOMEM) => {
                    self.giver.blocked(sending);
                    self.is_blocked = true;
                }
                Err(error) => {
                    tracing::debug!("link {} takes no more: {error}", sending.link);
                    self.giver.broken(sending);
                }
            }
        }
    }

    /// They are told only when no others would follow them.
    fn keep_the_stranded(&mut self) {
        if self.giver.has_takers() {
            return;
        }
        self.connections.stop_moving();
        self.giver.stranded().into_iter().for_each(Parcel::kept);
    }

    fn give_up(mut self) {
        let (waiting, sent) = self.giver.give_up();
        waiting.into_iter().for_each(Parcel::kept);
        if !sent.is_empty() {
            tracing::warn!("{} connections moved without an answer of their taker", sent.len());
        }
        sent.into_iter().for_each(Parcel::given);
    }
}

fn message(sending: &Sending<Parcel>) -> Vec<u8> {
    let conns = sending.batch.iter();
    let conns = conns.map(|it| Conn { record: it.record, unread: &it.unread }).collect();
    Frame::Conns { seq: sending.seq, conns }.encode()
}

fn descriptors(sending: &Sending<Parcel>) -> Vec<BorrowedFd<'_>> {
    sending.batch.iter().map(|parcel| parcel.fd.as_fd()).collect()
}

//! Giving connections away: all of them in the drain, some to a sibling that asks.

use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
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

/// How long those that are to go to one who asks have to come to rest; later they stay.
const CALL_LIMIT: Duration = Duration::from_secs(1);

/// What came on a link.
#[derive(Debug)]
enum News {
    Answer { link: usize, seq: u32, taken: u16 },
    Ended { link: usize },
}

struct Giving {
    giver: Giver<Parcel>,
    links: Vec<Arc<Link>>,
    parcels: UnboundedReceiver<Parcel>,
    news: UnboundedReceiver<News>,
    connections: Arc<Connections>,
    is_drain: bool,
    is_blocked: bool,
    /// They read the links, and end with this.
    _readers: JoinSet<()>,
}

/// In the drain: gives what comes out of the outbox to `siblings`, until it is dropped.
pub(crate) fn give(
    siblings: Vec<Sibling>,
    parcels: UnboundedReceiver<Parcel>,
    connections: &Arc<Connections>,
) -> JoinSet<()> {
    let giving = Giving::new(siblings, parcels, connections, true);
    [giving.run(Duration::MAX)].into_iter().collect()
}

/// Gives up to `most` connections to one who asks. That goes on by itself, also when the drain
/// begins: what is on its way is only to be taken back when the link has ended.
pub(super) fn let_go(asker: Sibling, most: usize, connections: &Arc<Connections>) {
    let (outbox, parcels) = unbounded_channel();
    connections.call(most, &outbox);
    tokio::spawn(Giving::new(vec![asker], parcels, connections, false).run(CALL_LIMIT));
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
    fn new(
        siblings: Vec<Sibling>,
        parcels: UnboundedReceiver<Parcel>,
        connections: &Arc<Connections>,
        is_drain: bool,
    ) -> Self {
        let (mut giver, mut links, mut readers) = (Giver::default(), vec![], JoinSet::new());
        let (tell, news) = unbounded_channel();
        for (id, Sibling { link, hello }) in siblings.into_iter().enumerate() {
            let link = Arc::new(link);
            giver.open(id, hello.connections);
            readers.spawn(listen(id, link.clone(), tell.clone()));
            links.push(link);
        }
        let connections = connections.clone();
        let (is_blocked, _readers) = (false, readers);
        Self { giver, links, parcels, news, connections, is_drain, is_blocked, _readers }
    }

    /// Gives what comes until nothing more can come, for `limit` at most, and hears what became of
    /// it.
    async fn run(mut self, limit: Duration) {
        let deadline = self.connections.deadline.clone();
        let mut limit = pin!(sleep(limit));
        let mut is_open = true;
        while is_open || !self.giver.is_idle() {
            tokio::select! {
                () = deadline.cancelled() => return self.give_up(),
                Some(news) = self.news.recv() => self.learn(news),
                parcel = self.parcels.recv(), if is_open => match parcel {
                    Some(parcel) => self.offer_with_all_behind(parcel),
                    None => is_open = false,
                },
                () = &mut limit, if !self.parcels.is_closed() => self.parcels.close(),
                () = sleep(BLOCKED), if self.is_blocked => self.giver.unblock(),
            }
            self.send_all();
            self.keep_the_stranded();
        }
    }

    fn offer_with_all_behind(&mut self, parcel: Parcel) {
        self.giver.offer(parcel);
        while let Ok(parcel) = self.parcels.try_recv() {
            self.giver.offer(parcel);
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
        match self.is_drain {
            true => self.connections.stop_moving(),
            false => self.parcels.close(),
        }
        self.giver.stranded().into_iter().for_each(Parcel::kept);
    }

    fn give_up(mut self) {
        self.parcels.close();
        while let Ok(parcel) = self.parcels.try_recv() {
            parcel.kept();
        }
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

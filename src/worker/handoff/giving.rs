//! Giving connections away: all of them in the drain, some to a sibling that asks.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use rustix::io::Errno;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Takers;
use super::parcel::{Parcel, descriptors, message};
use super::siblings::{Greeting, Sibling};
use super::socket::Link;
use super::store::Store;
use crate::handoff::{Frame, Giver};
use crate::worker::connections::Connections;

/// When to try again what the kernel did not take, should no answer come before.
const BLOCKED: Duration = Duration::from_millis(10);

/// How often it is looked whether what is in hand is finished.
const SETTLING: Duration = Duration::from_millis(5);
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
    late: Greeting,
    /// The last resort but one, in the drain.
    store: Asked,
    parcels: UnboundedReceiver<Parcel>,
    news: UnboundedReceiver<News>,
    tell: UnboundedSender<News>,
    connections: Arc<Connections>,
    is_drain: bool,
    is_blocked: bool,
    /// They read the links, and end with this.
    readers: JoinSet<()>,
}

/// What is known of systemd's store, the last resort but one.
#[derive(Debug)]
enum Asked {
    NotYet,
    Open(Store),
    Closed,
}

/// In the drain: gives what comes out of the outbox to `takers`, until it is dropped.
pub(crate) fn give(
    takers: Takers,
    parcels: UnboundedReceiver<Parcel>,
    connections: &Arc<Connections>,
) -> JoinSet<()> {
    let mut giving = Giving::new(parcels, connections, true);
    giving.late = takers.late;
    giving.store = match takers.store {
        Some(store) => Asked::Open(store),
        None if takers.siblings.is_empty() => Asked::Closed,
        None => Asked::NotYet,
    };
    takers.siblings.into_iter().for_each(|sibling| giving.join(sibling));
    [giving.run(Duration::MAX)].into_iter().collect()
}

/// Gives up to `most` connections to one who asks. That goes on by itself, also when the drain
/// begins: what is on its way is only to be taken back when the link has ended.
pub(super) fn let_go(asker: Sibling, most: usize, connections: &Arc<Connections>) {
    let (outbox, parcels) = unbounded_channel();
    connections.call(most, &outbox);
    let mut giving = Giving::new(parcels, connections, false);
    giving.join(asker);
    tokio::spawn(giving.run(CALL_LIMIT));
}

/// Reads a link to its end: answers may still be in it when the sibling is gone. What a newer one says
/// beside them is no end, for it may own what it was sent.
async fn listen(link: usize, socket: Arc<Link>, tell: UnboundedSender<News>) {
    while let Ok(Some(packet)) = socket.receive().await {
        if let Ok(Frame::Ack { seq, taken }) = Frame::decode(&packet.bytes) {
            let _ = tell.send(News::Answer { link, seq, taken });
        }
    }
    let _ = tell.send(News::Ended { link });
}

impl Giving {
    fn new(
        parcels: UnboundedReceiver<Parcel>,
        connections: &Arc<Connections>,
        is_drain: bool,
    ) -> Self {
        let (tell, news) = unbounded_channel();
        Self {
            giver: Giver::default(),
            links: Vec::new(),
            late: Greeting::none(),
            store: Asked::Closed,
            parcels,
            news,
            tell,
            connections: connections.clone(),
            is_drain,
            is_blocked: false,
            readers: JoinSet::new(),
        }
    }

    /// This one takes connections too, from now on.
    fn join(&mut self, Sibling { link, hello }: Sibling) {
        let id = self.links.len();
        let link = Arc::new(link);
        self.giver.open(id, hello.connections);
        self.readers.spawn(listen(id, link.clone(), self.tell.clone()));
        self.links.push(link);
        if self.is_drain && !self.connections.is_moving() {
            self.connections.start_moving();
        }
    }

    /// Gives what comes until nothing more can come, for `limit` at most, and hears what became of
    /// it.
    async fn run(mut self, limit: Duration) {
        let deadline = self.connections.deadline.clone();
        if matches!(self.store, Asked::Open(_)) {
            self.serve_until_settled().await;
        }
        self.leave_the_stranded().await;
        let mut limit = pin!(sleep(limit));
        let mut is_open = true;
        while is_open || !self.giver.is_idle() {
            tokio::select! {
                () = deadline.cancelled() => return self.give_up(),
                Some(news) = self.news.recv() => self.learn(news),
                Some(sibling) = self.late.next(), if !self.late.is_empty() => {
                    if sibling.has_room() {
                        self.join(sibling);
                    }
                }
                parcel = self.parcels.recv(), if is_open => match parcel {
                    Some(parcel) => self.offer_with_all_behind(parcel),
                    None => is_open = false,
                },
                () = &mut limit, if !self.parcels.is_closed() => self.parcels.close(),
                () = sleep(BLOCKED), if self.is_blocked => self.giver.unblock(),
            }
            self.send_all();
            self.leave_the_stranded().await;
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
            let message = message(sending.seq, &sending.batch);
            match self.links[sending.link].send_now(&message, &descriptors(&sending.batch)) {
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

    /// What no sibling takes goes to systemd, for the next run of the unit; or it is kept.
    async fn leave_the_stranded(&mut self) {
        if self.giver.has_takers() {
            return;
        }
        if matches!(self.store, Asked::NotYet) {
            self.store = Store::open().await.map_or(Asked::Closed, Asked::Open);
            if matches!(self.store, Asked::Open(_)) {
                return self.serve_until_settled().await;
            }
        }
        while let Asked::Open(store) = &mut self.store {
            let batch = self.giver.stranded_batch();
            if batch.is_empty() {
                return;
            }
            if let Err(batch) = store.put(batch).await {
                batch.into_iter().for_each(|parcel| self.giver.offer(parcel));
                self.store = Asked::Closed;
            }
        }
        match self.is_drain {
            // They are told only when no others would follow them.
            true => self.connections.stop_moving(),
            false => self.parcels.close(),
        }
        self.giver.stranded().into_iter().for_each(Parcel::kept);
    }

    /// No sibling is there, and systemd is: what has come is served until what is in hand is finished.
    async fn serve_until_settled(&mut self) {
        self.connections.wait_to_move();
        while let Ok(parcel) = self.parcels.try_recv() {
            parcel.kept();
        }
        self.giver.stranded().into_iter().for_each(Parcel::kept);
        settle(&self.connections).await;
        self.connections.start_moving();
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

/// What is with systemd waits until the next run is ready, and so until this one has ended. So what
/// is in hand is finished first, while the others are served as ever.
async fn settle(connections: &Connections) {
    let in_hand = connections.in_hand();
    let finished = async {
        while connections.has_still_in_hand(&in_hand) {
            sleep(SETTLING).await;
        }
    };
    let limit = timeout(connections.linger(), finished);
    // Nobody waits beyond the drain's deadline.
    let _ = select(pin!(limit), pin!(connections.deadline.cancelled())).await;
}

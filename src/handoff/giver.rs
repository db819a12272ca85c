//! The giving end of all links: what waits, what was sent to whom, and what became of it.

use std::collections::{BTreeMap, VecDeque};

use super::frame::payload;
use super::{MAX_BATCH, MAX_PAYLOAD, WINDOW};

/// What is to be given, or a stand-in for it.
pub trait Cargo {
    /// How many bytes go with it.
    fn unread(&self) -> usize;
}

/// The connections that a process wants to give away.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Giver<C> {
    waiting: VecDeque<C>,
    links: BTreeMap<usize, Link<C>>,
    max_batch: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Link<C> {
    /// The connections that the taker has, as far as we know.
    load: u32,
    sent: VecDeque<Vec<C>>,
    /// The number of the first of them.
    first: u32,
    /// Nothing more can be sent until something is acknowledged, or the socket takes more.
    is_blocked: bool,
    /// Nothing more is to be sent on it: the taker has refused, or is gone.
    is_closing: bool,
}

/// A message that is being sent.
#[derive(Debug)]
pub struct Sending<C> {
    /// On which link.
    pub link: usize,
    /// Its number there.
    pub seq: u32,
    /// What goes with it.
    pub batch: Vec<C>,
}

/// An acknowledgement of something that was not sent. What is under way on the link may be owned by
/// either side, so it is abandoned: better lost than answered twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault<C>(pub Vec<C>);

impl<C> Default for Giver<C> {
    fn default() -> Self {
        Self::with_batches_of(MAX_BATCH)
    }
}

impl<C> Giver<C> {
    /// Sends at most so many in a message.
    pub fn with_batches_of(max_batch: usize) -> Self {
        Self { waiting: VecDeque::new(), links: BTreeMap::new(), max_batch }
    }

    /// A taker of our group, with so many connections, is at the other end of a new link.
    pub fn open(&mut self, link: usize, load: u32) {
        let sent = VecDeque::new();
        let new = Link { load, sent, first: 1, is_blocked: false, is_closing: false };
        self.links.insert(link, new);
    }

    /// This one is to be given away.
    pub fn offer(&mut self, cargo: C) {
        self.waiting.push_back(cargo);
    }

    /// Whether anybody may still take something.
    pub fn has_takers(&self) -> bool {
        self.links.values().any(|link| !link.is_closing)
    }

    /// Whether nothing waits and nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.links.values().all(|link| link.sent.is_empty())
    }

    /// The message was sent; what it had waits for its acknowledgement.
    pub fn sent(&mut self, sending: Sending<C>) {
        match self.links.get_mut(&sending.link) {
            Some(link) => link.sent.push_back(sending.batch),
            None => self.wait_first(sending.batch),
        }
    }

    /// The kernel takes no more just now: the message was not sent, and is to be tried again after
    /// [`Giver::unblock`] or an acknowledgement.
    pub fn blocked(&mut self, sending: Sending<C>) {
        self.unsent(sending, |link| link.is_blocked = true);
    }

    /// The link is broken: the message was not sent. The link is still to be read to its end.
    pub fn broken(&mut self, sending: Sending<C>) {
        self.unsent(sending, |link| link.is_closing = true);
    }

    fn unsent(&mut self, sending: Sending<C>, note: impl FnOnce(&mut Link<C>)) {
        if let Some(link) = self.links.get_mut(&sending.link) {
            link.load = link.load.saturating_sub(sending.batch.len() as u32);
            note(link);
        }
        self.wait_first(sending.batch);
    }

    /// It may be tried again.
    pub fn unblock(&mut self) {
        self.links.values_mut().for_each(|link| link.is_blocked = false);
    }

    /// The taker has acknowledged the first `taken` of a message; returns them: they are given. The
    /// rest of the message is the giver's again, and goes to somebody else.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the link is not to be used any more.
    pub fn acknowledged(&mut self, link: usize, seq: u32, taken: u16) -> Result<Vec<C>, Fault<C>> {
        let Some(known) = self.links.get_mut(&link) else { return Err(Fault(Vec::new())) };
        let taken = usize::from(taken);
        let is_sound = seq == known.first && known.sent.front().is_some_and(|b| taken <= b.len());
        if !is_sound {
            return Err(self.fault(link));
        }
        let mut given = known.sent.pop_front().unwrap_or_default();
        known.first = known.first.wrapping_add(1);
        let refused = given.split_off(taken);
        known.is_closing |= !refused.is_empty();
        self.unblock();
        self.wait_first(refused);
        Ok(given)
    }

    fn fault(&mut self, link: usize) -> Fault<C> {
        let link = self.links.remove(&link);
        self.unblock();
        Fault(link.into_iter().flat_map(|link| link.sent).flatten().collect())
    }

    /// The link was read to its end: whatever the taker did not acknowledge it does not have.
    pub fn ended(&mut self, link: usize) {
        let Some(link) = self.links.remove(&link) else { return };
        self.unblock();
        for batch in link.sent.into_iter().rev() {
            self.wait_first(batch);
        }
    }

    /// What nobody will take: it stays with the giver.
    pub fn stranded(&mut self) -> Vec<C> {
        match self.has_takers() {
            true => Vec::new(),
            false => self.waiting.drain(..).collect(),
        }
    }

    /// No more is sent. What waits stays with the giver; what is on its way is abandoned, for the
    /// taker may have it: the giver must not touch it again.
    pub fn give_up(&mut self) -> (Vec<C>, Vec<C>) {
        let waiting = self.waiting.drain(..).collect();
        let links = std::mem::take(&mut self.links).into_values();
        (waiting, links.flat_map(|link| link.sent).flatten().collect())
    }

    fn wait_first(&mut self, batch: Vec<C>) {
        batch.into_iter().rev().for_each(|cargo| self.waiting.push_front(cargo));
    }
}

impl<C: Cargo> Giver<C> {
    /// The next message to send, to the taker with the fewest connections. It must come back by
    /// [`Giver::sent`], [`Giver::blocked`] or [`Giver::broken`].
    pub fn next_message(&mut self) -> Option<Sending<C>> {
        let takers = self.links.values().filter(|link| !link.is_closing).count();
        let size = self.waiting.len().div_ceil(takers.max(1)).min(self.max_batch);
        let size = self.fitting(size);
        let able = self.links.iter_mut().filter(|(_, link)| link.is_able());
        let (id, link) = able.min_by_key(|(_, link)| link.load).filter(|_| size > 0)?;
        link.load = link.load.saturating_add(size as u32);
        let seq = link.first.wrapping_add(link.sent.len() as u32);
        Some(Sending { link: *id, seq, batch: self.waiting.drain(..size).collect() })
    }

    /// As much of what nobody will take as goes into one message: for whoever keeps it till later.
    pub fn stranded_batch(&mut self) -> Vec<C> {
        let size = if self.has_takers() { 0 } else { self.fitting(self.max_batch) };
        self.waiting.drain(..size).collect()
    }

    /// How many of the first `size` that wait go into one message.
    fn fitting(&self, size: usize) -> usize {
        let mut left = MAX_PAYLOAD;
        let fits = |cargo: &&C| {
            let rest = left.checked_sub(payload(cargo.unread()));
            left = rest.unwrap_or_default();
            rest.is_some()
        };
        self.waiting.iter().take(size).take_while(fits).count()
    }
}

impl<C> Link<C> {
    fn is_able(&self) -> bool {
        !self.is_closing && !self.is_blocked && self.sent.len() < WINDOW
    }
}

//! A giver, its takers and the links between them: what can happen next, and what must hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rollctl::handoff::{Cargo, Conn, Giver, Record, Taker};

use crate::bugs::Bug;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Size {
    pub(crate) conns: u8,
    pub(crate) takers: usize,
    pub(crate) batch: usize,
    /// How many faults there may be in one story.
    pub(crate) faults: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Parcel(u8);

impl Cargo for Parcel {
    fn unread(&self) -> usize {
        0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Message {
    seq: u32,
    conns: Vec<u8>,
}

/// A taker and its end of the link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Other {
    taker: Taker,
    is_dead: bool,
    is_closed: bool,
    inbox: VecDeque<Message>,
    answers: VecDeque<(u32, u16)>,
    /// What [`Bug::ServesTooEarly`] has still to acknowledge.
    unanswered: Option<(u32, u16)>,
    owned: BTreeSet<u8>,
    /// What it decided to take.
    promised: BTreeSet<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Send,
    SendBlocked,
    Unblock,
    ReadAnswer(usize),
    ReadEnd(usize),
    Receive(usize, usize),
    AnswerLate(usize),
    CloseLink(usize),
    KillTaker(usize),
    KillGiver,
    GiveUp,
    TakeBack(usize),
}

impl Step {
    /// Whether it need not happen.
    pub(crate) fn is_fault(self) -> bool {
        use Step::*;
        matches!(self, SendBlocked | CloseLink(_) | KillTaker(_) | KillGiver | GiveUp | TakeBack(_))
            || matches!(self, Receive(_, room) if room < usize::MAX)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    size: Size,
    bug: Option<Bug>,
    giver: Giver<Parcel>,
    is_giver_dead: bool,
    has_given_up: bool,
    /// Links whose end the giver has seen.
    ended: BTreeSet<usize>,
    /// What the giver serves, for nobody took it.
    kept: BTreeSet<u8>,
    /// What was on its way when the giver gave up, or [`rollctl::handoff::Fault`] said so.
    abandoned: BTreeSet<u8>,
    /// What the giver believes is with somebody else.
    given: BTreeSet<u8>,
    forgotten: BTreeSet<u8>,
    others: Vec<Other>,
    faults: u8,
}

impl World {
    pub(crate) fn new(size: Size, bug: Option<Bug>) -> Self {
        let mut giver = Giver::with_batches_of(size.batch);
        (0..size.takers).for_each(|link| giver.open(link, 0));
        (0..size.conns).for_each(|conn| giver.offer(Parcel(conn)));
        Self {
            size,
            bug,
            giver,
            is_giver_dead: false,
            has_given_up: false,
            ended: BTreeSet::new(),
            kept: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            given: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            others: vec![Other::default(); size.takers],
            faults: size.faults,
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn is_giver_there(&self) -> bool {
        !self.is_giver_dead && !self.has_given_up
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.is_giver_there() {
            if self.giver.clone().next_message().is_some() {
                steps.extend([Step::Send, Step::SendBlocked]);
            }
            if self.is_blocked() {
                steps.push(Step::Unblock);
            }
            steps.extend([Step::KillGiver, Step::GiveUp]);
        }
        for link in 0..self.others.len() {
            self.steps_of_giver_on(link, &mut steps);
            self.steps_of_taker(link, &mut steps);
        }
        steps.retain(|step| self.faults > 0 || !step.is_fault());
        steps
    }

    fn is_blocked(&self) -> bool {
        let mut unblocked = self.giver.clone();
        unblocked.unblock();
        unblocked != self.giver
    }

    fn steps_of_giver_on(&self, link: usize, steps: &mut Vec<Step>) {
        let other = &self.others[link];
        if !self.is_giver_there() || self.ended.contains(&link) {
            return;
        }
        if !other.answers.is_empty() {
            steps.push(Step::ReadAnswer(link));
        }
        let is_read = other.answers.is_empty() || self.has(Bug::LeavesAnswersUnread);
        if other.is_closed && is_read && !self.has(Bug::WaitsForTheDead) {
            steps.push(Step::ReadEnd(link));
        }
        if self.has(Bug::TakesBackAfterATime) {
            steps.push(Step::TakeBack(link));
        }
    }

    fn steps_of_taker(&self, link: usize, steps: &mut Vec<Step>) {
        let other = &self.others[link];
        if other.is_dead {
            return;
        }
        steps.push(Step::KillTaker(link));
        if other.is_closed {
            return;
        }
        steps.push(Step::CloseLink(link));
        if other.unanswered.is_some() {
            steps.push(Step::AnswerLate(link));
        } else if let Some(message) = other.inbox.front() {
            steps.push(Step::Receive(link, usize::MAX));
            steps.extend((0..message.conns.len()).map(|room| Step::Receive(link, room)));
        }
    }

    pub(crate) fn take(&mut self, step: Step) {
        self.faults -= u8::from(step.is_fault());
        match step {
            Step::Send => self.send(false),
            Step::SendBlocked => self.send(true),
            Step::Unblock => self.giver.unblock(),
            Step::ReadAnswer(link) => self.read_answer(link),
            Step::ReadEnd(link) | Step::TakeBack(link) => {
                self.ended.insert(link);
                self.giver.ended(link);
            }
            Step::Receive(link, room) => self.receive(link, room),
            Step::AnswerLate(link) => {
                let other = &mut self.others[link];
                other.answers.extend(other.unanswered.take());
            }
            Step::CloseLink(link) => self.others[link].close(),
            Step::KillTaker(link) => {
                self.others[link].close();
                self.others[link].is_dead = true;
            }
            Step::KillGiver => self.is_giver_dead = true,
            Step::GiveUp => self.give_up(),
        }
        if self.is_giver_there() {
            self.kept.extend(self.giver.stranded().into_iter().map(|parcel| parcel.0));
        }
    }

    fn send(&mut self, is_blocked: bool) {
        let Some(sending) = self.giver.next_message() else { return };
        let conns = sending.batch.iter().map(|parcel| parcel.0).collect();
        let message = Message { seq: sending.seq, conns };
        let other = &mut self.others[sending.link];
        if other.is_closed {
            if self.bug == Some(Bug::ForgetsTheUnsent) {
                self.forgotten.extend(message.conns);
                return self.giver.broken(rollctl::handoff::Sending { batch: vec![], ..sending });
            }
            return self.giver.broken(sending);
        }
        if !is_blocked {
            other.inbox.push_back(message);
            return self.giver.sent(sending);
        }
        if self.bug == Some(Bug::SendsTwice) {
            other.inbox.push_back(message);
        }
        self.giver.blocked(sending);
    }

    fn read_answer(&mut self, link: usize) {
        let Some((seq, taken)) = self.others[link].answers.pop_front() else { return };
        let before = self.giver.clone();
        match self.giver.acknowledged(link, seq, taken) {
            Ok(given) if self.has(Bug::KeepsTheGiven) => self.kept.extend(ids(given)),
            Ok(given) => {
                if self.has(Bug::ForgetsTheRefused) {
                    self.forget_the_refused(before, &given);
                }
                self.given.extend(ids(given));
            }
            Err(fault) => {
                self.ended.insert(link);
                self.abandoned.extend(ids(fault.0));
            }
        }
    }

    fn forget_the_refused(&mut self, mut before: Giver<Parcel>, given: &[Parcel]) {
        let (waited, _) = before.give_up();
        let mut known: BTreeSet<u8> = ids(waited).collect();
        known.extend(ids(given.to_vec()));
        let (waiting, _) = self.giver.clone().give_up();
        if ids(waiting).any(|conn| !known.contains(&conn)) {
            // It does not even stay a giver: what it forgot is all that matters here.
            let (waiting, _) = self.giver.give_up();
            for conn in ids(waiting) {
                let forgets = !known.contains(&conn);
                if forgets {
                    self.forgotten.insert(conn)
                } else {
                    self.kept.insert(conn)
                };
            }
            self.has_given_up = true;
        }
    }

    fn receive(&mut self, link: usize, room: usize) {
        let is_orphan = !self.is_giver_there();
        let bug = self.bug;
        let other = &mut self.others[link];
        let Some(Message { seq, conns }) = other.inbox.pop_front() else { return };
        let record = Record::default();
        let told: Vec<Conn<'_>> = conns.iter().map(|_| Conn { record, unread: b"" }).collect();
        let Ok(taken) = other.taker.receive(seq, &told, conns.len(), room) else {
            return other.close();
        };
        let mut answer = (seq, taken as u16);
        if bug == Some(Bug::AcknowledgesAll) {
            answer.1 = conns.len() as u16;
        }
        other.promised.extend(&conns[..taken]);
        match bug {
            Some(Bug::DropsOrphans) if is_orphan => return,
            Some(Bug::ServesTooEarly) => other.unanswered = Some(answer),
            Some(Bug::AnswersInAnyOrder) => other.answers.push_front(answer),
            _ => other.answers.push_back(answer),
        }
        other.owned.extend(&conns[..taken]);
    }

    fn give_up(&mut self) {
        let (waiting, sent) = self.giver.give_up();
        self.has_given_up = true;
        self.kept.extend(ids(waiting));
        match self.has(Bug::TakesBackAtTheDeadline) {
            true => self.kept.extend(ids(sent)),
            false => self.abandoned.extend(ids(sent)),
        }
    }

    /// How often each connection is in somebody's hands: it may be read and answered there.
    fn owners(&self) -> BTreeMap<u8, usize> {
        let mut owners = BTreeMap::new();
        if !self.is_giver_dead {
            let (waiting, _) = self.giver.clone().give_up();
            let own = self.kept.iter().copied().chain(ids(waiting));
            own.for_each(|conn| *owners.entry(conn).or_default() += 1);
        }
        for other in self.others.iter().filter(|other| !other.is_dead) {
            other.owned.iter().for_each(|conn| *owners.entry(*conn).or_default() += 1);
        }
        owners
    }

    /// What must hold at every moment.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some((conn, owners)) = self.owners().iter().find(|it| *it.1 > 1) {
            return Err(format!("connection {conn} has {owners} owners"));
        }
        let mut answered = BTreeSet::new();
        let own = if self.is_giver_dead { BTreeSet::new() } else { self.kept.clone() };
        for conn in self.others.iter().flat_map(|other| &other.owned).chain(&own) {
            if !answered.insert(conn) {
                return Err(format!("connection {conn} is answered by two"));
            }
        }
        Ok(())
    }

    /// What must hold when nothing more happens.
    pub(crate) fn check_at_rest(&self) -> Result<(), String> {
        let owners = self.owners();
        for conn in 0..self.size.conns {
            if !owners.contains_key(&conn) && !self.may_be_gone(conn) {
                return Err(format!("connection {conn} is lost"));
            }
        }
        let (waiting, sent) = self.giver.clone().give_up();
        if self.is_giver_there() && waiting.len() + sent.len() > 0 {
            return Err(format!("connections {waiting:?} and {sent:?} wait for ever"));
        }
        Ok(())
    }

    /// A process that had it was killed, or gave up when the taker might have had it.
    fn may_be_gone(&self, conn: u8) -> bool {
        if let Some(taker) = self.others.iter().find(|other| other.promised.contains(&conn)) {
            return taker.is_dead;
        }
        let gave_up = self.has_given_up && self.abandoned.contains(&conn);
        self.is_giver_dead || gave_up && !self.forgotten.contains(&conn)
    }
}

impl Other {
    /// What is in the link is dropped, all but the answers.
    fn close(&mut self) {
        self.is_closed = true;
        self.inbox.clear();
        self.unanswered = None;
    }
}

fn ids(parcels: Vec<Parcel>) -> impl Iterator<Item = u8> {
    parcels.into_iter().map(|parcel| parcel.0)
}

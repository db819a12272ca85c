//! What a giver or a taker could get wrong.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bug {
    /// The giver takes back what was not acknowledged for a while.
    TakesBackAfterATime,
    /// A broken link is not read to its end: an acknowledgement may be left in it.
    LeavesAnswersUnread,
    /// The giver does not notice the end of a link.
    WaitsForTheDead,
    /// The giver takes a message for unsent that was sent.
    SendsTwice,
    /// A message that could not be sent is forgotten.
    ForgetsTheUnsent,
    /// What a taker refused is forgotten.
    ForgetsTheRefused,
    /// What was given is served all the same.
    KeepsTheGiven,
    /// At its deadline the giver answers what is on its way.
    TakesBackAtTheDeadline,
    /// The taker serves before it has acknowledged.
    ServesTooEarly,
    /// The taker acknowledges what it did not take.
    AcknowledgesAll,
    /// The taker drops what it could not acknowledge, for the giver is gone.
    DropsOrphans,
    /// The taker acknowledges the last message first.
    AnswersInAnyOrder,
}

impl Bug {
    pub(crate) const ALL: [Self; 12] = [
        Self::TakesBackAfterATime,
        Self::LeavesAnswersUnread,
        Self::WaitsForTheDead,
        Self::SendsTwice,
        Self::ForgetsTheUnsent,
        Self::ForgetsTheRefused,
        Self::KeepsTheGiven,
        Self::TakesBackAtTheDeadline,
        Self::ServesTooEarly,
        Self::AcknowledgesAll,
        Self::DropsOrphans,
        Self::AnswersInAnyOrder,
    ];
}

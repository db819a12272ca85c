//! The taking end of a link.

use super::{Conn, MAX_HOPS};

/// What is known of the giver on one link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Taker {
    seq: u32,
}

/// A message that was lost, doubled or overtaken, which no link does: the giver is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("message {found} in the place of {expected}")]
pub struct OutOfOrder {
    expected: u32,
    found: u32,
}

impl Taker {
    /// How many of a message's connections to take: the first ones, as many as there is room for and
    /// as there came descriptors. They are the taker's once it has queued its acknowledgement.
    ///
    /// # Errors
    ///
    /// [`OutOfOrder`]: the link is to be closed without an answer.
    pub fn receive(
        &mut self,
        seq: u32,
        conns: &[Conn<'_>],
        descriptors: usize,
        room: usize,
    ) -> Result<usize, OutOfOrder> {
        let expected = self.seq.wrapping_add(1);
        if seq != expected {
            return Err(OutOfOrder { expected, found: seq });
        }
        self.seq = seq;
        let bearable = conns.iter().take_while(|conn| conn.record.hops <= MAX_HOPS).count();
        Ok(bearable.min(descriptors).min(room))
    }
}

//! The messages of a hand-off, one a packet.
//!
//! ```text
//!  0      4      5         6   8     12    16
//! ┌──────┬──────┬─────────┬───┬─────┬─────┬─────────────────────────────────────────────┐
//! │ HND1 │ kind │ version │ n │ seq │ len │ len bytes                                   │
//! └──────┴──────┴─────────┴───┴─────┴─────┴─────────────────────────────────────────────┘
//!  HELLO                   0    0     16    group u64, connections u32, room u32
//!  CONNS                   n    seq         n × {len u32, hops u8, protocol u8, flags u16,
//!                                           age in ms u32}, then the bytes of each in turn
//!  ACK                     k    seq   0     the first k of message seq are taken
//!  PULL                    n    0     0     give me up to n of yours
//! ```
//!
//! All numbers are little-endian. n descriptors go with CONNS, in the same order.

use super::{MAX_BATCH, MAX_PAYLOAD, MAX_UNREAD};

/// The length of what every message begins with.
pub(super) const HEADER: usize = 16;

const MAGIC: [u8; 4] = *b"HND1";
const VERSION: u8 = 1;

const HELLO: u8 = 1;
const CONNS: u8 = 2;
const ACK: u8 = 3;
const PULL: u8 = 4;

const RECORD: usize = 12;
const HTTP1: u8 = 1;
const IS_FRESH: u16 = 1;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The first word on a link, by the one who was called; and by a caller, before it asks.
    Hello(Hello),
    /// Connections, whose descriptors come with the message.
    Conns {
        /// Counted from 1 on each link.
        seq: u32,
        /// As many as there are descriptors.
        conns: Vec<Conn<'a>>,
    },
    /// The answer to [`Frame::Conns`].
    Ack {
        /// The message that is answered.
        seq: u32,
        /// How many of its connections are taken: the first ones.
        taken: u16,
    },
    /// The one who called asks for connections.
    Pull {
        /// At most so many.
        wanted: u16,
    },
}

/// Who it is at this end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The same for all that accept from the same sockets.
    pub group: u64,
    /// How many connections it has.
    pub connections: u32,
    /// How many more it could have.
    pub room: u32,
}

/// What is told of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// How often it was passed on in a short time.
    pub hops: u8,
    /// Nothing was ever answered on it, so it can still turn out to be HTTP/2.
    pub is_fresh: bool,
    /// For so long it has been idle, or part of a head has been there, in milliseconds.
    pub age: u32,
}

/// One connection in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conn<'a> {
    /// What is told of it.
    pub record: Record,
    /// What was read of it and not answered: part of a head, or nothing.
    pub unread: &'a [u8],
}

/// Why bytes are no message, or none of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Another protocol, or garbage.
    #[error("not a message of a hand-off")]
    Magic,
    /// An older or newer sibling.
    #[error("version {0} of the hand-off, not {VERSION}")]
    Version(u8),
    /// A kind that this version does not know, or one that carries what it should not.
    #[error("a message of kind {0} that is not as it should be")]
    Kind(u8),
    /// The lengths do not add up, or are more than is allowed.
    #[error("a message whose lengths are wrong")]
    Length,
}

impl Frame<'_> {
    /// The bytes of the message.
    ///
    /// # Panics
    ///
    /// If there are more connections or bytes than a message may have.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(Hello { group, connections, room }) => {
                let mut bytes = header(HELLO, 0, 0, 16);
                bytes.extend(group.to_le_bytes());
                bytes.extend(connections.to_le_bytes());
                bytes.extend(room.to_le_bytes());
                bytes
            }
            Self::Conns { seq, conns } => encode_conns(*seq, conns),
            Self::Ack { seq, taken } => header(ACK, *taken, *seq, 0),
            Self::Pull { wanted } => header(PULL, *wanted, 0, 0),
        }
    }
}

impl<'a> Frame<'a> {
    /// Reads one whole message.
    ///
    /// # Errors
    ///
    /// [`Malformed`]; nothing of such a message may be used.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, payload) = bytes.split_first_chunk::<HEADER>().ok_or(Malformed::Length)?;
        if header[..4] != MAGIC {
            return Err(Malformed::Magic);
        }
        let (kind, version) = (header[4], header[5]);
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        let (n, seq) = (u16_at(header, 6), u32_at(header, 8));
        if payload.len() > MAX_PAYLOAD || u32_at(header, 12) as usize != payload.len() {
            return Err(Malformed::Length);
        }
        match kind {
            CONNS => decode_conns(seq, n, payload),
            HELLO if n == 0 && seq == 0 && payload.len() == 16 => Ok(Self::Hello(hello(payload))),
            ACK if payload.is_empty() => Ok(Self::Ack { seq, taken: n }),
            PULL if seq == 0 && payload.is_empty() => Ok(Self::Pull { wanted: n }),
            _ => Err(Malformed::Kind(kind)),
        }
    }
}

fn header(kind: u8, n: u16, seq: u32, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + length);
    bytes.extend(MAGIC);
    bytes.extend([kind, VERSION]);
    bytes.extend(n.to_le_bytes());
    bytes.extend(seq.to_le_bytes());
    bytes.extend((length as u32).to_le_bytes());
    bytes
}

fn encode_conns(seq: u32, conns: &[Conn<'_>]) -> Vec<u8> {
    let length = conns.iter().map(|conn| payload(conn.unread.len())).sum();
    let fits = conns.iter().all(|conn| conn.unread.len() <= MAX_UNREAD);
    assert!(fits && (1..=MAX_BATCH).contains(&conns.len()) && length <= MAX_PAYLOAD);
    let mut bytes = header(CONNS, conns.len() as u16, seq, length);
    for Conn { record, unread } in conns {
        bytes.extend((unread.len() as u32).to_le_bytes());
        bytes.extend([record.hops, HTTP1]);
        bytes.extend(if record.is_fresh { IS_FRESH } else { 0 }.to_le_bytes());
        bytes.extend(record.age.to_le_bytes());
    }
    conns.iter().for_each(|conn| bytes.extend(conn.unread));
    bytes
}

/// How much room in a message a connection takes.
pub(super) fn payload(unread: usize) -> usize {
    RECORD + unread
}

fn decode_conns(seq: u32, n: u16, payload: &[u8]) -> Result<Frame<'_>, Malformed> {
    let n = usize::from(n);
    if !(1..=MAX_BATCH).contains(&n) {
        return Err(Malformed::Length);
    }
    let (records, mut rest) = payload.split_at_checked(n * RECORD).ok_or(Malformed::Length)?;
    let mut conns = Vec::with_capacity(n);
    for bytes in records.chunks_exact(RECORD) {
        let length = u32_at(bytes, 0) as usize;
        if length > MAX_UNREAD {
            return Err(Malformed::Length);
        }
        let (unread, behind) = rest.split_at_checked(length).ok_or(Malformed::Length)?;
        conns.push(Conn { record: record(bytes)?, unread });
        rest = behind;
    }
    match rest {
        [] => Ok(Frame::Conns { seq, conns }),
        _ => Err(Malformed::Length),
    }
}

fn record(bytes: &[u8]) -> Result<Record, Malformed> {
    let flags = u16_at(bytes, 6);
    if bytes[5] != HTTP1 || flags & !IS_FRESH != 0 {
        return Err(Malformed::Kind(CONNS));
    }
    Ok(Record { hops: bytes[4], is_fresh: flags & IS_FRESH != 0, age: u32_at(bytes, 8) })
}

fn hello(payload: &[u8]) -> Hello {
    let group = u64::from(u32_at(payload, 0)) | u64::from(u32_at(payload, 4)) << 32;
    Hello { group, connections: u32_at(payload, 8), room: u32_at(payload, 12) }
}

/// The callers know that the bytes are there.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Parts = Vec<(Record, Vec<u8>)>;

    fn parts() -> impl Strategy<Value = Parts> {
        let record = (any::<u8>(), any::<bool>(), any::<u32>());
        let record = record.prop_map(|(hops, is_fresh, age)| Record { hops, is_fresh, age });
        let unread = prop::collection::vec(any::<u8>(), 0..300);
        prop::collection::vec((record, unread), 1..=MAX_BATCH)
    }

    fn conns(parts: &Parts) -> Vec<Conn<'_>> {
        parts.iter().map(|(record, unread)| Conn { record: *record, unread }).collect()
    }

    proptest! {
        #[test]
        fn connections_come_as_they_went(seq in any::<u32>(), parts in parts()) {
            let frame = Frame::Conns { seq, conns: conns(&parts) };
            let bytes = frame.encode();
            prop_assert_eq!(Frame::decode(&bytes), Ok(frame));
        }

        #[test]
        fn words_come_as_they_went(
            group in any::<u64>(), a in any::<u32>(), b in any::<u32>(), n in any::<u16>(),
        ) {
            for frame in [
                Frame::Hello(Hello { group, connections: a, room: b }),
                Frame::Ack { seq: a, taken: n },
                Frame::Pull { wanted: n },
            ] {
                let bytes = frame.encode();
                prop_assert_eq!(Frame::decode(&bytes), Ok(frame));
            }
        }

        #[test]
        fn garbage_is_refused_or_means_just_what_it_says(bytes in damaged()) {
            if let Ok(frame) = Frame::decode(&bytes) {
                prop_assert_eq!(frame.encode(), bytes);
            }
        }

        #[test]
        fn no_part_of_a_message_is_one(parts in parts(), cut in any::<prop::sample::Index>()) {
            let bytes = Frame::Conns { seq: 1, conns: conns(&parts) }.encode();
            prop_assert!(Frame::decode(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }

    /// A good message of which a few bytes were changed, or garbage behind a good beginning.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
        let changed = (parts(), changes).prop_map(|(parts, changes)| {
            let mut bytes = Frame::Conns { seq: 1, conns: conns(&parts) }.encode();
            for (at, byte) in changes {
                let length = bytes.len().min(HEADER + RECORD * parts.len());
                bytes[at.index(length)] = byte;
            }
            bytes
        });
        let garbage = (0..6_u8, 0..4_u16, prop::collection::vec(any::<u8>(), 0..80));
        let garbage = garbage.prop_map(|(kind, n, rest)| {
            let mut bytes = header(kind, n, 0, rest.len());
            bytes.extend(rest);
            bytes
        });
        prop_oneof![changed, garbage, prop::collection::vec(any::<u8>(), 0..64)]
    }

    #[test]
    fn an_older_or_newer_sibling_is_told_from_garbage() {
        let mut bytes = Frame::Pull { wanted: 1 }.encode();
        bytes[5] = 2;
        assert_eq!(Frame::decode(&bytes), Err(Malformed::Version(2)));
        bytes[0] = b'X';
        assert_eq!(Frame::decode(&bytes), Err(Malformed::Magic));
    }
}

//! Where the frames of a WebSocket begin and end (RFC 6455, 5.2), told from its bytes as they pass,
//! however they are cut up. Nothing is kept of them, and payloads are skipped.
//!
//! ```text
//! boundary ─► opcode ─► length ─► longer length ─► mask ─► payload ─► boundary
//! ```

/// The opcode of a Close frame, below the bits that say "final" and what extensions there are.
const CLOSE: u8 = 0x8;
const OPCODE: u8 = 0x0f;

const MASKED: u8 = 0x80;
const MASK_LENGTH: u64 = 4;

/// One direction of a WebSocket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frames {
    next: Next,
    has_close: bool,
}

/// What the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    /// The first of a frame, so that here is a boundary.
    #[default]
    Opcode,
    Length,
    /// One of `left` bytes of a length that did not fit, of which `so_far` is known.
    LongerLength {
        left: u8,
        so_far: u64,
        is_masked: bool,
    },
    /// The mask and the payload: whatever they are, there are so many of them.
    Payload {
        left: u64,
    },
}

impl Frames {
    /// Whether a frame of our own could be put in here.
    pub(crate) fn is_at_boundary(&self) -> bool {
        self.next == Next::Opcode
    }

    /// Whether a Close has gone by, or begun to.
    pub(crate) fn has_close(&self) -> bool {
        self.has_close
    }

    /// Takes note of all of `bytes`.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.pass_to_boundary(bytes)..];
        }
    }

    /// Takes note of `bytes` up to the end of the frame they are of, and tells how many these are.
    pub(crate) fn pass_to_boundary(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while passed < bytes.len() {
            passed += match self.next {
                Next::Payload { left } => {
                    let skipped = left.min((bytes.len() - passed) as u64);
                    self.next = Next::payload(left - skipped);
                    skipped as usize
                }
                _ => {
                    self.next = self.after(bytes[passed]);
                    1
                }
            };
            if self.is_at_boundary() {
                break;
            }
        }
        passed
    }

    fn after(&mut self, byte: u8) -> Next {
        match self.next {
            Next::Opcode => {
                self.has_close |= byte & OPCODE == CLOSE;
                Next::Length
            }
            Next::Length => {
                let is_masked = byte & MASKED != 0;
                match byte & !MASKED {
                    126 => Next::LongerLength { left: 2, so_far: 0, is_masked },
                    127 => Next::LongerLength { left: 8, so_far: 0, is_masked },
                    length => Next::mask(length.into(), is_masked),
                }
            }
            Next::LongerLength { left, so_far, is_masked } => {
                let so_far = so_far << 8 | u64::from(byte);
                match left - 1 {
                    0 => Next::mask(so_far, is_masked),
                    left => Next::LongerLength { left, so_far, is_masked },
                }
            }
            Next::Payload { left } => Next::payload(left - 1),
        }
    }
}

impl Next {
    fn mask(length: u64, is_masked: bool) -> Self {
        let mask = if is_masked { MASK_LENGTH } else { 0 };
        // The protocol allows 63 bits; what claims more never ends, which is as good.
        Self::payload(length.saturating_add(mask))
    }

    fn payload(left: u64) -> Self {
        if left == 0 { Self::Opcode } else { Self::Payload { left } }
    }
}

/// The Close frame that says 1001, "going away"; with a mask as every frame to a server has one.
pub(crate) fn going_away(mask: Option<[u8; 4]>) -> Vec<u8> {
    const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();
    let [high, low] = GOING_AWAY;
    match mask {
        None => vec![0x80 | CLOSE, 2, high, low],
        Some([a, b, c, d]) => vec![0x80 | CLOSE, MASKED | 2, a, b, c, d, high ^ a, low ^ b],
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A frame as RFC 6455 draws it, with its length in `width` bits or more if it needs them.
    fn frame(opcode: u8, length: usize, width: u8, mask: Option<[u8; 4]>) -> Vec<u8> {
        let mask_bit = if mask.is_some() { MASKED } else { 0 };
        let mut bytes = vec![opcode];
        match (length, width) {
            (0..=125, 7) => bytes.push(mask_bit | length as u8),
            (0..=65535, 7 | 16) => {
                bytes.push(mask_bit | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(mask.iter().flatten());
        // A payload full of what looks like the beginnings of Close frames.
        bytes.extend(std::iter::repeat_n(0x88, length));
        bytes
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let opcode = prop::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0x81, 0xc1, 0x89, 0x8a]);
        let length = prop_oneof![0..4_usize, 120..130_usize, 65530..65540_usize, 0..3000_usize];
        let width = prop::sample::select(vec![7, 16, 64]);
        let mask = prop::option::of(any::<[u8; 4]>());
        (opcode, length, width, mask).prop_map(|(a, b, c, d)| frame(a, b, c, d))
    }

    /// Cuts `bytes` where `cuts` say, by turns.
    fn pieces<'a>(bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = bytes;
        cuts.iter().cycle().map_while(move |cut| {
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            rest = left;
            (!piece.is_empty()).then_some(piece)
        })
    }

    proptest! {
        #[test]
        fn boundaries_do_not_depend_on_how_the_bytes_are_cut_up(
            frames in vec(any_frame(), 0..6),
            cuts in vec(1..5000_usize, 1..20),
        ) {
            let stream = frames.concat();
            let ends = frames.iter().scan(0, |end, frame| {
                *end += frame.len();
                Some(*end)
            });
            let mut found = vec![];
            let (mut tracker, mut at) = (Frames::default(), 0);
            for mut piece in pieces(&stream, &cuts) {
                while !piece.is_empty() {
                    let passed = tracker.pass_to_boundary(piece);
                    piece = &piece[passed..];
                    at += passed;
                    if tracker.is_at_boundary() {
                        found.push(at);
                    }
                }
            }
            prop_assert_eq!(found, ends.collect::<Vec<_>>());
            prop_assert!(!tracker.has_close());
        }

        #[test]
        fn byte_by_byte_is_as_good_as_all_at_once(frames in vec(any_frame(), 0..3)) {
            let stream = frames.concat();
            let (mut whole, mut bytewise) = (Frames::default(), Frames::default());
            whole.pass(&stream);
            stream.chunks(1).for_each(|byte| bytewise.pass(byte));
            prop_assert_eq!(whole, bytewise);
        }

        #[test]
        fn a_close_is_seen_wherever_it_comes(
            before in vec(any_frame(), 0..3),
            mask in prop::option::of(any::<[u8; 4]>()),
        ) {
            let mut tracker = Frames::default();
            tracker.pass(&before.concat());
            prop_assert!(!tracker.has_close());
            tracker.pass(&going_away(mask));
            prop_assert!(tracker.has_close() && tracker.is_at_boundary());
        }

        #[test]
        fn any_bytes_at_all_are_survived(bytes in vec(any::<u8>(), 0..200)) {
            Frames::default().pass(&bytes);
        }
    }

    #[test]
    fn a_close_has_begun_with_its_first_byte() {
        let mut tracker = Frames::default();
        tracker.pass(&[0x88]);
        assert!(tracker.has_close() && !tracker.is_at_boundary());
    }

    #[test]
    fn a_length_beyond_the_protocol_never_ends() {
        let mut tracker = Frames::default();
        tracker.pass(&[0x82, 0xff]);
        tracker.pass(&[0xff; 8]);
        tracker.pass(&[0; 5000]);
        assert!(!tracker.is_at_boundary());
    }
}

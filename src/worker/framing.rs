//! Where the messages of an HTTP/1 connection begin and end, told from their bytes; and which
//! bytes two programs could read in two ways (RFC 9112, 11.2: request smuggling).
//!
//! ```text
//!  ┌──────────────────────────────────────────────────────────────────────┐
//!  ▼       ┌─► no content ────────────────────────────────────────────────┤
//! head ────┼─► content, as long as Content-Length says ───────────────────┤
//!          └─► size ─► data ─► data's end ─► size … size 0 ─► trailers ───┘
//! ```
//!
//! hyper judges requests, but it takes a lone LF for a line's end, and of Content-Length with
//! Transfer-Encoding it shows only one. Both are refused here, before hyper reads them. Whatever
//! hyper refuses by itself is followed by nothing, so it is read without much care here.

use hyper::header::{HeaderName, HeaderValue};
use memchr::memchr;

/// Reads what a client sends, in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    place: Place,
    /// The beginning of a line whose end is still to come.
    begun: Vec<u8>,
    /// What the head said so far.
    head: Head,
    /// How many heads have come to their end.
    heads: u64,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    Content(u64),
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

#[derive(Debug, Default)]
struct Head {
    has_begun: bool,
    length: Option<u64>,
    is_chunked: bool,
}

/// Bytes that no two programs would have to read in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// How many bytes of those read last can be trusted.
    pub(crate) sound: usize,
    /// The number of the request (from 1) whose content they are in; `None`: in a head.
    pub(crate) request: Option<u64>,
}

impl Framing {
    /// Follows the bytes that come next; after a fault nothing may follow.
    pub(crate) fn follow(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            at += match self.place {
                Place::Content(left) => self.skip(rest, left, Place::Content, Place::Head),
                Place::Data(left) => self.skip(rest, left, Place::Data, Place::DataEnd),
                _ => self.line(rest).ok_or_else(|| self.fault(at))?,
            };
        }
        Ok(())
    }

    /// Whether all of the first `requests` has come, and behind it at most part of a head.
    pub(crate) fn is_behind(&self, requests: u64) -> bool {
        self.place == Place::Head && self.heads == requests
    }

    fn fault(&self, sound: usize) -> Fault {
        let request = (self.place != Place::Head).then_some(self.heads);
        Fault { sound, request }
    }

    fn skip(&mut self, rest: &[u8], left: u64, more: fn(u64) -> Place, next: Place) -> usize {
        let skipped = left.min(rest.len() as u64);
        self.place = if skipped == left { next } else { more(left - skipped) };
        skipped as usize
    }

    /// Reads to the end of a line, and returns how many bytes that took; `None`: it is unsound.
    fn line(&mut self, rest: &[u8]) -> Option<usize> {
        let Some(end) = memchr(b'\n', rest) else {
            self.begun.extend(rest);
            return Some(rest.len());
        };
        if self.begun.is_empty() {
            self.next(rest[..end].strip_suffix(b"\r")?)?;
        } else {
            let mut begun = std::mem::take(&mut self.begun);
            begun.extend(&rest[..end]);
            self.next(begun.strip_suffix(b"\r")?)?;
        }
        Some(end + 1)
    }

    /// Goes to the place behind a whole line; `None`: it is unsound.
    fn next(&mut self, line: &[u8]) -> Option<()> {
        match self.place {
            Place::Head if !line.is_empty() => self.head.note(line)?,
            // Empty lines before a request are ignored (RFC 9112, 2.2).
            Place::Head if !self.head.has_begun => {}
            Place::Head => {
                self.place = std::mem::take(&mut self.head).content()?;
                self.heads += 1;
            }
            Place::Size => {
                self.place = match chunk_size(line)? {
                    0 => Place::Trailers,
                    size => Place::Data(size),
                }
            }
            Place::DataEnd if line.is_empty() => self.place = Place::Size,
            Place::Trailers if line.is_empty() => self.place = Place::Head,
            Place::Trailers if is_field(line) => {}
            // The last two are not made of lines.
            Place::DataEnd | Place::Trailers | Place::Content(_) | Place::Data(_) => return None,
        }
        Some(())
    }
}

impl Head {
    /// `None`: the line is unsound. A target has no fragment (RFC 9112, 3.2): hyper would cut it off,
    /// and whoever is in front may have gone by it.
    fn note(&mut self, line: &[u8]) -> Option<()> {
        if !self.has_begun {
            self.has_begun = true;
            return memchr(b'#', line).is_none().then_some(());
        }
        // hyper refuses any blank before the colon, as it should.
        match line[0] {
            b'c' | b'C' => {
                if let Some(value) = value(line, b"content-length:") {
                    self.length = Some(decimal(value));
                }
            }
            b't' | b'T' => self.is_chunked |= value(line, b"transfer-encoding:").is_some(),
            _ => {}
        }
        Some(())
    }

    /// What follows the head; `None` when that is told in two ways (RFC 9112, 6.3).
    fn content(self) -> Option<Place> {
        match (self.length, self.is_chunked) {
            (Some(_), true) => None,
            // hyper refuses every Transfer-Encoding that does not end with `chunked`.
            (None, true) => Some(Place::Size),
            (None | Some(0), false) => Some(Place::Head),
            (Some(length), false) => Some(Place::Content(length)),
        }
    }
}

/// The value of the field with this (lower-case) name.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

/// hyper refuses a length with anything else in it, and one that is too large.
fn decimal(value: &[u8]) -> u64 {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

/// `1*HEXDIG`, then blanks, or an extension that has no control characters (RFC 9112, 7.1).
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let digits = str::from_utf8(digits).ok()?;
    let is_sound = match rest.trim_ascii_start() {
        [] => true,
        [b';', extension @ ..] => extension.iter().all(|b| *b == b'\t' || !b.is_ascii_control()),
        _ => false,
    };
    is_sound.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// `token ":" value` (RFC 9112, 5); of a head's fields hyper says so before anybody answers.
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = memchr(b':', line) else { return false };
    let (name, value) = line.split_at(colon);
    HeaderName::from_bytes(name).is_ok() && HeaderValue::from_bytes(&value[1..]).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const LENGTH: &str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// Follows the pieces to the end or the fault: how many heads came to their end, and whether
    /// another one is begun; or in which request the fault is.
    fn follow<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(u64, bool), Option<u64>> {
        let mut framing = Framing::default();
        for piece in pieces {
            framing.follow(piece).map_err(|fault| fault.request)?;
        }
        let is_at_rest = framing.place == Place::Head && !framing.head.has_begun;
        Ok((framing.heads, !is_at_rest || !framing.begun.is_empty()))
    }

    fn whole(text: &str) -> Result<(u64, bool), Option<u64>> {
        follow([text.as_bytes()])
    }

    #[test]
    fn requests_end_where_their_heads_say() {
        let all = [
            (GET.to_owned(), 1),
            (format!("\r\n\r\n{GET}\r\n{GET}"), 2),
            (format!("{LENGTH}\n\n\n{GET}"), 2),
            (LENGTH.replace("Length: 3", "length:\t003 ") + "\r\n\n" + GET, 2),
            (LENGTH.replace('3', "0") + GET, 2),
            (format!("{CHUNKED}0\r\n\r\n{GET}"), 2),
            (format!("{CHUNKED}3\r\n\n\n\n\r\n0A;a=\"b\"\r\n0123456789\r\n000\r\n\r\n{GET}"), 2),
            (format!("{CHUNKED}1 \r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n{GET}"), 2),
            (CHUNKED.replace("Transfer-Encoding", "TRANSFER-encoding") + "0\r\n\r\n" + GET, 2),
        ];
        for (text, heads) in all {
            assert_eq!(whole(&text), Ok((heads, false)), "{text:?}");
            assert_eq!(follow(text.as_bytes().chunks(1)), Ok((heads, false)), "{text:?}");
            assert_ne!(whole(&text[..text.len() - 1]), Ok((heads, false)), "{text:?}");
        }
    }

    #[test]
    fn a_head_that_can_be_read_in_two_ways_is_a_fault() {
        let both = "POST / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n";
        let turned = "POST / HTTP/1.1\r\ntransfer-encoding:x\r\ncontent-length:x\r\n\r\n";
        for text in [
            both,
            turned,
            "GET /a#b HTTP/1.1\r\n",
            "\nGET",
            "GET / HTTP/1.1\n",
            "GET / HTTP/1.1\r\na: b\nc: d\r\n",
        ] {
            assert_eq!(whole(text), Err(None), "{text:?}");
            assert_eq!(whole(&format!("{LENGTH}abc{text}")), Err(None), "{text:?}");
        }
        let mut framing = Framing::default();
        let fault = framing.follow(both.as_bytes()).unwrap_err();
        assert_eq!(fault.sound, both.len() - 2, "all but the line that ends the head");
    }

    #[test]
    fn a_chunk_that_can_be_read_in_two_ways_is_a_fault_of_its_request() {
        let wrong = [
            "\r\n",
            "x\r\n",
            "0x5\r\n",
            "+5\r\n",
            "-5\r\n",
            " 5\r\n",
            "5 5\r\n",
            "5\n",
            "5,\r\n",
            "5;a\n",
            "5;a\rb\r\n",
            "5;a\0\r\n",
            "10000000000000000\r\n",
            "1\r\nxy\r\n",
            "1\r\nx\n",
            "1\r\nx\r\r\n",
            "0\r\n\n",
            "0\r\na: b\nc: d\r\n\r\n",
            "0\r\nab\r\n",
            "0\r\n: b\r\n",
            "0\r\na: \0\r\n",
        ];
        for text in wrong {
            assert_eq!(whole(&format!("{CHUNKED}{text}")), Err(Some(1)), "{text:?}");
            assert_eq!(whole(&format!("{GET}{CHUNKED}{text}")), Err(Some(2)), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn where_bytes_are_split_makes_no_difference(
            parts in prop::collection::vec(prop::sample::select(vec![
                GET, LENGTH, CHUNKED, "\r\n", "\n", "\r", "abc", "3\r\n", "0\r\n", "0", "x", ";",
                "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n",
            ]), 1..8),
            splits in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let text = parts.concat();
            let mut at: Vec<usize> = splits.iter().map(|split| split.index(text.len())).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]);
            prop_assert_eq!(follow(pieces), whole(&text));
        }
    }
}

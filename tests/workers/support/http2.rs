//! Just enough HTTP/2 to be rude with: frames by hand, answers to SETTINGS and PING only if asked.

use super::client::Client;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// One frame.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

/// A client that speaks HTTP/2 from the first byte.
pub struct Http2 {
    client: Client,
    pub answers_pings: bool,
}

impl Http2 {
    pub fn new(mut client: Client) -> Self {
        client.sends(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut http2 = Self { client, answers_pings: true };
        http2.sends(SETTINGS, 0, 0, &[]);
        http2
    }

    pub fn sends(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.client.sends_what_goes(frame);
    }

    /// `:method GET`, `:scheme http`, then the path and the authority as literals.
    pub fn asks(&mut self, stream: u32, path: &str) {
        let mut block = vec![0x82, 0x86, 0x04, path.len() as u8];
        block.extend(path.as_bytes());
        block.extend([0x01, 4]);
        block.extend(b"test");
        self.sends(HEADERS, END_STREAM | END_HEADERS, stream, &block);
    }

    /// All fields as literals with their names, in this order.
    pub fn asks_with(&mut self, stream: u32, fields: &[(&str, &str)]) {
        let mut block = vec![];
        for (name, value) in fields {
            block.extend([0, name.len() as u8]);
            block.extend(name.bytes());
            block.push(value.len() as u8);
            block.extend(value.bytes());
        }
        self.sends(HEADERS, END_STREAM | END_HEADERS, stream, &block);
    }

    /// The status of its answer (501: one that is not in HPACK's static table), `reset`, or `end`
    /// for the end of the whole connection.
    pub fn outcome(&mut self, stream: u32) -> String {
        let is_it = |frame: &Frame| match frame.kind {
            HEADERS | RST_STREAM => frame.stream == stream,
            kind => kind == GOAWAY,
        };
        let frame = self.reads_until(is_it);
        let outcome = match (frame.kind, frame.payload.first()) {
            (RST_STREAM, _) => "reset",
            (HEADERS, Some(0x88)) => "200",
            (HEADERS, Some(0x8c)) => "400",
            (HEADERS, Some(0x8d)) => "404",
            (HEADERS, Some(0x8e)) => "500",
            (HEADERS, _) => "501",
            _ => "end",
        };
        outcome.to_owned()
    }

    pub fn reads(&mut self) -> Frame {
        let head = self.client.reads_bytes(9);
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = self.client.reads_bytes(length as usize);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => self.sends(SETTINGS, ACK, 0, &[]),
            PING if self.answers_pings => {
                let payload = frame.payload.clone();
                self.sends(PING, ACK, 0, &payload);
            }
            _ => {}
        }
        frame
    }

    pub fn reads_until(&mut self, is_it: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.reads();
            if is_it(&frame) {
                return frame;
            }
        }
    }

    /// Reads one whole response; `0x88` is `:status 200` in HPACK's static table.
    pub fn is_answered(&mut self, stream: u32) {
        let head = self.reads_until(|frame| frame.kind == HEADERS && frame.stream == stream);
        assert_eq!(head.payload[0], 0x88, "not 200: {head:?}");
        if !head.ends_stream() {
            self.reads_until(|frame| frame.stream == stream && frame.ends_stream());
        }
    }

    /// Answers pings until the server has nothing more to say.
    pub fn sees_end(&mut self) {
        while self.client.has_more() {
            self.reads();
        }
    }
}

//! What a client asks for, and how it treats its connection.

use std::time::Duration;

use bytes::Bytes;

use super::rhythm::Rhythm;

/// One way of being a client; the constructors make the usual ones.
#[derive(Clone, Debug)]
pub struct Style {
    pub(super) name: String,
    pub(super) path: String,
    /// The size of the body to post and get back; `None` sends a GET.
    pub(super) echo: Option<usize>,
    pub(super) pace: Pace,
    pub(super) keeps_alive: bool,
    pub(super) rhythm: Rhythm,
    pub(super) expected: Option<Bytes>,
}

/// What of a request takes its time on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Nothing: as fast as it goes.
    Full,
    /// The request's body leaves piece by piece over this time.
    Sends(Duration),
    /// The response's body, of so many bytes, is read piece by piece over this time.
    Reads(usize, Duration),
    /// The response's body must arrive over at least this time: nobody in between may hold it back.
    Hears(Duration),
}

impl Style {
    /// GETs a path again and again on one connection.
    pub fn get(path: &str) -> Self {
        Self {
            name: "keep-alive GET".to_owned(),
            path: path.to_owned(),
            echo: None,
            pace: Pace::Full,
            keeps_alive: true,
            rhythm: Rhythm::Thinks(Duration::ZERO),
            expected: None,
        }
    }

    /// POSTs a body of this many bytes to an echo on one connection: another body each time, and
    /// each must come back byte for byte.
    pub fn post(path: &str, bytes: usize) -> Self {
        Self { name: "keep-alive POST".to_owned(), echo: Some(bytes), ..Self::get(path) }
    }

    /// GETs a path on a new connection each time.
    pub fn connect(path: &str) -> Self {
        Self { name: "new connection each".to_owned(), keeps_alive: false, ..Self::get(path) }
    }

    /// GETs `/slow?ms=N`, which takes the server that long to answer.
    pub fn slow(time: Duration) -> Self {
        let path = format!("/slow?ms={}", time.as_millis());
        Self { name: format!("slow {}", millis(time)), ..Self::get(&path) }
    }

    /// POSTs a body of this many bytes, spread over this time, to an echo or to what answers as
    /// [`Style::expect`] says.
    pub fn upload(path: &str, bytes: usize, time: Duration) -> Self {
        let name = format!("upload of {}", millis(time));
        Self { name, pace: Pace::Sends(time), ..Self::post(path, bytes) }
    }

    /// GETs `PATH?bytes=N`, which must answer with [`pattern`], and reads it over this time.
    pub fn download(path: &str, bytes: usize, time: Duration) -> Self {
        let name = format!("download of {}", millis(time));
        let ask = Self::get(&format!("{path}?bytes={bytes}")).expect(pattern(bytes));
        Self { name, pace: Pace::Reads(bytes, time), ..ask }
    }

    /// GETs `PATH?count=N&ms=M`, which must answer with N server-sent events `data: 0`, `data: 1` …
    /// every M milliseconds; the first must be here when the last is still far off.
    pub fn events(path: &str, count: u32, every: Duration) -> Self {
        let all = (0..count).map(|number| format!("data: {number}\n\n")).collect::<String>();
        let time = every * count.saturating_sub(1);
        let ask = Self::get(&format!("{path}?count={count}&ms={}", every.as_millis())).expect(all);
        Self { name: format!("events for {}", millis(time)), pace: Pace::Hears(time / 2), ..ask }
    }

    /// Waits this long between a response and the next request.
    pub fn think(mut self, time: Duration) -> Self {
        self.rhythm = Rhythm::Thinks(time);
        self
    }

    /// Open loop: wishes a request once in each such span, also while one is not answered yet. Those
    /// that must wait for the connection take their time from the wish, so that a stall of the
    /// server is felt by all that it held up; one that waits for longer than the request timeout is
    /// lost. The clients of a crew take turns.
    pub fn every(mut self, span: Duration) -> Self {
        self.rhythm = Rhythm::Every(span);
        self
    }

    /// Takes any other 2xx body for wrong.
    pub fn expect(mut self, body: impl Into<Bytes>) -> Self {
        self.expected = Some(body.into());
        self
    }

    /// Gives the style another name in reports.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// What a download of this many bytes consists of: the bytes 0 to 250, again and again.
pub fn pattern(bytes: usize) -> Bytes {
    (0..=250_u8).cycle().take(bytes).collect()
}

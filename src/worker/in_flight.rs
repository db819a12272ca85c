//! One request in flight: counted, timed and, if need be, named in the log, however it ends.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hyper::http::uri::PathAndQuery;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, StatusCode};

use super::connections::Phase;
use super::track::Track;

/// One request, from its head to the end of its response, whatever ends it.
#[derive(Debug)]
pub(crate) struct InFlight {
    track: Arc<Track>,
    /// By [`Connections::clock`].
    ///
    /// [`Connections::clock`]: super::connections::Connections::clock
    started: i64,
    line: Line,
    /// 0 until the response's head is there.
    status: u16,
    is_complete: bool,
    /// The stream, should the request have asked for another protocol.
    upgrade: Option<OnUpgrade>,
}

impl InFlight {
    pub(crate) fn begin<B>(track: &Arc<Track>, request: &Request<B>) -> Self {
        track.note_request();
        Self {
            track: track.clone(),
            started: track.all.clock(),
            line: Line::of(request),
            status: 0,
            is_complete: false,
            upgrade: request.extensions().get::<OnUpgrade>().cloned(),
        }
    }

    pub(crate) fn track(&self) -> &Track {
        &self.track
    }

    /// Notes the response's head.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        if self.status == 0 {
            self.track.note_answered();
        }
        self.status = status.as_u16();
    }

    /// Whether a response with this status is the end of HTTP/1.1 on the connection.
    pub(crate) fn upgrades_with(&self, status: StatusCode) -> bool {
        self.upgrade.is_some() && status == StatusCode::SWITCHING_PROTOCOLS
    }

    /// The stream of a request that asked for another protocol in vain.
    pub(crate) fn take_upgrade(&mut self) -> Option<OnUpgrade> {
        self.upgrade.take()
    }

    /// Notes that the whole response was handed to the connection.
    pub(crate) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// `GET /path`, for the log.
    pub(crate) fn describe(&self) -> String {
        self.line.text().into_owned()
    }

    /// Counts and logs a request that the deadline cut; `how` says what its client got.
    pub(crate) fn cut(&self, how: &str) {
        self.track.all.metrics.cut.inc();
        let (id, request, age) = (self.track.id, self.describe(), self.age(self.track.all.clock()));
        tracing::warn!(connection = id, "cut at the deadline: {request} after {age:.1?}, {how}");
    }

    fn age(&self, now: i64) -> Duration {
        Duration::from_nanos(now.abs_diff(self.started))
    }
}

/// As much of `GET /path` as the log needs to tell requests apart: copying it costs less than sharing
/// it, and nearly every request ends without anybody asking.
#[derive(Debug)]
struct Line {
    bytes: [u8; 55],
    length: u8,
}

impl Line {
    fn of<B>(request: &Request<B>) -> Self {
        let path = request.uri().path_and_query().map_or("*", PathAndQuery::as_str);
        let mut line = Self { bytes: [0; 55], length: 0 };
        line.push(request.method().as_str());
        line.push(" ");
        line.push(path);
        line
    }

    fn push(&mut self, text: &str) {
        let room = &mut self.bytes[usize::from(self.length)..];
        let length = text.len().min(room.len());
        room[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length += length as u8;
    }

    fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes[..usize::from(self.length)])
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let all = &self.track.all;
        let (phase, now) = (all.phase(), all.clock());
        if !self.is_complete && phase == Phase::Deadline {
            self.cut("connection aborted");
        }
        self.track.note_finished(self.status != 0, now);
        all.metrics.request_finished(self.status, self.age(now));
        if phase != Phase::Serving {
            self.track.wake();
        }
    }
}

//! One request in flight: counted, timed and, if need be, named in the log, however it ends.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use hyper::http::uri::PathAndQuery;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, StatusCode};

use super::connections::Phase;
use super::track::Track;

/// One request, from its head to the end of its response, whatever ends it.
#[derive(Debug)]
pub(crate) struct InFlight {
    track: Arc<Track>,
    started: Instant,
    method: Method,
    path: PathStart,
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
            started: Instant::now(),
            method: request.method().clone(),
            path: PathStart::of(request.uri().path_and_query().map_or("*", PathAndQuery::as_str)),
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
        let accepts = status == StatusCode::SWITCHING_PROTOCOLS
            || self.method == Method::CONNECT && status.is_success();
        self.upgrade.is_some() && accepts
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
        format!("{} {}", self.method, self.path.text())
    }

    /// Counts and logs a request that the deadline cut; `how` says what its client got.
    pub(crate) fn cut(&self, how: &str) {
        self.track.all.metrics.cut.inc();
        let (id, request, age) = (self.track.id, self.describe(), self.started.elapsed());
        tracing::warn!(connection = id, "cut at the deadline: {request} after {age:.1?}, {how}");
    }
}

/// As much of a path as the log needs to tell requests apart: copying it costs less than sharing
/// it, and nearly every request ends without anybody asking.
#[derive(Debug)]
struct PathStart {
    bytes: [u8; 47],
    length: u8,
}

impl PathStart {
    fn of(path: &str) -> Self {
        let mut bytes = [0; 47];
        let length = path.len().min(bytes.len());
        bytes[..length].copy_from_slice(&path.as_bytes()[..length]);
        Self { bytes, length: length as u8 }
    }

    fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes[..usize::from(self.length)])
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let (all, now) = (&self.track.all, Instant::now());
        let phase = all.phase();
        if !self.is_complete && phase == Phase::Deadline {
            self.cut("connection aborted");
        }
        self.track.note_finished(self.status != 0, now);
        all.metrics.request_finished(self.status, now.duration_since(self.started));
        if phase != Phase::Serving {
            self.track.wake();
        }
    }
}

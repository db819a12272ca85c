//! One direction of a tunnel: a small buffer between a side that is read and one that is written.
//! Nothing is read before what was read has been written, so a slow side slows the other down.

use std::io;
use std::ops::Range;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::frames::Frames;

/// What is held of each direction; most tunnels are idle most of the time, and many.
const BUFFER: usize = 8 * 1024;

/// From `source` to `sink`.
pub(super) struct Lane<R, W> {
    source: R,
    sink: W,
    buffer: Box<[u8]>,
    unwritten: Range<usize>,
    /// The source has closed its side, and the sink was told.
    has_ended: bool,
    has_said_close: bool,
    /// Of a WebSocket only.
    frames: Option<Frames>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Lane<R, W> {
    pub(super) fn new(source: R, sink: W, frames: Option<Frames>) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self {
            source,
            sink,
            buffer,
            unwritten: 0..0,
            has_ended: false,
            has_said_close: false,
            frames,
        }
    }

    /// Whether the source has said Close.
    pub(super) fn has_close(&self) -> bool {
        self.frames.as_ref().is_some_and(Frames::has_close)
    }

    /// Whether a Close of ours was said to the sink.
    pub(super) fn has_said_close(&self) -> bool {
        self.has_said_close
    }

    /// Carries everything to the source's end. Can be given up and taken up again at any moment.
    pub(super) async fn carry(&mut self) -> io::Result<()> {
        self.write().await?;
        while let length @ 1.. = self.read().await? {
            self.pass(0..length);
            self.unwritten = 0..length;
            self.write().await?;
        }
        Ok(())
    }

    /// Carries the rest of the frame that has begun, says `close` behind it, and carries nothing
    /// more. A sink that was told of the source's end can be told nothing else.
    pub(super) async fn close(&mut self, close: &[u8]) -> io::Result<()> {
        self.write().await?;
        let mut is_between_frames = !self.is_in_frame();
        while !is_between_frames && !self.has_ended {
            let length = self.read().await?;
            let end = self.pass_to_boundary(length);
            self.unwritten = 0..end;
            self.write().await?;
            is_between_frames = !self.is_in_frame();
            // The source may have answered a Close of ours before its sink was told.
            self.pass(end..length);
        }
        if !self.has_ended {
            self.sink.write_all(close).await?;
            self.has_said_close = true;
        }
        Ok(())
    }

    /// Reads on until the source has said Close, or ended; what it says goes nowhere.
    pub(super) async fn hear_close(&mut self) -> io::Result<()> {
        while !self.has_close() && !self.has_ended {
            let length = self.source.read(&mut self.buffer).await?;
            self.has_ended = length == 0;
            self.pass(0..length);
        }
        Ok(())
    }

    /// Reads on until the source has ended. Unread bytes would make the close a reset, which takes
    /// with it what the source has not read yet.
    pub(super) async fn hear_end(&mut self) -> io::Result<()> {
        while self.source.read(&mut self.buffer).await? > 0 {}
        Ok(())
    }

    pub(super) async fn shut(&mut self) -> io::Result<()> {
        self.sink.shutdown().await
    }

    /// Reads a piece; the end is passed on.
    async fn read(&mut self) -> io::Result<usize> {
        if self.has_ended {
            return Ok(0);
        }
        let length = self.source.read(&mut self.buffer).await?;
        if length == 0 {
            self.has_ended = true;
            self.sink.shutdown().await?;
        }
        Ok(length)
    }

    async fn write(&mut self) -> io::Result<()> {
        while !self.unwritten.is_empty() {
            match self.sink.write(&self.buffer[self.unwritten.clone()]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.unwritten.start += written,
            }
        }
        Ok(())
    }

    fn is_in_frame(&self) -> bool {
        self.frames.as_ref().is_some_and(|frames| !frames.is_at_boundary())
    }

    fn pass(&mut self, piece: Range<usize>) {
        if let Some(frames) = &mut self.frames {
            frames.pass(&self.buffer[piece]);
        }
    }

    fn pass_to_boundary(&mut self, length: usize) -> usize {
        let piece = &self.buffer[..length];
        self.frames.as_mut().map_or(length, |frames| frames.pass_to_boundary(piece))
    }
}

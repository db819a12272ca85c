//! The signals that a person or a manager sends to a roll.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, told as one.
#[derive(Debug)]
pub(super) struct Signals {
    int: Signal,
    term: Signal,
    _hup: Signal,
}

impl Signals {
    /// Takes the signals over from here on.
    ///
    /// # Errors
    ///
    /// When the system does not let us.
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
            // Taken so that it does not end us: a dropped ssh does not end a roll.
            _hup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until somebody wants the roll to end.
    pub(super) async fn interrupted(&mut self) {
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
        }
    }
}

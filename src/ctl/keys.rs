//! Single keys on the terminal that a roll is followed on: pacing, and answers to its doubts.
//!
//! ```text
//! p pause   r resume   + - pause length   q finish what is in hand and stop   y n t answers
//! ```
//!
//! The terminal is taken only while we are in its foreground, and given back on every way out; Ctrl-C
//! and Ctrl-Z stay what they are. It is opened anew: what its other users see stays blocking.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;
use rustix::process::{Signal as Number, getpgrp, getpid, getsid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::control::Command;

/// The keys of the terminal; dropped, it is as it was before.
#[derive(Debug)]
pub(super) struct Keys {
    /// No pipe, but read like one, which needs no unsafe code of ours.
    tty: Receiver,
    before: Termios,
    is_taken: bool,
    /// Ctrl-Z, and the way back.
    stop: Signal,
    go_on: Signal,
    typed: VecDeque<Command>,
}

/// Whether somebody at a terminal sees what is asked, and can press a key.
pub fn is_attended() -> bool {
    let sees = io::stdin().is_terminal() && io::stderr().is_terminal();
    sees && open().is_ok_and(|tty| is_in_foreground(&tty))
}

impl Keys {
    /// Takes the terminal, if we are in its foreground.
    pub(super) fn take() -> io::Result<Self> {
        let tty = open()?;
        let before = tcgetattr(&tty)?;
        let stop = signal(SignalKind::from_raw(Number::TSTP.as_raw()))?;
        let go_on = signal(SignalKind::from_raw(Number::CONT.as_raw()))?;
        let tty = Receiver::from_file_unchecked(tty)?;
        let mut keys = Self { tty, before, is_taken: false, stop, go_on, typed: VecDeque::new() };
        keys.take_terminal();
        Ok(keys)
    }

    /// Waits for the next key that means something.
    pub(super) async fn next(&mut self) -> Command {
        loop {
            if let Some(command) = self.typed.pop_front() {
                return command;
            }
            let is_taken = self.is_taken;
            tokio::select! {
                ready = self.tty.readable(), if is_taken => match ready {
                    Ok(()) => self.read(),
                    Err(_) => self.is_taken = false,
                },
                _ = self.stop.recv() => self.stand_still(),
                _ = self.go_on.recv() => self.take_terminal(),
            }
        }
    }

    fn read(&mut self) {
        let mut bytes = [0; 16];
        // From the background a read would stop us.
        if !is_in_foreground(&self.tty) {
            self.is_taken = false;
            return;
        }
        match self.tty.try_read(&mut bytes) {
            Ok(count @ 1..) => self.typed.extend(bytes[..count].iter().filter_map(meaning)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // It was closed: nobody is there any more, and the roll goes on.
            Ok(_) | Err(_) => self.is_taken = false,
        }
    }

    /// From the background, setting a terminal's modes would stop us.
    fn take_terminal(&mut self) {
        if !is_in_foreground(&self.tty) {
            return;
        }
        let mut modes = self.before.clone();
        modes.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
        self.is_taken = tcsetattr(&self.tty, OptionalActions::Now, &modes).is_ok();
    }

    fn give_back(&mut self) {
        if std::mem::take(&mut self.is_taken) && is_in_foreground(&self.tty) {
            // A terminal that went away needs no modes.
            let _ = tcsetattr(&self.tty, OptionalActions::Now, &self.before);
        }
    }

    fn stand_still(&mut self) {
        // Beneath no shell (ssh, a unit) nobody could let us go on.
        if getsid(None).is_ok_and(|session| session == getpid()) {
            return;
        }
        self.give_back();
        let _ = kill_process(getpid(), Number::STOP);
        self.take_terminal();
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn open() -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = flags.bits().cast_signed();
    OpenOptions::new().read(true).write(true).custom_flags(flags).open("/dev/tty")
}

fn is_in_foreground(tty: impl AsFd) -> bool {
    tcgetpgrp(tty).is_ok_and(|group| group == getpgrp())
}

fn meaning(key: &u8) -> Option<Command> {
    Some(match key {
        b'p' => Command::Pause,
        b'r' => Command::Resume,
        b'q' => Command::Abort,
        b'+' => Command::Longer,
        b'-' => Command::Shorter,
        b'y' => Command::Accept,
        b'n' => Command::Reject,
        b't' => Command::Retry,
        _ => return None,
    })
}

//! What people want of a roll under way, from wherever it comes: a signal, another terminal, a key.

use std::io;

use tokio::sync::oneshot;

use super::control::Control;
use super::keys::Keys;
use super::scope::Scope;
use super::signals::Signals;
use super::user::name_of;
use crate::roll::Event;

/// All the ways in which an order may come.
#[derive(Debug)]
pub struct Orders {
    signals: Signals,
    control: Option<Control>,
    keys: Option<Keys>,
    /// What holds beyond the roll that heard it, for the groups that come next.
    is_to_end: bool,
    pause: Option<Event>,
}

/// An order, and who waits to hear that it was taken in.
#[derive(Debug)]
pub struct Order {
    pub(super) event: Event,
    pub(super) acknowledge: Option<Acknowledge>,
}

/// The other end of an order.
#[derive(Debug)]
pub(super) struct Acknowledge(pub(super) oneshot::Sender<()>);

impl Acknowledge {
    /// From here on the order holds.
    pub(super) fn taken_in(self) {
        // Who gave the order may be gone; it holds all the same.
        let _ = self.0.send(());
    }
}

impl Orders {
    /// Takes the signals over from here on, and where somebody is there to press them, the keys.
    ///
    /// # Errors
    ///
    /// When the system does not let us.
    pub fn take(is_attended: bool) -> io::Result<Self> {
        let keys = if is_attended { Some(Keys::take()?) } else { None };
        let signals = Signals::take()?;
        Ok(Self { signals, control: None, keys, is_to_end: false, pause: None })
    }

    /// From here on other terminals speak to the roll of this group, and no longer to another's.
    ///
    /// # Errors
    ///
    /// When there is no place for the socket.
    pub fn listen(&mut self, scope: Scope, group: &str) -> io::Result<()> {
        self.control = None;
        self.control = Some(Control::listen(scope, group)?);
        Ok(())
    }

    /// Waits for the next order.
    pub async fn next(&mut self) -> Order {
        let order = tokio::select! {
            () = self.signals.interrupted() => Order { event: Event::Interrupted, acknowledge: None },
            order = from_afar(&mut self.control) => order,
            event = from_keys(&mut self.keys) => Order { event, acknowledge: None },
        };
        self.keep(&order.event);
        order
    }

    /// Whether somebody has wanted an end: a roll that had nothing left to begin came through all
    /// the same.
    pub fn is_to_end(&self) -> bool {
        self.is_to_end
    }

    /// The pause that nobody has ended.
    pub fn pause(&self) -> Option<Event> {
        self.pause.clone()
    }

    fn keep(&mut self, event: &Event) {
        match event {
            Event::Interrupted | Event::Abort { .. } => self.is_to_end = true,
            Event::Pause { .. } => self.pause = Some(event.clone()),
            Event::Resume { .. } => self.pause = None,
            _ => {}
        }
    }
}

async fn from_keys(keys: &mut Option<Keys>) -> Event {
    match keys {
        Some(keys) => keys.next().await.event(format!("{} at the terminal", our_name())),
        None => std::future::pending().await,
    }
}

fn our_name() -> String {
    name_of(rustix::process::getuid().as_raw())
}

async fn from_afar(control: &mut Option<Control>) -> Order {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}

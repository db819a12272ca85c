//! The connection, and what may come of a call.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use zbus::connection::Builder;
use zbus::{Connection, DynamicType, Message, fdo};

use crate::ctl::scope::Scope;

pub(super) const SYSTEMD: &str = "org.freedesktop.systemd1";
pub(super) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(super) const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
pub(super) const UNITS_PATH: &str = "/org/freedesktop/systemd1/unit";

/// A manager under daemon-reload answers nobody for a while; longer than this is not that.
const CALL_LIMIT: Duration = Duration::from_secs(25);

/// So many calls may be without an answer. dbus-daemon refuses the 129th of a connection
/// (`max_replies_per_connection`, dbus-daemon(1)).
const CALLS_AT_ONCE: usize = 100;

/// A connection to one systemd manager.
#[derive(Clone, Debug)]
pub struct Systemd {
    pub(super) connection: Connection,
    scope: Scope,
    /// One permit a call.
    room: Arc<Semaphore>,
}

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no bus to speak through.
    #[error("no bus at {address}: {why}")]
    NoBus {
        /// Where it was looked for.
        address: String,
        /// The system's word.
        why: String,
    },
    /// The answer was lost: the call may or may not have been heard.
    #[error("no answer from systemd: {0}")]
    Lost(String),
    /// systemd heard the call and said no, in this D-Bus error.
    #[error("{message}")]
    Refused {
        /// The name of the D-Bus error.
        name: String,
        /// What it says.
        message: String,
    },
}

impl CallError {
    /// Whether a job of somebody else's is in the way: the meaning of job mode `fail`.
    pub fn is_about_another_job(&self) -> bool {
        matches!(self, Self::Refused { name, .. } if name.ends_with(".TransactionIsDestructive"))
    }

    /// Whether the caller lacks the rights, rather than the call its sense.
    pub fn is_about_rights(&self) -> bool {
        let Self::Refused { name, .. } = self else { return false };
        name.ends_with(".AccessDenied") || name.ends_with(".InteractiveAuthorizationRequired")
    }
}

impl Systemd {
    /// Connects to the bus of `scope`.
    ///
    /// # Errors
    ///
    /// When there is no bus at its address.
    pub async fn connect(scope: Scope) -> Result<Self, CallError> {
        let address = scope.bus_address();
        let builder = Builder::address(address.as_str()).method_timeout(CALL_LIMIT);
        match builder.build().await {
            Ok(connection) => {
                Ok(Self { connection, scope, room: Arc::new(Semaphore::new(CALLS_AT_ONCE)) })
            }
            Err(error) => Err(CallError::NoBus { address, why: cause_of(&error) }),
        }
    }

    /// Which manager this is.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    pub(super) async fn call_manager<B>(&self, method: &str, body: &B) -> Result<Message, CallError>
    where
        B: serde::Serialize + DynamicType,
    {
        self.call(MANAGER_PATH, MANAGER, method, body).await
    }

    pub(super) async fn call<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<Message, CallError>
    where
        B: serde::Serialize + DynamicType,
    {
        // It is never closed.
        let _permit = self.room.acquire().await;
        let call = self.connection.call_method(Some(SYSTEMD), path, Some(interface), method, body);
        call.await.map_err(CallError::from)
    }
}

impl From<zbus::Error> for CallError {
    fn from(error: zbus::Error) -> Self {
        match error {
            zbus::Error::MethodError(name, message, _) => by_name(name.as_str(), message),
            zbus::Error::FDO(error) => by_fdo(&error),
            // What is left happened on this side of the bus.
            error => Self::Lost(cause_of(&error)),
        }
    }
}

fn by_fdo(error: &fdo::Error) -> CallError {
    if let fdo::Error::ZBus(error) = error {
        return CallError::Lost(cause_of(error));
    }
    let name = zbus::DBusError::name(error).to_string();
    by_name(&name, zbus::DBusError::description(error).map(str::to_owned))
}

/// Tells the bus's own errors (nobody took the call, or nobody knows) from systemd's refusals.
fn by_name(name: &str, message: Option<String>) -> CallError {
    const LOST: [&str; 9] = [
        ".ServiceUnknown",
        ".NameHasNoOwner",
        ".NoReply",
        ".NoServer",
        ".Timeout",
        ".TimedOut",
        ".Disconnected",
        ".LimitsExceeded",
        ".NoNetwork",
    ];
    let message = message.unwrap_or_else(|| name.to_owned());
    let unheard = LOST.iter().any(|end| name.ends_with(end)) || name.contains(".Spawn.");
    match unheard {
        true => CallError::Lost(message),
        false => CallError::Refused { name: name.to_owned(), message },
    }
}

/// The first cause of an error, on one line.
fn cause_of(error: &zbus::Error) -> String {
    let text = match error {
        zbus::Error::InputOutput(cause) => cause.to_string(),
        zbus::Error::Connection(cause, _) => cause.to_string(),
        error => error.to_string(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}

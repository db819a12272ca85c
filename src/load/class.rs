//! How a request ended: exactly one class each.

use std::fmt;

/// The classes of outcomes; every one but [`Class::Ok`] is a lost request.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A whole response with status 2xx and the body that was expected.
    Ok,
    /// A whole response with another status.
    OtherStatus,
    /// The connection was refused, or could not be made for another reason than time.
    Refused,
    /// No connection within the connect timeout.
    ConnectTimeout,
    /// A new connection was reset or ended before any byte of the response.
    EndFresh,
    /// A connection that had served before was reset or ended before any byte of the response.
    EndReused,
    /// The response began and then broke off, or could not be read as HTTP.
    Cut,
    /// No whole response within the request timeout.
    TimedOut,
    /// A whole 2xx response with another body than expected.
    WrongBody,
}

impl Class {
    /// All classes, the good one first.
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::OtherStatus,
        Self::Refused,
        Self::ConnectTimeout,
        Self::EndFresh,
        Self::EndReused,
        Self::Cut,
        Self::TimedOut,
        Self::WrongBody,
    ];

    /// Whether the client did not get what it asked for.
    pub fn is_lost(self) -> bool {
        self != Self::Ok
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::OtherStatus => "other status",
            Self::Refused => "refused",
            Self::ConnectTimeout => "connect timeout",
            Self::EndFresh => "ended before any byte, fresh connection",
            Self::EndReused => "ended before any byte, reused connection",
            Self::Cut => "cut in the middle",
            Self::TimedOut => "timed out",
            Self::WrongBody => "wrong body",
        })
    }
}

//! The signals that a roll listens to, and the way back when the bus or systemd was away.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{Select, select};
use tokio::time::{Instant, sleep};
use zbus::{MatchRule, Message, MessageStream, OwnedObjectPath};

use super::bus::{CallError, MANAGER, SYSTEMD, Systemd, UNITS_PATH};
use super::news::News;
use crate::ctl::scope::Scope;
use crate::roll::{JobId, JobResult};

/// How long the bus and systemd may stay away before a roll gives up.
const AWAY_LIMIT: Duration = Duration::from_secs(30);
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Whose signals a [`Watch`] hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of every job and every unit.
    All,
    /// Those of the jobs that this connection asks for, of which systemd tells it in any case: nobody
    /// makes systemd and the bus tell of all the rest.
    Own,
}

/// The signals of one connection.
#[derive(Debug)]
pub struct Watch {
    signals: Select<MessageStream, Select<MessageStream, MessageStream>>,
}

/// What a [`Watch`] heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A job of some unit ended.
    JobRemoved {
        /// The job.
        job: JobId,
        /// Its unit.
        unit: String,
        /// How it ended.
        result: JobResult,
    },
    /// Something of the unit at this object path changed.
    Changed {
        /// As systemd escapes the unit's name for it.
        path: String,
        /// What it is now, if the signal says so.
        news: Option<News>,
    },
    /// systemd left the bus, or the bus itself went away.
    Away,
}

impl Watch {
    /// Listens; systemd may finish a job before it answers the call that made it, so this comes
    /// before any call that makes one.
    ///
    /// # Errors
    ///
    /// When the bus or systemd does not answer, or refuses.
    pub async fn open(systemd: &Systemd, reach: Reach) -> Result<Self, CallError> {
        let jobs = stream(systemd, job_rule()?).await?;
        let owners = stream(systemd, owner_rule()?).await?;
        let changes = stream(systemd, change_rule()?).await?;
        if reach == Reach::All {
            systemd.subscribe().await?;
        }
        Ok(Self { signals: select(jobs, select(owners, changes)) })
    }

    /// Waits for the next signal of interest.
    pub async fn next(&mut self) -> Heard {
        loop {
            match self.signals.next().await {
                Some(Ok(message)) => {
                    if let Some(heard) = read(&message) {
                        return heard;
                    }
                }
                Some(Err(_)) | None => return Heard::Away,
            }
        }
    }
}

impl Systemd {
    /// A new connection and all signals, after [`Heard::Away`], for as long as it may take: the jobs
    /// in hand are those of the old one.
    ///
    /// # Errors
    ///
    /// The last error, when bus and systemd stayed away for half a minute.
    pub async fn come_back(scope: Scope) -> Result<(Self, Watch), CallError> {
        let deadline = Instant::now() + AWAY_LIMIT;
        loop {
            match try_once(scope).await {
                Err(_) if Instant::now() < deadline => sleep(TRY_AGAIN).await,
                result => return result,
            }
        }
    }
}

async fn try_once(scope: Scope) -> Result<(Systemd, Watch), CallError> {
    let systemd = Systemd::connect(scope).await?;
    let watch = Watch::open(&systemd, Reach::All).await?;
    Ok((systemd, watch))
}

fn job_rule() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(SYSTEMD)
        .interface(MANAGER)
        .member("JobRemoved")
        .build()
}

fn change_rule() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(SYSTEMD)
        .path_namespace(UNITS_PATH)
        .interface("org.freedesktop.DBus.Properties")
        .member("PropertiesChanged")
        .build()
}

fn owner_rule() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .add_arg(SYSTEMD)
        .build()
}

async fn stream(systemd: &Systemd, rule: MatchRule<'static>) -> Result<MessageStream, CallError> {
    // A daemon-reload or a large boot ends thousands of jobs at once.
    let queue = NonZeroUsize::new(4096);
    Ok(MessageStream::for_match_rule(rule, &systemd.connection, queue).await?)
}

fn read(message: &Message) -> Option<Heard> {
    let (body, header) = (message.body(), message.header());
    match header.member()?.as_str() {
        "NameOwnerChanged" => {
            let (_, old_owner, _): (String, String, String) = body.deserialize().ok()?;
            // Without an old owner this is systemd coming back: whoever heard it leave knows.
            (!old_owner.is_empty()).then_some(Heard::Away)
        }
        "PropertiesChanged" => {
            Some(Heard::Changed { path: header.path()?.to_string(), news: News::read(message) })
        }
        _ => job_removed(message),
    }
}

fn job_removed(message: &Message) -> Option<Heard> {
    let body = message.body();
    let (id, _, unit, result): (u32, OwnedObjectPath, String, String) = body.deserialize().ok()?;
    let Ok(result) = result.parse();
    Some(Heard::JobRemoved { job: JobId(id), unit, result })
}

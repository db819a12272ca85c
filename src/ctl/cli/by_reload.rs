//! `rollctl restart GROUP` by who is not root: systemd is asked, polkit decides, and the roll is
//! followed here to its end.
//!
//! ```text
//! rollctl restart worker ─► ReloadUnit worker.service ─► polkit: this unit, this verb, a member?
//!        ▲                                                 │ yes
//!        └──── its log, which members may read ◄──── ExecReload=: the roll, by root
//! ```

mod refusals;

use std::io::stderr;
use std::time::Duration;

use tokio::time::sleep;

use self::refusals::{is_running, not_plain, refused, rolls_when_reloaded};
use super::args::RollArgs;
use super::attach::follow;
use super::group::GroupArgs;
use crate::ctl::frozen::{check, frozen};
use crate::ctl::look::Fate;
use crate::ctl::report::say;
use crate::ctl::restart::connect;
use crate::ctl::signals::Signals;
use crate::ctl::systemd::Systemd;
use crate::ctl::{Error, ExitStatus, Output, Ran, Scope, Wish};
use crate::roll::JobId;

const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// So many looks are taken for the log of the roll before somebody is told that there is none.
const PATIENCE: u32 = 20;

/// Whether the roll is systemd's to begin: a manager of the system takes orders from root.
pub(super) fn is_needed(args: &RollArgs) -> bool {
    args.asked.manager.scope() == Scope::System && !rustix::process::geteuid().is_root()
}

/// Has the group rolled; the exit status is the roll's own.
pub(super) async fn run(args: &RollArgs) -> Result<ExitStatus, Error> {
    let of = args.plain_group().ok_or_else(not_plain)?;
    let mut signals = Signals::take().map_err(no_signals)?;
    let asked = Asked::of(&of, args.output()).await?;
    tokio::select! {
        status = asked.to_its_end(&of) => status,
        () = signals.interrupted() => Ok(look_away(&of)),
    }
}

/// A reload that systemd has queued.
struct Asked {
    systemd: Systemd,
    unit: String,
    job: JobId,
    /// The last roll before it, if that may be read.
    before: Option<u64>,
    /// How the reload before it had ended.
    ran: Option<Ran>,
    output: Output,
}

impl Asked {
    async fn of(of: &GroupArgs, output: Output) -> Result<Self, Error> {
        let unit = format!("{}.service", of.group.prefix());
        let systemd = connect(Scope::System).await?;
        let cannot_ask = |error| Error::systemd("cannot ask systemd", error, Scope::System);
        let properties = systemd.properties(&unit).await.map_err(cannot_ask)?;
        rolls_when_reloaded(&properties, of, &unit)?;
        is_running(&properties, &unit)?;
        // As far as that may be read; the roll itself looks again.
        if let Ok(Some(_)) = frozen(Scope::System, of.group.prefix()) {
            check(Scope::System, of.group.prefix())?;
        }
        let before = last_number(of).await?;
        let job = systemd.queue(Wish::Reload, &unit).await.map_err(|it| refused(of, it))?;
        Ok(Self { systemd, job, before, ran: properties.ran("ExecReload"), unit, output })
    }

    async fn to_its_end(&self, of: &GroupArgs) -> Result<ExitStatus, Error> {
        let mut looks = 0;
        let followed = loop {
            if self.has_begun(of).await {
                break Some(follow(of, self.output, false).await?);
            }
            if self.is_over().await? {
                break None;
            }
            looks += 1;
            if looks == PATIENCE && self.output == Output::Told {
                let group = &of.group;
                say(stderr(), &format!("{group} is rolled; what it does is not for you to read"));
            }
            sleep(LOOK_AGAIN).await;
        };
        // The next one would be taken for the same job.
        while !self.is_over().await? {
            sleep(LOOK_AGAIN).await;
        }
        match followed {
            Some(status) => Ok(status),
            None => self.result(of).await,
        }
    }

    async fn has_begun(&self, of: &GroupArgs) -> bool {
        let Ok(look) = of.last_roll().await else { return false };
        match self.before {
            Some(before) => look.told.header.number > before,
            // The first that may be read since the group was named.
            None => matches!(look.fate, Fate::UnderWay | Fate::Paused),
        }
    }

    async fn is_over(&self) -> Result<bool, Error> {
        let rows = self.systemd.rows(std::slice::from_ref(&self.unit)).await;
        let rows = rows.map_err(|source| Error::Systemd {
            doing: "systemd is out of sight, and the roll goes on".to_owned(),
            source,
            next: self.status(),
        })?;
        Ok(rows.get(&self.unit).is_none_or(|row| row.job != Some(self.job)))
    }

    /// Of a roll that was not followed only its exit status is known.
    async fn result(&self, of: &GroupArgs) -> Result<ExitStatus, Error> {
        let properties = self.systemd.properties(&self.unit).await;
        let cannot_ask = |error| Error::systemd("cannot ask systemd", error, Scope::System);
        let ran = properties
            .map_err(cannot_ask)?
            .ran("ExecReload")
            .filter(|ran| self.ran.as_ref() != Some(ran));
        let (group, next) = (&of.group, self.status());
        let Some(ran) = ran else {
            return Err(Error::Refused(format!(
                "systemd did not begin the roll of {group}; nothing was touched\n  next: {next}"
            )));
        };
        let status = ran.status.map_or(ExitStatus::Failed, ExitStatus::from_code);
        if status != ExitStatus::Serving {
            let meaning = status.meaning();
            say(
                stderr(),
                &format!("rollctl: the roll of {group} ended: {meaning}\n  next: {next}"),
            );
        }
        Ok(status)
    }

    fn status(&self) -> String {
        format!("systemctl status {}; to whom may read it: journalctl -u {0}", self.unit)
    }
}

/// The number of the last roll, which must be over; `None` if that may not be read.
async fn last_number(of: &GroupArgs) -> Result<Option<u64>, Error> {
    match of.last_roll().await {
        Ok(look) if matches!(look.fate, Fate::UnderWay | Fate::Paused) => {
            let group = &of.group;
            Err(Error::Refused(format!(
                "{group} is being rolled by another; nothing was touched\n  \
                 next: rollctl attach {group}"
            )))
        }
        Ok(look) => Ok(Some(look.told.header.number)),
        Err(Error::NoRoll { .. }) => Ok(Some(0)),
        Err(_) => Ok(None),
    }
}

fn look_away(of: &GroupArgs) -> ExitStatus {
    let group = &of.group;
    say(stderr(), &format!("the roll of {group} goes on\n  next: rollctl attach {group}"));
    ExitStatus::Interrupted
}

fn no_signals(error: std::io::Error) -> Error {
    Error::Refused(format!("cannot listen for signals: {error}; nothing was touched"))
}

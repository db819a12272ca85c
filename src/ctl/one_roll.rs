//! The roll of one group, from the first line of its log to the last word.

use super::driver::{Edge, drive};
use super::error::Error;
use super::explain::{Case, explain};
use super::log::{Beginning, EventLog, Shelf};
use super::orders::Orders;
use super::report::{Ending, Report};
use super::restart::Request;
use super::select::Group;
use super::systemd::Systemd;
use crate::roll::{LastWord, Moment, Outcome, Plan, Record};

/// All that is needed to roll one group.
pub(super) struct OneRoll {
    pub(super) id: String,
    pub(super) plan: Plan,
    pub(super) edge: Edge,
    pub(super) warnings: Vec<String>,
}

/// Walks it, and tells whoever listens how it went.
///
/// # Errors
///
/// When it may not begin; nothing was touched then.
pub(super) async fn walk(
    systemd: &Systemd,
    group: &Group,
    not_begun: &[Group],
    roll: OneRoll,
    orders: &mut Orders,
    request: &Request,
) -> Result<Outcome, Error> {
    let OneRoll { id, plan, edge, warnings } = roll;
    orders.listen(request.scope, &group.name).map_err(|error| no_control(group, &error))?;
    let mut log = begin_log(systemd, group, id, request).await?;
    let mut report = request.output.begin(&group.name, &group.left_out, request.is_attended);
    for text in warnings {
        tell(Moment::default(), Record::Note { instance: None, text }, &mut log, &mut *report);
    }
    let outcome = drive(systemd.clone(), plan, edge, orders, &mut log, &mut *report).await;
    let last_word = last_word(group, &outcome, not_begun, &log).await;
    if let Some(word) = &last_word {
        tell(Moment(outcome.took), Record::Explained(word.clone()), &mut log, &mut *report);
    }
    let last_word = last_word.as_ref();
    report.end(&Ending { group: &group.name, outcome: &outcome, last_word });
    Ok(outcome)
}

/// Beside the roll itself: what cannot be written down is said all the same.
fn tell(now: Moment, record: Record, log: &mut EventLog, report: &mut dyn Report) {
    let line = log.line(now, record);
    let _ = log.append(std::slice::from_ref(&line), true);
    report.record(&line);
}

/// What went wrong, if anything did.
async fn last_word(
    group: &Group,
    outcome: &Outcome,
    not_begun: &[Group],
    log: &EventLog,
) -> Option<LastWord> {
    let story = log.story();
    explain(&Case { group, outcome, story: &story, not_begun }).await
}

/// The log comes before the first step, or there is none.
async fn begin_log(
    systemd: &Systemd,
    group: &Group,
    roll: String,
    request: &Request,
) -> Result<EventLog, Error> {
    let life = systemd.life().await;
    let life = life.map_err(|error| Error::systemd("cannot ask systemd", error, request.scope))?;
    let shelf = Shelf::of(request.scope, &group.name);
    let command = request.command.clone();
    let resumes = request.resumes.as_ref().map(|resumed| resumed.number);
    let log = EventLog::begin(&shelf, &group.name, &Beginning { roll, life, command, resumes });
    log.map_err(|error| {
        let (name, dir) = (&group.name, shelf.dir().display());
        Error::Refused(format!(
            "the event log of {name} cannot be written in {dir}: {error}; nothing was touched\n  \
             next: df -h {dir}"
        ))
    })
}

fn no_control(group: &Group, error: &std::io::Error) -> Error {
    Error::Refused(format!(
        "no other terminal could speak to the roll of {}: {error}; nothing was touched",
        group.name
    ))
}

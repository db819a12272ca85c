//! What systemd, the journal and the logs of earlier rolls say of an instance that failed.

use std::time::Duration;

use crate::ctl::journal;
use crate::ctl::log::{Shelf, read};
use crate::ctl::select::Group;
use crate::ctl::systemd::{Properties, Systemd};
use crate::roll::{Explanation, Failure, InstanceOutcome, Outcome, Record, Standing, Usual};

/// So many of the last rolls say what is usual.
const ROLLS: usize = 20;

/// Every instance that failed; on a connection of its own, for the roll's may be from before a
/// restart of the bus.
pub(super) async fn of_failures(group: &Group, outcome: &Outcome) -> Vec<Explanation> {
    let systemd = Systemd::connect(group.scope).await.ok();
    let usual = usual(group);
    let mut all = Vec::new();
    for instance in outcome.instances.iter().filter(|it| it.failure.is_some()) {
        let unit = match &systemd {
            Some(systemd) => systemd.properties(&instance.instance).await.ok(),
            None => None,
        };
        all.push(of_one(instance, unit.as_ref(), usual).await);
    }
    all
}

async fn of_one(
    instance: &InstanceOutcome,
    unit: Option<&Properties>,
    usual: Option<Usual>,
) -> Explanation {
    let run = unit.and_then(|unit| unit.state().invocation);
    // Whether the run itself failed, rather than the right or the turn to touch it.
    let is_its_own = !matches!(
        instance.failure,
        Some(Failure::Refused { .. } | Failure::TakenOver { .. } | Failure::Hook { .. })
    );
    let last_words = match run.filter(|_| is_its_own) {
        Some(run) => journal::last_words(run).await,
        None => Vec::new(),
    };
    let ended_itself = matches!(
        instance.failure,
        Some(Failure::Job { .. } | Failure::NotUp { .. } | Failure::Died { .. })
    );
    Explanation {
        instance: instance.instance.clone(),
        invocation: run.map(|run| run.to_string()),
        exit: unit.filter(|_| ended_itself).and_then(exit),
        took: instance.took,
        usual,
        last_words,
    }
}

/// How its main process ended, in words (`ExecMainCode` is siginfo's `si_code`).
fn exit(unit: &Properties) -> Option<String> {
    let status = unit.signed("ExecMainStatus");
    match unit.signed("ExecMainCode") {
        1 => Some(format!("its process exited with status {status}")),
        2 => Some(format!("its process was killed by signal {status}")),
        3 => Some(format!("its process was killed by signal {status}, and dumped core")),
        _ => None,
    }
}

/// How long a turn takes that goes well, in the last rolls of the group.
fn usual(group: &Group) -> Option<Usual> {
    let shelf = Shelf::of(group.scope, &group.name);
    let numbers = shelf.numbers().ok()?;
    let logs = numbers.iter().rev().take(ROLLS).filter_map(|it| read(&shelf.path(*it)).ok());
    let records = logs.flat_map(|told| told.lines).map(|line| line.record);
    let outcomes = records.filter_map(|record| match record {
        Record::RollEnded { outcome } => Some(outcome),
        _ => None,
    });
    let well = |it: &InstanceOutcome| it.standing == Standing::Serving && it.failure.is_none();
    let turns = outcomes.flat_map(|outcome| outcome.instances).filter(well);
    median(turns.map(|it| it.took).collect())
}

fn median(mut spans: Vec<Duration>) -> Option<Usual> {
    spans.sort_unstable();
    let span = spans.get(spans.len() / 2).copied()?;
    Some(Usual { span, of: spans.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_the_median() {
        let spans = |seconds: &[u64]| seconds.iter().map(|s| Duration::from_secs(*s)).collect();
        assert_eq!(median(spans(&[])), None);
        let usual = median(spans(&[60, 1, 2])).unwrap();
        assert_eq!((usual.span, usual.of), (Duration::from_secs(2), 3));
    }
}

//! What an operator should know at three in the morning: what failed and how, whether that is
//! usual, in what state the rest is, and what to type next.

mod facts;

use super::log::Shelf;
use super::report::{in_millis, listed, short};
use super::select::Group;
use crate::roll::{
    Explanation, Failure, InstanceOutcome, LastWord, Outcome, Reason, Standing, Story,
};

/// A roll that is over, and what is known beside its outcome.
#[derive(Debug)]
pub(super) struct Case<'a> {
    /// What was rolled.
    pub(super) group: &'a Group,
    /// How it ended.
    pub(super) outcome: &'a Outcome,
    /// What was told of it.
    pub(super) story: &'a Story,
    /// The groups that would have been rolled next.
    pub(super) not_begun: &'a [Group],
}

/// The last word; none is needed when all is well.
pub(super) async fn explain(case: &Case<'_>) -> Option<LastWord> {
    if case.outcome.reason == Reason::Done {
        return None;
    }
    let failures = facts::of_failures(case.group, case.outcome).await;
    let mut text = case.what();
    text.extend(failures.iter().filter_map(circumstances));
    text.extend(Some(case.rest()).filter(|rest| !rest.is_empty()));
    text.extend(case.dependents());
    let last_words = failures.iter().flat_map(|it| &it.last_words);
    text.extend(last_words.map(|line| format!("| {line}")));
    Some(LastWord { text, failures, next: case.next() })
}

/// How its process ended, and whether that took longer than usual.
fn circumstances(of: &Explanation) -> Option<String> {
    let usual = of.usual.map(|usual| {
        let (took, span, turns) = (in_millis(of.took), in_millis(usual.span), usual.of);
        let s = if turns == 1 { "" } else { "s" };
        format!("it failed after {took}; a turn that goes well takes {span} (of {turns} turn{s})")
    });
    let facts: Vec<String> = of.exit.iter().cloned().chain(usual).collect();
    let unit = short(&of.instance);
    (!facts.is_empty()).then(|| format!("{unit}: {}", facts.join("; ")))
}

impl Case<'_> {
    fn what(&self) -> Vec<String> {
        let name = &self.group.name;
        match &self.outcome.reason {
            Reason::Failed => self.failures().map(|(unit, why)| format!("{unit} {why}")).collect(),
            Reason::GroupSick { what } => {
                vec![format!("{name}: the roll stopped half-way: {what}")]
            }
            Reason::HookFailed { what } => {
                vec![format!("{name}: every instance is new and serves, but {what}")]
            }
            Reason::Refused { what } => vec![format!("{name} was not touched: {what}")],
            Reason::Unreachable { error } => vec![format!("systemd is out of reach: {error}")],
            Reason::Interrupted => vec![format!("{name}: interrupted, not every instance is new")],
            Reason::Done => Vec::new(),
        }
    }

    /// The others, by the state they are left in.
    fn rest(&self) -> String {
        type Is = fn(&InstanceOutcome) -> bool;
        let groups: [(Is, &str, &str); 7] = [
            (|it| it.standing == Standing::Serving, "is new and serves", "are new and serving"),
            (|it| is_left(it, true), "was left alone and serves", "were left alone and serve"),
            (|it| is_left(it, false), "was left alone and is down", "were left alone and are down"),
            (|it| it.standing == Standing::ComingUp, "is coming up", "are coming up"),
            (|it| it.standing == Standing::FailedStopped, "was stopped", "were stopped"),
            (
                |it| it.standing == Standing::FailedLeft,
                "was left as it is",
                "were left as they are",
            ),
            (|it| it.standing == Standing::Unknown, "may be new or old", "may be new or old"),
        ];
        let sentence = |(is, one, many): (Is, &str, &str)| {
            let instances = self.outcome.instances.iter().filter(|it| is(it));
            let names: Vec<&str> = instances.map(|it| short(&it.instance)).collect();
            match names.len() {
                0 => None,
                1 => Some(format!("{} {one}", names[0])),
                _ => Some(format!("{} {many}", listed(&names))),
            }
        };
        let not_begun = self.not_begun.iter().map(|group| format!("{} was not begun", group.name));
        groups.into_iter().filter_map(sentence).chain(not_begun).collect::<Vec<_>>().join("; ")
    }

    fn next(&self) -> String {
        let scope = self.group.scope;
        let list = || format!("rollctl list {}{}", scope.flag(), self.group.name);
        match &self.outcome.reason {
            Reason::Failed => match self.failures().next() {
                Some((_, Failure::Refused { error })) if is_about_rights(error) => {
                    "sudo rollctl …, or a polkit rule for org.freedesktop.systemd1.manage-units"
                        .to_owned()
                }
                Some((_, Failure::NoSocket { what })) => self.socket_in(what).unwrap_or_else(list),
                Some((unit, _)) => scope.journal_of(unit),
                None => list(),
            },
            Reason::GroupSick { what } | Reason::Refused { what } => {
                self.log_in(what).or_else(|| self.socket_in(what)).unwrap_or_else(list)
            }
            Reason::Unreachable { .. } => format!("{}; then {}", scope.systemctl("status"), list()),
            Reason::Interrupted | Reason::HookFailed { .. } | Reason::Done => list(),
        }
    }

    /// How to look at the disk of the log, if the sentence is about that.
    fn log_in(&self, what: &str) -> Option<String> {
        let dir = Shelf::of(self.group.scope, &self.group.name).dir().display().to_string();
        what.contains(&dir).then(|| format!("df -h {dir}"))
    }

    /// How to look at the socket that the sentence is about, if it is about one.
    fn socket_in(&self, what: &str) -> Option<String> {
        let socket = self.group.sockets.iter().find(|socket| what.contains(&socket.unit))?;
        Some(self.group.scope.systemctl(&format!("status {}", socket.unit)))
    }

    fn failures(&self) -> impl Iterator<Item = (&str, &Failure)> {
        let instances = self.outcome.instances.iter();
        instances.filter_map(|it| Some((it.instance.as_str(), it.failure.as_ref()?)))
    }

    /// Units that are no instances, and went down with one.
    fn dependents(&self) -> Vec<String> {
        let told = |(instance, up, down): &(String, Vec<String>, Vec<String>)| {
            let names = |units: &[String]| {
                listed(&units.iter().map(|unit| short(unit)).collect::<Vec<_>>())
            };
            let it = short(instance);
            let up = (!up.is_empty()).then(|| {
                let was = if up.len() == 1 { "was" } else { "were" };
                format!("{} went down with {it} and {was} brought back", names(up))
            });
            let down = (!down.is_empty()).then(|| {
                let is = if down.len() == 1 { "is" } else { "are" };
                format!("{} went down with {it} and {is} down until {it} is up", names(down))
            });
            [up, down].into_iter().flatten().collect::<Vec<_>>()
        };
        self.story.dependents.iter().flat_map(told).collect()
    }
}

fn is_left(instance: &InstanceOutcome, up: bool) -> bool {
    instance.standing == Standing::Untouched && instance.is_up == up
}

/// systemd's own words for want of rights (polkit's answers).
fn is_about_rights(error: &str) -> bool {
    error.contains("authentication required") || error.contains("Access denied")
}

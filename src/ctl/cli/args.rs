//! Every option, its help line and its default.

use clap::{Args, Parser, Subcommand};

use super::attach::AttachArgs;
use super::far::FarArgs;
use super::freeze::FreezeArgs;
use super::group::{GroupArgs, OnRecordArgs};
#[cfg(feature = "prove")]
use super::prove::ProveArgs;
use super::resume::ResumeArgs;
use crate::ctl::policy::{Given, HookCommand, Limit, Origin, Settings};
use crate::ctl::typed::command_line;
use crate::ctl::{
    ExitStatus, Health, InstancePattern, Output, Request, Scope, Wanted, is_attended,
};
use crate::roll::{Batches, OnFailure, Share};
use crate::span::Span;

/// Restart systemd services one by one, without losing a request.
#[derive(Debug, Parser)]
#[command(name = "rollctl", version, about, after_help = exit_statuses())]
#[command(disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) far: FarArgs,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Restart the instances one after the other, and stop at the first that does not come back
    Restart(RollArgs),
    /// Show what restart would do, and touch nothing
    Plan(RollArgs),
    /// Restart the instances under a load of your URL, and show what it cost
    ///
    /// The URL is loaded before the roll, during it and for a second after it; the roll itself is that
    /// of restart, with its options and refusals. It ends as the roll does, and with 1 too if the roll
    /// went well and a request was lost. A command can be run in place of a roll, so that both can
    /// be compared. Between two requests a client rests for 5 ms, and all
    /// together make 200 new connections a second at most.
    #[cfg(feature = "prove")]
    Prove(ProveArgs),
    /// List the instances: state, since, main process, restarts, memory, health
    List(ListArgs),
    /// Tell what the last roll of a group did, or is doing
    Status(OnRecordArgs),
    /// Let the roll under way begin nothing new, until it is resumed
    Pause(GroupArgs),
    /// Go on with a paused roll, or with those that a dead or failed one left undone
    Resume(ResumeArgs),
    /// Let the roll under way finish what is in hand, and end
    Abort(GroupArgs),
    /// Follow a roll that was begun elsewhere, to its end
    Attach(AttachArgs),
    /// List the rolls on record
    History(OnRecordArgs),
    /// Let nobody roll the group until it is thawed
    Freeze(FreezeArgs),
    /// Let the group be rolled again
    Thaw(GroupArgs),
}

impl Verb {
    /// Whether a roll may come of it.
    pub(super) fn rolls(&self) -> bool {
        match self {
            Self::Restart(_) | Self::Resume(_) => true,
            #[cfg(feature = "prove")]
            Self::Prove(_) => true,
            _ => false,
        }
    }
}

/// What `restart` and `plan` share.
#[derive(Debug, Args)]
pub(super) struct RollArgs {
    /// Tell what happens as JSON, an event a line
    #[arg(long, conflicts_with = "quiet")]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) asked: AskedArgs,
}

/// What every verb that rolls is asked for.
#[derive(Debug, Args)]
pub(super) struct AskedArgs {
    /// Roll these: worker (the group), worker@2, worker@{1..4}, worker@*, nginx.service
    #[arg(required = true, value_name = "PATTERN")]
    pub(super) patterns: Vec<InstancePattern>,
    /// Roll only those started before their unit or their program last changed
    #[arg(long)]
    outdated: bool,
    /// Wait so long for another roll of the same group to end
    #[arg(long, value_name = "SPAN", default_value = "0")]
    lock_wait: Span,
    /// Show what would be done, and touch nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Tell nothing but errors
    #[arg(short, long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) manager: ManagerArgs,
    // The last, for its heading stands over all that follows.
    #[command(flatten)]
    policy: PolicyArgs,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// List these; every group if none is named
    #[arg(value_name = "PATTERN")]
    pub(super) patterns: Vec<InstancePattern>,
    #[command(flatten)]
    pub(super) manager: ManagerArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ManagerArgs {
    /// Speak to your own manager
    #[arg(long, conflicts_with = "system")]
    user: bool,
    /// Speak to the system's manager [default]
    #[arg(long)]
    system: bool,
}

impl ManagerArgs {
    pub(super) fn scope(&self) -> Scope {
        if self.user { Scope::User } else { Scope::System }
    }
}

/// What a unit's `[X-Roll]` may say too; see the keys in `ctl::policy`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy (each also a key of [X-Roll] in the units)")]
struct PolicyArgs {
    /// Take at most this many out of service at a time [default: 1, or the largest batch]
    #[arg(long, value_name = "N|P%")]
    max_unavailable: Option<Share>,
    /// Take batches of these sizes, the last one again and again: 1,25%,100%
    #[arg(long, value_name = "LIST")]
    batches: Option<Batches>,
    /// Wait so long between two batches [default: 0]
    #[arg(long, value_name = "SPAN")]
    pause: Option<Span>,
    /// Wait so long between an instance's stop and its start [default: 0]
    #[arg(long, value_name = "SPAN")]
    stop_pause: Option<Span>,
    /// Watch an instance for so long after it passed the gates [default: 500ms]
    #[arg(long, value_name = "SPAN")]
    observe: Option<Span>,
    /// Give an instance so long to stop, and to start [default: from its unit]
    #[arg(long, value_name = "SPAN")]
    timeout: Option<Limit>,
    /// Ask its health: unix:/PATH:/healthz, http://HOST:PORT/, exec:/PATH ARGS (%i), or none
    #[arg(long, value_name = "CHECK")]
    health: Option<Health>,
    /// Give an instance that is up so long to be healthy [default: the timeout]
    #[arg(long, value_name = "SPAN")]
    health_timeout: Option<Limit>,
    /// Stop at the first instance that fails, or continue as far as the group can bear it
    #[arg(long, value_name = "stop|continue")]
    on_failure: Option<OnFailure>,
    /// Run this before the first step; its failure forbids the roll
    #[arg(long, value_name = "COMMAND")]
    before_roll: Option<HookCommand>,
    /// Run this before an instance is stopped
    #[arg(long, value_name = "COMMAND")]
    before_stop: Option<HookCommand>,
    /// Run this when an instance is up and healthy
    #[arg(long, value_name = "COMMAND")]
    after_start: Option<HookCommand>,
    /// Run this after the last step, however it went
    #[arg(long, value_name = "COMMAND")]
    after_roll: Option<HookCommand>,
    /// Give each of these commands so long [default: 5min]
    #[arg(long, value_name = "SPAN")]
    hook_timeout: Option<Limit>,
}

impl PolicyArgs {
    fn settings(&self) -> Settings {
        Settings {
            max_unavailable: given(&self.max_unavailable),
            batches: given(&self.batches),
            pause: given(&self.pause),
            on_failure: given(&self.on_failure),
            before_roll: given(&self.before_roll),
            after_roll: given(&self.after_roll),
            hook_timeout: given(&self.hook_timeout),
            stop_pause: given(&self.stop_pause),
            timeout: given(&self.timeout),
            health: given(&self.health),
            health_timeout: given(&self.health_timeout),
            observe: given(&self.observe),
            before_stop: given(&self.before_stop),
            after_start: given(&self.after_start),
        }
    }
}

fn given<T: Clone>(value: &Option<T>) -> Option<Given<T>> {
    value.clone().map(|value| Given { value, from: Origin::CommandLine })
}

impl RollArgs {
    pub(super) fn output(&self) -> Output {
        Output::of(self.json, self.asked.quiet)
    }

    /// The group, when one whole group is named and nothing is said of how it is to be rolled.
    pub(super) fn plain_group(&self) -> Option<GroupArgs> {
        let asked = &self.asked;
        let [group] = asked.patterns.as_slice() else { return None };
        let is_plain = *group.wanted() == Wanted::Whole
            && asked.policy.settings() == Settings::default()
            && !asked.outdated
            && asked.lock_wait.0.is_zero();
        is_plain.then(|| GroupArgs { group: group.clone(), manager: asked.manager.clone() })
    }

    pub(super) fn request(&self) -> Request {
        self.asked.request(self.output())
    }
}

impl AskedArgs {
    #[cfg(feature = "prove")]
    pub(super) fn scope(&self) -> Scope {
        self.manager.scope()
    }

    pub(super) fn request(&self, output: Output) -> Request {
        Request {
            scope: self.manager.scope(),
            patterns: self.patterns.clone(),
            settings: self.policy.settings(),
            is_attended: output == Output::Told && is_attended(),
            lock_wait: self.lock_wait.0,
            outdated: self.outdated,
            output,
            command: command_line(),
            resumes: None,
        }
    }
}

fn exit_statuses() -> String {
    let line =
        |(status, meaning): &(ExitStatus, &str)| format!("  {:>3}  {meaning}", status.code());
    let lines: Vec<String> = ExitStatus::TABLE.iter().map(line).collect();
    format!("Exit statuses:\n{}", lines.join("\n"))
}

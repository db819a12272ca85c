//! Every option, its help line and its default.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::group::GroupArgs;
use super::plan::Setting;
use super::resume::ResumeArgs;
use super::status::StatusArgs;
use crate::ctl::{ExitStatus, Health, InstancePattern, Output, Request, Scope};
use crate::roll::{Policy, Unavailable};
use crate::span::Span;

/// Restart systemd services one by one, without losing a request.
#[derive(Debug, Parser)]
#[command(name = "rollctl", version, about, after_help = exit_statuses())]
#[command(disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Restart the instances one after the other, and stop at the first that does not come back
    Restart(RollArgs),
    /// Show what restart would do, and touch nothing
    Plan(RollArgs),
    /// List the instances: state, since, main process, restarts, memory, health
    List(ListArgs),
    /// Tell what the last roll of a group did, or is doing
    Status(StatusArgs),
    /// Let the roll under way begin nothing new, until it is resumed
    Pause(GroupArgs),
    /// Go on with a paused roll, or with those that a dead or failed one left undone
    Resume(ResumeArgs),
    /// Let the roll under way finish what is in hand, and end
    Abort(GroupArgs),
}

/// What `restart` and `plan` share.
#[derive(Debug, Args)]
pub(super) struct RollArgs {
    /// Roll these: worker (the group), worker@2, worker@{1..4}, worker@*, nginx.service
    #[arg(required = true, value_name = "PATTERN")]
    pub(super) patterns: Vec<InstancePattern>,
    /// Take at most this many out of service at a time [default: 1]
    #[arg(long, value_name = "N|P%")]
    max_unavailable: Option<Unavailable>,
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
    #[arg(long, value_name = "SPAN", value_parser = positive_span)]
    timeout: Option<Span>,
    /// Ask its health here: unix:/PATH:/healthz, http://HOST:PORT/ (%i is the instance), or none
    #[arg(long, value_name = "URL")]
    health: Option<Health>,
    /// Roll only those started before their unit or their program last changed
    #[arg(long)]
    outdated: bool,
    /// Wait so long for another roll of the same group to end
    #[arg(long, value_name = "SPAN", default_value = "0")]
    lock_wait: Span,
    /// Show what would be done, and touch nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Tell what happens as JSON, an event a line
    #[arg(long, conflicts_with = "quiet")]
    pub(super) json: bool,
    /// Tell nothing but errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    manager: ManagerArgs,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// List these; every group if none is named
    #[arg(value_name = "PATTERN")]
    pub(super) patterns: Vec<InstancePattern>,
    #[command(flatten)]
    pub(super) manager: ManagerArgs,
}

#[derive(Debug, Args)]
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

impl RollArgs {
    pub(super) fn request(&self) -> Request {
        Request {
            scope: self.manager.scope(),
            patterns: self.patterns.clone(),
            policy: self.policy(),
            timeout: self.timeout.map(|span| span.0),
            health: self.health.clone().unwrap_or_default(),
            lock_wait: self.lock_wait.0,
            outdated: self.outdated,
            output: Output::of(self.json, self.quiet),
            command: std::env::args().collect(),
            resumes: None,
        }
    }

    fn policy(&self) -> Policy {
        let default = Policy::default();
        let or = |given: Option<Span>, default: Duration| given.map_or(default, |span| span.0);
        Policy {
            max_unavailable: self.max_unavailable.unwrap_or(default.max_unavailable),
            pause: or(self.pause, default.pause),
            stop_pause: or(self.stop_pause, default.stop_pause),
            observe: or(self.observe, default.observe),
        }
    }

    /// The effective values, and where each comes from.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let policy = self.policy();
        let span = |span: Duration| Span(span).to_string();
        let from = |given: bool| if given { "command line" } else { "default" };
        let setting = |name, value, given| Setting { name, value, from: from(given) };
        let health = match &self.health {
            None => "the instance's admin socket, if it has one".to_owned(),
            Some(Health::Url(url)) => url.to_string(),
            Some(_) => "none".to_owned(),
        };
        let unavailable = policy.max_unavailable.to_string();
        vec![
            setting("max-unavailable", unavailable, self.max_unavailable.is_some()),
            setting("pause", span(policy.pause), self.pause.is_some()),
            setting("stop-pause", span(policy.stop_pause), self.stop_pause.is_some()),
            setting("observe", span(policy.observe), self.observe.is_some()),
            self.timeout_setting(),
            setting("health", health, self.health.is_some()),
        ]
    }

    fn timeout_setting(&self) -> Setting {
        let (value, from) = match self.timeout {
            Some(span) => (span.to_string(), "command line"),
            None => ("see each instance".to_owned(), "unit"),
        };
        Setting { name: "timeout", value, from }
    }
}

/// With no time at all every instance would fail and be stopped.
fn positive_span(text: &str) -> Result<Span, String> {
    match text.parse::<Span>() {
        Ok(Span(Duration::ZERO)) => Err("it must be longer than nothing".to_owned()),
        Ok(span) => Ok(span),
        Err(error) => Err(error.to_string()),
    }
}

fn exit_statuses() -> String {
    let line =
        |(status, meaning): &(ExitStatus, &str)| format!("  {:>3}  {meaning}", status.code());
    let lines: Vec<String> = ExitStatus::TABLE.iter().map(line).collect();
    format!("Exit statuses:\n{}", lines.join("\n"))
}

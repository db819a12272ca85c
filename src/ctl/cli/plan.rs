//! `rollctl plan`.

use std::io::stdout;

use serde::Serialize;

use super::args::RollArgs;
use super::table;
use crate::ctl::advice::advice;
use crate::ctl::gates::Gates;
use crate::ctl::report::{say, short};
use crate::ctl::restart::{choose, connect};
use crate::ctl::select::{Group, LeftOut};
use crate::ctl::{Error, ExitStatus};
use crate::roll::Plan;
use crate::span::Span;

pub(super) async fn run(args: &RollArgs) -> Result<ExitStatus, Error> {
    let request = args.request();
    let systemd = connect(request.scope).await?;
    for group in choose(&systemd, &request).await? {
        let gates = Gates::of(&group, &request.health)?;
        let plan = group.plan(request.policy, request.timeout)?;
        let advice = advice(&group, &request.policy, &gates, &request.health);
        let view = View::new(&group, &plan, &gates, args, advice);
        match args.json {
            true => view.tell_as_json(),
            false => view.tell(),
        }
    }
    Ok(ExitStatus::Serving)
}

/// What is shown of one group.
#[derive(Serialize)]
struct View {
    group: String,
    steps: Vec<Step>,
    bystanders: Vec<String>,
    left_out: Vec<LeftOut>,
    settings: Vec<Setting>,
    advice: Vec<String>,
    #[serde(skip)]
    summary: String,
}

/// What one instance will go through.
#[derive(Serialize)]
struct Step {
    batch: usize,
    instance: String,
    now: String,
    step: &'static str,
    timeout: String,
    gates: Vec<String>,
}

/// A value and where it comes from.
#[derive(Serialize)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) from: &'static str,
}

impl View {
    fn new(
        group: &Group,
        plan: &Plan,
        gates: &Gates,
        args: &RollArgs,
        advice: Vec<String>,
    ) -> Self {
        let batches = plan.batches().iter().enumerate();
        let slots = batches.flat_map(|(i, batch)| batch.iter().map(move |slot| (i + 1, *slot)));
        let steps = slots.map(|(batch, slot)| {
            let member = plan.member(slot);
            let state = group.instance(&member.unit).map(|it| it.state.active.to_string());
            Step {
                batch,
                instance: member.unit.clone(),
                now: state.unwrap_or_default(),
                step: what_happens(member.up, plan),
                timeout: Span(member.timeout).to_string(),
                gates: gates.of_instance(&member.unit).map(|it| it.names()).unwrap_or_default(),
            }
        });
        Self {
            group: group.name.clone(),
            steps: steps.collect(),
            bystanders: plan.bystanders().to_vec(),
            left_out: group.left_out.clone(),
            settings: args.settings(),
            advice,
            summary: summary(plan),
        }
    }

    fn tell(&self) {
        say(stdout(), &format!("{}: {}\n", self.group, self.summary));
        let row = |step: &Step| {
            let batch = step.batch.to_string();
            let [now, timeout] = [step.now.clone(), step.timeout.clone()];
            let gates = step.gates.join(", ");
            [batch, short(&step.instance).to_owned(), now, step.step.to_owned(), timeout, gates]
        };
        let rows: Vec<_> = self.steps.iter().map(row).collect();
        for line in table::lines(["BATCH", "INSTANCE", "NOW", "STEP", "TIMEOUT", "GATES"], &rows) {
            say(stdout(), &format!("  {line}"));
        }
        self.tell_others();
        self.tell_settings();
        self.tell_advice();
    }

    fn tell_others(&self) {
        for left in &self.left_out {
            say(stdout(), &format!("\n  {} is left out: {}", short(&left.unit), left.why));
        }
        if !self.bystanders.is_empty() {
            let names: Vec<&str> = self.bystanders.iter().map(|unit| short(unit)).collect();
            say(stdout(), &format!("\n  not touched, but counted: {}", names.join(" ")));
        }
    }

    fn tell_settings(&self) {
        say(stdout(), "");
        let row = |it: &Setting| [it.name.to_owned(), it.value.clone(), it.from.to_owned()];
        let rows: Vec<_> = self.settings.iter().map(row).collect();
        for line in table::lines(["SETTING", "VALUE", "FROM"], &rows) {
            say(stdout(), &format!("  {line}"));
        }
    }

    fn tell_advice(&self) {
        if !self.advice.is_empty() {
            say(stdout(), "");
        }
        for sentence in &self.advice {
            say(stdout(), &format!("  warning: {sentence}"));
        }
    }

    fn tell_as_json(&self) {
        if let Ok(text) = serde_json::to_string(self) {
            say(stdout(), &text);
        }
    }
}

fn what_happens(up: bool, plan: &Plan) -> &'static str {
    match (up, plan.policy().stop_pause.is_zero()) {
        (false, _) => "start",
        (true, true) => "restart",
        (true, false) => "stop, pause, start",
    }
}

fn summary(plan: &Plan) -> String {
    let (members, batches) = (plan.members().len(), plan.batches().len());
    let group = members + plan.bystanders().len();
    let serving = group.saturating_sub(plan.allowed_down());
    let (s, es) = (if members == 1 { "" } else { "s" }, if batches == 1 { "" } else { "es" });
    format!("{members} instance{s} in {batches} batch{es}, at least {serving} of {group} serving")
}

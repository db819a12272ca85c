//! `rollctl plan`.

use std::io::stdout;

use serde::Serialize;

use super::args::AskedArgs;
use super::settings::{Setting, settings};
use super::table;
use crate::ctl::advice::advice;
use crate::ctl::gates::Gates;
use crate::ctl::policy::Policies;
use crate::ctl::report::{say, short};
use crate::ctl::restart::{choose, connect};
use crate::ctl::select::{Group, LeftOut};
use crate::ctl::{Error, ExitStatus, Output};
use crate::roll::{Member, Plan};
use crate::span::Span;

pub(super) async fn run(args: &AskedArgs, json: bool) -> Result<ExitStatus, Error> {
    let request = args.request(Output::of(json, args.quiet));
    let systemd = connect(request.scope).await?;
    for group in choose(&systemd, &request).await? {
        let policies = group.policies(&request.settings)?;
        let gates = Gates::of(&group, &policies)?;
        let plan = group.plan(&policies, false)?;
        let mut advice = advice(&group, &plan, &gates, &policies);
        advice.extend(frozen(&group));
        let view = View::new(&group, &plan, &gates, &policies, advice);
        match json {
            true => view.tell_as_json(),
            false => view.tell(),
        }
    }
    Ok(ExitStatus::Serving)
}

/// What would refuse a roll of it.
fn frozen(group: &Group) -> Vec<String> {
    let mut names = group.lock_names();
    names.dedup();
    let said = |name: &str| {
        let frozen = crate::ctl::frozen(group.scope, name).ok().flatten()?;
        Some(format!("{}: restart would refuse", frozen.sentence(name)))
    };
    names.into_iter().filter_map(said).collect()
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
    step: String,
    timeout: String,
    gates: Vec<String>,
}

impl View {
    fn new(
        group: &Group,
        plan: &Plan,
        gates: &Gates,
        policies: &Policies,
        advice: Vec<String>,
    ) -> Self {
        let parts = plan.parts().iter();
        let slots = parts.flat_map(|part| part.slots.iter().map(|slot| (part.batch, *slot)));
        let steps = slots.map(|(batch, slot)| {
            let member = plan.member(slot);
            let state = group.instance(&member.unit).map(|it| it.state.active.to_string());
            Step {
                batch,
                instance: member.unit.clone(),
                now: state.unwrap_or_default(),
                step: what_happens(member),
                timeout: Span(member.turn.timeout).to_string(),
                gates: gates.of_instance(&member.unit).map(|it| it.names()).unwrap_or_default(),
            }
        });
        Self {
            group: group.name.clone(),
            steps: steps.collect(),
            bystanders: plan.bystanders().to_vec(),
            left_out: group.left_out.clone(),
            settings: settings(plan, policies),
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
            [batch, short(&step.instance).to_owned(), now, step.step.clone(), timeout, gates]
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
        let row = |it: &Setting| [it.name.clone(), it.value.clone(), it.from.clone()];
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

fn what_happens(member: &Member) -> String {
    let turn = &member.turn;
    let (before, after) = (member.up && turn.before_stop, turn.after_start);
    let step = match (member.up, turn.stop_pause.is_zero()) {
        (false, _) => "start",
        (true, true) => "restart",
        (true, false) => "stop, pause, start",
    };
    let steps = [before.then_some("BeforeStop="), Some(step), after.then_some("AfterStart=")];
    steps.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn summary(plan: &Plan) -> String {
    let (members, batches) = (plan.members().len(), plan.batch_count());
    let group = members + plan.bystanders().len();
    let serving = group.saturating_sub(plan.allowed_down());
    let (s, es) = (if members == 1 { "" } else { "s" }, if batches == 1 { "" } else { "es" });
    format!("{members} instance{s} in {batches} batch{es}, at least {serving} of {group} serving")
}

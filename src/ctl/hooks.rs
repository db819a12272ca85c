//! The administrator's commands around a roll, and what they are told of it.

use std::time::Duration;

use super::command::Order;
use super::policy::{Given, HookCommand, Policies};
use super::scope::Scope;
use super::select::Group;
use super::unit_name::UnitName;
use crate::roll::{Hook, Invocation, Reason};

/// The hooks of one roll.
#[derive(Debug)]
pub struct Hooks {
    scope: Scope,
    roll: String,
    group: String,
    /// What specifiers mean in the hooks of the whole.
    unit: UnitName,
    policies: Policies,
}

impl Hooks {
    /// The hooks of the roll with this id.
    pub fn of(group: &Group, policies: Policies, roll: String) -> Self {
        let unit = UnitName::new(format!("{}.service", group.name));
        Self { scope: group.scope, roll, group: group.name.clone(), unit, policies }
    }

    /// What the hook runs; `unit` is the instance, if it is one's.
    pub(super) fn order(
        &self,
        hook: Hook,
        unit: Option<&str>,
        within: Duration,
        result: Option<&Reason>,
    ) -> Order {
        let of_instance = self.policies.of_instance(unit.unwrap_or_default());
        let command = match hook {
            Hook::BeforeRoll => &self.policies.whole.before_roll,
            Hook::AfterRoll => &self.policies.whole.after_roll,
            Hook::BeforeStop => &of_instance.before_stop,
            Hook::AfterStart => &of_instance.after_start,
        };
        let about = unit.map_or_else(|| self.unit.clone(), UnitName::new);
        let words = command.as_ref().and_then(command_line).map(|it| it.words(self.scope, &about));
        let mut environment = self.environment(hook.step(), unit);
        environment.extend(result.map(|reason| ("ROLL_RESULT", reason.word().to_owned())));
        Order { words: words.unwrap_or_default(), environment, within }
    }

    /// What a health check is told.
    pub(super) fn environment_of_check(
        &self,
        unit: &str,
        invocation: Invocation,
        main_pid: Option<u32>,
    ) -> Vec<(&'static str, String)> {
        let mut environment = self.environment("health-check", Some(unit));
        environment.push(("ROLL_INVOCATION", invocation.to_string()));
        environment.extend(main_pid.map(|pid| ("ROLL_MAINPID", pid.to_string())));
        environment
    }

    fn environment(&self, step: &str, unit: Option<&str>) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("ROLL_ID", self.roll.clone()),
            ("ROLL_GROUP", self.group.clone()),
            ("ROLL_STEP", step.to_owned()),
        ];
        environment.extend(unit.map(|unit| ("ROLL_INSTANCE", unit.to_owned())));
        environment
    }
}

fn command_line(given: &Given<HookCommand>) -> Option<&super::policy::CommandLine> {
    given.value.0.as_ref()
}

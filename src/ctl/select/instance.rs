//! One instance as systemd knows it when the plan is made.

use std::cmp::max;
use std::time::Duration;

use super::dependents::Dependent;
use super::service::Service;
use crate::ctl::policy::UnitFiles;
use crate::ctl::systemd::{Properties, Row};
use crate::ctl::unit_name::UnitName;
use crate::roll::{ActiveState, UnitState};

/// What is added to a unit's own timeouts: systemd's SIGKILL, the gates, a busy machine.
const MARGIN: Duration = Duration::from_secs(30);
/// What is taken for a unit that waits for ever.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// An instance and what matters of its settings.
#[derive(Debug)]
pub struct Instance {
    /// Its name.
    pub unit: UnitName,
    /// What it is doing; of its processes only if those were asked for ([`Depth`]).
    ///
    /// [`Depth`]: super::Depth
    pub state: UnitState,
    /// Whether it is enabled, or pulled in by the group's unit.
    pub is_enabled: bool,
    /// The `.socket` units that it is tied to.
    pub sockets: Vec<String>,
    /// Its file changed on disk and systemd has not read it.
    pub needs_reload: bool,
    /// Since when it is in its state, in microseconds of the wall clock.
    pub since: Option<u64>,
    /// Those that are up and go down with it, once they were read ([`Group::read_dependents`]).
    ///
    /// [`Group::read_dependents`]: super::Group::read_dependents
    pub dependents: Vec<Dependent>,
    /// What it was read from.
    pub files: UnitFiles,
    /// What it is as a service.
    pub service: Service,
    pub(super) is_masked: bool,
    load_state: String,
    load_error: Option<String>,
}

impl Instance {
    /// From the half that every unit has.
    pub(super) fn of_unit(unit: &str, is_pulled: bool, head: &Properties) -> Self {
        Self {
            // A unit has many names; jobs and the journal know it by this one.
            unit: UnitName::new(Some(head.text("Id")).filter(|id| !id.is_empty()).unwrap_or(unit)),
            state: head.state(),
            is_enabled: is_pulled || head.text("UnitFileState").starts_with("enabled"),
            sockets: sockets(head),
            needs_reload: head.flag("NeedDaemonReload"),
            since: head.number("StateChangeTimestamp").filter(|time| *time > 0),
            dependents: Vec::new(),
            files: head.files(),
            is_masked: head.text("LoadState") == "masked",
            load_state: head.text("LoadState").to_owned(),
            load_error: head.load_error(),
            service: Service::default(),
        }
    }

    /// From its row in the list of units, and what was read beside it.
    pub(super) fn of_row(unit: &str, is_pulled: bool, row: &Row, beside: &Properties) -> Self {
        let load_state = row.load.clone();
        Self { state: row.state(), load_state, ..Self::of_unit(unit, is_pulled, beside) }
    }

    pub(super) fn is_service(&mut self, service: Service) {
        if let Some(news) = service.news.clone() {
            news.put_into(&mut self.state);
        }
        self.service = service;
    }

    /// Whether it counts as one of its group: up, on its way, failed, or enabled.
    pub fn belongs(&self) -> bool {
        self.state.active != ActiveState::Inactive || self.is_enabled || self.is_masked()
    }

    /// Whether an administrator forbade to start it.
    pub fn is_masked(&self) -> bool {
        self.is_masked
    }

    /// Whether there is no such unit.
    pub fn is_missing(&self) -> bool {
        self.load_state == "not-found" && !self.state.active.is_up()
    }

    /// Why systemd could not start it again; `None` if nothing is known to stand in the way.
    pub fn obstacle(&self) -> Option<String> {
        match self.load_state.as_str() {
            "loaded" => None,
            "not-found" => Some("is up, but its unit file is gone".to_owned()),
            state => {
                let why = self.load_error.clone().unwrap_or_else(|| state.to_owned());
                Some(format!("cannot be loaded: {why}"))
            }
        }
    }

    /// Whether "started" means "ready": the unit itself says when it is.
    pub fn says_ready(&self) -> bool {
        matches!(
            self.service.kind.as_str(),
            "notify" | "notify-reload" | "dbus" | "forking" | "oneshot"
        )
    }

    /// How long its stop may take, and its start with the gates.
    pub fn timeout(&self) -> Duration {
        let (stop, start) = self.service.timeouts;
        let longer = max(stop.unwrap_or(LONGEST), start.unwrap_or(LONGEST));
        longer.saturating_add(MARGIN).min(LONGEST)
    }
}

fn sockets(head: &Properties) -> Vec<String> {
    let triggers = head.texts("TriggeredBy").into_iter();
    triggers.filter(|it| it.ends_with(".socket")).collect()
}

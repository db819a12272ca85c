//! One instance as systemd knows it when the plan is made.

use std::cmp::max;
use std::path::PathBuf;
use std::time::Duration;

use super::dependents::Dependent;
use crate::ctl::outdated::Started;
use crate::ctl::policy::UnitFiles;
use crate::ctl::systemd::{Half, News, Properties};
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
    /// `Type=`: `notify`, `simple`, …
    pub kind: String,
    /// Whether it is enabled, or pulled in by the group's unit.
    pub is_enabled: bool,
    /// The `.socket` units that it is tied to.
    pub sockets: Vec<String>,
    /// Its `RuntimeDirectory=`s, below the manager's runtime directory.
    pub runtime_directories: Vec<String>,
    /// Its own timeouts to stop and to start; `None` is for ever.
    pub timeouts: (Option<Duration>, Option<Duration>),
    /// `StartLimitIntervalSec=`; zero is no limit.
    pub start_limit_interval: Duration,
    /// Its file changed on disk and systemd has not read it.
    pub needs_reload: bool,
    /// Since when it is in its state, in microseconds of the wall clock.
    pub since: Option<u64>,
    /// Memory in use, in bytes.
    pub memory: Option<u64>,
    /// When its main process was started.
    pub started: Option<Started>,
    /// Those that are up and go down with it.
    pub dependents: Vec<Dependent>,
    /// The programs that it runs, and their scripts.
    pub programs: Vec<PathBuf>,
    /// What it was read from.
    pub files: UnitFiles,
    pub(super) is_masked: bool,
    load_state: String,
    load_error: Option<String>,
}

impl Instance {
    /// From the half that every unit has, the settings of its service, and the service itself.
    pub(super) fn from_properties(
        unit: &str,
        is_pulled: bool,
        head: &Properties,
        settings: &Properties,
        own: Option<&Properties>,
    ) -> Self {
        let sockets = head.texts("TriggeredBy").into_iter().filter(|it| it.ends_with(".socket"));
        let mut state = head.state();
        if let Some(own) = own {
            News::new(Half::Service, own.state()).put_into(&mut state);
        }
        Self {
            // A unit has many names; jobs and the journal know it by this one.
            unit: UnitName::new(Some(head.text("Id")).filter(|id| !id.is_empty()).unwrap_or(unit)),
            state,
            is_enabled: is_pulled || head.text("UnitFileState").starts_with("enabled"),
            sockets: sockets.collect(),
            start_limit_interval: head.span("StartLimitIntervalUSec").unwrap_or(LONGEST),
            needs_reload: head.flag("NeedDaemonReload"),
            since: head.number("StateChangeTimestamp").filter(|time| *time > 0),
            dependents: Dependent::all_of(head),
            files: head.files(),
            is_masked: head.text("LoadState") == "masked",
            load_state: head.text("LoadState").to_owned(),
            load_error: head.load_error(),
            kind: settings.text("Type").to_owned(),
            runtime_directories: settings.texts("RuntimeDirectory"),
            timeouts: (settings.span("TimeoutStopUSec"), settings.span("TimeoutStartUSec")),
            memory: own.and_then(|own| own.number("MemoryCurrent")),
            started: own.and_then(started),
            programs: own.map(programs).unwrap_or_default(),
        }
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
        matches!(self.kind.as_str(), "notify" | "notify-reload" | "dbus" | "forking" | "oneshot")
    }

    /// How long its stop may take, and its start with the gates.
    pub fn timeout(&self) -> Duration {
        let (stop, start) = self.timeouts;
        let longer = max(stop.unwrap_or(LONGEST), start.unwrap_or(LONGEST));
        longer.saturating_add(MARGIN).min(LONGEST)
    }
}

fn started(of: &Properties) -> Option<Started> {
    let realtime = of.number("ExecMainStartTimestamp").filter(|time| *time > 0)?;
    Some(Started { realtime, monotonic: of.number("ExecMainStartTimestampMonotonic")? })
}

/// An interpreter is told its script first.
fn programs(of: &Properties) -> Vec<PathBuf> {
    let script =
        |words: Vec<String>| words.into_iter().take(2).filter(|word| word.starts_with('/'));
    of.commands("ExecStart").into_iter().flat_map(script).map(PathBuf::from).collect()
}

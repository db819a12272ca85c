//! The manager's methods, one function each.

use std::collections::HashMap;
use std::path::PathBuf;

use futures_util::future::try_join_all;
use zbus::{OwnedObjectPath, OwnedVariant};

use super::bus::{CallError, MANAGER, MANAGER_PATH, Systemd, UNITS_PATH};
use super::news::Half;
use super::properties::Properties;
use crate::ctl::log::Life;
use crate::roll::{ActiveState, JobId, UnitState};

/// One line of `systemctl list-unit-files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFile {
    /// The file's own name, such as `worker@.service`.
    pub name: String,
    /// `enabled`, `masked`, `static`, …
    pub state: String,
}

/// What a list says of a unit: what it is doing, and nothing of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `loaded`, `masked`, `not-found`, …
    pub load: String,
    /// Up, down, or between.
    pub active: ActiveState,
    /// systemd's finer word for the same.
    pub sub: String,
    /// The job that is queued or running for it.
    pub job: Option<JobId>,
}

/// How much of a service's state is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ctl) enum Wanted {
    /// Which run it is in.
    Run,
    /// And its process.
    Process,
    /// And what it says.
    All,
}

impl Wanted {
    /// The properties that are not in the list.
    fn beside(self, row: &Row) -> &'static [(Half, &'static str)] {
        const ALL: [(Half, &str); 5] = [
            (Half::Unit, "InvocationID"),
            (Half::Service, "NRestarts"),
            (Half::Service, "MainPID"),
            (Half::Service, "StatusText"),
            (Half::Service, "Result"),
        ];
        match self {
            Self::Run => &ALL[..2],
            Self::Process if row.active == ActiveState::Active => &ALL[..3],
            Self::All if row.active == ActiveState::Active => &ALL[..4],
            Self::Process | Self::All => &ALL,
        }
    }
}

impl Row {
    /// Whether what was read of it before looks the same.
    pub fn agrees_with(&self, state: &UnitState) -> bool {
        (self.active, &self.sub, self.job) == (state.active, &state.sub, state.job)
    }

    /// The state as far as the list tells it.
    pub fn state(&self) -> UnitState {
        let (active, sub, job) = (self.active, self.sub.clone(), self.job);
        UnitState { active, sub, job, ..UnitState::default() }
    }
}

/// What systemd is to do with a unit, and with a job that stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Stop it and start it, in one job; refused if somebody else's job is in the way.
    Restart,
    /// Stop it; refused if somebody else's job is in the way.
    Stop,
    /// Stop it, in place of any other job.
    StopForGood,
    /// Start it, in place of any other job (our own stop).
    Start,
    /// Have it do what its `ExecReload=` says; refused if somebody else's job is in the way.
    Reload,
}

impl Wish {
    /// The method and its job mode (systemctl(1), `--job-mode=`).
    fn call(self) -> (&'static str, &'static str) {
        match self {
            Self::Restart => ("RestartUnit", "fail"),
            Self::Stop => ("StopUnit", "fail"),
            Self::StopForGood => ("StopUnit", "replace"),
            Self::Start => ("StartUnit", "replace"),
            Self::Reload => ("ReloadUnit", "fail"),
        }
    }

    fn starts(self) -> bool {
        matches!(self, Self::Restart | Self::Start)
    }
}

/// One row of ListUnitsByPatterns: (name, description, load, active, sub, following, path, job…).
type UnitRow =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

impl Systemd {
    /// The names of the loaded units that match any of the shell patterns.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn loaded_units(&self, patterns: &[String]) -> Result<Vec<String>, CallError> {
        Ok(self.loaded_rows(patterns).await?.into_keys().collect())
    }

    /// What each loaded unit that matches any of the shell patterns is doing, by name.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn loaded_rows(
        &self,
        patterns: &[String],
    ) -> Result<HashMap<String, Row>, CallError> {
        let none: &[&str] = &[];
        let reply = self.call_manager("ListUnitsByPatterns", &(none, patterns)).await?;
        Ok(by_name(reply.body().deserialize()?))
    }

    /// What each of these units is doing, by name, in one question.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn rows(&self, units: &[String]) -> Result<HashMap<String, Row>, CallError> {
        let reply = self.call_manager("ListUnitsByNames", &units).await?;
        Ok(by_name(reply.body().deserialize()?))
    }

    /// The unit files whose name matches any of the shell patterns.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn unit_files(&self, patterns: &[String]) -> Result<Vec<UnitFile>, CallError> {
        let none: &[&str] = &[];
        let reply = self.call_manager("ListUnitFilesByPatterns", &(none, patterns)).await?;
        let rows: Vec<(String, String)> = reply.body().deserialize()?;
        let file = |(path, state): (String, String)| {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            UnitFile { name, state }
        };
        Ok(rows.into_iter().map(file).collect())
    }

    /// Every property of a unit; the unit is loaded for it if it was not.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn properties(&self, unit: &str) -> Result<Properties, CallError> {
        // systemd takes the empty interface for "all of them".
        self.properties_of(&object_path(unit), "").await
    }

    /// One half of the properties of a service, likewise.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub(in crate::ctl) async fn half(
        &self,
        unit: &str,
        half: Half,
    ) -> Result<Properties, CallError> {
        self.properties_of(&object_path(unit), half.interface()).await
    }

    /// What a service is doing whose row in the list is this: the few properties that are not in it.
    /// One that changes meanwhile is told of by a signal.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub(in crate::ctl) async fn state(
        &self,
        unit: &str,
        row: &Row,
        wanted: Wanted,
    ) -> Result<UnitState, CallError> {
        let mut state = self.some(unit, wanted.beside(row).iter().copied()).await?.state();
        // Whatever its last end was, systemd has forgotten it when it starts the unit.
        if row.active == ActiveState::Active {
            "success".clone_into(&mut state.result);
        }
        Ok(UnitState { active: row.active, sub: row.sub.clone(), job: row.job, ..state })
    }

    /// These properties of a service.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub(in crate::ctl) async fn some(
        &self,
        unit: &str,
        names: impl IntoIterator<Item = (Half, &'static str)>,
    ) -> Result<Properties, CallError> {
        let path = object_path(unit);
        let get = |(half, name): (Half, &'static str)| self.property(&path, half.interface(), name);
        let gets = names.into_iter().map(get);
        Ok(Properties::new(try_join_all(gets).await?.into_iter().collect()))
    }

    /// The directories in which systemd looks for units, those that count most first.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub(in crate::ctl) async fn search_path(&self) -> Result<Vec<PathBuf>, CallError> {
        const NAME: &str = "UnitPath";
        let path = Properties::new([self.property(MANAGER_PATH, MANAGER, NAME).await?].into());
        Ok(path.texts(NAME).into_iter().map(PathBuf::from).collect())
    }

    async fn property(
        &self,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Result<(String, OwnedVariant), CallError> {
        let get = "org.freedesktop.DBus.Properties";
        let reply = self.call(path, get, "Get", &(interface, name)).await?;
        Ok((name.to_owned(), reply.body().deserialize()?))
    }

    /// systemd loads a unit by its path.
    async fn properties_of(&self, path: &str, interface: &str) -> Result<Properties, CallError> {
        let get = "org.freedesktop.DBus.Properties";
        let reply = self.call(path, get, "GetAll", &interface).await?;
        let map: HashMap<String, OwnedVariant> = reply.body().deserialize()?;
        Ok(Properties::new(map))
    }

    /// The root directory as systemd sees it: it may have mounts that we have not, or the other way
    /// round (a sandbox around `ExecReload=`). `None` when that cannot be told.
    pub async fn root(&self) -> Option<PathBuf> {
        let (bus, path) = ("org.freedesktop.DBus", "/org/freedesktop/DBus");
        let connection = &self.connection;
        let call = connection.call_method(
            Some(bus),
            path,
            Some(bus),
            "GetConnectionUnixProcessID",
            &super::bus::SYSTEMD,
        );
        let pid: u32 = call.await.ok()?.body().deserialize().ok()?;
        Some(format!("/proc/{pid}/root").into())
    }

    /// Makes systemd read its units again, and waits until it has.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn reload(&self) -> Result<(), CallError> {
        self.call_manager("Reload", &()).await.map(drop)
    }

    /// Queues a job for the unit.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn queue(&self, wish: Wish, unit: &str) -> Result<JobId, CallError> {
        let (method, mode) = wish.call();
        if wish.starts() {
            self.forget_starts(unit).await;
        }
        let reply = self.call_manager(method, &(unit, mode)).await?;
        let path: OwnedObjectPath = reply.body().deserialize()?;
        let id = path.as_str().rsplit('/').next().and_then(|digits| digits.parse().ok());
        id.map(JobId).ok_or_else(|| CallError::Lost(format!("{path} is not a job")))
    }

    /// In which life of the manager this is.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn life(&self) -> Result<Life, CallError> {
        let manager = self.properties_of(MANAGER_PATH, MANAGER).await?;
        let clock = |name| manager.number(name).unwrap_or_default();
        Ok(Life {
            realtime: clock("UserspaceTimestamp"),
            monotonic: clock("UserspaceTimestampMonotonic"),
        })
    }

    /// The processes of a unit.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn processes(&self, unit: &str) -> Result<Vec<u32>, CallError> {
        let reply = self.call_manager("GetUnitProcesses", &unit).await?;
        let rows: Vec<(String, u32, String)> = reply.body().deserialize()?;
        Ok(rows.into_iter().map(|row| row.1).collect())
    }

    /// Asks for the manager's signals.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn subscribe(&self) -> Result<(), CallError> {
        match self.call_manager("Subscribe", &()).await {
            // Told before, by this very connection: what was wanted.
            Err(CallError::Refused { name, .. }) if name.ends_with(".AlreadySubscribed") => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    /// systemd counts healthy restarts by hand too; at the limit it would fail the unit, and the
    /// group's socket with it. Without the rights to reset it the start itself will say so.
    async fn forget_starts(&self, unit: &str) {
        let _ = self.call_manager("ResetFailedUnit", &unit).await;
    }
}

fn by_name(rows: Vec<UnitRow>) -> HashMap<String, Row> {
    let row = |row: UnitRow| {
        let job = (row.7 > 0).then_some(JobId(row.7));
        let active = ActiveState::from(row.3.as_str());
        (row.0, Row { load: row.2, active, sub: row.4, job })
    };
    rows.into_iter().map(row).collect()
}

/// The object path of a unit: every byte but ASCII letters and digits as `_xx`.
pub(in crate::ctl) fn object_path(unit: &str) -> String {
    let mut path = format!("{UNITS_PATH}/");
    for (place, byte) in unit.bytes().enumerate() {
        match byte.is_ascii_alphabetic() || (place > 0 && byte.is_ascii_digit()) {
            true => path.push(char::from(byte)),
            false => path.push_str(&format!("_{byte:02x}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::object_path;

    #[test]
    fn paths_are_escaped_as_systemd_does() {
        let path = object_path("1web@a-b.service");
        assert_eq!(path, "/org/freedesktop/systemd1/unit/_31web_40a_2db_2eservice");
    }
}

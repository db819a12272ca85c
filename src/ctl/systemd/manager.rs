//! The manager's methods, one function each.

use zbus::{OwnedObjectPath, OwnedVariant};

use super::bus::{CallError, Systemd};
use super::properties::Properties;
use crate::roll::JobId;

/// One line of `systemctl list-unit-files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFile {
    /// The file's own name, such as `worker@.service`.
    pub name: String,
    /// `enabled`, `masked`, `static`, …
    pub state: String,
}

/// One row of ListUnitsByPatterns: (name, description, load, active, sub, following, path, job…).
type UnitRow = (
    String,
    String,
    String,
    String,
    String,
    String,
    OwnedObjectPath,
    u32,
    String,
    OwnedObjectPath,
);

impl Systemd {
    /// The names of the loaded units that match any of the shell patterns.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn loaded_units(&self, patterns: &[String]) -> Result<Vec<String>, CallError> {
        let none: &[&str] = &[];
        let reply = self.call_manager("ListUnitsByPatterns", &(none, patterns)).await?;
        let rows: Vec<UnitRow> = reply.body().deserialize()?;
        Ok(rows.into_iter().map(|row| row.0).collect())
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
        // systemd takes the empty interface for "all of them", and loads a unit by its path.
        let path = object_path(unit);
        let reply = self.call(&path, "org.freedesktop.DBus.Properties", "GetAll", &"").await?;
        let map: std::collections::HashMap<String, OwnedVariant> = reply.body().deserialize()?;
        Ok(Properties::new(map))
    }

    /// Stops the unit and starts it, in one job; a job of somebody else's makes this an error.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn restart(&self, unit: &str) -> Result<JobId, CallError> {
        self.forget_starts(unit).await;
        self.queue("RestartUnit", unit, "fail").await
    }

    /// Stops the unit; a job of somebody else's makes this an error.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn stop(&self, unit: &str) -> Result<JobId, CallError> {
        self.queue("StopUnit", unit, "fail").await
    }

    /// Starts the unit, in place of any other job of it.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub async fn start(&self, unit: &str) -> Result<JobId, CallError> {
        self.forget_starts(unit).await;
        self.queue("StartUnit", unit, "replace").await
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

    async fn queue(&self, method: &str, unit: &str, mode: &str) -> Result<JobId, CallError> {
        let reply = self.call_manager(method, &(unit, mode)).await?;
        let path: OwnedObjectPath = reply.body().deserialize()?;
        let id = path.as_str().rsplit('/').next().and_then(|digits| digits.parse().ok());
        id.map(JobId).ok_or_else(|| CallError::Lost(format!("{path} is not a job")))
    }
}

/// The object path of a unit: every byte but ASCII letters and digits as `_xx`.
fn object_path(unit: &str) -> String {
    let mut path = String::from("/org/freedesktop/systemd1/unit/");
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

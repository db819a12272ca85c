//! What systemd knows of the unit that this process is in, over D-Bus.

use std::env;

use zbus::{Connection, OwnedObjectPath, OwnedVariant, Variant};

use super::prospects::Prospects;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const JOB: &str = "org.freedesktop.systemd1.Job";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The unit of this process.
#[derive(Debug)]
pub(super) struct Unit {
    connection: Connection,
    path: OwnedObjectPath,
}

impl Unit {
    /// Asks the manager that started us.
    pub(super) async fn ours() -> zbus::Result<Self> {
        let connection = match is_of_the_system() {
            true => Connection::system().await?,
            false => Connection::session().await?,
        };
        // 0 is the caller.
        let asked = connection.call_method(
            Some(SYSTEMD),
            MANAGER_PATH,
            Some(MANAGER),
            "GetUnitByPID",
            &(0_u32,),
        );
        let path = asked.await?.body().deserialize()?;
        Ok(Self { connection, path })
    }

    pub(super) async fn prospects(&self) -> zbus::Result<Prospects> {
        let preserve = self.text(SERVICE, "FileDescriptorStorePreserve").await;
        Ok(Prospects {
            job: self.job().await?,
            restart: self.text(SERVICE, "Restart").await?,
            // Before systemd 254 there is no such property.
            preserve: preserve.ok(),
            max: self.number("FileDescriptorStoreMax").await?,
            stored: self.stored().await?,
        })
    }

    /// How many descriptors are in its store.
    pub(super) async fn stored(&self) -> zbus::Result<u32> {
        self.number("NFileDescriptorStore").await
    }

    /// The type of the job that runs for it.
    async fn job(&self) -> zbus::Result<Option<String>> {
        let job = self.get(&self.path, UNIT, "Job").await?;
        let Variant::Structure(job) = &*job else { return Ok(None) };
        match job.fields() {
            [Variant::U32(0), _] => Ok(None),
            [_, Variant::ObjectPath(path)] => {
                Ok(Some(text(&*self.get(path.as_str(), JOB, "JobType").await?)))
            }
            _ => Ok(None),
        }
    }

    async fn text(&self, interface: &str, name: &str) -> zbus::Result<String> {
        Ok(text(&*self.get(&self.path, interface, name).await?))
    }

    async fn number(&self, name: &str) -> zbus::Result<u32> {
        match &*self.get(&self.path, SERVICE, name).await? {
            Variant::U32(number) => Ok(*number),
            other => Err(zbus::Error::Failure(format!("{name} is {other:?}"))),
        }
    }

    async fn get(&self, path: &str, interface: &str, name: &str) -> zbus::Result<OwnedVariant> {
        let wanted = &(interface, name);
        let asked =
            self.connection.call_method(Some(SYSTEMD), path, Some(PROPERTIES), "Get", wanted);
        asked.await?.body().deserialize()
    }
}

fn text(value: &Variant<'_>) -> String {
    match value {
        Variant::Str(text) => text.to_string(),
        _ => String::new(),
    }
}

/// PID 1's own socket is in /run/systemd, those of users' managers are in their directories.
fn is_of_the_system() -> bool {
    env::var("NOTIFY_SOCKET").is_ok_and(|path| path.starts_with("/run/systemd/"))
}

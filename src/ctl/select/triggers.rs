//! Which sockets trigger which instances, asked from the side that has fewer units.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::ctl::systemd::{AT_ONCE, CallError, Half, Systemd};

/// The sockets of every service, if they were asked.
pub(super) struct Triggers(Option<HashMap<String, Vec<String>>>);

impl Triggers {
    /// Asks the sockets, if they are fewer than the instances.
    pub(super) async fn look(systemd: &Systemd, instances: usize) -> Result<Self, CallError> {
        let sockets = systemd.loaded_units(&["*.socket".to_owned()]).await?;
        if sockets.len() >= instances {
            return Ok(Self(None));
        }
        let triggers = |socket: String| async move {
            let of = systemd.some(&socket, [(Half::Unit, "Triggers")]).await?;
            Ok::<_, CallError>((socket, of.texts("Triggers")))
        };
        let mut of: HashMap<String, Vec<String>> = HashMap::new();
        let mut all = stream::iter(sockets.into_iter().map(triggers)).buffered(AT_ONCE);
        while let Some((socket, units)) = all.try_next().await? {
            for unit in units {
                of.entry(unit).or_default().push(socket.clone());
            }
        }
        Ok(Self(Some(of)))
    }

    /// The sockets of this one; `None` if it is to be asked itself.
    pub(super) fn of(&self, unit: &str) -> Option<Vec<String>> {
        let of = self.0.as_ref()?;
        Some(of.get(unit).cloned().unwrap_or_default())
    }
}

//! The guard of an instance that is down by our hand: a transient timer that starts it.
//!
//! ```text
//! rollctl-guard-…-worker@1.timer ─► rollctl-guard-…-worker@1.service ─Wants─► worker@1.service
//!                                                                      └───► what went down with it
//! ```
//!
//! A transient timer can start no unit but the service of its own name (measured on systemd 252),
//! so there is one that does nothing, and wants the instance. Both survive a `daemon-reload` and a
//! `daemon-reexec`, and are gone once the timer is stopped or has done its work.

use std::time::Duration;

use tokio::time::sleep;
use zbus::Variant;

use super::bus::{CallError, Systemd};
use crate::roll::Guard;

/// A guard that a killed roll left behind is stopped first, and takes a moment to go.
const TRIES: u32 = 20;
const TRY_AGAIN: Duration = Duration::from_millis(50);

type Setting<'a> = (&'static str, Variant<'a>);

impl Systemd {
    /// Has the unit started so long from now, and the others with it, unless it is disarmed.
    ///
    /// # Errors
    ///
    /// When systemd does not answer, or refuses.
    pub(in crate::ctl) async fn arm(
        &self,
        guard: Guard,
        unit: &str,
        others: &[String],
        within: Duration,
    ) -> Result<(), CallError> {
        let name = name_of(guard, unit);
        for _ in 0..TRIES {
            match self.start_timer(&name, unit, others, within).await {
                Err(CallError::Refused { name: error, .. }) if error.ends_with(".UnitExists") => {
                    self.stop_timer(&name).await;
                    sleep(TRY_AGAIN).await;
                }
                result => return result,
            }
        }
        self.start_timer(&name, unit, others, within).await
    }

    /// The unit's guards are not needed any more. One that stays does no harm: it starts what is
    /// up already.
    pub(in crate::ctl) async fn disarm(&self, unit: &str) {
        for guard in [Guard::UntilDown, Guard::UntilUp] {
            self.stop_timer(&name_of(guard, unit)).await;
        }
    }

    async fn start_timer(
        &self,
        name: &str,
        unit: &str,
        others: &[String],
        within: Duration,
    ) -> Result<(), CallError> {
        let micros: u64 = within.as_micros().try_into().unwrap_or(u64::MAX);
        let text = format!("Starts {unit}, should rollctl not come back");
        let timer: Vec<Setting<'_>> = vec![
            ("Description", Variant::new(text.as_str())),
            ("TimersMonotonic", Variant::new(vec![("OnActiveSec", micros)])),
            ("AccuracyUSec", Variant::new(100_000u64)),
            ("RemainAfterElapse", Variant::new(false)),
            // systemd starts nothing before what it stands behind has stopped, so that the clock of
            // a timer that is armed during the stop begins when the unit is down.
            ("After", Variant::new(vec![unit])),
        ];
        let others = others.iter().map(String::as_str);
        let wanted: Vec<&str> = std::iter::once(unit).chain(others).collect();
        let nothing = vec![("/bin/true", vec!["/bin/true"], false)];
        let service: Vec<Setting<'_>> = vec![
            ("Description", Variant::new(text.as_str())),
            ("Type", Variant::new("oneshot")),
            ("Wants", Variant::new(wanted)),
            ("CollectMode", Variant::new("inactive-or-failed")),
            ("ExecStart", Variant::new(nothing)),
        ];
        let beside = vec![(format!("{name}.service"), service)];
        let body = (format!("{name}.timer"), "fail", timer, beside);
        self.call_manager("StartTransientUnit", &body).await.map(drop)
    }

    async fn stop_timer(&self, name: &str) {
        let _ = self.call_manager("StopUnit", &(format!("{name}.timer"), "replace")).await;
    }
}

fn name_of(guard: Guard, unit: &str) -> String {
    let stage = match guard {
        Guard::UntilDown => "stop",
        Guard::UntilUp => "pause",
    };
    format!("rollctl-guard-{stage}-{}", unit.strip_suffix(".service").unwrap_or(unit))
}

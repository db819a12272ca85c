//! Whether the unit will be back for what it leaves with systemd, and may leave anything: pure.

/// What systemd says of our unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prospects {
    /// The type of the job that is running for it, such as `restart`.
    pub(super) job: Option<String>,
    /// `Restart=`.
    pub(super) restart: String,
    /// `FileDescriptorStorePreserve=`, which systemd knows since 254.
    pub(super) preserve: Option<String>,
    /// `FileDescriptorStoreMax=`.
    pub(super) max: u32,
    /// How many descriptors are in the store.
    pub(super) stored: u32,
}

/// Why nothing is left with systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the unit is stopped, and not restarted")]
    Stops,
    #[error("FileDescriptorStoreMax= of the unit leaves no room in systemd's store")]
    NoRoom,
}

impl Prospects {
    /// How many descriptors may be left.
    pub(super) fn room(&self) -> Result<u32, Refusal> {
        if !self.comes_back() {
            return Err(Refusal::Stops);
        }
        match self.max.saturating_sub(self.stored) {
            0 => Err(Refusal::NoRoom),
            room => Ok(room),
        }
    }

    /// After a stop nobody would serve them: systemd drops them or, told to preserve them, keeps them
    /// for a start, of which the administrator has then made sure.
    fn comes_back(&self) -> bool {
        match self.job.as_deref() {
            // By itself, or by a signal that is not systemd's.
            None => self.restart == "always",
            Some("stop") => self.preserve.as_deref() == Some("yes"),
            Some(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(job: Option<&str>) -> Prospects {
        let job = job.map(str::to_owned);
        Prospects { job, restart: "always".to_owned(), max: 16, ..Prospects::default() }
    }

    #[test]
    fn a_unit_that_restarts_will_be_back() {
        assert_eq!(unit(Some("restart")).room(), Ok(16));
        assert_eq!(unit(Some("start")).room(), Ok(16));
    }

    #[test]
    fn a_unit_that_stops_will_not() {
        assert_eq!(unit(Some("stop")).room(), Err(Refusal::Stops));
    }

    #[test]
    fn a_unit_that_stops_and_preserves_its_store_will_be_started() {
        let preserve = |value: &str| Some(value.to_owned());
        let stops = Prospects { preserve: preserve("yes"), ..unit(Some("stop")) };
        assert_eq!(stops.room(), Ok(16));
        let stops = Prospects { preserve: preserve("restart"), ..stops };
        assert_eq!(stops.room(), Err(Refusal::Stops));
    }

    #[test]
    fn a_unit_without_a_job_is_back_when_it_always_restarts() {
        assert_eq!(unit(None).room(), Ok(16));
        let once = Prospects { restart: "on-failure".to_owned(), ..unit(None) };
        assert_eq!(once.room(), Err(Refusal::Stops));
    }

    #[test]
    fn what_is_in_the_store_takes_room() {
        let some = Prospects { stored: 15, ..unit(Some("restart")) };
        assert_eq!(some.room(), Ok(1));
        for full in [Prospects { stored: 16, ..some.clone() }, Prospects { max: 0, ..some }] {
            assert_eq!(full.room(), Err(Refusal::NoRoom));
        }
    }
}

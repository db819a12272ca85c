//! How often what goes wrong.

use fastrand::Rng;

/// What can go wrong, each as a chance of a thousand.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) signal_lost: u32,
    pub(crate) signal_doubled: u32,
    pub(crate) answer_lost: u32,
    pub(crate) call_refused: u32,
    pub(crate) call_unheard: u32,
    pub(crate) start_fails: u32,
    pub(crate) start_hangs: u32,
    pub(crate) start_depends: u32,
    pub(crate) crashes_later: u32,
    pub(crate) sick: u32,
    pub(crate) sick_for_ever: u32,
    pub(crate) stop_hangs: u32,
    pub(crate) probe_lost: u32,
    pub(crate) unsure: u32,
    pub(crate) hook_fails: u32,
    pub(crate) hook_hangs: u32,
    pub(crate) hook_lost: u32,
}

impl Faults {
    /// Whether only what is said gets lost, and not so much that nothing comes through.
    pub(crate) fn are_of_the_wire(&self) -> bool {
        let units = [
            self.call_refused,
            self.start_fails,
            self.start_hangs,
            self.start_depends,
            self.crashes_later,
            self.sick_for_ever,
            self.stop_hangs,
            self.probe_lost,
            self.unsure,
            self.hook_fails,
            self.hook_hangs,
            self.hook_lost,
        ];
        units.iter().all(|chance| *chance == 0) && self.answer_lost < 100
    }

    /// A third of the worlds is without fault, for a success needs a chance too.
    pub(crate) fn drawn(rng: &mut Rng) -> Self {
        let kind = rng.u32(..4);
        if kind == 0 {
            return Self::default();
        }
        let mut draw = |most: u32| if rng.bool() { rng.u32(..=most) } else { 0 };
        let of_the_wire = Self {
            signal_lost: draw(1000),
            signal_doubled: draw(500),
            answer_lost: draw(300),
            call_unheard: draw(200),
            sick: draw(500),
            ..Self::default()
        };
        if kind == 1 {
            return of_the_wire;
        }
        Self {
            call_refused: draw(60),
            start_fails: draw(150),
            start_hangs: draw(100),
            start_depends: draw(50),
            crashes_later: draw(150),
            sick_for_ever: draw(100),
            stop_hangs: draw(100),
            probe_lost: draw(200),
            unsure: draw(150),
            hook_fails: draw(80),
            hook_hangs: draw(40),
            hook_lost: draw(20),
            ..of_the_wire
        }
    }
}

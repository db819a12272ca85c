//! Restart systemd services one by one, without losing a request.
//!
//! Two halves that meet only in systemd: the [`worker`], a server that takes its listening socket
//! from systemd and leaves without dropping a request; and the roll, which walks the instances of
//! a group over D-Bus ([`roll`] decides, [`ctl`] acts). [`load`] and [`lab`] are what `rollctl
//! prove`, the demo, the tests and the benchmarks stand on.

pub mod span;

#[cfg(feature = "ctl")]
pub mod ctl;
#[cfg(feature = "front")]
pub mod front;
#[cfg(feature = "worker")]
pub mod handoff;
#[cfg(feature = "lab")]
pub mod lab;
#[cfg(feature = "load")]
pub mod load;
#[cfg(feature = "ctl")]
pub mod roll;
#[cfg(feature = "worker")]
pub mod worker;

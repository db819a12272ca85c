//! Rolls, as an administrator sees them: a group on a private systemd, the real `rollctl`, a real load.
//!
//! One program for all: each file is a module, `cargo test --test rolls killed::` runs one of them.

mod any_service;
mod bad_release;
mod balances;
mod batches;
mod checks;
mod disk;
mod explains;
mod faults;
mod from_afar;
mod guard;
mod hang_and_limits;
mod health;
mod hooks;
mod interrupted;
mod journal;
mod keys;
mod killed;
mod moves_connections;
mod paced;
mod parks_connections;
mod policy;
mod prove;
mod refusals;
mod selection;
mod support;
mod survives;
mod tells;
mod triggered;
mod under_load;
mod watched_from_afar;

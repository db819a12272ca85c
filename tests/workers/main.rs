//! One worker, started as systemd starts it, and what its clients see of it.
//!
//! One program for all: each file is a module, `cargo test --test workers drain::` runs one of them.

mod balance;
mod board;
mod drain;
mod front_app_dies;
mod front_pass_sockets;
mod front_proxy;
mod front_start;
mod front_stop;
mod front_tunnels;
mod handoff;
mod handoff_faults;
mod library;
mod limits;
mod requests;
mod restarts;
mod resting;
mod sockets;
mod support;
mod telling;
mod upgrades;

//! The suite on a real server.

mod adopt;
mod blockers;
mod catalog;
pub(crate) mod cli;
mod crash;
mod data;
mod derive;
mod enums;
mod facts;
mod holes;
mod leases;
mod lifecycle;
mod load;
mod outage;
mod peers;
mod pgroll;
mod preflight;
mod property;
mod race;
mod rights;
mod roles;
mod scripts;
mod secure;
mod serial;
mod status;
mod tidy;
mod traps;

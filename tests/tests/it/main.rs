//! The suite on a real server.

mod blockers;
mod cli;
mod crash;
mod derive;
mod holes;
mod leases;
mod lifecycle;
mod load;
mod outage;
mod peers;
mod race;
mod roles;
mod secure;
mod tidy;
mod traps;

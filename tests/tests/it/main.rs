//! The suite on a real server.

mod cli;
mod crash;
mod leases;
mod lifecycle;
mod load;
mod outage;
mod peers;
mod race;
mod secure;
mod tidy;
mod traps;

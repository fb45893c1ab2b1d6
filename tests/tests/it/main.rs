//! The suite on a real server.

mod cli;
mod crash;
mod leases;
mod lifecycle;
mod peers;
mod tidy;
mod traps;

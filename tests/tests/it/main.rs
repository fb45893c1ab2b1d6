//! The suite on a real server.

mod cli;
mod crash;
mod lifecycle;
mod peers;
mod secure;
mod tidy;
mod traps;

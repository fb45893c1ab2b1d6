//! The suite on a real server.

mod cli;
mod lifecycle;
mod peers;
mod traps;

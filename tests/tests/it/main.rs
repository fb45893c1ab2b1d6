//! The suite on a real server.

mod lifecycle;
mod peers;
mod traps;

//! The suite on a real server.

mod lifecycle;

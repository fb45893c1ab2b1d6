//! Which physical table, column, constraint and index serves which version.

pub mod chain;
pub mod tables;

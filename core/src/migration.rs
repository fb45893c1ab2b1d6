//! What changes a schema: files, operations, and the difference of structs.

pub mod adopt;
pub mod declared;
pub mod diff;
pub mod file;
pub mod ops;

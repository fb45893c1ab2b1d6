//! Two neighbouring versions, and what lies between them.

pub mod lineage;
pub mod stage;

//! What is said to PostgreSQL: definitions, views, triggers, rights.

pub mod ddl;
pub mod enums;
pub mod extensions;
pub mod guard;
pub mod numbers;
pub mod own_types;
pub mod partitions;
pub mod path;
pub(crate) mod properties;
pub(crate) mod ranges;
pub(crate) mod rights;
pub mod sequences;
pub mod storage;
pub mod sync;
pub mod views;

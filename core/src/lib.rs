//! The pure middle of Diptych: the model, operations, diff and plans; no I/O, clock or randomness.

pub mod adopt;
pub mod chain;
pub mod ddl;
pub mod declared;
pub mod diff;
pub mod enums;
mod error;
pub mod guard;
pub mod hazard;
pub mod lineage;
pub mod migration;
pub mod names;
pub mod numbers;
pub mod ops;
pub mod partitions;
pub mod path;
pub mod plan;
mod rights;
pub mod schema;
pub mod shadow;
pub mod snapshot;
pub mod sql;
pub mod stage;
pub mod sync;
pub mod types;
pub mod views;
pub mod yaml;

pub use chain::{Chain, Version};
pub use declared::{DeclaredColumn, DeclaredEnum, DeclaredLabel, DeclaredSchema, DeclaredTable, DroppedColumn};

pub use error::{Error, Result};
pub use migration::Migration;
pub use ops::Operation;
pub use plan::{Action, Phase, Plan, Step};
pub use schema::{Column, Constraint, Enum, Index, Schema, Table};
pub use snapshot::Snapshot;
pub use sql::Sql;

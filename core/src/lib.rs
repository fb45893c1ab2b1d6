//! The pure middle of Diptych: the model, operations, diff and plans; no I/O, clock or randomness.
//!
//! The rooms are read in the order of the flow, and an import goes only backwards along it: [`model`], [`transition`], [`migration`],
//! [`layout`], [`statements`], [`plan`].

mod error;
pub mod hazard;
pub mod layout;
pub mod migration;
pub mod model;
pub mod names;
pub mod plan;
pub mod settings;
pub mod sql;
pub mod statements;
pub mod transition;
pub mod yaml;

pub use error::{Error, Result};
pub use layout::chain::{Chain, Version};
pub use migration::declared::{DeclaredColumn, DeclaredEnum, DeclaredLabel, DeclaredSchema, DeclaredTable, DroppedColumn};
pub use migration::file::Migration;
pub use migration::ops::Operation;
pub use model::expression::Expression;
pub use model::schema::{Column, Constraint, Enum, Index, Schema, Table};
pub use model::snapshot::Snapshot;
pub use plan::{Action, Phase, Plan, Step};
pub use sql::Sql;

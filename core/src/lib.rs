//! The pure middle of Diptych: the model, operations, diff and plans; no I/O, clock or randomness.
//!
//! The rooms are read in the order of the flow, and an import goes only backwards along it: [`model`], [`transition`], [`migration`],
//! [`layout`], [`statements`], [`plan`].

mod error;
#[cfg(feature = "planner")]
pub mod hazard;
#[cfg(feature = "planner")]
pub mod layout;
#[cfg(feature = "planner")]
pub mod migration;
pub mod model;
pub mod names;
#[cfg(feature = "planner")]
pub mod plan;
#[cfg(feature = "planner")]
pub mod settings;
pub mod sql;
#[cfg(feature = "planner")]
pub mod statements;
#[cfg(feature = "planner")]
pub mod transition;
pub mod yaml;

pub use error::{Error, Place, Result};
#[cfg(feature = "planner")]
pub use layout::chain::{Chain, Version};
#[cfg(feature = "planner")]
pub use migration::declared::{DeclaredColumn, DeclaredEnum, DeclaredLabel, DeclaredSchema, DeclaredTable, DroppedColumn};
#[cfg(feature = "planner")]
pub use migration::file::Migration;
#[cfg(feature = "planner")]
pub use migration::ops::Operation;
pub use model::composite::{Attribute, Composite};
pub use model::domain::Domain;
pub use model::expression::Expression;
pub use model::schema::{Column, Constraint, Enum, Index, Schema, Table};
pub use model::sequence::Sequence;
pub use model::snapshot::Snapshot;
pub use model::statistics::Statistics;
pub use model::storage::{Setting, Storage};
#[cfg(feature = "planner")]
pub use plan::{Action, Phase, Plan, Step};
pub use sql::Sql;

//! What a schema is: tables, types and texts, with what they read.

#[cfg(feature = "planner")]
pub mod book;
pub mod composite;
#[cfg(feature = "planner")]
pub mod differences;
pub mod domain;
pub mod expression;
pub mod facts;
pub mod lexer;
pub mod own_type;
#[cfg(feature = "planner")]
pub mod plain;
pub mod rules;
pub mod schema;
pub mod sequence;
pub mod snapshot;
pub mod statistics;
pub mod storage;
pub mod table_constraint;
pub mod texts;
pub mod triggers;
pub mod types;
#[cfg(feature = "planner")]
pub mod value;

//! PostgreSQL schema changes with no downtime: two versions of a schema side by side.
//!
//! `#[derive(Schema)]` and `database!` describe the schema, `Shop::connect(url)` puts an app on the version that it was built
//! for, and [`Migrator`] carries plans out: start, complete, rollback.

mod backfill;
mod certificate;
pub mod connect;
pub mod database;
mod error;
mod executor;
mod facts;
mod folder;
mod functions;
pub mod introspect;
pub mod lease;
mod made;
pub mod migrator;
mod observer;
mod pace;
mod partitions;
mod session;
pub mod state;
mod status;
mod text;
pub mod tls;
pub mod types;
mod walk;

pub use connect::Target;
pub use database::{Database, EnumType, Table};
pub use diptych_core as core;
pub use diptych_macros::{Schema, SchemaEnum, database};
pub use error::{Error, Result};
pub use executor::{Progress, Quiet};
pub use folder::{Files, Missing, Problem};
pub use lease::{Lease, LeaseGuard};
pub use migrator::{Guard, Migrator, Options, Outcome, PublishedState};
pub use observer::Blocker;
pub use status::{PendingVersion, Run, Status};
pub use tokio_postgres;
pub use tokio_postgres_rustls;
pub use types::{Element, SqlType};

#[doc(hidden)]
pub use text::{PROCESSES, few};

#[doc(hidden)]
pub mod __private {
    pub use crate::database::*;
    pub use crate::types::*;
    pub use diptych_core as core;
}

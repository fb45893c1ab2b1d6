//! PostgreSQL schema changes with no downtime: two versions of a schema side by side.
//!
//! `#[derive(Schema)]` and `database!` describe the schema, `Shop::connect(url)` puts an app on the version that it was built
//! for, and [`Migrator`] carries plans out: start, complete, rollback.

#[cfg(feature = "migrator")]
mod catalog;
pub mod connect;
pub mod database;
mod error;
#[cfg(feature = "migrator")]
mod execute;
pub mod lease;
#[cfg(feature = "migrator")]
pub mod migrator;
#[cfg(feature = "migrator")]
mod session;
#[cfg(feature = "migrator")]
mod state;
mod target;
mod text;
#[cfg_attr(not(feature = "tracing"), path = "trace/off.rs")]
mod trace;
mod types;

#[cfg(feature = "migrator")]
pub use catalog::{
    histories::{Entry, History},
    introspect::{Inventory, Object},
};
pub use connect::Published;
pub use database::{Database, EnumType, Table};
#[cfg(feature = "migrator")]
pub use diptych_core::model::differences::Difference;
#[cfg(feature = "migrator")]
pub use diptych_core::{Expression, Migration, Operation, plan};
pub use diptych_macros::{Schema, SchemaEnum, SqlType, database};
pub use error::{Error, Result};
#[cfg(feature = "migrator")]
pub use execute::estimate::Estimate;
#[cfg(feature = "migrator")]
pub use execute::lag::Follower;
#[cfg(feature = "migrator")]
pub use execute::progress::{Awaited, Filled, Moment, Progress, Quiet, Wait};
pub use lease::{Lease, LeaseGuard};
#[cfg(feature = "migrator")]
pub use migrator::{
    Begin, Guard, Migrator, Options, Outcome, PublishedState,
    embedded::{self, Completion},
    listed::Listed,
    roles::{RoleChange, VersionRole},
    sign::Sign,
    status::{PendingVersion, Run, Status},
};
#[cfg(feature = "migrator")]
pub use session::observer::Blocker;
#[cfg(feature = "migrator")]
pub use state::folder::{Files, Missing, Problem};
#[cfg(feature = "migrator")]
pub use state::log::Logged;
#[cfg(feature = "migrator")]
pub use state::made::Damage;
#[cfg(feature = "migrator")]
pub use state::pauses::Pause;
pub use target::{Target, tls};
pub use tokio_postgres;
#[cfg(feature = "tls")]
pub use tokio_postgres_rustls;
pub use types::{Element, SqlType};

/// Not for users: what the command line and the tests share with this crate.
#[doc(hidden)]
#[cfg(feature = "migrator")]
pub mod internal {
    pub use crate::catalog::introspect;
    pub use crate::error::describe;
    pub use crate::state::State;
    pub use crate::target::is_in_environment;
    pub use crate::text::{PROCESSES, few, printable};

    /// A session of a hook: what is not named with its schema is the server's own, and the server notices when the client is gone.
    pub async fn hook_session(url: &str) -> crate::Result<tokio_postgres::Client> {
        let client = crate::target::open(&crate::target::parse(url)?.named("diptych hook")).await?;
        client.batch_execute("SET search_path = pg_catalog, pg_temp; SET client_connection_check_interval = '2s'").await?;
        Ok(client)
    }

    /// Something that somebody should know.
    pub fn warning(message: String, hint: &str) -> crate::Error {
        crate::Error::refused(message).hint(hint)
    }

    /// The `search_path` of a version by the name of its schema.
    pub fn search_path(base: &str, views: &str) -> String {
        crate::database::search_path(views, &diptych_core::names::guard_schema(base), base)
    }
}

/// Not for users: what the macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use crate::__planned as planned;
    pub use crate::database::*;
    pub use crate::types::*;
    #[cfg(feature = "migrator")]
    pub use diptych_core as core;
}

/// Items that are there with the feature `migrator`: the macros do not know the features of this crate.
#[doc(hidden)]
#[cfg(feature = "migrator")]
#[macro_export]
macro_rules! __planned {
    ($($items:tt)*) => { $($items)* };
}

/// The same without it.
#[doc(hidden)]
#[cfg(not(feature = "migrator"))]
#[macro_export]
macro_rules! __planned {
    ($($items:tt)*) => {};
}

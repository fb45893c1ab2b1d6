//! A database that exists becomes a version, as it is.

use std::collections::BTreeSet;

use crate::catalog::{functions, introspect};
use crate::error::{Error, Result};
use crate::execute::progress::Progress;
use crate::migrator::{Migrator, Outcome};
use crate::state::{self, Plans, VersionState};

use diptych_core::layout::chain::Chain;
use diptych_core::names;
use diptych_core::sql::qualified;
use diptych_core::{Migration, Operation};

impl Migrator {
    /// What the base schema has and what there is beside it. Changes nothing.
    pub async fn inventory(&mut self) -> Result<introspect::Inventory> {
        let state = self.load().await?;
        let base = &self.options.base;
        let mut versions: Vec<String> = state.versions.iter().map(|recorded| recorded.version.views.clone()).collect();
        versions.push(names::guard_schema(base));
        introspect::inventory(&mut self.client, self.server.major, base, &versions).await
    }

    /// The statements that `pg_stat_statements` has seen in this database, each once.
    ///
    /// # Errors
    ///
    /// Where the extension is not there, or its view may not be read.
    pub async fn statements(&self) -> Result<Vec<String>> {
        let home = "SELECT space.nspname::pg_catalog.text FROM pg_catalog.pg_extension AS own JOIN pg_catalog.pg_namespace AS space \
             ON space.oid = own.extnamespace WHERE own.extname = 'pg_stat_statements'";
        let Some(row) = self.client.query_opt(home, &[]).await? else {
            return Err(Error::refused("the database does not have the extension pg_stat_statements")
                .hint("create it (it needs shared_preload_libraries = 'pg_stat_statements' as well), or give files of SQL"));
        };
        let sql = format!(
            "SELECT DISTINCT seen.query FROM {} AS seen JOIN pg_catalog.pg_database AS own ON own.oid = seen.dbid \
             WHERE own.datname = pg_catalog.current_database() AND seen.query NOT LIKE '%diptych%' ORDER BY 1",
            qualified(row.get(0), "pg_stat_statements")
        );
        Ok(self.client.query(&sql, &[]).await?.iter().map(|row| row.get(0)).collect())
    }

    /// Starts the version of the last of these migrations with the tables that the database has, and enters those that are not applied yet
    /// as applied: none is carried out, and nothing is made but the state and the version's views. Whether the tables are those that the
    /// migrations would make is not looked at. `rollback` takes it back; `complete` ends it, for a first version the next `start` as well.
    ///
    /// # Errors
    ///
    /// If another version is on its way, or the tables cannot be a version: the message says what stands against it.
    pub async fn baseline(&mut self, migrations: &[Migration], progress: &mut dyn Progress) -> Result<Outcome> {
        state::prepare(&self.client, self.options.published_state, self.options.timeout).await?;
        let token = self.take_run("baseline", progress).await?;
        let outcome = self.baseline_locked(migrations, token, progress).await;
        self.end("baseline", token, outcome, progress).await
    }

    async fn baseline_locked(&mut self, migrations: &[Migration], token: i64, progress: &mut dyn Progress) -> Result<Outcome> {
        let Some(last) = migrations.last() else { return Ok(Outcome::Nothing("no migration is recorded".to_owned())) };
        let state = self.read().await?;
        if let Some(there) = state.pending() {
            let name = &there.version.name;
            if *name != last.name {
                return Err(Error::refused(format!(
                    "version `{name}` is {}, and `{}` has to wait for that",
                    there.state, last.name
                ))
                .hint("run `complete` first, or `rollback`"));
            }
            if there.state != VersionState::Starting {
                return Ok(Outcome::Nothing(format!("version `{name}` is {}", there.state)));
            }
        } else {
            let new = self.unstarted(&state, migrations)?;
            if new.is_empty() {
                return Ok(Outcome::Nothing("every migration up to that one is started".to_owned()));
            }
            self.schema_exists().await?;
            let mut found = self.inventory().await?.schema;
            // those of the version are told by its operations; others may be there beside it
            found.extensions = listed(migrations);
            let (base, major) = (self.options.base.clone(), self.server.major);
            let older = state.live().map(|live| live.version.clone());
            let make = |book: &mut _| Chain::baseline(&base, older.clone(), last, &found, major, book);
            let chain = state.settle(&self.client, &base, make).await?;
            let plans = Plans::of(&chain);
            self.preflight(&plans.start, progress).await?;
            if let Some(warning) = functions::look(&self.client, &chain).await? {
                progress.warning(&warning);
            }
            state::begin_start(&mut self.client, &chain, &new, &plans).await?;
        }
        let state = self.read().await?;
        self.resume_start(&state, token, progress).await?;
        Ok(Outcome::Done(vec![last.name.clone()]))
    }
}

/// The extensions that migrations lead to.
fn listed(migrations: &[Migration]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for operation in migrations.iter().flat_map(|migration| &migration.operations) {
        match operation {
            Operation::CreateExtension(made) => drop(names.insert(made.name.clone())),
            Operation::DropExtension(gone) => drop(names.remove(&gone.name)),
            _ => {}
        }
    }
    names
}

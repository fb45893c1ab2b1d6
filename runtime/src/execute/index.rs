//! Indexes: one is built beside writers, and none that is invalid stays.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::execute::executor::{Executor, patience};
use crate::execute::progress::Progress;
use diptych_core::plan::{Shape, Step};
use diptych_core::sql::{ident, qualified};
use diptych_core::statements::path::Path;
use diptych_core::{Sql, names};

/// How long the leftover of an index build may hold up its end.
const LEFTOVER_WITHIN: Duration = Duration::from_secs(5);

/// An index to be built.
pub(crate) struct Build<'a> {
    pub schema: &'a str,
    pub name: &'a str,
    pub sql: &'a Sql,
    pub drop: &'a Sql,
    pub bind: &'a [Sql],
    pub shape: Option<&'a Shape>,
}

impl Executor<'_> {
    /// The index is there and valid, or it is built; what an interrupted build left is removed first.
    pub(crate) async fn create_index(&self, step: &Step, build: &Build<'_>, progress: &mut dyn Progress) -> Result<()> {
        let place = qualified(build.schema, build.name);
        let found = self
            .client
            .query_opt(
                "SELECT index.indisvalid, own.relname::pg_catalog.text, index.indisunique, index.indpred IS NOT NULL, ARRAY(\
                 SELECT attribute.attname::pg_catalog.text FROM pg_catalog.unnest(index.indkey::pg_catalog.int2[]) WITH ORDINALITY AS key (number, place) \
                 LEFT JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = key.number ORDER BY key.place) \
                 FROM pg_catalog.pg_index AS index JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid JOIN pg_catalog.pg_class AS own ON own.oid = index.indrelid \
                 JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace WHERE space.nspname = $1 AND class.relname = $2",
                &[&build.schema, &build.name],
            )
            .await?;
        let there =
            found.as_ref().map(|row| Shape { table: row.get(1), unique: row.get(2), partial: row.get(3), columns: row.get(4) });
        if let (Some(wanted), Some(there)) = (build.shape, &there)
            && wanted != there
        {
            return Err(Error::refused(format!("{}: another index `{}` was created meanwhile", step.title, build.name)).hint(
                format!(
                    "rename it and run `start` again: ALTER INDEX {place} RENAME TO {}",
                    ident(&names::shortened(&format!("{}_by_hand", build.name)))
                ),
            ));
        }
        let is_valid = found.map(|row| row.get(0));
        if is_valid == Some(true) {
            return Ok(());
        }
        let bound = if build.bind.is_empty() { build.sql.clone() } else { self.bind(step, build.bind, progress).await? };
        self.build_index(step, is_valid, &bound, build.drop, progress).await
    }

    /// One `CREATE INDEX CONCURRENTLY`, unless the index is there and valid. No invalid one stays: a unique one would go on refusing
    /// writes (docs/traps.md H6).
    pub(crate) async fn build_index(
        &self,
        step: &Step,
        is_valid: Option<bool>,
        sql: &Sql,
        drop: &Sql,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        match is_valid {
            Some(true) => return Ok(()),
            Some(false) => self.send(step, drop, progress).await?,
            None => {}
        }
        self.client.batch_execute(step.path.set().as_str()).await?;
        let built = self.send(step, sql, progress).await;
        self.client.batch_execute(Path::own().set().as_str()).await?;
        if built.is_err() {
            // what held up the build may hold this up as well: then it is left to the next `start` or `rollback`
            let most = if progress.ends() { LEFTOVER_WITHIN / 5 } else { LEFTOVER_WITHIN };
            let bound = self.limits.timeout.min(most);
            let drop = format!("{}; {drop}; {}", patience(bound), self.patience());
            if self.client.batch_execute(&drop).await.is_err() {
                self.client.batch_execute(&self.patience()).await?;
            }
        }
        built
    }

    /// The statement that a transaction gives, of which nothing else stays.
    pub(crate) async fn bind(&self, step: &Step, statements: &[Sql], progress: &mut dyn Progress) -> Result<Sql> {
        self.client.batch_execute("BEGIN").await?;
        let outcome = self.bind_body(step, statements, progress).await;
        let ended = self.client.batch_execute("ROLLBACK").await;
        let bound = outcome?;
        ended?;
        Ok(bound)
    }

    async fn bind_body(&self, step: &Step, statements: &[Sql], progress: &mut dyn Progress) -> Result<Sql> {
        let Some((last, before)) = statements.split_last() else { return Ok(Sql::default()) };
        for statement in before {
            self.send(step, statement, progress).await?;
        }
        progress.statement(last.as_str());
        let row = self.watched(self.client.query_one(last.as_str(), &[]), progress).await;
        Ok(Sql::trusted(row.map_err(|error| Error::during(&step.title, error))?.get::<_, String>(0)))
    }
}

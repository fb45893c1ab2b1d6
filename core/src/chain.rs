//! The live versions of a base schema, and the step from the oldest to the newest that is under way.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::facts::Book;
use crate::migration::Migration;
use crate::names;
use crate::plan;
use crate::schema::Schema;
use crate::stage::Stage;

/// A version: a schema under the name of the migration that leads to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The migration's name.
    pub name: String,
    /// The PostgreSQL schema that holds the version's views.
    pub views: String,
    /// The model.
    pub schema: Schema,
    /// Every view in the schema of views.
    pub relations: Vec<String>,
}

impl Version {
    /// The version that a migration leads to, at the end of a stage.
    pub fn new(base: &str, migration: &Migration, stage: &Stage) -> Self {
        let suffix = migration.version_schema.as_deref().unwrap_or(&migration.name);
        let relations = stage.to.tables.keys().cloned().collect();
        Version { name: migration.name.clone(), views: view_schema(base, suffix), schema: stage.to.clone().settled(), relations }
    }
}

/// The name of the schema of a version's views: `<base>_<version>`, shortened where it has to be.
pub fn view_schema(base: &str, version: &str) -> String {
    names::shortened(&format!("{base}_{version}"))
}

/// Two neighbours on the chain and the mapping between them: what start, complete and rollback are planned from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Where the tables live.
    pub base: String,
    /// The version that apps use so far; none before the first migration.
    pub older: Option<Version>,
    /// The version that the migrations lead to.
    pub newer: Version,
    /// The mapping between the two.
    pub stage: Stage,
    /// The server's major version, for what differs between them.
    pub server: u32,
}

impl Chain {
    /// The chain that the given migrations, in order, extend the older version to.
    ///
    /// The inner ones need no views of their own: the app stays on the older version, and the newest is published.
    /// What is not known yet of the texts of the user's own is noted in the book, also where there is an error, which may come of that.
    pub fn extend(
        base: &str,
        older: Option<Version>,
        migrations: &[Migration],
        server: u32,
        book: &mut Book,
    ) -> Result<Option<Self>> {
        let Some(last) = migrations.last() else { return Ok(None) };
        let from = older.as_ref().map(|version| version.schema.clone()).unwrap_or_default();
        let mut stage = Stage::knowing(&from, std::mem::take(book));
        let applied = migrations.iter().try_for_each(|migration| migration.apply(&mut stage));
        *book = std::mem::take(&mut stage.book);
        applied?;
        let newer = Version::new(base, last, &stage);
        let chain = Chain { base: base.to_owned(), older, newer, stage, server };
        plan::refuse_halves(&chain).map_err(|error| error.within(format!("migration `{}`", last.name)))?;
        Ok(Some(chain))
    }
}

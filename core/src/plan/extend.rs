//! The chain that migrations lead to, and the one by which a database that exists becomes a version.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::layout::chain::{Chain, Version};
use crate::layout::tables::{Physical, layout};
use crate::migration::file::Migration;
use crate::model::book::Book;
use crate::model::lexer;
use crate::model::schema::Schema;
use crate::plan::{deletions, reads, rows};
use crate::transition::stage::{Moment, Script, Stage, Work};

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
        refuse_halves(&chain)?;
        Ok(Some(chain))
    }

    /// The chain by which what a database has becomes the version of a migration, with no change of it: every table is there. The older
    /// version, where there is one, stays as it is until complete.
    pub fn baseline(
        base: &str,
        older: Option<Version>,
        migration: &Migration,
        found: &Schema,
        server: u32,
        book: &mut Book,
    ) -> Result<Self> {
        let mut stage = Stage::knowing(found, std::mem::take(book));
        *book = std::mem::take(&mut stage.book);
        stage.to.check().map_err(|error| error.within(format!("schema `{base}`")))?;
        let newer = Version::new(base, migration, &stage);
        Ok(Chain { base: base.to_owned(), older, newer, stage, server })
    }
}

/// Of a table with operations on both sides of a script there is no one form at that point: one that names it is refused, before anything
/// is changed.
fn refuse_halves(chain: &Chain) -> Result<()> {
    let tables = layout(chain);
    deletions::refuse_what_moves(chain, &tables)?;
    reads::refuse_what_changes(chain)?;
    for (number, script) in chain.stage.scripts_of(Moment::Start).enumerate() {
        let Some(name) = half(&tables, number, script) else { continue };
        let (what, hint) = match &script.work {
            Work::Sql { .. } => (
                format!("`sql` operation {} names table", number + 1),
                format!("move the operations on `{name}` that stand below the `sql` into the next migration, or above the `sql`"),
            ),
            Work::Insert(_) | Work::Delete(_) => (
                "`insert` has rows for table".to_owned(),
                format!(
                    "move the `insert` below the operations on `{name}` and on the tables that it references; if those are in a later migration, run `start --to` with this one, then `complete`, then `start` again"
                ),
            ),
        };
        let error = Error::new(format!("{what} `{name}`, which operations above and below it change")).hint(hint);
        return Err(error.within(format!("migration `{}`", script.migration)));
    }
    Ok(())
}

/// The table of a script that it finds in no one form. Of statements of the user's own a word too many refuses too much, and says what to do.
fn half(tables: &[Physical<'_>], number: usize, script: &Script) -> Option<String> {
    let up = match &script.work {
        Work::Insert(insert) => {
            return rows::target(tables, number, &insert.table).is_none().then(|| insert.table.clone());
        }
        Work::Delete(_) => return None,
        Work::Sql { up, .. } => up,
    };
    let words: BTreeSet<String> = lexer::words(up).collect();
    let is_half =
        |table: &&Physical<'_>| table.lineage.first_change.is_some_and(|first| first <= number) && table.scripts_before > number;
    let is_named = |table: &&Physical<'_>| table.lineage.layers.iter().any(|layer| words.contains(&layer.table));
    let table = tables.iter().find(|table| is_half(table) && is_named(table))?;
    Some(table.final_name().unwrap_or(&table.name).to_owned())
}

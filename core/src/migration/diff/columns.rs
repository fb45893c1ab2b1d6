//! What differs in one table and its columns: additions, conversions and renames in an order in which their texts can be read, then drops.

use std::collections::BTreeMap;

use super::Differ;
use crate::error::{Error, Result};
use crate::migration::declared::{DeclaredColumn, DeclaredTable};
use crate::migration::ops::column_spec::ColumnSpec;
use crate::migration::ops::{AddColumn, AlterColumn, AlterTable, DropColumn, RenameColumn, RenameTable};
use crate::model::expression::Expression;
use crate::model::facts::Facts;
use crate::model::schema::{Column, Identity, Table};
use crate::model::snapshot::Used;
use crate::model::storage;
use crate::sql;

/// A recorded table and its struct.
struct Pair<'a> {
    /// Its name in the snapshot.
    old: &'a str,
    table: &'a DeclaredTable,
    before: Table,
    /// The same under the struct's column names.
    renamed: Table,
    /// The struct's columns.
    after: Table,
}

impl Differ<'_> {
    pub(super) fn alter_table(&mut self, old: &str, table: &DeclaredTable) -> Result<()> {
        let before = self.snapshot.schema.table(old)?.clone();
        self.drop_what_goes(old, table, &before)?;
        self.refuse_one_column_twice(old, table, &before)?;
        let renamed = self.renamed(table, &before);
        let after = Table { columns: table.columns.iter().map(|field| field.column.clone()).collect(), ..Table::default() };
        let pair = Pair { old, table, before, renamed, after };
        let mut pending = Vec::new();
        for field in &table.columns {
            match self.recorded_column(table, field, &pair.before) {
                Some(name) => self.alter_column(&pair, field, name, &mut pending)?,
                None => pending.push(self.addition(&pair, field)),
            }
        }
        let mut drops = self.change_columns(old, pending)?;
        drops.extend(self.drops(&pair, &drops)?);
        let change = AlterTable {
            table: old.to_owned(),
            comment: (pair.before.comment != table.comment).then(|| table.comment.clone()),
            storage: storage::between(&pair.before.storage, &table.storage),
        };
        if change.comment.is_some() || !change.storage.is_empty() {
            self.push(change)?;
        }
        if old != table.name {
            self.push(RenameTable { from: old.to_owned(), to: table.name.clone() })?;
        }
        for drop in drops {
            self.push(DropColumn { table: table.name.clone(), ..drop })?;
        }
        Ok(())
    }

    fn refuse_one_column_twice(&self, old: &str, table: &DeclaredTable, before: &Table) -> Result<()> {
        let mut claimed = BTreeMap::new();
        for field in &table.columns {
            let name = self.recorded_column(table, field, before);
            if let Some((name, other)) = name.and_then(|name| Some((name.clone(), claimed.insert(name, &field.column.name)?))) {
                return Err(Error::new(format!(
                    "fields `{other}` and `{}` both take the place of column `{old}.{name}` in the snapshot",
                    field.column.name
                ))
                .hint("remove the `renamed_from` of one of them"));
            }
        }
        Ok(())
    }

    /// A field that the snapshot has no column for.
    fn addition<'a>(&mut self, pair: &Pair<'_>, field: &'a DeclaredColumn) -> Pending<'a> {
        let (up, _) = self.fresh(pair.old, pair.table, field);
        let up_reads = self.reads(pair.old, &pair.before, &up);
        Pending { field, from: None, change: None, up, down: None, up_reads, down_reads: Facts::default() }
    }

    /// What becomes of a column. A conversion and a rename wait for their turn; what no text depends on is done at once.
    fn alter_column<'a>(
        &mut self,
        pair: &Pair<'_>,
        field: &'a DeclaredColumn,
        name: String,
        pending: &mut Vec<Pending<'a>>,
    ) -> Result<()> {
        let (mut up, mut down) = self.fresh(pair.old, pair.table, field);
        let (mut up_reads, mut down_reads) = self.reads_of(pair, &up, &down);
        // with the default that a change of its enum has left it
        let there = self.stage.to.table(pair.old)?.column(pair.old, &name)?;
        let now = &field.column;
        refuse_recomputed(pair.old, there, pair.renamed.column(pair.old, &now.name)?, now)?;
        let change = alteration(pair.old, there, now);
        let is_another_form = change.sql_type.is_some() || change.nullable.is_some() || change.collate.is_some();
        if is_another_form || up.is_some() || down.is_some() {
            if !is_another_form {
                // values that are others in the newer version
                (up, down) = both_directions(pair.old, &name, field)?;
                (up_reads, down_reads) = self.reads_of(pair, &up, &down);
            }
            let change = Some(AlterColumn { up: up.clone(), down: down.clone(), ..change });
            pending.push(Pending { field, from: Some(name.clone()), change, up, down, up_reads, down_reads });
        } else if change.default.is_some() || change.comment.is_some() {
            self.push(change)?;
        }
        if name != now.name {
            let (up_reads, down_reads) = (Facts::default(), Facts::default());
            pending.push(Pending { field, from: Some(name), change: None, up: None, down: None, up_reads, down_reads });
        }
        Ok(())
    }

    /// `up` and `down` of a field that no recorded migration has used up, be it under the names that its table and column had then.
    fn fresh(&self, old: &str, table: &DeclaredTable, field: &DeclaredColumn) -> (Option<String>, Option<String>) {
        let recorded = self.snapshot.schema.tables.get(old).and_then(|model| self.recorded_column(table, field, model));
        let name = &field.column.name;
        let used = [Some((table.name.as_str(), name)), recorded.as_ref().map(|recorded| (old, recorded))];
        let used: Vec<Used> = used.into_iter().flatten().map(|(table, column)| self.used(table, column)).collect();
        let fresh = |now: &Option<String>, then: fn(&Used) -> &Option<String>| {
            now.clone().filter(|text| !used.iter().any(|used| then(used).as_ref() == Some(text)))
        };
        (fresh(&field.up, |used| &used.up), fresh(&field.down, |used| &used.down))
    }

    /// What the two conversions of a field read, each on its side.
    fn reads_of(&mut self, pair: &Pair<'_>, up: &Option<String>, down: &Option<String>) -> (Facts, Facts) {
        (self.reads(pair.old, &pair.before, up), self.reads(&pair.table.name, &pair.after, down))
    }

    /// What a conversion reads in a scope.
    fn reads(&mut self, table: &str, scope: &Table, text: &Option<String>) -> Facts {
        let text = text.as_deref().map(|text| self.stage.know(table, scope, text.into()));
        text.map(|text| scope.facts(&text).into_owned()).unwrap_or_default()
    }

    /// Additions, conversions and renames in an order in which each `up` sees the older version's columns, and each `down` the
    /// newer one's. Gives what is to be dropped in the end.
    fn change_columns(&mut self, table: &str, mut pending: Vec<Pending<'_>>) -> Result<Vec<DropColumn>> {
        let mut drops = Vec::new();
        while !pending.is_empty() {
            if let Some(at) = (0..pending.len()).find(|at| is_ready(&pending, *at)) {
                let Pending { field, from, change, up, .. } = pending.remove(at);
                let now = &field.column;
                match (from, change) {
                    (None, _) => self.push(AddColumn { table: table.to_owned(), column: ColumnSpec::of(now), up })?,
                    (Some(from), Some(change)) => {
                        let is_renamed = !self.stage.to.table(table)?.has_column(&from);
                        self.push(AlterColumn { column: if is_renamed { now.name.clone() } else { from }, ..change })?;
                    }
                    (Some(from), None) => self.push(RenameColumn { table: table.to_owned(), from, to: now.name.clone() })?,
                }
                continue;
            }
            // converted and renamed at once, `up` under the name so far, `down` under the name to be: another column
            let is_rename =
                |there: &Pending<'_>, of: &Pending<'_>| there.change.is_none() && there.from.is_some() && there.from == of.from;
            let found =
                pending.iter().position(|item| item.change.is_some() && pending.iter().any(|there| is_rename(there, item)));
            let Some(at) = found else {
                let stuck = pending.iter().find(|item| item.change.is_some()).unwrap_or(&pending[0]);
                return Err(Error::new(format!(
                    "`{table}.{}` and other fields cannot change in the same release: their `up` and `down` read each other's columns both before and after the change",
                    stuck.field.column.name
                ))
                .hint("change these fields in two releases, or let their expressions read columns that stay as they are"));
            };
            let item = pending.remove(at);
            pending.retain(|there| !is_rename(there, &item));
            let from = item.from.unwrap_or_default();
            let itself = |name: &str| Some(sql::ident(name).as_str().to_owned());
            let (up, down) = (item.up.or_else(|| itself(&from)), item.down.or_else(|| itself(&item.field.column.name)));
            self.push(AddColumn { table: table.to_owned(), column: ColumnSpec::of(&item.field.column), up })?;
            // one that draws numbers begins anew, with a sequence of its own
            let successor = (item.field.column.identity.is_none()).then(|| item.field.column.name.clone());
            drops.push(DropColumn { table: table.to_owned(), column: from, down, successor });
        }
        Ok(drops)
    }

    /// Columns that the struct says are gone, but for those that are dropped already.
    fn drops(&self, pair: &Pair<'_>, already: &[DropColumn]) -> Result<Vec<DropColumn>> {
        let Pair { old, table, before, .. } = pair;
        // a generated column goes before those that it reads
        let (generated, plain): (Vec<_>, Vec<_>) = before.columns.iter().partition(|column| column.generated.is_some());
        let is_gone = |name: &String| !table.columns.iter().any(|field| field.column.name == *name);
        let mut drops = Vec::new();
        for column in generated.into_iter().chain(plain).filter(|column| is_gone(&column.name)) {
            if self.stage.to.table(old)?.has_column(&column.name) && !already.iter().any(|drop| drop.column == column.name) {
                let Some(dropped) = table.dropped.iter().find(|dropped| dropped.name == column.name) else {
                    return Err(Error::new(format!(
                        "column `{old}.{}` is in the snapshot, but its struct has no such field",
                        column.name
                    ))
                    .hint(format!(
                        "add `dropped({}, down = \"…\")` to the struct, or `renamed_from = \"{}\"` to a field",
                        column.name, column.name
                    )));
                };
                let (table, column, down) = ((*old).to_owned(), column.name.clone(), dropped.down.clone());
                drops.push(DropColumn { table, column, down, successor: None });
            }
        }
        Ok(drops)
    }
}

/// A change of a column that waits for its turn: an addition, a conversion, or a rename.
struct Pending<'a> {
    field: &'a DeclaredColumn,
    /// The column's name so far; none for one that is added.
    from: Option<String>,
    change: Option<AlterColumn>,
    up: Option<String>,
    down: Option<String>,
    /// What `up` reads of the older version's columns.
    up_reads: Facts,
    /// What `down` reads of the newer one's.
    down_reads: Facts,
}

/// Whether no other `up` still needs the column as it is, and all that its own `down` reads is as it will be.
fn is_ready(pending: &[Pending<'_>], at: usize) -> bool {
    let item = &pending[at];
    pending.iter().enumerate().filter(|(other, _)| *other != at).all(|(_, other)| {
        !item.from.as_deref().is_some_and(|from| other.up_reads.reads(from)) && !item.down_reads.reads(&other.field.column.name)
    })
}

/// No operation makes a column that is there an identity or a generated one, or ends its being one.
fn refuse_recomputed(table: &str, before: &Column, renamed: &Column, now: &Column) -> Result<()> {
    let bare = |column: &Column| column.identity.clone().map(|identity| Identity { sequence: None, ..identity });
    let what = if !Expression::same(&renamed.generated, &now.generated) {
        "its generation expression"
    } else if bare(before) != bare(now) {
        "its identity"
    } else {
        return Ok(());
    };
    Err(Error::new(format!("column `{table}.{}` changes {what}, and no operation can do that", before.name))
        .hint("keep it as it is in the snapshot; only a new table can have another one"))
}

/// What differs between a column and its field, but for the name.
fn alteration(table: &str, there: &Column, now: &Column) -> AlterColumn {
    AlterColumn {
        table: table.to_owned(),
        column: there.name.clone(),
        sql_type: (there.sql_type != now.sql_type).then(|| now.sql_type.clone()),
        nullable: (there.nullable != now.nullable).then_some(now.nullable),
        collate: (there.collation != now.collation).then(|| now.collation.clone()),
        default: (!Expression::same(&there.default, &now.default)).then(|| now.default.as_deref().map(str::to_owned)),
        comment: (there.comment != now.comment).then(|| now.comment.clone()),
        ..AlterColumn::default()
    }
}

/// `up` and `down` of a field, which has both.
fn both_directions(table: &str, column: &str, field: &DeclaredColumn) -> Result<(Option<String>, Option<String>)> {
    let (up, down) = (field.up.clone(), field.down.clone());
    let missing = [("up", &up), ("down", &down)].into_iter().find_map(|(key, text)| text.is_none().then_some(key));
    match missing {
        None => Ok((up, down)),
        Some(missing) => {
            Err(Error::new(format!("`{table}.{column}` converts its values in one direction only: `{missing}` is missing"))
                .hint(format!("add `{missing}`, an expression over the other version's columns, or remove the other expression")))
        }
    }
}

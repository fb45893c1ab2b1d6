//! What differs between the snapshot and the structs, as operations whose result is the structs' schema.

use std::collections::BTreeMap;

use crate::declared::{DeclaredColumn, DeclaredSchema, DeclaredTable};
use crate::error::{Error, Result};
use crate::ops::column_spec::ColumnSpec;
use crate::ops::create_table::TableConstraint;
use crate::ops::{
    AddColumn, AlterColumn, CreateConstraint, CreateIndex, CreateTable, DropColumn, DropConstraint, DropIndex, DropTable,
    Operation, RenameColumn, RenameTable, SetReplicaIdentity,
};
use crate::schema::{Column, Constraint, ReplicaIdentity, Schema, Table};
use crate::snapshot::{Snapshot, Used};
use crate::stage::Stage;

/// The operations that lead from the snapshot to the structs; none where they agree.
///
/// `up` is written against the older version's names, so that additions and conversions come before renames; drops, whose
/// `down` is written against the newer version's, come last.
pub fn diff(snapshot: &Snapshot, declared: &DeclaredSchema) -> Result<Vec<Operation>> {
    let mut differ = Differ { snapshot, stage: Stage::identity(&snapshot.tables), operations: Vec::new() };
    let from = |table: &DeclaredTable| recorded_name(snapshot, table);
    for name in snapshot.tables.tables.keys() {
        let wanted = declared.tables.iter().any(|table| from(table).as_ref() == Some(name));
        if !wanted && !declared.dropped.contains(name) {
            return Err(Error::new(format!("table `{name}` is in the snapshot, but no struct declares it")).hint(format!(
                "add `dropped: [\"{name}\"]` to database!, or `renamed_from = \"{name}\"` to the struct that replaces it"
            )));
        }
    }
    check_references(declared)?;
    let mut claimed = BTreeMap::new();
    for table in &declared.tables {
        if let Some(other) = from(table).and_then(|old| claimed.insert(old, &table.name)) {
            return Err(Error::new(format!(
                "structs of tables `{other}` and `{}` stand for one table of the snapshot",
                table.name
            ))
            .hint("remove the `renamed_from` of one of them"));
        }
    }
    // foreign keys before the keys that they point at
    for part in [Part::ForeignKeys, Part::Rest] {
        for table in &declared.tables {
            if let Some(old) = from(table) {
                differ.drop_what_goes(&old, table, part)?;
            }
        }
    }
    for table in &declared.tables {
        if let Some(old) = from(table) {
            differ.alter_table(&old, table)?;
        }
    }
    differ.create_tables(declared)?;
    for table in &declared.tables {
        if let Some(old) = from(table) {
            differ.constrain_table(&old, table)?;
        }
    }
    for name in &declared.dropped {
        if snapshot.tables.tables.contains_key(name) {
            differ.push(DropTable { name: name.clone() })?;
        }
    }
    differ.stage.to.check()?;
    Ok(differ.operations)
}

/// A struct may still name a table or column that another struct has renamed, which the recorded foreign key follows.
fn check_references(declared: &DeclaredSchema) -> Result<()> {
    for table in &declared.tables {
        for (_, constraint) in &table.constraints {
            let Constraint::ForeignKey { references, .. } = constraint else { continue };
            let target = declared.tables.iter().find(|there| there.name == references.table);
            let has = |name: &String| target.is_some_and(|there| there.columns.iter().any(|field| field.column.name == *name));
            if let Some(column) = references.columns.iter().find(|name| !has(name)) {
                return Err(Error::new(format!(
                    "a foreign key of table `{}` references `{}.{column}`, which no struct declares",
                    table.name, references.table
                ))
                .hint("correct its `references`, or add the struct or field"));
            }
        }
    }
    Ok(())
}

/// The operations that create a whole schema anew.
pub fn create_all(schema: &Schema) -> Vec<Operation> {
    let mut tables: Vec<Operation> = Vec::new();
    let mut later: Vec<Operation> = Vec::new();
    for (name, table) in &schema.tables {
        let mut bare = table.clone();
        bare.constraints.retain(|_, constraint| !matches!(constraint, Constraint::ForeignKey { .. }));
        tables.push(CreateTable::of(name, &bare).into());
        later.extend(table.indexes.iter().map(|(index, model)| CreateIndex::of(index, name, model).into()));
        for (constraint, model) in &table.constraints {
            if matches!(model, Constraint::ForeignKey { .. }) {
                later.push(constraint_operation(name, constraint, model));
            }
        }
        later.extend(identity_operation(name, table));
    }
    tables.extend(later);
    tables
}

/// The name under which the snapshot has a declared table, if it has it.
pub fn recorded_name(snapshot: &Snapshot, table: &DeclaredTable) -> Option<String> {
    if snapshot.tables.tables.contains_key(&table.name) {
        return Some(table.name.clone());
    }
    table.renamed_from.clone().filter(|old| snapshot.tables.tables.contains_key(old))
}

/// What of a table is dropped at one time.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    ForeignKeys,
    Rest,
}

struct Differ<'a> {
    snapshot: &'a Snapshot,
    stage: Stage,
    operations: Vec<Operation>,
}

impl Differ<'_> {
    fn push(&mut self, operation: impl Into<Operation>) -> Result<()> {
        let operation = operation.into();
        operation.apply(&mut self.stage)?;
        self.operations.push(operation);
        Ok(())
    }

    /// Attributes that a recorded migration has used up count as absent.
    fn used(&self, table: &str, column: &str) -> Used {
        self.snapshot.used.get(table).and_then(|table| table.get(column)).cloned().unwrap_or_default()
    }

    fn fresh(&self, table: &DeclaredTable, field: &DeclaredColumn) -> (Option<String>, Option<String>) {
        let used = self.used(&table.name, &field.column.name);
        let fresh = |now: &Option<String>, then: Option<String>| now.clone().filter(|text| Some(text) != then.as_ref());
        (fresh(&field.up, used.up), fresh(&field.down, used.down))
    }

    /// The column of the snapshot that a field stands for.
    fn recorded_column(&self, table: &DeclaredTable, field: &DeclaredColumn, model: &Table) -> Option<String> {
        if model.has_column(&field.column.name) {
            return Some(field.column.name.clone());
        }
        let used = self.used(&table.name, &field.column.name).renamed_from;
        field.renamed_from.clone().filter(|old| Some(old) != used.as_ref() && model.has_column(old))
    }

    fn alter_table(&mut self, old: &str, table: &DeclaredTable) -> Result<()> {
        let before = self.snapshot.tables.table(old)?.clone();
        let mut renames = Vec::new();
        let mut claimed = BTreeMap::new();
        for field in &table.columns {
            let name = self.recorded_column(table, field, &before);
            if let Some((name, other)) = name.and_then(|name| Some((name.clone(), claimed.insert(name, &field.column.name)?))) {
                return Err(Error::new(format!(
                    "fields `{other}` and `{}` stand for one column of the snapshot, `{old}.{name}`",
                    field.column.name
                ))
                .hint("remove the `renamed_from` of one of them"));
            }
        }
        for field in &table.columns {
            let (up, down) = self.fresh(table, field);
            let Some(name) = self.recorded_column(table, field, &before) else {
                let column = ColumnSpec::of(&field.column);
                self.push(AddColumn { table: old.to_owned(), column, up })?;
                continue;
            };
            let there = before.column(old, &name)?;
            let now = &field.column;
            let change = AlterColumn {
                table: old.to_owned(),
                column: name.clone(),
                sql_type: (there.sql_type != now.sql_type).then(|| now.sql_type.clone()),
                nullable: (there.nullable != now.nullable).then_some(now.nullable),
                collate: (there.collation != now.collation).then(|| now.collation.clone()),
                default: (there.default != now.default).then(|| now.default.clone()),
                comment: (there.comment != now.comment).then(|| now.comment.clone()),
                ..AlterColumn::default()
            };
            let image = |column: &Column| {
                let identity = column.identity.as_ref().map(|identity| (identity.always, identity.options.clone()));
                (identity, column.generated.clone())
            };
            if image(there) != image(now) {
                return Err(Error::new(format!("column `{old}.{name}` becomes another identity or generated column"))
                    .hint("add a new column with `up` in its place, and drop this one"));
            }
            if change.sql_type.is_some() || change.nullable.is_some() || change.collate.is_some() {
                self.push(AlterColumn { up, down, ..change })?;
            } else if change.default.is_some() || change.comment.is_some() {
                self.push(change)?;
            }
            if name != now.name {
                renames.push(RenameColumn { table: old.to_owned(), from: name, to: now.name.clone() });
            }
        }
        for rename in renames {
            self.push(rename)?;
        }
        for column in &before.columns {
            if self.stage.to.table(old)?.has_column(&column.name)
                && !table.columns.iter().any(|field| field.column.name == column.name)
            {
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
                self.push(DropColumn { table: old.to_owned(), column: column.name.clone(), down: dropped.down.clone() })?;
            }
        }
        if old != table.name {
            self.push(RenameTable { from: old.to_owned(), to: table.name.clone() })?;
        }
        Ok(())
    }

    /// Constraints and indexes that the struct no longer has, by definition under the new names.
    fn drop_what_goes(&mut self, old: &str, table: &DeclaredTable, part: Part) -> Result<()> {
        let before = &self.snapshot.tables.table(old)?.clone();
        let wanted = table.table(Some(before))?;
        let identity = matches!(before.replica_identity, Some(ReplicaIdentity::Index { .. }));
        if part == Part::Rest && identity && before.replica_identity != wanted.replica_identity {
            // its index may be among what goes
            self.push(SetReplicaIdentity::of(old, None))?;
        }
        let mut renamed = before.clone();
        for field in &table.columns {
            if let Some(from) = self.recorded_column(table, field, before).filter(|from| *from != field.column.name) {
                renamed.constraints.values_mut().for_each(|constraint| constraint.rename_column(&from, &field.column.name));
                renamed.indexes.values_mut().for_each(|index| index.rename_column(&from, &field.column.name));
            }
        }
        let lost = |columns: &[String]| columns.iter().any(|name| table.dropped.iter().any(|dropped| dropped.name == *name));
        for (name, constraint) in &renamed.constraints {
            let named = wanted.constraints.get(name) == Some(constraint);
            let unnamed = table.constraints.iter().any(|(given, there)| given.is_none() && there == constraint);
            let now = matches!(constraint, Constraint::ForeignKey { .. }) == (part == Part::ForeignKeys);
            if now && !named && !unnamed && !lost(&constraint.columns(before)) {
                self.push(DropConstraint { table: old.to_owned(), name: name.clone(), up: None, down: None })?;
            }
        }
        for (name, index) in renamed.indexes.iter().filter(|_| part == Part::Rest) {
            let named = wanted.indexes.get(name) == Some(index);
            let unnamed = table.indexes.iter().any(|(given, there)| given.is_none() && there == index);
            if !named && !unnamed && !lost(&index.columns(before)) {
                self.push(DropIndex { name: name.clone() })?;
            }
        }
        Ok(())
    }

    /// Constraints and indexes that the struct has anew.
    fn constrain_table(&mut self, _old: &str, table: &DeclaredTable) -> Result<()> {
        let now = self.stage.to.table(&table.name)?.clone();
        let wanted = table.table(Some(&now))?;
        for (name, constraint) in &wanted.constraints {
            if !now.constraints.contains_key(name) {
                self.push(constraint_operation(&table.name, name, constraint))?;
            }
        }
        for (name, index) in &wanted.indexes {
            if !now.indexes.contains_key(name) {
                self.push(CreateIndex::of(name, &table.name, index))?;
            }
        }
        if now.replica_identity != wanted.replica_identity {
            self.push(SetReplicaIdentity::of(&table.name, wanted.replica_identity.as_ref()))?;
        }
        Ok(())
    }

    /// New tables first without foreign keys, which may point at each other.
    fn create_tables(&mut self, declared: &DeclaredSchema) -> Result<()> {
        let new: Vec<_> = declared.tables.iter().filter(|table| recorded_name(self.snapshot, table).is_none()).collect();
        let mut later: Vec<Operation> = Vec::new();
        for table in new {
            let mut model = table.table(None)?;
            for (name, constraint) in &model.constraints {
                if matches!(constraint, Constraint::ForeignKey { .. }) {
                    later.push(constraint_operation(&table.name, name, constraint));
                }
            }
            model.constraints.retain(|_, constraint| !matches!(constraint, Constraint::ForeignKey { .. }));
            later.extend(model.indexes.iter().map(|(name, index)| CreateIndex::of(name, &table.name, index).into()));
            later.extend(identity_operation(&table.name, &model));
            self.push(CreateTable::of(&table.name, &model))?;
        }
        for operation in later {
            self.push(operation)?;
        }
        Ok(())
    }
}

fn identity_operation(name: &str, table: &Table) -> Option<Operation> {
    table.replica_identity.as_ref().map(|identity| SetReplicaIdentity::of(name, Some(identity)).into())
}

fn constraint_operation(table: &str, name: &str, constraint: &Constraint) -> Operation {
    let spec = TableConstraint::of(name, constraint);
    CreateConstraint {
        name: spec.name,
        table: table.to_owned(),
        kind: spec.kind,
        columns: spec.columns,
        check: spec.check,
        no_inherit: spec.no_inherit,
        deferrable: spec.deferrable,
        initially_deferred: spec.initially_deferred,
        nulls_not_distinct: spec.nulls_not_distinct,
        references: spec.references,
        index_parameters: spec.index_parameters,
        exclude: spec.exclude,
        ..CreateConstraint::default()
    }
    .into()
}

//! What differs between the snapshot and the structs, as operations whose result is the structs' schema.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::migration::declared::{DeclaredColumn, DeclaredEnum, DeclaredSchema, DeclaredTable};
use crate::migration::ops::{
    AlterColumn, AlterCompositeType, AlterDomain, AlterEnum, AlterSequence, CreateCompositeType, CreateConstraint, CreateDomain,
    CreateEnum, CreateExtension, CreateIndex, CreateSequence, CreateStatistics, CreateTable, DropCode, DropCompositeType,
    DropConstraint, DropDomain, DropEnum, DropExtension, DropIndex, DropSequence, DropStatistics, DropTable, Operation, SetCode,
    SetReplicaIdentity,
};
use crate::model::book::{Book, Question, Then};
use crate::model::expression::Expression;
use crate::model::facts::Facts;
use crate::model::own_type::OwnType;
use crate::model::rules::{check_change_of_composite, check_change_of_domain, check_change_of_sequence};
use crate::model::schema::{Constraint, Enum, ReplicaIdentity, Schema, Table};
use crate::model::snapshot::{Snapshot, Used};
use crate::transition::stage::{self, Stage};
use crate::{model::types, sql};

mod columns;

/// The operations that lead from the snapshot to the structs; none where they agree.
///
/// `up` is written against the older version's columns and `down` against the newer one's, which decides the order of additions,
/// conversions and renames; drops come last.
pub fn diff(snapshot: &Snapshot, declared: &DeclaredSchema) -> Result<Vec<Operation>> {
    diff_with(snapshot, declared, &mut Book::default())
}

/// The same with what is known of texts. What is not known yet is noted in the book, also where there is an error, which may come of that.
pub fn diff_with(snapshot: &Snapshot, declared: &DeclaredSchema, book: &mut Book) -> Result<Vec<Operation>> {
    let mut differ = Differ { snapshot, stage: Stage::knowing(&snapshot.schema, std::mem::take(book)), operations: Vec::new() };
    let declared = differ.known(declared);
    let found = differ.differences(&declared);
    book.clone_from(&differ.stage.book);
    found.map(|()| differ.operations)
}

/// The structs with what is known of texts that the snapshot does not have in their words.
pub fn known(snapshot: &Snapshot, declared: &DeclaredSchema, book: &mut Book) -> DeclaredSchema {
    let mut differ = Differ { snapshot, stage: Stage::knowing(&snapshot.schema, std::mem::take(book)), operations: Vec::new() };
    let known = differ.known(declared);
    *book = differ.stage.book;
    known
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
    let extensions = schema.extensions.iter().map(|name| CreateExtension { name: name.clone() }.into());
    let enums = schema.enums.iter().map(|(name, model)| CreateEnum::of(name, model).into());
    let own_types = schema.own_types_in_order(|_| true).into_iter().map(|(name, own)| create_type(name, own));
    let sequences = schema.sequences.iter().map(|(name, sequence)| CreateSequence::of(name, sequence).into());
    let mut tables: Vec<Operation> = extensions.chain(enums).chain(sequences).chain(own_types).collect();
    let mut later: Vec<Operation> = Vec::new();
    for (name, table) in &schema.tables {
        let mut bare = table.clone();
        let is_later = |name: &String, model: &Constraint| model.target().is_some() || table.not_valid.contains(name);
        bare.constraints.retain(|name, constraint| !is_later(name, constraint));
        tables.push(CreateTable::of(name, &bare).into());
        later.extend(table.indexes.iter().map(|(index, model)| CreateIndex::of(index, name, model).into()));
        later.extend(table.statistics.iter().map(|(own, model)| CreateStatistics::of(own, name, model).into()));
        for (constraint, model) in &table.constraints {
            if is_later(constraint, model) {
                let not_valid = table.not_valid.contains(constraint);
                later.push(CreateConstraint { not_valid, ..CreateConstraint::of(name, constraint, model) }.into());
            }
        }
        later.extend(identity_operation(name, table));
    }
    tables.extend(later);
    tables.extend(schema.code.iter().map(|(name, sql)| SetCode { name: name.clone(), sql: sql.clone() }.into()));
    tables
}

fn create_type(name: &str, own: OwnType<'_>) -> Operation {
    match own {
        OwnType::Domain(domain) => CreateDomain::of(name, domain).into(),
        OwnType::Composite(composite) => CreateCompositeType::of(name, composite).into(),
    }
}

/// The name under which the snapshot has a declared table, if it has it.
pub fn recorded_name(snapshot: &Snapshot, table: &DeclaredTable) -> Option<String> {
    if snapshot.schema.tables.contains_key(&table.name) {
        return Some(table.name.clone());
    }
    table.renamed_from.clone().filter(|old| snapshot.schema.tables.contains_key(old))
}

struct Differ<'a> {
    snapshot: &'a Snapshot,
    stage: Stage,
    operations: Vec<Operation>,
}

impl Differ<'_> {
    fn differences(&mut self, declared: &DeclaredSchema) -> Result<()> {
        let snapshot = self.snapshot;
        let from = |table: &DeclaredTable| recorded_name(snapshot, table);
        for name in snapshot.schema.tables.keys() {
            let wanted = declared.tables.iter().any(|table| from(table).as_ref() == Some(name));
            if !wanted && !declared.dropped.contains(name) {
                return Err(Error::new(format!("table `{name}` is in the snapshot, but no struct declares it")).hint(format!(
                    "add `dropped: [\"{name}\"]` to database!, or `renamed_from = \"{name}\"` to the struct that replaces it"
                )));
            }
        }
        check_references(declared)?;
        let is_declared = |name: &String| declared.enums.iter().any(|there| there.name == *name);
        if let Some(name) = snapshot.schema.enums.keys().find(|name| !is_declared(name) && !declared.dropped.contains(name)) {
            return Err(Error::new(format!("enum `{name}` is in the snapshot, but no enum declares it"))
                .hint(format!("add `dropped: [\"{name}\"]` to database!, or the enum to its `enums`")));
        }
        self.create_extensions(declared)?;
        let mut claimed = BTreeMap::new();
        for table in &declared.tables {
            if let Some(other) = from(table).and_then(|old| claimed.insert(old, &table.name)) {
                return Err(Error::new(format!(
                    "the structs of tables `{other}` and `{}` both take the place of the same table in the snapshot",
                    table.name
                ))
                .hint("remove the `renamed_from` of one of them"));
            }
        }
        self.drop_foreign_keys(declared)?;
        self.change_enums(declared)?;
        self.change_sequences(declared)?;
        self.change_own_types(declared)?;
        for table in &declared.tables {
            if let Some(old) = from(table) {
                self.alter_table(&old, table)?;
            }
        }
        self.create_tables(declared)?;
        for table in &declared.tables {
            if let Some(old) = from(table) {
                self.constrain_table(&old, table)?;
            }
        }
        self.drop_own_types(declared)?;
        for name in snapshot.schema.sequences.keys().filter(|name| !declared.sequences.contains_key(*name)) {
            self.push(DropSequence { name: name.clone() })?;
        }
        for name in snapshot.schema.enums.keys().filter(|name| !is_declared(name)) {
            self.push(DropEnum { name: name.clone() })?;
        }
        self.change_code(declared)?;
        for name in snapshot.schema.extensions.iter().filter(|name| !declared.extensions.contains(name)) {
            self.push(DropExtension { name: name.clone() })?;
        }
        self.stage.check()
    }

    /// Code has no parts: what another text is, is another whole.
    fn change_code(&mut self, declared: &DeclaredSchema) -> Result<()> {
        let recorded = &self.snapshot.schema.code;
        for name in recorded.keys().filter(|name| !declared.code.contains_key(*name)) {
            if !declared.dropped.contains(name) {
                return Err(Error::new(format!("code `{name}` is in the snapshot, but no file has it")).hint(format!(
                    "add `dropped: [\"{name}\"]` to database!, or put `{name}.sql` back into the folder of `code`"
                )));
            }
            self.push(DropCode { name: name.clone() })?;
        }
        for (name, sql) in declared.code.iter().filter(|(name, sql)| recorded.get(*name) != Some(sql)) {
            self.push(SetCode { name: name.clone(), sql: sql.clone() })?;
        }
        Ok(())
    }

    fn push(&mut self, operation: impl Into<Operation>) -> Result<()> {
        let operation = operation.into();
        operation.apply(&mut self.stage)?;
        self.stage.learn();
        self.operations.push(operation);
        Ok(())
    }

    /// Attributes that a recorded migration has used up count as absent.
    fn used(&self, table: &str, column: &str) -> Used {
        self.snapshot.used.get(table).and_then(|table| table.get(column)).cloned().unwrap_or_default()
    }

    /// The column of the snapshot that a field stands for.
    fn recorded_column(&self, table: &DeclaredTable, field: &DeclaredColumn, model: &Table) -> Option<String> {
        if model.has_column(&field.column.name) {
            return Some(field.column.name.clone());
        }
        let used = self.used(&table.name, &field.column.name).renamed_from;
        field.renamed_from.clone().filter(|old| Some(old) != used.as_ref() && model.has_column(old))
    }

    /// The recorded table under the struct's column names.
    fn renamed(&mut self, table: &DeclaredTable, before: &Table) -> Table {
        let renames = table.columns.iter().filter_map(|field| {
            let from = self.recorded_column(table, field, before).filter(|from| *from != field.column.name)?;
            Some((from, field.column.name.clone()))
        });
        let renames: Vec<(String, String)> = renames.collect();
        let then = |(from, to): &(String, String)| Then::Column { from: from.clone(), to: to.clone() };
        let then: Vec<Then> = renames.iter().map(then).collect();
        let mut renamed = before.clone();
        if !then.is_empty() {
            let old = recorded_name(self.snapshot, table).unwrap_or_else(|| table.name.clone());
            let is_read = |facts: &Facts| renames.iter().any(|(from, _)| facts.columns.contains(from));
            let followed = self.stage.followed(&old, before, &then, |_, facts| is_read(facts));
            stage::put(&mut renamed, followed);
        }
        for (from, to) in &renames {
            renamed.columns.iter_mut().filter(|column| column.name == *from).for_each(|column| column.name.clone_from(to));
            renamed.constraints.values_mut().for_each(|constraint| constraint.rename_column(from, to));
            renamed.indexes.values_mut().for_each(|index| index.rename_column(from, to));
            renamed.statistics.values_mut().for_each(|statistics| statistics.rename_column(from, to));
        }
        renamed
    }

    fn known(&mut self, declared: &DeclaredSchema) -> DeclaredSchema {
        let mut known = declared.clone();
        let enums = declared
            .enums
            .iter()
            .map(|there| (there.name.clone(), there.labels.iter().map(|label| label.label.clone()).collect()));
        let recorded = &self.snapshot.schema.enums;
        let is_new = |(name, labels): &(String, Vec<String>)| recorded.get(name).map(|there| &there.labels) != Some(labels);
        let enums: BTreeMap<String, Vec<String>> = enums.filter(is_new).collect();
        let wanted = declared.own_types();
        let own_types = wanted.own_types_in_order(|name| !self.snapshot.schema.has_own_type(name));
        let own_types: Vec<_> = own_types.into_iter().map(|(name, own)| stage::asked(name, own)).collect();
        let extensions: BTreeSet<String> =
            declared.extensions.iter().filter(|name| !self.snapshot.schema.extensions.contains(*name)).cloned().collect();
        let sequences = declared.sequences.keys().filter(|name| !self.snapshot.schema.sequences.contains_key(*name));
        let sequences: BTreeSet<String> = sequences.cloned().collect();
        for table in &mut known.tables {
            let Some(before) = recorded_name(self.snapshot, table).and_then(|old| self.snapshot.schema.tables.get(&old)) else {
                continue;
            };
            let renamed = self.renamed(table, before);
            let words: BTreeSet<String> = renamed.texts().into_iter().flat_map(|(_, text)| text.words()).collect();
            let scope = Table { columns: table.columns.iter().map(|field| field.column.clone()).collect(), ..Table::default() };
            let name = table.name.clone();
            let unknown = |text: &Expression| text.known().is_none() && !words.contains(text.as_str());
            for (purpose, text) in table.texts_mut().into_iter().filter(|(_, text)| unknown(text)) {
                let question = Question {
                    enums: enums.clone(),
                    extensions: extensions.clone(),
                    own_types: own_types.clone(),
                    sequences: sequences.clone(),
                    ..self.stage.question(&name, &scope, purpose, text, Vec::new())
                };
                let facts = self.stage.book.ask(question);
                *text = std::mem::take(text).with(facts);
            }
        }
        known
    }

    /// New extensions, whose types all that follows may have. None goes unsaid.
    fn create_extensions(&mut self, declared: &DeclaredSchema) -> Result<()> {
        let recorded = &self.snapshot.schema.extensions;
        let is_listed = |name: &String| declared.extensions.contains(name);
        if let Some(name) = recorded.iter().find(|name| !is_listed(name) && !declared.dropped.contains(name)) {
            return Err(Error::new(format!("extension `{name}` is in the snapshot, but `extensions` does not list it")).hint(
                format!("add \"{name}\" to `extensions` of database!; or `dropped: [\"{name}\"]`, which drops it at complete"),
            ));
        }
        for name in declared.extensions.iter().filter(|name| !recorded.contains(*name)) {
            self.push(CreateExtension { name: name.clone() })?;
        }
        Ok(())
    }

    /// New domains and composite types, whose types are there; domains with another default, or with fewer rules; either with another comment.
    /// None goes unsaid.
    fn change_own_types(&mut self, declared: &DeclaredSchema) -> Result<()> {
        let recorded = &self.snapshot.schema;
        let wanted = declared.own_types();
        let is_said = |name: &String| wanted.has_own_type(name) || declared.dropped.contains(name);
        if let Some((name, own)) = recorded.own_types().find(|(name, _)| !is_said(name)) {
            let (kind, key) = (own.kind(), if let OwnType::Domain(_) = own { "domains" } else { "composites" });
            return Err(Error::new(format!("{kind} `{name}` is in the snapshot, but `{key}` does not list it")).hint(format!(
                "add it to `{key}` of database!, as the snapshot has it; or `dropped: [\"{name}\"]`, which drops it at complete"
            )));
        }
        for (name, own) in wanted.own_types_in_order(|_| true) {
            match own {
                OwnType::Domain(domain) if recorded.domains.contains_key(name) => {
                    let before = &recorded.domains[name];
                    check_change_of_domain(name, before, domain)?;
                    if let Some(change) = AlterDomain::between(name, before, domain) {
                        self.push(change)?;
                    }
                }
                OwnType::Composite(composite) if recorded.composites.contains_key(name) => {
                    check_change_of_composite(recorded, name, composite)?;
                    if recorded.composites[name].comment != composite.comment {
                        self.push(AlterCompositeType { name: name.clone(), comment: Some(composite.comment.clone()) })?;
                    }
                }
                new => self.push(create_type(name, new))?,
            }
        }
        Ok(())
    }

    /// New sequences, from which all that follows may draw, and those with other options. None goes unsaid.
    fn change_sequences(&mut self, declared: &DeclaredSchema) -> Result<()> {
        let recorded = &self.snapshot.schema.sequences;
        let is_said = |name: &String| declared.sequences.contains_key(name) || declared.dropped.contains(name);
        if let Some(name) = recorded.keys().find(|name| !is_said(name)) {
            return Err(Error::new(format!("sequence `{name}` is in the snapshot, but `sequences` does not list it")).hint(format!(
                "add it to `sequences` of database!, as the snapshot has it; or `dropped: [\"{name}\"]`, which drops it at complete"
            )));
        }
        for (name, sequence) in &declared.sequences {
            match recorded.get(name) {
                None => self.push(CreateSequence::of(name, sequence))?,
                Some(before) => {
                    check_change_of_sequence(name, before, sequence)?;
                    if let Some(change) = AlterSequence::between(name, before, sequence) {
                        self.push(change)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Domains and composite types that go, each after those that are made of it.
    fn drop_own_types(&mut self, declared: &DeclaredSchema) -> Result<()> {
        let wanted = declared.own_types();
        let gone = self.stage.to.own_types_in_order(|name| !wanted.has_own_type(name));
        let gone = gone.into_iter().rev().map(|(name, own)| match own {
            OwnType::Domain(_) => Operation::from(DropDomain { name: name.clone() }),
            OwnType::Composite(_) => DropCompositeType { name: name.clone() }.into(),
        });
        gone.collect::<Vec<_>>().into_iter().try_for_each(|operation| self.push(operation))
    }

    /// New enums, and those with other labels, after what mentions the labels that go.
    fn change_enums(&mut self, declared: &DeclaredSchema) -> Result<()> {
        let mut altered = Vec::new();
        for wanted in &declared.enums {
            match self.snapshot.schema.enums.get(&wanted.name) {
                None => {
                    let labels = wanted.labels.iter().map(|variant| variant.label.clone()).collect();
                    self.push(CreateEnum { name: wanted.name.clone(), labels, comment: wanted.comment.clone() })?;
                }
                Some(before) => altered.extend(alter_enum(before, wanted)),
            }
        }
        if altered.iter().any(|change| change.labels.is_some()) {
            for table in &declared.tables {
                if let Some(old) = recorded_name(self.snapshot, table) {
                    let before = self.snapshot.schema.table(&old)?.clone();
                    self.drop_what_goes(&old, table, &before)?;
                    self.drop_defaults(&old, table, &before, &altered)?;
                }
            }
        }
        altered.into_iter().try_for_each(|change| self.push(change))
    }

    /// Foreign keys that go: before the keys that they point at, in whatever tables those are.
    fn drop_foreign_keys(&mut self, declared: &DeclaredSchema) -> Result<()> {
        let snapshot = self.snapshot;
        let is_key = |constraint: &Constraint| matches!(constraint, Constraint::ForeignKey { .. });
        for table in &declared.tables {
            let Some(old) = recorded_name(snapshot, table) else { continue };
            let renamed = self.renamed(table, snapshot.schema.table(&old)?);
            let wanted = table.table(Some(&renamed))?;
            for (name, constraint) in renamed.constraints.iter().filter(|(_, constraint)| is_key(constraint)) {
                if !wanted.constraints.get(name).is_some_and(|there| there.says_the_same(constraint)) {
                    self.push(DropConstraint { table: old.clone(), name: name.clone(), up: None, down: None })?;
                }
            }
        }
        let dropped: Vec<&String> = declared.dropped.iter().filter(|name| snapshot.schema.tables.contains_key(*name)).collect();
        for name in &dropped {
            for (key, constraint) in &snapshot.schema.table(name)?.constraints {
                if let Constraint::ForeignKey { references, .. } = constraint
                    && references.table != **name
                    && dropped.contains(&&references.table)
                {
                    self.push(DropConstraint { table: (*name).clone(), name: key.clone(), up: None, down: None })?;
                }
            }
        }
        for name in dropped {
            self.push(DropTable { name: name.clone() })?;
        }
        Ok(())
    }

    /// Constraints and indexes that the struct no longer has, by definition under the new names.
    fn drop_what_goes(&mut self, old: &str, table: &DeclaredTable, before: &Table) -> Result<()> {
        let renamed = self.renamed(table, before);
        let wanted = table.table(Some(&renamed))?;
        let identity = matches!(before.replica_identity, Some(ReplicaIdentity::Index { .. }));
        if identity && before.replica_identity != wanted.replica_identity {
            // its index may be among what goes
            self.push(SetReplicaIdentity::of(old, None))?;
        }
        let lost = |columns: &[String]| columns.iter().any(|name| table.dropped.iter().any(|dropped| dropped.name == *name));
        for (name, constraint) in &renamed.constraints {
            let is_there = self.stage.to.table(old)?.constraints.contains_key(name);
            let stays = wanted.constraints.get(name).is_some_and(|there| there.says_the_same(constraint));
            if is_there && !stays && !lost(&constraint.columns(before)) {
                self.push(DropConstraint { table: old.to_owned(), name: name.clone(), up: None, down: None })?;
            }
        }
        for (name, index) in &renamed.indexes {
            let is_there = self.stage.to.table(old)?.indexes.contains_key(name);
            let stays = wanted.indexes.get(name).is_some_and(|there| there.says_the_same(index));
            if is_there && !stays && !lost(&index.columns(before)) {
                self.push(DropIndex { name: name.clone() })?;
            }
        }
        for (name, statistics) in &renamed.statistics {
            let is_there = self.stage.to.table(old)?.statistics.contains_key(name);
            let stays = wanted.statistics.get(name).is_some_and(|there| there.says_the_same(statistics));
            if is_there && !stays && !lost(&before.columns_of(statistics)) {
                self.push(DropStatistics { name: name.clone() })?;
            }
        }
        Ok(())
    }

    /// Defaults that have labels within them, of enums whose labels change, where the struct has another one.
    fn drop_defaults(&mut self, old: &str, table: &DeclaredTable, before: &Table, altered: &[AlterEnum]) -> Result<()> {
        for field in &table.columns {
            let Some(name) = self.recorded_column(table, field, before) else { continue };
            let column = before.column(old, &name)?;
            let is_altered =
                altered.iter().any(|change| change.labels.is_some() && change.name == types::element(&column.sql_type));
            let is_label = |default: &str| !types::is_array(&column.sql_type) && sql::literal_of(default).is_some();
            let is_another = !Expression::same(&column.default, &field.column.default);
            if is_altered && is_another && column.default.as_ref().is_some_and(|default| !is_label(default)) {
                self.push(AlterColumn { table: old.to_owned(), column: name, default: Some(None), ..AlterColumn::default() })?;
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
                self.push(CreateConstraint::of(&table.name, name, constraint))?;
            }
        }
        for (name, index) in &wanted.indexes {
            if !now.indexes.contains_key(name) {
                self.push(CreateIndex::of(name, &table.name, index))?;
            }
        }
        for (name, statistics) in &wanted.statistics {
            if !now.statistics.contains_key(name) {
                self.push(CreateStatistics::of(name, &table.name, statistics))?;
            }
        }
        if !Expression::same(&now.partition_by, &wanted.partition_by) {
            return Err(Error::new(format!("table `{}` has another `partition_by` than in the snapshot, and PostgreSQL cannot change how a table is partitioned", table.name)).hint(
                "create a new table with the `partition_by` that you want, copy the rows, and drop this one",
            ));
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
                    later.push(CreateConstraint::of(&table.name, name, constraint).into());
                }
            }
            model.constraints.retain(|_, constraint| !matches!(constraint, Constraint::ForeignKey { .. }));
            later.extend(model.indexes.iter().map(|(name, index)| CreateIndex::of(name, &table.name, index).into()));
            later.extend(model.statistics.iter().map(|(name, own)| CreateStatistics::of(name, &table.name, own).into()));
            later.extend(identity_operation(&table.name, &model));
            self.push(CreateTable::of(&table.name, &model))?;
        }
        for operation in later {
            self.push(operation)?;
        }
        Ok(())
    }
}

/// What differs between an enum of the snapshot and its declaration; attributes that speak of nothing new count as absent.
fn alter_enum(before: &Enum, wanted: &DeclaredEnum) -> Option<AlterEnum> {
    let labels: Vec<String> = wanted.labels.iter().map(|variant| variant.label.clone()).collect();
    let mut change = AlterEnum { name: wanted.name.clone(), ..AlterEnum::default() };
    if before.comment != wanted.comment {
        change.comment = Some(wanted.comment.clone());
    }
    if before.labels != labels {
        let mut without = Vec::new();
        for variant in wanted.labels.iter().filter(|variant| !before.labels.contains(&variant.label)) {
            let from = variant.renamed_from.as_ref().filter(|from| before.labels.contains(from) && !labels.contains(from));
            if let Some(from) = from {
                change.rename.insert(from.clone(), variant.label.clone());
            } else if let Some(down) = &variant.down {
                change.down.insert(variant.label.clone(), down.clone());
            } else {
                without.push(variant.allow);
            }
        }
        // one that is not allowed is for alter_enum to refuse
        change.allow = without.first().copied().flatten().filter(|_| without.iter().all(Option::is_some));
        let gone = before.labels.iter().filter(|label| !labels.contains(label) && !change.rename.contains_key(*label));
        change.up = gone.filter_map(|label| Some((label.clone(), wanted.dropped.get(label)?.clone()))).collect();
        change.labels = Some(labels);
    }
    (change.labels.is_some() || change.comment.is_some()).then_some(change)
}

fn identity_operation(name: &str, table: &Table) -> Option<Operation> {
    table.replica_identity.as_ref().map(|identity| SetReplicaIdentity::of(name, Some(identity)).into())
}

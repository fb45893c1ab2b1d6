//! A migration as a mapping: for every table the layers of names and conversions between two versions.
//!
//! Operations are folded into a stage one after the other. Each layer is a scope: the columns of the table
//! under the names that hold at that point, so that an expression is bound by scope and never edited (R6).

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::model::book::{Book, Then};
use crate::model::expression::Expression;
use crate::model::schema::{Column, Constraint, Enum, Schema, Table};
use crate::model::texts::Place;
use crate::transition::lineage::{Layer, Lineage, Link, ScopeColumn};
use crate::{model::lexer, model::types, sql};

mod convert;
mod enum_form;
mod extensions;
mod learn;
mod own_types;
mod relations;
mod script;
mod sequences;
mod targets;
pub use convert::Conversion;
pub use enum_form::EnumForm;
pub(crate) use learn::{asked, put};
use relations::Relations;
pub use script::{Conflict, Delete, Insert, Moment, Numbers, Script, Work};

/// What lies between an older and a newer version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// The older version's schema.
    pub from: Schema,
    /// The newer version's schema.
    pub to: Schema,
    /// Every table of either version, in order of the older one's names, then of creation.
    pub lineages: Vec<Lineage>,
    /// Every form of every enum, in order of the older version's names, then as they come.
    pub enums: Vec<EnumForm>,
    /// Every extension that any point of it has.
    extensions: BTreeSet<String>,
    /// How many changes of tables there were.
    turns: usize,
    /// The migration that is being applied.
    pub migration: String,
    /// What the migrations run at their places.
    pub scripts: Vec<Script>,
    /// What is known of the texts of the user's own, and what is yet to be asked.
    pub book: Book,
    /// Tables with texts of which nothing is known.
    unlearned: BTreeSet<String>,
    relations: Relations,
}

impl Stage {
    /// The stage of no operations: both versions alike.
    pub fn identity(from: &Schema) -> Self {
        Stage::knowing(from, Book::default())
    }

    /// The same with what is known of texts.
    pub fn knowing(from: &Schema, book: Book) -> Self {
        let forms = from.enums.iter();
        let forms = forms.map(|(name, model)| EnumForm { name: name.clone(), model: model.clone(), in_from: true, in_to: true });
        let (enums, unlearned) = (forms.collect(), from.tables.keys().cloned().collect());
        let extensions = from.extensions.clone();
        let mut stage = Stage { from: from.clone(), to: from.clone(), enums, extensions, book, unlearned, ..Stage::default() };
        stage.learn();
        stage.from.tables.clone_from(&stage.to.tables);
        for (name, table) in &from.tables {
            stage.relations.change(name);
            let layers = vec![Layer::first(name, stage.scope(table))];
            stage.lineages.push(Lineage { layers, in_from: true, in_to: true, scripts_before: 0, first_change: None, turn: 0 });
        }
        stage
    }

    /// The lineage whose newest name is `table`.
    pub fn lineage(&self, table: &str) -> Result<&Lineage> {
        let missing = self.to.table(table).err();
        self.lineages
            .iter()
            .rev()
            .find(|lineage| lineage.in_to && lineage.newest().table == table)
            .ok_or_else(|| missing.unwrap_or_else(|| Error::new(format!("table `{table}` has no lineage"))))
    }

    fn lineage_mut(&mut self, table: &str) -> Result<&mut Lineage> {
        self.to.table(table)?;
        let scripts = self.scripts_of(Moment::Start).count();
        // from the end: what follows a table's creation is mostly about that one
        let found = self.lineages.iter_mut().rev().find(|lineage| lineage.in_to && lineage.newest().table == table);
        let lineage = found.ok_or_else(|| Error::new(format!("table `{table}` has no lineage")))?;
        self.relations.change(table);
        lineage.scripts_before = scripts;
        self.turns += 1;
        lineage.turn = self.turns;
        lineage.first_change.get_or_insert(scripts);
        Ok(lineage)
    }

    /// The newer version's model of a table, to be changed.
    pub fn table_mut(&mut self, table: &str) -> Result<&mut Table> {
        self.lineage_mut(table)?;
        self.unlearned.insert(table.to_owned());
        self.to.table_mut(table)
    }

    /// A new table.
    pub fn create_table(&mut self, name: &str, table: Table) -> Result<()> {
        self.refuse_taken("table", name)?;
        if self.to.tables.contains_key(name) {
            return Err(
                Error::new(format!("table `{name}` already exists")).hint("drop or rename it first, or choose another name")
            );
        }
        let layers = vec![Layer::first(name, self.scope(&table))];
        let scripts_before = self.scripts_of(Moment::Start).count();
        self.lineages.push(Lineage {
            layers,
            in_from: false,
            in_to: true,
            scripts_before,
            first_change: Some(scripts_before),
            turn: self.turns,
        });
        self.to.tables.insert(name.to_owned(), table);
        self.unlearned.insert(name.to_owned());
        self.relations.change(name);
        Ok(())
    }

    /// Whether a table, index, key, sequence or composite type of the newer version has this name.
    pub(crate) fn has_relation(&mut self, name: &str) -> bool {
        let is_of_no_table = self.to.sequences.contains_key(name) || self.to.composites.contains_key(name);
        is_of_no_table || self.relations.has(&self.to, name)
    }

    /// A new enum.
    pub fn create_enum(&mut self, name: &str, model: Enum) -> Result<()> {
        if self.to.enums.contains_key(name) {
            return Err(Error::new(format!("enum `{name}` already exists")).hint("drop it first, or choose another name"));
        }
        self.refuse_taken("enum", name)?;
        self.enums.push(EnumForm { name: name.to_owned(), model: model.clone(), in_from: false, in_to: true });
        self.to.enums.insert(name.to_owned(), model);
        Ok(())
    }

    /// An enum gone.
    pub fn drop_enum(&mut self, name: &str) -> Result<()> {
        self.to.enum_type(name)?;
        self.refuse_type_in_use("enum", name)?;
        self.end_form(name);
        self.to.enums.remove(name);
        Ok(())
    }

    /// An enum with other labels: another type of the same name, to which its columns are yet to be converted.
    pub fn alter_enum(&mut self, name: &str, model: Enum) -> Result<()> {
        let before = self.to.enum_type(name)?;
        if before.labels == model.labels {
            // a comment alone
            for form in self.enums.iter_mut().filter(|form| form.in_to && form.name == name) {
                form.model = model.clone();
            }
        } else {
            if let Some((user, made)) = self.made_of(name) {
                let instead =
                    if made.ends_with("based on") { "the enum itself" } else { "another composite type, or columns of the enum" };
                return Err(Error::new(format!("{made} enum `{name}`, and other labels are another type"))
                    .hint(format!("give the columns of {user} {instead} for a type, and drop {user}, in an earlier migration")));
            }
            self.end_form(name);
            self.enums.push(EnumForm { name: name.to_owned(), model: model.clone(), in_from: false, in_to: true });
        }
        self.to.enums.insert(name.to_owned(), model);
        Ok(())
    }

    /// What no single operation can see.
    pub fn check(&self) -> Result<()> {
        self.to.check()?;
        self.check_targets()?;
        self.check_sequences()
    }

    /// Refuses a name that something of another kind has: until complete the tables, types and sequences of both versions are there, and in the
    /// base schema none has the name of another one. A table or an enum may go and come in one migration.
    fn refuse_taken(&self, kind: &str, name: &str) -> Result<()> {
        let both = [&self.from, &self.to];
        let taken = [
            ("table", both.iter().any(|schema| schema.tables.contains_key(name))),
            ("enum", both.iter().any(|schema| schema.enums.contains_key(name))),
            ("domain", both.iter().any(|schema| schema.domains.contains_key(name))),
            ("composite type", both.iter().any(|schema| schema.composites.contains_key(name))),
            ("sequence", both.iter().any(|schema| schema.sequences.contains_key(name))),
        ];
        let may_come_again = |other: &str| other == kind && ["table", "enum"].contains(&kind);
        let Some((other, _)) = taken.into_iter().find(|(other, is_taken)| *is_taken && !may_come_again(other)) else {
            return Ok(());
        };
        let article = if other == "enum" { "an" } else { "a" };
        Err(Error::new(format!("{kind} `{name}` would take the name of {article} {other} of the older or the newer version"))
            .hint(format!("choose another name, or drop the {other} in an earlier release")))
    }

    /// Refuses to drop what the older version does not have.
    fn refuse_undone(&self, kind: &str, name: &str, is_older: bool) -> Result<()> {
        if is_older {
            return Ok(());
        }
        Err(Error::new(format!("{kind} `{name}` is created and dropped before anything is started"))
            .hint("remove both operations; or, where the two are in files of their own, `start --to` the first file and `complete`, and then `start` the other"))
    }

    fn end_form(&mut self, name: &str) {
        for form in self.enums.iter_mut().filter(|form| form.name == name) {
            form.in_to = false;
        }
    }

    /// The columns of a table as a scope has them.
    fn scope(&self, table: &Table) -> Vec<ScopeColumn> {
        table.columns.iter().map(|column| self.scope_column(column)).collect()
    }

    fn scope_column(&self, column: &Column) -> ScopeColumn {
        let name = types::element(&column.sql_type);
        ScopeColumn {
            name: column.name.clone(),
            sql_type: column.sql_type.clone(),
            form: self.enums.iter().position(|form| form.in_to && form.name == name),
            collation: column.collation.clone(),
            nullable: column.nullable,
        }
    }

    /// A table gone.
    pub fn drop_table(&mut self, name: &str) -> Result<()> {
        self.to.table(name)?;
        if let Some((other, constraint)) = self.inbound(name).into_iter().find(|(other, _)| other != name) {
            return Err(Error::new(format!("table `{name}` is referenced by foreign key `{constraint}` of table `{other}`"))
                .hint(format!("drop constraint `{constraint}` of `{other}` first, in the same migration")));
        }
        self.lineage_mut(name)?.in_to = false;
        self.lineages.retain(|lineage| lineage.in_from || lineage.in_to);
        self.to.tables.remove(name);
        Ok(())
    }

    /// A table under another name. Constraints, indexes and sequences keep theirs.
    pub fn rename_table(&mut self, from: &str, to: &str) -> Result<()> {
        if self.to.tables.contains_key(to) {
            return Err(
                Error::new(format!("cannot rename table `{from}`: table `{to}` already exists")).hint("choose another name")
            );
        }
        self.refuse_taken("table", to)?;
        let model = self.to.table(from)?.clone();
        let naming = model.texts().into_iter().filter(|(_, text)| lexer::words(text).any(|word| word == from));
        let naming: BTreeSet<Place> = naming.map(|(place, _)| place).collect();
        let reworded = self.followed(from, &model, &[Then::Table { to: to.to_owned() }], |place, _| naming.contains(place));
        if let Some(table) = self.to.tables.get_mut(from) {
            put(table, reworded);
        }
        let lineage = self.lineage_mut(from)?;
        lineage.push_layer(|layer| to.clone_into(&mut layer.table));
        let mut table = self.to.tables.remove(from).expect("checked by lineage_mut");
        keep_sequences(&mut table, from);
        self.to.tables.insert(to.to_owned(), table);
        self.relations.change(to);
        for table in self.to.tables.values_mut() {
            for constraint in table.constraints.values_mut() {
                if let Constraint::ForeignKey { references, .. } = constraint
                    && references.table == from
                {
                    to.clone_into(&mut references.table);
                }
            }
        }
        Ok(())
    }

    /// A new column; `up` gives existing rows and the older version's writes their value.
    pub fn add_column(&mut self, table: &str, column: Column, up: Option<Expression>) -> Result<()> {
        let scope = self.to.table(table)?.clone();
        if scope.has_column(&column.name) {
            return Err(
                Error::new(format!("table `{table}` already has a column `{}`", column.name)).hint("drop or rename it first")
            );
        }
        let up = up.map(|up| self.know(table, &scope, up));
        refuse_generated(table, &scope, "up", &column.name, up.as_ref())?;
        if let Some(up) = &up {
            self.supply_what_is_read(table, up)?;
        }
        let link = up.map_or(Link::Fresh, Link::Derived);
        let there = self.scope_column(&column);
        self.lineage_mut(table)?.push_layer(|layer| {
            layer.up.insert(column.name.clone(), link);
            layer.columns.push(there);
        });
        self.table_mut(table)?.columns.push(column);
        Ok(())
    }

    /// A column gone, with what depends on it alone; `down` fills it for the older version.
    pub fn drop_column(&mut self, table: &str, column: &str, down: Option<Expression>, successor: Option<&str>) -> Result<()> {
        self.to.table(table)?.column(table, column)?;
        refuse_partition_key(table, self.to.table(table)?, "drop", column)?;
        if let Some((other, constraint)) = self.inbound_on(table, column) {
            return Err(Error::new(format!(
                "column `{table}.{column}` is referenced by foreign key `{constraint}` of table `{other}`"
            ))
            .hint(format!("drop constraint `{constraint}` of `{other}` first, in the same migration")));
        }
        if let Some((key, other, constraint)) = self.key_that_includes(table, column) {
            return Err(Error::new(format!(
                "column `{table}.{column}` is included in key `{key}`, which foreign key `{constraint}` of table `{other}` may depend on"
            ))
            .hint(format!("drop constraint `{constraint}` of `{other}` first, in the same migration")));
        }
        let mut rest = self.to.table(table)?.clone();
        rest.columns.retain(|there| there.name != column);
        if let Some(reader) = reader(self.to.table(table)?, column).filter(|reader| *reader != column) {
            return Err(Error::new(format!("generated column `{table}.{reader}` reads `{table}.{column}`"))
                .hint(format!("drop column `{reader}` first, in the same migration")));
        }
        let down = down.map(|down| self.know(table, &rest, down));
        refuse_generated(table, &rest, "down", column, down.as_ref())?;
        // what a conversion to the older version reads needs a value
        let lineage = self.lineage(table)?;
        let is_read = lineage.same_below(column).is_none() || lineage.reads_down(column);
        let gone = self.to.table(table)?.column(table, column)?;
        let default = gone.default.as_ref().filter(|default| is_read && default.is_fast_default());
        let default = default.map(|default| self.as_value(&gone.sql_type, default));
        let link = down.or(default).map_or(Link::Fresh, Link::Derived);
        self.lineage_mut(table)?.push_layer(|layer| {
            layer.columns.retain(|there| there.name != column);
            layer.up.remove(column);
            layer.down.insert(column.to_owned(), link);
            layer.successor = successor.map(|successor| (successor.to_owned(), column.to_owned()));
        });
        let target = self.table_mut(table)?;
        let whole = target.clone();
        target.constraints.retain(|_, constraint| !constraint.columns(&whole).iter().any(|name| name == column));
        target.indexes.retain(|_, index| !index.columns(&whole).iter().any(|name| name == column));
        target.statistics.retain(|_, own| !whole.columns_of(own).iter().any(|name| name == column));
        target.columns.retain(|there| there.name != column);
        target.not_valid.retain(|name| target.constraints.contains_key(name));
        Ok(())
    }

    /// A column under another name. Whatever reads it follows, in the author's words where they still say the same.
    pub fn rename_column(&mut self, table: &str, from: &str, to: &str) -> Result<()> {
        let model = self.to.table(table)?;
        model.column(table, from)?;
        if model.has_column(to) {
            return Err(
                Error::new(format!("cannot rename `{table}.{from}`: column `{to}` already exists")).hint("choose another name")
            );
        }
        let then = [Then::Column { from: from.to_owned(), to: to.to_owned() }];
        let model = self.to.table(table)?.clone();
        let reworded = self.followed(table, &model, &then, |_, facts| facts.columns.contains(from));
        self.lineage_mut(table)?.push_layer(|layer| {
            for column in layer.columns.iter_mut().filter(|column| column.name == from) {
                to.clone_into(&mut column.name);
            }
            layer.up.remove(from);
            layer.up.insert(to.to_owned(), Link::Same(from.to_owned()));
            layer.down.insert(from.to_owned(), Link::Same(to.to_owned()));
        });
        let target = self.table_mut(table)?;
        keep_sequences(target, table);
        put(target, reworded);
        target.column_mut(table, from)?.name = to.to_owned();
        for constraint in target.constraints.values_mut() {
            constraint.rename_column(from, to);
        }
        for index in target.indexes.values_mut() {
            index.rename_column(from, to);
        }
        for statistics in target.statistics.values_mut() {
            statistics.rename_column(from, to);
        }
        for other in self.to.tables.values_mut() {
            for constraint in other.constraints.values_mut() {
                if let Constraint::ForeignKey { references, .. } = constraint
                    && references.table == table
                {
                    crate::model::schema::rename_in(&mut references.columns, from, to);
                }
            }
        }
        Ok(())
    }

    /// A column with another default or comment. One that came with its default in the same migration keeps that for a value.
    pub fn describe_column(&mut self, table: &str, column: Column) -> Result<()> {
        let before = self.to.table(table)?.column(table, &column.name)?.default.clone();
        if before != column.default {
            let value = match &before {
                Some(default) => self.as_value(&column.sql_type, default),
                None if self.is_enum(&column.sql_type) => Expression::constant("NULL"),
                None => Expression::constant(sql!("CAST(NULL AS {})", sql::type_name(&column.sql_type)).as_str()),
            };
            self.lineage_mut(table)?.supply(&column.name, &value);
        }
        let name = column.name.clone();
        *self.table_mut(table)?.column_mut(table, &name)? = column;
        Ok(())
    }

    /// Whether both versions can have their form of a column in the one that is there: neither value is another, and what sets the
    /// forms apart is a rule that the column can get beside writers, or lose at complete.
    pub fn is_shared(&self, table: &str, column: &Column, up: &str, down: &str) -> Result<bool> {
        let model = self.to.table(table)?;
        let before = model.column(table, &column.name)?;
        let alike = before.sql_type == column.sql_type && before.collation == column.collation;
        // a partition may have a rule of its own that a rollback could not tell from ours
        let ruled = before.nullable == column.nullable || model.partition_by.is_none();
        let itself = |expression| types::is_column(expression, &column.name);
        Ok(alike && ruled && itself(up) && itself(down))
    }

    fn is_enum(&self, sql_type: &str) -> bool {
        self.to.enums.contains_key(&types::element(sql_type))
    }

    /// A default as an expression. An enum's is its label alone: the type may not be there yet, or is another one where it is read.
    pub(crate) fn as_value(&self, sql_type: &str, default: &Expression) -> Expression {
        let literal = if self.is_enum(sql_type) { sql::literal_of(default) } else { None };
        literal.map_or_else(|| default.clone(), Expression::constant)
    }

    /// Columns that came with nothing but their default have that for a value where an expression reads them.
    fn supply_what_is_read(&mut self, table: &str, expression: &Expression) -> Result<()> {
        let facts = self.to.table(table)?.facts(expression).into_owned();
        if let Some(column) = self.numbered(table)?.into_iter().find(|name| facts.reads(name)) {
            return Err(Error::new(format!(
                "`up` of table `{table}` reads column `{column}`, which gets its numbers in the same migration"
            ))
            .hint("change the expression so that it does not read that column, or make this change in the next migration"));
        }
        let columns = self.to.table(table)?.columns.iter();
        let read = columns.filter_map(|column| {
            let default = column.default.as_ref()?;
            Some((column.name.clone(), self.as_value(&column.sql_type, default)))
        });
        let read: Vec<_> = read.filter(|(name, _)| facts.reads(name)).collect();
        let lineage = self.lineage_mut(table)?;
        read.iter().for_each(|(name, default)| lineage.supply(name, default));
        Ok(())
    }

    /// The identities that a table of the older version gets.
    fn numbered(&self, table: &str) -> Result<Vec<String>> {
        let lineage = self.lineage(table)?;
        let identities = self.to.table(table)?.columns.iter().filter(|column| lineage.in_from && column.identity.is_some());
        Ok(identities.map(|column| column.name.clone()).filter(|name| lineage.origin(name).is_none()).collect())
    }

    /// A key of the older version on these columns that is dropped, or built anew since a column of its INCLUDE is another one: until
    /// complete it is there, and a new foreign key would take it.
    pub fn key_that_goes(&self, table: &str, columns: &[String]) -> Result<Option<String>> {
        let lineage = self.lineage(table)?;
        let below: Option<Vec<String>> = columns.iter().map(|name| lineage.same_below(name)).collect();
        let (true, Some(below)) = (lineage.in_from, below) else { return Ok(None) };
        let (older, now) = (self.from.table(&lineage.oldest().table)?, self.to.table(table)?);
        let kept: Vec<String> = now.columns.iter().filter_map(|column| lineage.same_below(&column.name)).collect();
        let goes = |key: Vec<&String>, included: &[String], is_there: bool| {
            let is_it = key.len() == below.len() && below.iter().all(|name| key.contains(&name));
            is_it && (!is_there || included.iter().any(|name| !kept.contains(name)))
        };
        let constraint = older.constraints.iter().find(|(name, there)| match there {
            Constraint::PrimaryKey { columns, index_parameters, .. } | Constraint::Unique { columns, index_parameters, .. } => {
                goes(columns.iter().collect(), &index_parameters.include_columns, now.constraints.contains_key(*name))
            }
            _ => false,
        });
        let index = older.indexes.iter().filter(|(_, index)| index.unique && index.predicate.is_none()).find(|(name, index)| {
            goes(index.columns.iter().map(|key| &key.column).collect(), &index.include, now.indexes.contains_key(*name))
        });
        Ok(constraint.map(|(name, _)| name).or(index.map(|(name, _)| name)).cloned())
    }

    /// A key that has the column in INCLUDE and that a foreign key points at, with the foreign key's table and name. Which of several
    /// keys on the same columns it hangs on is the server's secret, and with the column the key's index goes.
    pub fn key_that_includes(&self, table: &str, column: &str) -> Option<(String, String, String)> {
        let model = self.to.tables.get(table)?;
        let constraints = model.constraints.iter().filter_map(|(name, constraint)| match constraint {
            Constraint::PrimaryKey { columns, index_parameters, .. } | Constraint::Unique { columns, index_parameters, .. } => {
                Some((name, columns.clone(), &index_parameters.include_columns))
            }
            _ => None,
        });
        let indexes =
            model.indexes.iter().filter(|(_, index)| index.unique).map(|(name, index)| {
                (name, index.columns.iter().map(|key| key.column.clone()).collect::<Vec<_>>(), &index.include)
            });
        let keys: Vec<_> =
            constraints.chain(indexes).filter(|(_, _, included)| included.iter().any(|name| name == column)).collect();
        for (other, foreign) in self.inbound(table) {
            let Constraint::ForeignKey { references, .. } = &self.to.tables[&other].constraints[&foreign] else { continue };
            let is_it = |columns: &[String]| {
                columns.len() == references.columns.len() && columns.iter().all(|name| references.columns.contains(name))
            };
            if let Some((key, _, _)) = keys.iter().find(|(_, columns, _)| is_it(columns)) {
                return Some(((*key).clone(), other, foreign));
            }
        }
        None
    }

    fn inbound(&self, table: &str) -> Vec<(String, String)> {
        self.to.keys_to(table).map(|(other, name, _)| (other.clone(), name.clone())).collect()
    }

    fn inbound_on(&self, table: &str, column: &str) -> Option<(String, String)> {
        self.inbound(table).into_iter().find(|(other, name)| {
            matches!(&self.to.tables[other].constraints[name],
                Constraint::ForeignKey { references, .. } if references.columns.iter().any(|there| there == column))
        })
    }
}
/// The generated column that reads a column.
fn reader<'a>(table: &'a Table, column: &str) -> Option<&'a str> {
    table.generated_from(column)
}

/// Rows lie where the partition key puts them, and its text cannot be edited (R6).
fn refuse_partition_key(place: &str, table: &Table, verb: &str, column: &str) -> Result<()> {
    if table.is_partitioned_by(column) {
        return Err(Error::new(format!("cannot {verb} `{place}.{column}`: it is part of the partition key"))
            .hint(format!("create a new table with the partition key that you want, copy the rows, and drop `{place}`")));
    }
    Ok(())
}

/// A row's generated columns are computed after its BEFORE triggers, which could not read them.
fn refuse_generated(place: &str, table: &Table, word: &str, column: &str, expression: Option<&Expression>) -> Result<()> {
    let Some(expression) = expression else { return Ok(()) };
    let facts = table.facts(expression);
    let mut generated = table.columns.iter().filter_map(|there| Some((&there.name, there.generated.as_ref()?)));
    match generated.find(|(name, _)| facts.reads(name)) {
        Some((name, text)) => Err(Error::new(format!(
            "`{word}` of `{place}.{column}` reads generated column `{name}`, which has no value yet while a row is written"
        ))
        .hint(format!("replace the column by its expression: ({text})"))),
        None => Ok(()),
    }
}

/// Identity sequences do not follow a rename: the model keeps the name that they have.
fn keep_sequences(table: &mut Table, name: &str) {
    for column in &mut table.columns {
        let sequence = column.sequence_name(name);
        if let Some(identity) = &mut column.identity {
            identity.sequence = sequence;
        }
    }
}

//! The model: enums, domains, composite types, sequences, tables, columns, constraints and indexes, as a value.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::model::composite::Composite;
use crate::model::domain::Domain;
use crate::model::expression::Expression;
use crate::model::facts::Facts;
use crate::model::own_type::OwnType;
use crate::model::sequence::Sequence;
use crate::model::statistics::Statistics;
use crate::model::storage::Storage;
use crate::model::triggers::Triggers;
use crate::{model::expression, model::types, names};

/// A schema: every extension, enum, domain, composite type, sequence, table and piece of code that a version has, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Form")]
pub struct Schema {
    /// The extensions that it needs; in which schema each of them lies is the database's own.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub extensions: BTreeSet<String>,
    /// The enum types by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub enums: BTreeMap<String, Enum>,
    /// The domains by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub domains: BTreeMap<String, Domain>,
    /// The composite types by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub composites: BTreeMap<String, Composite>,
    /// The sequences that no column owns, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sequences: BTreeMap<String, Sequence>,
    /// The tables by name.
    pub tables: BTreeMap<String, Table>,
    /// Code: functions, procedures, aggregates, views and materialized views, as the statements that create them, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub code: BTreeMap<String, String>,
}

/// The forms in which a schema is kept.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Whole {
        #[serde(default)]
        extensions: BTreeSet<String>,
        #[serde(default)]
        enums: BTreeMap<String, Enum>,
        #[serde(default)]
        domains: BTreeMap<String, Domain>,
        #[serde(default)]
        composites: BTreeMap<String, Composite>,
        #[serde(default)]
        sequences: BTreeMap<String, Sequence>,
        tables: BTreeMap<String, Table>,
        #[serde(default)]
        code: BTreeMap<String, String>,
    },
    /// As it was before there were enums.
    Tables(BTreeMap<String, Table>),
}

impl From<Form> for Schema {
    fn from(form: Form) -> Self {
        match form {
            Form::Whole { extensions, enums, domains, composites, sequences, tables, code } => {
                Schema { extensions, enums, domains, composites, sequences, tables, code }
            }
            Form::Tables(tables) => Schema { tables, ..Schema::default() },
        }
    }
}

/// An enum type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enum {
    /// `COMMENT ON TYPE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The labels in order.
    pub labels: Vec<String>,
}

/// A table. Column order is the struct's, and the version's views show it.
///
/// It is kept with what its texts read, by their places (`texts`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// `COMMENT ON TABLE`.
    pub comment: Option<String>,
    /// The columns in order.
    pub columns: Vec<Column>,
    /// Primary key, unique, check and foreign key constraints by name.
    pub constraints: BTreeMap<String, Constraint>,
    /// Indexes that no constraint owns, by name.
    pub indexes: BTreeMap<String, Index>,
    /// Extended statistics of the schema's own, by name.
    pub statistics: BTreeMap<String, Statistics>,
    /// Storage parameters, those of its TOAST table among them.
    pub storage: Storage,
    /// `REPLICA IDENTITY …`; the primary key where absent.
    pub replica_identity: Option<ReplicaIdentity>,
    /// `PARTITION BY …`, `RANGE (created_at)`. The partitions themselves are no part of a version.
    pub partition_by: Option<Expression>,
    /// Constraints to which the rows that were there were never held: `NOT VALID`.
    pub not_valid: BTreeSet<String>,
}

/// What a logical decoder is told of a row that was updated or deleted, where it is not the primary key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "UPPERCASE", deny_unknown_fields)]
pub enum ReplicaIdentity {
    /// Nothing.
    Nothing,
    /// The whole row.
    Full,
    /// The columns of a unique index.
    Index {
        /// The index, or the constraint that owns it.
        index: String,
    },
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in PostgreSQL's spelling (see [`crate::model::types::normalize`]).
    #[serde(rename = "type")]
    pub sql_type: String,
    /// Whether it may be NULL.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nullable: bool,
    /// Its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Expression>,
    /// `GENERATED … AS IDENTITY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// `COLLATE …`, where it is not the type's own; a name that may be written with its schema.
    #[serde(rename = "collate", default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// `GENERATED ALWAYS AS (…) STORED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Expression>,
    /// `COMMENT ON COLUMN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// An identity column's options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `GENERATED ALWAYS` rather than `BY DEFAULT`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
    /// The sequence's name where it is not `table_column_seq`, as after a rename.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// Sequence options as SQL text, `START 10 INCREMENT 2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
}

/// A table constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Constraint {
    /// `PRIMARY KEY (…)`.
    PrimaryKey {
        /// The key columns in order.
        columns: Vec<String>,
        /// `DEFERRABLE`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deferrable: bool,
        /// `INITIALLY DEFERRED`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        initially_deferred: bool,
        /// What else its index has.
        #[serde(default, skip_serializing_if = "IndexParameters::is_none")]
        index_parameters: IndexParameters,
    },
    /// `UNIQUE (…)`.
    Unique {
        /// The columns in order.
        columns: Vec<String>,
        /// `NULLS NOT DISTINCT` (15+).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        nulls_not_distinct: bool,
        /// `DEFERRABLE`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deferrable: bool,
        /// `INITIALLY DEFERRED`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        initially_deferred: bool,
        /// What else its index has.
        #[serde(default, skip_serializing_if = "IndexParameters::is_none")]
        index_parameters: IndexParameters,
    },
    /// `CHECK (…)`.
    Check {
        /// The condition.
        check: Expression,
        /// `NO INHERIT`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        no_inherit: bool,
    },
    /// `FOREIGN KEY (…) REFERENCES …`.
    ForeignKey {
        /// The referencing columns in order.
        columns: Vec<String>,
        /// What they point at.
        references: References,
        /// `DEFERRABLE`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deferrable: bool,
        /// `INITIALLY DEFERRED`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        initially_deferred: bool,
    },
    /// `EXCLUDE …`.
    Exclude {
        /// Which rows exclude each other.
        exclude: Exclusion,
        /// `DEFERRABLE`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deferrable: bool,
        /// `INITIALLY DEFERRED`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        initially_deferred: bool,
        /// What else its index has.
        #[serde(default, skip_serializing_if = "IndexParameters::is_none")]
        index_parameters: IndexParameters,
    },
}

/// What an exclusion constraint says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// `USING …`; `btree` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_method: Option<String>,
    /// The elements with their operators, `room WITH =, during WITH &&`.
    pub elements: Expression,
    /// `WHERE (…)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<Expression>,
}

/// What a constraint's index has besides its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexParameters {
    /// `INCLUDE (…)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include_columns: Vec<String>,
    /// `WITH (…)` as SQL text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_parameters: Option<String>,
    /// `USING INDEX TABLESPACE …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tablespace: Option<String>,
}

/// The target of a foreign key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct References {
    /// The referenced table.
    pub table: String,
    /// The referenced columns in order.
    pub columns: Vec<String>,
    /// `ON DELETE …` (`NO ACTION` where absent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<String>,
    /// The columns of `ON DELETE SET NULL (…)` (15+).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_delete_set_columns: Vec<String>,
    /// `ON UPDATE …` (`NO ACTION` where absent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_update: Option<String>,
    /// `MATCH …` (`SIMPLE` where absent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_type: Option<String>,
}

/// An index that no constraint owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The keys in order.
    pub columns: Vec<IndexColumn>,
    /// `UNIQUE`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// `btree` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// `WHERE …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<Expression>,
    /// `WITH (…)` as SQL text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_parameters: Option<String>,
    /// `TABLESPACE …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tablespace: Option<String>,
    /// `INCLUDE (…)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// `NULLS NOT DISTINCT` (15+).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nulls_not_distinct: bool,
}

/// One key of an index: a column or an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexColumn {
    /// The column's name; empty where the key is an expression.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub column: String,
    /// The expression, `lower(email)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<Expression>,
    /// `COLLATE …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collate: Option<String>,
    /// `ASC` or `DESC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// `FIRST` or `LAST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nulls: Option<String>,
    /// The operator class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opclass: Option<OperatorClass>,
}

/// An operator class with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorClass {
    /// Its name.
    pub name: String,
    /// `key=value` parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<String>,
}

impl Schema {
    /// The code that a version has in its own schema, by name: what has triggers on tables is the tables'.
    pub fn versioned_code(&self) -> impl Iterator<Item = (&String, &String)> {
        self.code.iter().filter(|(_, text)| Triggers::of(text).is_none())
    }

    /// The same as the schema of a version of its own: no text remembers what it was called before.
    #[must_use]
    pub fn settled(mut self) -> Self {
        for table in self.tables.values_mut() {
            table.texts_mut().into_iter().for_each(|(_, text)| text.settle());
            table.not_valid.retain(|name| table.constraints.contains_key(name));
        }
        self
    }

    /// Whether it is another's equal, in whatever words and order of columns, as far as PostgreSQL's printing of texts tells.
    pub fn says_the_same(&self, other: &Schema) -> bool {
        let alike = |one: &Table, other: &Table| expression::alike(&one.sorted(), &other.sorted(), texts_of, texts_of_mut);
        let mut tables = self.tables.iter().zip(&other.tables);
        self.same_but_for_texts(other) && tables.all(|((_, one), (_, other))| alike(one, other))
    }

    /// Whether it is another's equal but for what texts say, and for the order of columns.
    pub fn same_but_for_texts(&self, other: &Schema) -> bool {
        self.muted() == other.muted()
    }

    /// The same without what texts say, and with its columns by name.
    #[must_use]
    pub fn muted(&self) -> Schema {
        let mut schema = self.clone();
        for table in schema.tables.values_mut() {
            *table = table.sorted();
            table.texts_mut().into_iter().for_each(|(_, text)| *text = Expression::default());
        }
        schema
    }

    /// The table of this name, or an error that proposes the nearest ones.
    pub fn table(&self, name: &str) -> Result<&Table> {
        self.tables.get(name).ok_or_else(|| no_such_table(name, self.tables.keys()))
    }

    /// The same, to be changed.
    pub fn table_mut(&mut self, name: &str) -> Result<&mut Table> {
        if !self.tables.contains_key(name) {
            return Err(no_such_table(name, self.tables.keys()));
        }
        Ok(self.tables.get_mut(name).expect("checked above"))
    }

    /// The enum of this name, or an error that lists those there are.
    pub fn enum_type(&self, name: &str) -> Result<&Enum> {
        self.enums.get(name).ok_or_else(|| no_such("enum", name, &self.enums))
    }

    /// The columns that have an enum, a domain or a composite type, or an array of it, for a type: table and column.
    pub fn columns_of_type<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a Column)> {
        let columns = self.tables.iter().flat_map(|(table, model)| model.columns.iter().map(move |column| (table, column)));
        columns
            .filter(move |(_, column)| types::element(&column.sql_type) == name)
            .map(|(table, column)| (table.as_str(), column))
    }

    /// The domain of this name, or an error that lists those there are.
    pub fn domain(&self, name: &str) -> Result<&Domain> {
        self.domains.get(name).ok_or_else(|| no_such("domain", name, &self.domains))
    }

    /// The composite type of this name, or an error that lists those there are.
    pub fn composite(&self, name: &str) -> Result<&Composite> {
        self.composites.get(name).ok_or_else(|| no_such("composite type", name, &self.composites))
    }

    /// The sequence of this name, or an error that lists those there are.
    pub fn sequence(&self, name: &str) -> Result<&Sequence> {
        self.sequences.get(name).ok_or_else(|| no_such("sequence", name, &self.sequences))
    }

    /// The foreign keys that are asked when rows of a table go, each with its table: those that point at it, and at what goes with it.
    pub fn keys_behind(&self, table: &str) -> Vec<(String, Constraint)> {
        let mut found: Vec<(String, Constraint)> = Vec::new();
        let mut goes = vec![table.to_owned()];
        let mut at = 0;
        while let Some(target) = goes.get(at).cloned() {
            for (name, _, constraint) in self.keys_to(&target) {
                let Constraint::ForeignKey { references, .. } = constraint else { continue };
                if references.on_delete.as_deref() == Some("CASCADE") && !goes.contains(name) {
                    goes.push(name.clone());
                }
                found.push((name.clone(), constraint.clone()));
            }
            at += 1;
        }
        found
    }

    /// The foreign keys that point at a table, each with its table and its name.
    pub fn keys_to<'a>(&'a self, target: &'a str) -> impl Iterator<Item = (&'a String, &'a String, &'a Constraint)> {
        let keys =
            self.tables.iter().flat_map(|(table, model)| model.constraints.iter().map(move |(name, key)| (table, name, key)));
        keys.filter(move |(.., key)| key.target() == Some(target))
    }

    /// The domains and composite types.
    pub fn own_types(&self) -> impl Iterator<Item = (&String, OwnType<'_>)> {
        let domains = self.domains.iter().map(|(name, domain)| (name, OwnType::Domain(domain)));
        domains.chain(self.composites.iter().map(|(name, composite)| (name, OwnType::Composite(composite))))
    }

    /// Whether a domain or composite type has this name.
    pub fn has_own_type(&self, name: &str) -> bool {
        self.domains.contains_key(name) || self.composites.contains_key(name)
    }

    /// The domains and composite types for which a condition holds, each after those that it is made of.
    pub fn own_types_in_order(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<(&String, OwnType<'_>)> {
        let mut waiting: Vec<(&String, OwnType<'_>)> = self.own_types().filter(|(name, _)| is_wanted(name)).collect();
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let names: BTreeSet<&String> = waiting.iter().map(|(name, _)| *name).collect();
            let is_ready = |(_, own): &(&String, OwnType<'_>)| !own.elements().iter().any(|name| names.contains(name));
            let (ready, rest): (Vec<_>, Vec<_>) = waiting.iter().copied().partition(is_ready);
            // a circle is for the server to refuse
            let is_circle = ready.is_empty();
            order.extend(if is_circle { waiting } else { ready });
            waiting = if is_circle { Vec::new() } else { rest };
        }
        order
    }

    /// The domain that a type is, and those that it is based on in turn.
    fn domains_of(&self, sql_type: &str) -> Vec<&Domain> {
        let find = |sql_type: &str| self.domains.get(&types::element(sql_type)).filter(|_| !types::is_array(sql_type));
        let (mut found, mut next) = (Vec::new(), find(sql_type));
        // a circle is for the server to refuse
        while let Some(domain) = next.filter(|_| found.len() < self.domains.len()) {
            found.push(domain);
            next = find(&domain.sql_type);
        }
        found
    }

    /// The default that a column of this type has where it has none of its own: a domain takes over that of the one that it is based on.
    pub fn default_of_type(&self, sql_type: &str) -> Option<&Expression> {
        self.domains_of(sql_type).into_iter().find_map(|domain| domain.default.as_ref())
    }

    /// The type behind a domain that takes no NULL, with its collation. None for other types.
    pub fn behind_not_null(&self, sql_type: &str) -> Option<(&str, Option<&str>)> {
        self.behind(sql_type, |domain| domain.not_null)
    }

    /// The type behind a domain with rules, of which any may refuse NULL, with its collation: that of a variable, which is NULL at first. None for
    /// other types.
    pub fn behind_rules(&self, sql_type: &str) -> Option<(&str, Option<&str>)> {
        self.behind(sql_type, Domain::has_rules)
    }

    fn behind(&self, sql_type: &str, is_meant: impl Fn(&Domain) -> bool) -> Option<(&str, Option<&str>)> {
        let domains = self.domains_of(sql_type);
        let behind = domains.last().filter(|_| domains.iter().any(|domain| is_meant(domain)))?;
        Some((behind.sql_type.as_str(), domains.iter().find_map(|domain| domain.collation.as_deref())))
    }

    /// What no single operation can see: names that two relations would share, foreign keys that point at no key, and replica
    /// identities without their index.
    pub fn check(&self) -> Result<()> {
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        let mut take = |name: String, what: String| {
            if let Some(other) = taken.get(&name) {
                let hint = "tables, indexes, keys, sequences and composite types of a schema must have different names: choose another name for one of the two";
                return Err(Error::new(format!("{other} and {what} would have the same name")).hint(hint));
            }
            taken.insert(name, what);
            Ok(())
        };
        let mut statistics: BTreeMap<&String, &String> = BTreeMap::new();
        self.check_types()?;
        self.sequences.keys().try_for_each(|name| take(name.clone(), format!("sequence `{name}`")))?;
        // a composite type is a relation without rows
        self.composites.keys().try_for_each(|name| take(name.clone(), format!("composite type `{name}`")))?;
        for (name, table) in &self.tables {
            for (relation, kind) in table.relations(name) {
                let what =
                    if kind == "table" { format!("table `{name}`") } else { format!("{kind} `{relation}` of table `{name}`") };
                take(relation, what)?;
            }
            for own in table.statistics.keys() {
                if let Some(other) = statistics.insert(own, name) {
                    return Err(Error::new(format!("tables `{other}` and `{name}` would both have statistics `{own}`")).hint(
                        "statistics of a schema must have different names: choose another name for those of one of the two",
                    ));
                }
            }
            table.check_replica_identity(name)?;
            self.check_foreign_keys(name, table)?;
        }
        self.check_triggers()
    }

    /// The types of a schema have different names, and a table has one of its own.
    fn check_types(&self) -> Result<()> {
        let tables = self.tables.keys().map(|name| (name, "a table"));
        let enums = self.enums.keys().map(|name| (name, "an enum"));
        let own = self
            .own_types()
            .map(|(name, own)| (name, if let OwnType::Domain(_) = own { "a domain" } else { "a composite type" }));
        // PostgreSQL makes no sequence beside a type of its name: a database that had both could not be restored
        let sequences = self.sequences.keys().map(|name| (name, "a sequence"));
        let mut taken = BTreeMap::new();
        for (name, what) in tables.chain(enums).chain(own).chain(sequences) {
            if let Some(other) = taken.insert(name, what) {
                return Err(Error::new(format!("{what} and {other} would both be called `{name}`")).hint(
                    "tables, types and sequences of a schema must have different names: choose another name for one of the two",
                ));
            }
        }
        Ok(())
    }

    /// Triggers of code are on tables of the model, and no two files have one, or a function, of the same name.
    fn check_triggers(&self) -> Result<()> {
        let mut taken: BTreeMap<(Option<String>, String), &String> = BTreeMap::new();
        for (name, text) in &self.code {
            let Some(file) = Triggers::of(text) else { continue };
            let functions = file.functions.into_iter().map(|function| (None, function.name));
            let triggers = file.triggers.into_iter().map(|trigger| (Some(trigger.table), trigger.name));
            for (table, own) in functions.chain(triggers) {
                if let Some(table) = table.as_ref().filter(|table| !self.tables.contains_key(*table)) {
                    return Err(Error::new(format!("code `{name}` has trigger `{own}` on table `{table}`, which the version does not have"))
                        .hint("name the table as the version does; a trigger on a table that is no struct's belongs to an `sql` operation"));
                }
                let what = if table.is_some() { "trigger" } else { "function" };
                if let Some(other) = taken.insert((table, own.clone()), name).filter(|other| *other != name) {
                    return Err(Error::new(format!("code `{other}` and code `{name}` both have {what} `{own}`"))
                        .hint("keep it in one of the two files: several triggers that call one function stand in one file"));
                }
            }
        }
        Ok(())
    }

    fn check_foreign_keys(&self, name: &str, table: &Table) -> Result<()> {
        for (foreign, constraint) in &table.constraints {
            let Constraint::ForeignKey { references, .. } = constraint else { continue };
            if !self.table(&references.table)?.is_key(&references.columns) {
                let list = references.columns.join(", ");
                return Err(Error::new(format!(
                    "foreign key `{foreign}` of table `{name}` references `{}` ({list}), but no unique key has exactly these columns",
                    references.table
                ))
                .hint(format!(
                    "add a unique constraint on exactly these columns to `{}`; it must not be deferrable",
                    references.table
                )));
            }
        }
        Ok(())
    }
}

impl Table {
    /// Whether an action of a foreign key gives a column its default.
    pub fn is_set_to_default(&self, column: &str) -> bool {
        let is_set = |action: &Option<String>| action.as_ref().is_some_and(|action| action == "SET DEFAULT");
        self.constraints.values().any(|constraint| match constraint {
            Constraint::ForeignKey { columns, references, .. } => {
                let some = if references.on_delete_set_columns.is_empty() { columns } else { &references.on_delete_set_columns };
                (is_set(&references.on_delete) && some.iter().any(|there| there == column))
                    || (is_set(&references.on_update) && columns.iter().any(|there| there == column))
            }
            _ => false,
        })
    }

    /// The same with its columns by name.
    fn sorted(&self) -> Table {
        let mut table = self.clone();
        table.columns.sort_by(|one, other| one.name.cmp(&other.name));
        table
    }

    /// The column of this name, or an error that lists those there are; `table` is the table's name.
    pub fn column(&self, table: &str, name: &str) -> Result<&Column> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| self.no_such_column(table, name))
    }

    /// The same, to be changed.
    pub fn column_mut(&mut self, table: &str, name: &str) -> Result<&mut Column> {
        let missing = self.no_such_column(table, name);
        self.columns.iter_mut().find(|column| column.name == name).ok_or(missing)
    }

    /// Whether there is a column of this name.
    pub fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// The columns of the primary key; none without one.
    pub fn primary_key(&self) -> &[String] {
        self.constraints
            .values()
            .find_map(|constraint| match constraint {
                Constraint::PrimaryKey { columns, .. } => Some(columns.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// What a text of the table reads.
    pub fn facts<'a>(&self, text: &'a Expression) -> Cow<'a, Facts> {
        text.facts(self.columns.iter().map(|column| column.name.as_str()))
    }

    /// The columns that texts of the table read, in the table's order.
    pub fn read_by<'a>(&self, texts: impl IntoIterator<Item = &'a Expression>) -> Vec<String> {
        let facts: Vec<Cow<'_, Facts>> = texts.into_iter().map(|text| self.facts(text)).collect();
        let names = self.columns.iter().map(|column| &column.name);
        names.filter(|name| facts.iter().any(|facts| facts.reads(name))).cloned().collect()
    }

    /// The columns that statistics are on, or that their texts read, each of them once.
    pub fn columns_of(&self, statistics: &Statistics) -> Vec<String> {
        let read = self.read_by(statistics.texts()).into_iter().filter(|column| !statistics.columns.contains(column));
        statistics.columns.iter().cloned().chain(read).collect()
    }

    /// Whether a column is part of the partition key.
    pub fn is_partitioned_by(&self, column: &str) -> bool {
        self.partition_by.as_ref().is_some_and(|text| self.facts(text).reads(column))
    }

    /// Whether a foreign key may point at these columns, in whatever order.
    pub fn is_key(&self, columns: &[String]) -> bool {
        let alike = |key: &[String]| key.len() == columns.len() && columns.iter().all(|column| key.contains(column));
        let constraints = self.constraints.values().any(|constraint| match constraint {
            Constraint::PrimaryKey { columns, deferrable: false, .. } | Constraint::Unique { columns, deferrable: false, .. } => {
                alike(columns)
            }
            _ => false,
        });
        let indexes = self.indexes.values().filter(|index| index.unique && index.predicate.is_none());
        constraints
            || indexes
                .map(|index| index.columns.iter().map(|key| key.column.clone()).collect::<Vec<_>>())
                .any(|columns| alike(&columns))
    }

    /// The generated column that reads a column.
    pub fn generated_from(&self, column: &str) -> Option<&str> {
        let reads = |there: &&Column| there.generated.as_ref().is_some_and(|text| self.facts(text).reads(column));
        self.columns.iter().find(reads).map(|there| there.name.as_str())
    }

    /// The names that the table takes in its schema, and what has them; `table` is the table's name.
    pub fn relations<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (String, &'static str)> + 'a {
        let keys = self.constraints.iter().filter(|(_, constraint)| constraint.owns_index()).map(|(key, _)| key);
        std::iter::once((table.to_owned(), "table"))
            .chain(keys.map(|key| (key.clone(), "constraint")))
            .chain(self.indexes.keys().map(|index| (index.clone(), "index")))
            .chain(self.columns.iter().filter_map(|column| column.sequence_name(table)).map(|sequence| (sequence, "sequence")))
    }

    /// Whether PostgreSQL takes the index of the replica identity, if there is one; `table` is the table's name.
    pub fn check_replica_identity(&self, table: &str) -> Result<()> {
        let Some(ReplicaIdentity::Index { index: name }) = &self.replica_identity else { return Ok(()) };
        let refuse = |why: String| {
            Err(Error::new(format!("index `{name}` cannot be the replica identity of table `{table}`: {why}"))
                .hint("name a unique index on NOT NULL columns, or set the replica identity to DEFAULT or FULL first"))
        };
        let columns = match (self.constraints.get(name), self.indexes.get(name)) {
            (
                Some(
                    Constraint::PrimaryKey { columns, deferrable: false, .. }
                    | Constraint::Unique { columns, deferrable: false, .. },
                ),
                _,
            ) => columns.clone(),
            (Some(Constraint::PrimaryKey { .. } | Constraint::Unique { .. }), _) => {
                return refuse("its constraint is deferrable".to_owned());
            }
            (Some(_), _) => return refuse("its constraint is not a unique one".to_owned()),
            (None, Some(index)) if !index.unique => return refuse("it is not unique".to_owned()),
            (None, Some(index)) if index.predicate.is_some() => return refuse("it has a predicate".to_owned()),
            (None, Some(index)) if index.columns.iter().any(|key| key.expression.is_some()) => {
                return refuse("it has an expression".to_owned());
            }
            (None, Some(index)) => index.columns.iter().map(|key| key.column.clone()).collect(),
            (None, None) => return refuse("there is no such index".to_owned()),
        };
        match self.columns.iter().find(|column| column.nullable && columns.contains(&column.name)) {
            Some(column) => refuse(format!("column `{}` may be NULL", column.name)),
            None => Ok(()),
        }
    }

    /// Whether the table can have its storage parameters, as far as that can be told without a server; `table` is the table's name.
    pub fn check_storage(&self, table: &str) -> Result<()> {
        if self.partition_by.is_none() || self.storage.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!(
            "table `{table}` is partitioned, and PostgreSQL takes storage parameters for its partitions alone"
        ))
        .hint("take them out here, and set them on each partition by an `sql` operation: ALTER TABLE … SET (…)"))
    }

    fn no_such_column(&self, table: &str, name: &str) -> Error {
        let there = self.columns.iter().map(|column| format!("`{}`", column.name)).collect::<Vec<_>>().join(", ");
        Error::new(format!("table `{table}` has no column `{name}`")).hint(format!("its columns are {there}"))
    }
}

impl Column {
    /// A column with nothing but name, type and nullability.
    pub fn new(name: &str, sql_type: &str, nullable: bool) -> Self {
        Column {
            name: name.to_owned(),
            sql_type: types::normalize(sql_type),
            nullable,
            default: None,
            identity: None,
            collation: None,
            generated: None,
            comment: None,
        }
    }

    /// Whether its default takes numbers from a sequence, as that of a `serial` column does.
    pub fn draws_numbers(&self) -> bool {
        self.default.as_ref().is_some_and(|text| text.facts([]).draws_numbers)
    }

    /// The name of the identity's sequence, were the column in a table of this name.
    pub fn sequence_name(&self, table: &str) -> Option<String> {
        let identity = self.identity.as_ref()?;
        Some(identity.sequence.clone().unwrap_or_else(|| names::object_name(table, Some(&self.name), "seq")))
    }
}

impl IndexParameters {
    /// Whether there is nothing said.
    pub fn is_none(&self) -> bool {
        *self == IndexParameters::default()
    }
}

impl Constraint {
    /// A plain primary key.
    pub fn primary_key(columns: Vec<String>) -> Self {
        let index_parameters = IndexParameters::default();
        Constraint::PrimaryKey { columns, deferrable: false, initially_deferred: false, index_parameters }
    }

    /// The table that a foreign key points at.
    pub fn target(&self) -> Option<&str> {
        match self {
            Constraint::ForeignKey { references, .. } => Some(&references.table),
            _ => None,
        }
    }

    /// A plain unique constraint.
    pub fn unique(columns: Vec<String>) -> Self {
        Constraint::Unique {
            columns,
            nulls_not_distinct: false,
            deferrable: false,
            initially_deferred: false,
            index_parameters: IndexParameters::default(),
        }
    }

    /// The columns that the constraint is on, or that its texts read.
    pub fn columns(&self, table: &Table) -> Vec<String> {
        match self {
            Constraint::PrimaryKey { columns, index_parameters, .. } | Constraint::Unique { columns, index_parameters, .. } => {
                columns.iter().chain(&index_parameters.include_columns).cloned().collect()
            }
            Constraint::ForeignKey { columns, .. } => columns.clone(),
            Constraint::Check { .. } => table.read_by(self.texts()),
            Constraint::Exclude { index_parameters, .. } => {
                let mut columns = table.read_by(self.texts());
                columns.extend(index_parameters.include_columns.iter().cloned());
                columns
            }
        }
    }

    /// The texts of the user's own in it.
    pub fn texts(&self) -> Vec<&Expression> {
        match self {
            Constraint::Check { check, .. } => vec![check],
            Constraint::Exclude { exclude, .. } => std::iter::once(&exclude.elements).chain(&exclude.predicate).collect(),
            _ => Vec::new(),
        }
    }

    /// The same, to be changed.
    pub fn texts_mut(&mut self) -> Vec<&mut Expression> {
        match self {
            Constraint::Check { check, .. } => vec![check],
            Constraint::Exclude { exclude, .. } => std::iter::once(&mut exclude.elements).chain(&mut exclude.predicate).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it is another's equal, in whatever words, as far as PostgreSQL's printing of them tells.
    pub fn says_the_same(&self, other: &Constraint) -> bool {
        expression::alike(self, other, Constraint::texts, Constraint::texts_mut)
    }

    /// The same without how its index is stored.
    #[must_use]
    pub fn unstored(mut self) -> Self {
        if let Constraint::PrimaryKey { index_parameters, .. }
        | Constraint::Unique { index_parameters, .. }
        | Constraint::Exclude { index_parameters, .. } = &mut self
        {
            index_parameters.storage_parameters = None;
            index_parameters.tablespace = None;
        }
        self
    }

    /// Whether an index of the same name belongs to it.
    pub fn owns_index(&self) -> bool {
        matches!(self, Constraint::PrimaryKey { .. } | Constraint::Unique { .. } | Constraint::Exclude { .. })
    }

    /// The label by which PostgreSQL ends the name of an unnamed constraint of this kind.
    pub fn default_name(&self, table: &str) -> String {
        let joined = |columns: &[String]| columns.join("_");
        match self {
            Constraint::PrimaryKey { .. } => names::object_name(table, None, "pkey"),
            Constraint::Unique { columns, .. } => names::object_name(table, Some(&joined(columns)), "key"),
            Constraint::ForeignKey { columns, .. } => names::object_name(table, Some(&joined(columns)), "fkey"),
            Constraint::Check { .. } => names::object_name(table, None, "check"),
            Constraint::Exclude { .. } => names::object_name(table, None, "excl"),
        }
    }

    /// The same constraint after a column's rename, but for its texts.
    pub fn rename_column(&mut self, from: &str, to: &str) {
        match self {
            Constraint::PrimaryKey { columns, index_parameters, .. } | Constraint::Unique { columns, index_parameters, .. } => {
                rename_in(columns, from, to);
                rename_in(&mut index_parameters.include_columns, from, to);
            }
            Constraint::Exclude { index_parameters, .. } => rename_in(&mut index_parameters.include_columns, from, to),
            Constraint::ForeignKey { columns, references, .. } => {
                rename_in(columns, from, to);
                rename_in(&mut references.on_delete_set_columns, from, to);
            }
            Constraint::Check { .. } => {}
        }
    }
}

impl Index {
    /// The same index with every default left out, and words of one letter case.
    #[must_use]
    pub fn normal(mut self) -> Self {
        let upper = |text: Option<String>, default: &str| text.map(|text| text.to_uppercase()).filter(|text| text != default);
        for key in &mut self.columns {
            key.sort = upper(key.sort.take(), "ASC");
            key.nulls = upper(key.nulls.take(), if key.sort.is_some() { "FIRST" } else { "LAST" });
        }
        self.method = self.method.map(|method| method.to_lowercase()).filter(|method| method != "btree");
        self
    }

    /// The columns that the index is on, or that its texts read.
    pub fn columns(&self, table: &Table) -> Vec<String> {
        let keys = self.columns.iter().filter(|key| key.expression.is_none()).map(|key| key.column.clone());
        keys.chain(self.include.iter().cloned()).chain(table.read_by(self.texts())).collect()
    }

    /// The texts of the user's own in it: expressions and the predicate.
    pub fn texts(&self) -> Vec<&Expression> {
        self.columns.iter().filter_map(|key| key.expression.as_ref()).chain(&self.predicate).collect()
    }

    /// The same, to be changed.
    pub fn texts_mut(&mut self) -> Vec<&mut Expression> {
        self.columns.iter_mut().filter_map(|key| key.expression.as_mut()).chain(&mut self.predicate).collect()
    }

    /// Whether it is another's equal, in whatever words, as far as PostgreSQL's printing of them tells.
    pub fn says_the_same(&self, other: &Index) -> bool {
        expression::alike(self, other, Index::texts, Index::texts_mut)
    }

    /// The same index after a column's rename, but for its texts.
    pub fn rename_column(&mut self, from: &str, to: &str) {
        for key in self.columns.iter_mut().filter(|key| key.expression.is_none() && key.column == from) {
            to.clone_into(&mut key.column);
        }
        rename_in(&mut self.include, from, to);
    }

    /// The second part of the name that PostgreSQL gives an unnamed index.
    pub fn default_stem(&self) -> String {
        let word = |key: &IndexColumn| if key.expression.is_some() { "expr".to_owned() } else { key.column.clone() };
        self.columns.iter().map(word).collect::<Vec<_>>().join("_")
    }
}

fn texts_of(table: &Table) -> Vec<&Expression> {
    table.texts().into_iter().map(|(_, text)| text).collect()
}

fn texts_of_mut(table: &mut Table) -> Vec<&mut Expression> {
    table.texts_mut().into_iter().map(|(_, text)| text).collect()
}

/// Puts `to` in the place of `from` in a list of names.
pub fn rename_in(names: &mut [String], from: &str, to: &str) {
    for name in names.iter_mut().filter(|name| *name == from) {
        to.clone_into(name);
    }
}

fn no_such_table<'a>(name: &str, there: impl Iterator<Item = &'a String>) -> Error {
    let there = there.map(|table| format!("`{table}`")).collect::<Vec<_>>().join(", ");
    Error::new(format!("there is no table `{name}`")).hint(if there.is_empty() {
        "the schema has no tables yet; create it in an earlier operation".to_owned()
    } else {
        format!("the tables are {there}")
    })
}

fn no_such<T>(kind: &str, name: &str, there: &BTreeMap<String, T>) -> Error {
    let there: Vec<String> = there.keys().map(|name| format!("`{name}`")).collect();
    Error::new(format!("there is no {kind} `{name}`")).hint(if there.is_empty() {
        format!("the schema has no {kind}s; create it in an earlier operation")
    } else {
        format!("the {kind}s are {}", there.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::Schema;
    use crate::model::composite::{Attribute, Composite};
    use crate::model::domain::Domain;
    use crate::model::own_type::OwnType;

    #[test]
    fn each_type_comes_after_those_that_it_is_made_of() {
        let of = |name: &str, base: &str| (name.to_owned(), Domain { sql_type: base.to_owned(), ..Domain::default() });
        let domains = [of("a", "b[]"), of("b", "\"C\""), of("C", "text"), of("d", "d2"), of("d2", "d")];
        let schema = Schema { domains: domains.into(), ..Schema::default() };
        let names = |order: Vec<(&String, OwnType<'_>)>| order.into_iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(schema.own_types_in_order(|_| true)), ["C", "b", "a", "d", "d2"]);
        assert_eq!(names(schema.own_types_in_order(|name| name == "a")), ["a"]);
        let row = |name: &str, types: &[&str]| {
            let attribute = |sql_type: &&str| Attribute { sql_type: (*sql_type).to_owned(), ..Attribute::default() };
            (name.to_owned(), Composite { attributes: types.iter().map(attribute).collect(), comment: None })
        };
        let domains = [of("z", "text"), of("of_row", "a")].into();
        let schema = Schema { domains, composites: [row("a", &["z", "b[]"]), row("b", &["text"])].into(), ..Schema::default() };
        assert_eq!(names(schema.own_types_in_order(|_| true)), ["z", "b", "a", "of_row"]);
    }
}

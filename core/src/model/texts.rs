//! The texts of the user's own in a table: where they stand, and how they are kept with what they read.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::expression::Expression;
use crate::model::facts::Facts;
use crate::model::lexer;
use crate::model::schema::{Column, Constraint, Index, ReplicaIdentity, Table};
use crate::model::statistics::Statistics;
use crate::model::storage::Storage;

/// What a text stands for, which decides what it may hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A value of a row: `up`, `down`.
    Value,
    /// The condition of a check.
    Check,
    /// A default of a column of this type.
    Default(String),
    /// A generated column of this type.
    Generated(String),
    /// A key of an index.
    Key,
    /// An index's predicate.
    Predicate,
    /// The elements of an exclusion constraint by this method.
    Exclusion(String),
    /// `PARTITION BY …`.
    Partition,
    /// An expression of statistics.
    Statistics,
}

/// Where a text stands in a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The default of a column.
    Default(String),
    /// The rule of a generated column.
    Generated(String),
    /// A check.
    Check(String),
    /// The elements of an exclusion constraint.
    Elements(String),
    /// The predicate of an exclusion constraint.
    Excluded(String),
    /// A key of an index, by its number from 1.
    Key(String, usize),
    /// The predicate of an index.
    Predicate(String),
    /// The partition key.
    Partition,
    /// An expression of statistics, by its number from 1.
    Statistics(String, usize),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Default(column) => write!(out, "default {column}"),
            Place::Generated(column) => write!(out, "generated {column}"),
            Place::Check(name) => write!(out, "check {name}"),
            Place::Elements(name) => write!(out, "exclude {name}"),
            Place::Excluded(name) => write!(out, "exclude {name} where"),
            Place::Key(name, number) => write!(out, "index {name} key {number}"),
            Place::Predicate(name) => write!(out, "index {name} where"),
            Place::Partition => out.write_str("partition by"),
            Place::Statistics(name, number) => write!(out, "statistics {name} expression {number}"),
        }
    }
}

/// The texts with their places, once for those that read and once for those that change them.
macro_rules! texts {
    ($table:expr, $iter:ident, $($mutable:tt)?) => {{
        let table = $table;
        let mut found = Vec::new();
        for column in table.columns.$iter() {
            let name = &column.name;
            found.extend(column.default.$iter().map(|text| (Place::Default(name.clone()), text)));
            found.extend(column.generated.$iter().map(|text| (Place::Generated(name.clone()), text)));
        }
        for (name, constraint) in table.constraints.$iter() {
            match constraint {
                Constraint::Check { check, .. } => found.push((Place::Check(name.clone()), check)),
                Constraint::Exclude { exclude, .. } => {
                    found.push((Place::Elements(name.clone()), & $($mutable)? exclude.elements));
                    found.extend(exclude.predicate.$iter().map(|text| (Place::Excluded(name.clone()), text)));
                }
                _ => {}
            }
        }
        for (name, index) in table.indexes.$iter() {
            for (at, key) in index.columns.$iter().enumerate() {
                found.extend(key.expression.$iter().map(|text| (Place::Key(name.clone(), at + 1), text)));
            }
            found.extend(index.predicate.$iter().map(|text| (Place::Predicate(name.clone()), text)));
        }
        for (name, statistics) in table.statistics.$iter() {
            let numbered = statistics.expressions.$iter().enumerate();
            found.extend(numbered.map(|(at, text)| (Place::Statistics(name.clone(), at + 1), text)));
        }
        found.extend(table.partition_by.$iter().map(|text| (Place::Partition, text)));
        found
    }};
}

impl Table {
    /// Every text of the user's own, with its place.
    pub fn texts(&self) -> Vec<(Place, &Expression)> {
        texts!(self, iter,)
    }

    /// The same, to be changed.
    pub fn texts_mut(&mut self) -> Vec<(Place, &mut Expression)> {
        texts!(self, iter_mut, mut)
    }

    /// What the text in a place stands for.
    pub fn purpose(&self, place: &Place) -> Purpose {
        let type_of = |name: &String| {
            let column = self.columns.iter().find(|column| column.name == *name);
            column.map_or_else(|| "text".to_owned(), |column| column.sql_type.clone())
        };
        match place {
            Place::Default(column) => Purpose::Default(type_of(column)),
            Place::Generated(column) => Purpose::Generated(type_of(column)),
            Place::Check(_) => Purpose::Check,
            Place::Elements(name) => Purpose::Exclusion(match self.constraints.get(name) {
                Some(Constraint::Exclude { exclude, .. }) => exclude.index_method.clone().unwrap_or_else(|| "btree".to_owned()),
                _ => "btree".to_owned(),
            }),
            Place::Key(..) => Purpose::Key,
            Place::Excluded(_) | Place::Predicate(_) => Purpose::Predicate,
            Place::Partition => Purpose::Partition,
            Place::Statistics(..) => Purpose::Statistics,
        }
    }
}

/// A table as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    columns: Vec<Column>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    constraints: BTreeMap<String, Constraint>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    indexes: BTreeMap<String, Index>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    statistics: BTreeMap<String, Statistics>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    storage: Storage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replica_identity: Option<ReplicaIdentity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition_by: Option<Expression>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    not_valid: BTreeSet<String>,
    /// What the texts read, by their places.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    facts: BTreeMap<String, Facts>,
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        KeptTable::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(KeptTable::deserialize(deserializer)?.into())
    }
}

impl From<KeptTable> for Table {
    fn from(kept: KeptTable) -> Self {
        let KeptTable {
            comment,
            columns,
            constraints,
            indexes,
            statistics,
            storage,
            replica_identity,
            partition_by,
            not_valid,
            mut facts,
        } = kept;
        let mut table =
            Table { comment, columns, constraints, indexes, statistics, storage, replica_identity, partition_by, not_valid };
        for (place, text) in table.texts_mut() {
            if let Some(known) = facts.remove(&place.to_string()) {
                *text = std::mem::take(text).with(known);
            }
        }
        table
    }
}

impl From<Table> for KeptTable {
    fn from(table: Table) -> Self {
        let known = |(place, text): (Place, &Expression)| {
            let is_worth_it = |facts: &&Facts| !facts.is_assumed && lexer::certain(text).as_ref() != Some(*facts);
            Some((place.to_string(), text.known().filter(is_worth_it)?.clone()))
        };
        let facts = table.texts().into_iter().filter_map(known).collect();
        let Table { comment, columns, constraints, indexes, statistics, storage, replica_identity, partition_by, not_valid } =
            table;
        KeptTable {
            comment,
            columns,
            constraints,
            indexes,
            statistics,
            storage,
            replica_identity,
            partition_by,
            not_valid,
            facts,
        }
    }
}

//! A conversion as a tree: what is read in each scope on the way from a row of one version to columns of the other.
//!
//! Both printers print it, the trigger's program and the query: what a text means does not hang on who runs it.

use std::collections::{BTreeMap, BTreeSet};

use crate::layout::tables::{Physical, physical_name};
use crate::model::expression::Expression;
use crate::transition::lineage::{Layer, Lineage, Link, ScopeColumn};

use super::Direction;

/// A conversion, from the source's side.
pub(super) struct Conversion<'a> {
    /// The scopes on the way: the first is the source's, the last the target's.
    pub(super) scopes: Vec<Scope<'a>>,
    /// What it gives: names in the target version, and in the table.
    pub(super) targets: Vec<(String, String)>,
}

/// The columns that are in scope at one point, as far as they are needed.
pub(super) struct Scope<'a> {
    /// How expressions over it call the row.
    pub(super) name: &'a str,
    /// What is handed on, in the table's order.
    pub(super) values: Vec<Value<'a>>,
    /// An expression over it reads the row as a whole: then every column is there.
    pub(super) whole_row: bool,
}

/// A column of a scope, and where its value comes from.
pub(super) struct Value<'a> {
    pub(super) column: &'a ScopeColumn,
    pub(super) source: Source<'a>,
}

/// Where a value comes from.
pub(super) enum Source<'a> {
    /// A physical column of the row.
    Row(String),
    /// A column of the scope before.
    Same(&'a str),
    /// An expression over the scope before, which reads these columns of it.
    Derived(&'a Expression, Vec<&'a ScopeColumn>),
    /// Nothing.
    Fresh,
}

impl<'a> Conversion<'a> {
    /// All that a version derives.
    pub(super) fn of(table: &'a Physical<'a>, direction: Direction) -> Self {
        Conversion::of_some(table, direction, |_| true)
    }

    /// The same for some of the physical targets.
    pub(super) fn of_some(table: &'a Physical<'a>, direction: Direction, wanted: impl Fn(&str) -> bool) -> Self {
        let lineage = table.lineage;
        let (mut targets, physical): (Vec<(String, String)>, _) = match direction {
            Direction::Up => {
                let derived = table.added.iter().filter(|added| added.derived);
                (derived.map(|added| (added.column.name.clone(), added.physical.clone())).collect(), &table.older_names)
            }
            Direction::Down => {
                let derived = table.removed.iter().filter(|column| lineage.is_derived_down(column));
                (derived.map(|column| (column.clone(), column.clone())).collect(), &table.newer_names)
            }
        };
        targets.retain(|(_, physical)| wanted(physical));
        Conversion::towards(lineage, direction, targets, physical)
    }

    /// The same for the given targets.
    pub(super) fn towards(
        lineage: &'a Lineage,
        direction: Direction,
        targets: Vec<(String, String)>,
        physical: &BTreeMap<String, String>,
    ) -> Self {
        let way = Way { lineage, direction };
        let count = lineage.layers.len();
        let mut needed: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); count];
        let mut whole = vec![false; count];
        let last = way.layer(count - 1);
        needed[count - 1] = last
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .filter(|name| targets.iter().any(|(logical, _)| logical == name))
            .collect();
        for at in (1..count).rev() {
            let below = way.layer(at - 1);
            for name in needed[at].clone() {
                match way.link(at, name) {
                    Some(Link::Same(other)) => {
                        needed[at - 1].insert(other);
                    }
                    Some(Link::Derived(expression)) => {
                        whole[at - 1] |= below.facts(expression).whole_row;
                        needed[at - 1].extend(below.read_by(expression).map(|column| column.name.as_str()));
                    }
                    Some(Link::Fresh) | None => {}
                }
            }
        }
        let scopes = (0..count).map(|at| {
            let layer = way.layer(at);
            let values = layer.columns.iter().filter(|column| needed[at].contains(column.name.as_str()));
            let values = values.map(|column| Value { column, source: way.source(at, column, physical) });
            Scope { name: &layer.table, values: values.collect(), whole_row: whole[at] }
        });
        let scopes = scopes.collect();
        Conversion { scopes, targets }
    }

    /// The physical columns that it reads.
    pub(super) fn inputs(&self) -> BTreeSet<String> {
        let read = self.scopes[0].values.iter().filter_map(|value| match &value.source {
            Source::Row(physical) => Some(physical.clone()),
            _ => None,
        });
        read.collect()
    }

    /// Whether anything is derived.
    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

/// The layers as they are met from the source's side.
struct Way<'a> {
    lineage: &'a Lineage,
    direction: Direction,
}

impl<'a> Way<'a> {
    fn layer(&self, at: usize) -> &'a Layer {
        match self.direction {
            Direction::Up => &self.lineage.layers[at],
            Direction::Down => &self.lineage.layers[self.lineage.layers.len() - 1 - at],
        }
    }

    /// Where a column of the layer at this distance comes from in the one before.
    fn link(&self, at: usize, name: &str) -> Option<&'a Link> {
        match self.direction {
            Direction::Up => self.lineage.layers[at].up.get(name),
            Direction::Down => self.lineage.layers[self.lineage.layers.len() - at].down.get(name),
        }
    }

    fn source(&self, at: usize, column: &'a ScopeColumn, physical: &BTreeMap<String, String>) -> Source<'a> {
        if at == 0 {
            return Source::Row(physical_name(physical, &column.name).to_owned());
        }
        match self.link(at, &column.name) {
            Some(Link::Same(other)) => Source::Same(other),
            Some(Link::Derived(expression)) => Source::Derived(expression, self.layer(at - 1).read_by(expression).collect()),
            Some(Link::Fresh) | None => Source::Fresh,
        }
    }
}

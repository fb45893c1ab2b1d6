//! A conversion as a tree: what is read in each scope on the way from a row of one version to columns of the other.
//!
//! Both printers print it, the trigger's program and the query: what a text means does not hang on who runs it.

use std::collections::{BTreeMap, BTreeSet};

use crate::layout::tables::{Physical, physical_name};
use crate::model::expression::Expression;
use crate::model::{plain, types};
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

/// What a conversion needs from the session that runs it. Each costs the writer a moment in each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    /// It has no text in it: values are copied.
    Nothing,
    /// The names in its texts mean what they meant to their author.
    Names,
    /// Settings are those of the migration, too: its texts do more than work on plain values with the server's own functions.
    Settings,
}

impl<'a> Value<'a> {
    /// The column of the scope before that it is a copy of: the text is that column's name, and each of the two has room for every value
    /// of the other, or refuses it.
    pub(super) fn copied(&self) -> Option<&'a str> {
        let Source::Derived(expression, read) = &self.source else { return None };
        let &[only] = read.as_slice() else { return None };
        let (from, to) = (&only.sql_type, &self.column.sql_type);
        // an assignment to a type with a length cuts spaces off, and refuses nothing else
        let is_exact = |name: &str| types::length(name).is_none() || from == to;
        let has_room = is_exact(from) && is_exact(to) && (types::widens(from, to) || types::widens(to, from));
        let is_plain = [only, self.column].iter().all(|column| is_plain(column) && column.collation.is_none());
        (has_room && is_plain && types::is_column(expression, &only.name)).then_some(only.name.as_str())
    }

    fn needs(&self, below: &Scope<'_>) -> Needs {
        match &self.source {
            Source::Derived(..) if self.copied().is_some() => Needs::Nothing,
            Source::Derived(expression, read) => {
                let mut names: Vec<&str> = read.iter().map(|column| column.name.as_str()).collect();
                names.push(below.name);
                let is_all_the_servers = expression.known().is_some_and(|facts| {
                    !facts.is_assumed && facts.functions.is_empty() && facts.types.is_empty() && facts.relations.is_empty()
                });
                let is_plain = is_plain(self.column) && read.iter().all(|column| is_plain(column));
                if is_all_the_servers && is_plain && plain::reads_no_setting(expression, &names) {
                    Needs::Names
                } else {
                    Needs::Settings
                }
            }
            Source::Fresh => Needs::Names,
            Source::Row(_) | Source::Same(_) => Needs::Nothing,
        }
    }
}

/// Whether a column's values are printed and read in one way everywhere.
fn is_plain(column: &ScopeColumn) -> bool {
    column.form.is_none() && plain::is_plain(&column.sql_type)
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

    /// What its texts mean and give may hang on, as far as PostgreSQL was asked.
    pub(super) fn needs(&self) -> Needs {
        let pairs = self.scopes.windows(2).flat_map(|pair| pair[1].values.iter().map(|value| value.needs(&pair[0])));
        pairs.max().unwrap_or(Needs::Nothing)
    }

    /// The physical columns of its targets, each with the one that it is a copy of, where all of them are copies.
    pub(super) fn copies(&self) -> Option<Vec<(&str, &str)>> {
        self.targets.iter().map(|(logical, physical)| Some((physical.as_str(), self.copied(logical)?))).collect()
    }

    /// The physical column of the row that a column of the target is a copy of.
    fn copied(&self, logical: &str) -> Option<&str> {
        let mut name = logical;
        for scope in self.scopes.iter().rev() {
            let value = scope.values.iter().find(|value| value.column.name == name)?;
            match &value.source {
                Source::Row(source) => return Some(source),
                Source::Same(other) => name = other,
                Source::Derived(..) => name = value.copied()?,
                Source::Fresh => return None,
            }
        }
        None
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

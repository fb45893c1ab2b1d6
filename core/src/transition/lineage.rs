//! One table's way through a migration: a layer of names and conversions for each operation on it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::expression::Expression;
use crate::model::facts::Facts;

/// One table's way from the older to the newer version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The scopes; the first is the older version's (or the moment of creation), the last the newer version's.
    pub layers: Vec<Layer>,
    /// The older version has the table.
    pub in_from: bool,
    /// The newer version has the table.
    pub in_to: bool,
    /// How many of the scripts of a start stand before its last change, which may use what they make.
    pub scripts_before: usize,
    /// How many of them stand before its first change; none where nothing changes.
    pub first_change: Option<usize>,
    /// The number of its last change among all tables'.
    pub turn: usize,
}

/// The columns in scope at one point, and how they come from the layer below and go back to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The table's name here.
    pub table: String,
    /// The columns, by name, with their types.
    pub columns: Vec<ScopeColumn>,
    /// For each column of this layer: where its value comes from. Empty in the first layer.
    pub up: BTreeMap<String, Link>,
    /// For each column of the layer below: where its value comes from. Empty in the first layer.
    pub down: BTreeMap<String, Link>,
    /// The number of the change that made it, among those of all tables.
    pub turn: usize,
    /// A column of this layer that took the place of one of the layer below.
    pub successor: Option<(String, String)>,
}

/// A column in a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeColumn {
    /// Its name at this point.
    pub name: String,
    /// Its type at this point.
    pub sql_type: String,
    /// Its type's form, where that is an enum of the model or an array of it: a number within [`Stage::enums`](crate::transition::stage::Stage::enums).
    pub form: Option<usize>,
    /// Its collation at this point, where it is not the type's own.
    pub collation: Option<String>,
    /// Whether it may be NULL at this point.
    pub nullable: bool,
}

/// Where a column's value comes from in the neighbouring layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The same column under the name that it has there.
    Same(String),
    /// An expression over the columns there.
    Derived(Expression),
    /// Nothing: the column's default, or NULL.
    Fresh,
}

impl Lineage {
    /// The older version's scope.
    pub fn oldest(&self) -> &Layer {
        &self.layers[0]
    }

    /// The newer version's scope.
    pub fn newest(&self) -> &Layer {
        &self.layers[self.layers.len() - 1]
    }

    /// The older version's column that is this very column of the newer one, if it never was converted.
    pub fn same_below(&self, column: &str) -> Option<String> {
        let mut name = column.to_owned();
        for layer in self.layers.iter().skip(1).rev() {
            match layer.up.get(&name) {
                Some(Link::Same(below)) => name.clone_from(below),
                _ => return None,
            }
        }
        Some(name)
    }

    /// Whether a column has gone on as itself, under its name, since the table had so many layers.
    pub fn keeps(&self, column: &str, since: usize) -> bool {
        self.layers[since..].iter().all(|layer| matches!(layer.up.get(column), Some(Link::Same(below)) if below == column))
    }

    /// The sequences from which expressions between the two versions draw.
    pub fn drawn(&self) -> BTreeSet<String> {
        let pairs = self.layers.iter().zip(self.layers.iter().skip(1));
        let texts = pairs.flat_map(|(below, above)| {
            let up = above.up.values().map(move |link| (below, link));
            up.chain(above.down.values().map(move |link| (above, link)))
        });
        let texts = texts.filter_map(|(layer, link)| if let Link::Derived(text) = link { Some(layer.facts(text)) } else { None });
        texts.flat_map(|facts| facts.sequences.clone()).collect()
    }

    /// Whether an expression on the way to the newer version's column draws from a sequence.
    pub fn draws(&self, column: &str) -> bool {
        let mut read: BTreeSet<&str> = BTreeSet::from([column]);
        for (below, layer) in self.layers.iter().zip(self.layers.iter().skip(1)).rev() {
            let mut next = BTreeSet::new();
            for name in read {
                match layer.up.get(name) {
                    Some(Link::Same(other)) => {
                        next.insert(other.as_str());
                    }
                    Some(Link::Derived(text)) if below.facts(text).draws_numbers => return true,
                    Some(Link::Derived(text)) => next.extend(below.read_by(text).map(|column| column.name.as_str())),
                    Some(Link::Fresh) | None => {}
                }
            }
            read = next;
        }
        false
    }

    /// Whether a value of the newer version's column comes out of an expression.
    pub fn is_derived_up(&self, column: &str) -> bool {
        let mut name = column.to_owned();
        for layer in self.layers.iter().skip(1).rev() {
            match layer.up.get(&name) {
                Some(Link::Same(below)) => name.clone_from(below),
                Some(Link::Derived(_)) => return true,
                _ => return false,
            }
        }
        false
    }

    /// Whether a value of the older version's column comes out of an expression.
    pub fn is_derived_down(&self, column: &str) -> bool {
        let mut name = column.to_owned();
        for layer in self.layers.iter().skip(1) {
            match layer.down.get(&name) {
                Some(Link::Same(above)) => name.clone_from(above),
                Some(Link::Derived(_)) => return true,
                _ => return false,
            }
        }
        false
    }

    /// The older version's column that a column of the newer version is another form of, or takes the place of; none where it is a
    /// new one.
    pub fn origin(&self, column: &str) -> Option<String> {
        let mut name = column.to_owned();
        for at in (1..self.layers.len()).rev() {
            if let Some((_, before)) = self.layers[at].successor.as_ref().filter(|(successor, _)| *successor == name) {
                name.clone_from(before);
                continue;
            }
            match self.layers[at].up.get(&name)? {
                Link::Same(below) => name.clone_from(below),
                // a conversion keeps the name; a column that is new at this point has none below
                _ if self.layers[at - 1].columns.iter().any(|below| below.name == name) => {}
                _ => return None,
            }
        }
        Some(name)
    }

    /// Every expression of the table's conversions, in either direction.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.layers.iter().flat_map(|layer| layer.up.values().chain(layer.down.values())).filter_map(|link| match link {
            Link::Derived(expression) => Some(expression),
            _ => None,
        })
    }

    /// Whether an expression of the way down reads a column of the newest layer.
    pub(crate) fn reads_down(&self, column: &str) -> bool {
        let mut name = column.to_owned();
        for layer in self.layers.iter().skip(1).rev() {
            if layer.down.values().any(|link| matches!(link, Link::Derived(text) if layer.facts(text).reads(&name))) {
                return true;
            }
            match layer.up.get(&name) {
                Some(Link::Same(below)) => name.clone_from(below),
                _ => return false,
            }
        }
        false
    }

    /// A column that came with nothing but its default has that for a value, now that something reads it.
    pub(crate) fn supply(&mut self, column: &str, default: &Expression) {
        let mut name = column.to_owned();
        for layer in self.layers.iter_mut().skip(1).rev() {
            match layer.up.get_mut(&name) {
                Some(Link::Same(below)) => name.clone_from(below),
                Some(link @ Link::Fresh) => return *link = Link::Derived(default.clone()),
                _ => return,
            }
        }
    }

    pub(crate) fn push_layer(&mut self, change: impl FnOnce(&mut Layer)) {
        let below = self.newest();
        let links = || below.columns.iter().map(|c| (c.name.clone(), Link::Same(c.name.clone()))).collect::<BTreeMap<_, _>>();
        let mut layer = Layer {
            table: below.table.clone(),
            columns: below.columns.clone(),
            up: links(),
            down: links(),
            turn: self.turn,
            successor: None,
        };
        change(&mut layer);
        self.layers.push(layer);
    }
}

impl Layer {
    pub(crate) fn first(name: &str, columns: Vec<ScopeColumn>) -> Self {
        Layer { table: name.to_owned(), columns, up: BTreeMap::new(), down: BTreeMap::new(), turn: 0, successor: None }
    }

    /// What an expression over the columns here reads.
    pub fn facts<'a>(&self, expression: &'a Expression) -> Cow<'a, Facts> {
        expression.facts(self.columns.iter().map(|column| column.name.as_str()))
    }

    /// The columns that an expression reads, in the table's order.
    pub fn read_by<'a>(&'a self, expression: &'a Expression) -> impl Iterator<Item = &'a ScopeColumn> {
        let facts = self.facts(expression);
        self.columns.iter().filter(move |column| facts.reads(&column.name))
    }
}

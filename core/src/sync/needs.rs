//! What is read in each scope on the way to the derived columns.

use std::collections::{BTreeMap, BTreeSet};

use crate::lineage::{Layer, Lineage, Link};
use crate::shadow::Physical;

use super::Direction;

/// Which columns are needed in each scope on the way to the derived ones. Scopes are counted from the source's side.
pub(super) struct Needs {
    pub(super) direction: Direction,
    /// Logical and physical names of what is derived, in the target version.
    pub(super) targets: Vec<(String, String)>,
    /// Per scope, the columns to hand on.
    pub(super) needed: Vec<BTreeSet<String>>,
    /// Physical names of the source version's columns.
    pub(super) physical: BTreeMap<String, String>,
}

impl Needs {
    pub(super) fn of(table: &Physical<'_>, direction: Direction) -> Self {
        Needs::of_some(table, direction, |_| true)
    }

    /// The same for some of the physical targets.
    pub(super) fn of_some(table: &Physical<'_>, direction: Direction, wanted: impl Fn(&str) -> bool) -> Self {
        let lineage = table.lineage;
        let (mut targets, physical): (Vec<(String, String)>, _) = match direction {
            Direction::Up => {
                let derived = table.added.iter().filter(|added| added.derived);
                (derived.map(|added| (added.column.name.clone(), added.physical.clone())).collect(), table.older_names.clone())
            }
            Direction::Down => {
                let derived = table.removed.iter().filter(|column| lineage.is_derived_down(column));
                (derived.map(|column| (column.clone(), column.clone())).collect(), table.newer_names.clone())
            }
        };
        targets.retain(|(_, physical)| wanted(physical));
        Needs::towards(lineage, direction, targets, physical)
    }

    /// The same for the given targets.
    pub(super) fn towards(
        lineage: &Lineage,
        direction: Direction,
        targets: Vec<(String, String)>,
        physical: BTreeMap<String, String>,
    ) -> Self {
        let count = lineage.layers.len();
        let mut needs = Needs { direction, targets, needed: vec![BTreeSet::new(); count], physical };
        needs.needed[count - 1] = needs.targets.iter().map(|(logical, _)| logical.clone()).collect();
        for at in (1..count).rev() {
            let mut below = BTreeSet::new();
            for name in &needs.needed[at] {
                match needs.link(lineage, at, name) {
                    Link::Same(other) => {
                        below.insert(other);
                    }
                    Link::Derived(expression) => {
                        below.extend(needs.scope(lineage, at - 1).mentioned(&expression).map(|column| column.name.clone()));
                    }
                    Link::Fresh => {}
                }
            }
            needs.needed[at - 1] = below;
        }
        needs
    }

    /// The scope at a distance from the source.
    pub(super) fn scope<'a>(&self, lineage: &'a Lineage, at: usize) -> &'a Layer {
        match self.direction {
            Direction::Up => &lineage.layers[at],
            Direction::Down => &lineage.layers[lineage.layers.len() - 1 - at],
        }
    }

    /// Where a column of the scope at this distance comes from in the scope one nearer to the source.
    pub(super) fn link(&self, lineage: &Lineage, at: usize, name: &str) -> Link {
        let link = match self.direction {
            Direction::Up => lineage.layers[at].up.get(name),
            Direction::Down => lineage.layers[lineage.layers.len() - at].down.get(name),
        };
        link.cloned().unwrap_or(Link::Fresh)
    }

    /// The physical columns that the conversions read.
    pub(super) fn inputs(&self) -> BTreeSet<String> {
        self.needed[0].iter().map(|name| crate::ddl::physical(&self.physical, name).to_owned()).collect()
    }
}

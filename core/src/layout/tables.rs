//! Pairing old with new: which physical columns, constraints and indexes serve which version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::layout::chain::Chain;
use crate::model::expression::Expression;
use crate::model::schema::{Column, Constraint, Index, Table};
use crate::model::statistics::Statistics;
use crate::names;
use crate::transition::lineage::Lineage;
use crate::transition::stage::Stage;

/// Physical names by logical ones.
pub type Names = BTreeMap<String, String>;

/// The physical name of a logical one; itself where the map does not say.
pub fn physical_name<'a>(names: &'a Names, logical: &'a str) -> &'a str {
    names.get(logical).map_or(logical, String::as_str)
}

/// One table as it lies in the database while both versions are live.
#[derive(Clone, Debug)]
pub struct Physical<'a> {
    /// The mapping.
    pub lineage: &'a Lineage,
    /// The name in the database until complete.
    pub name: String,
    /// The older version's model, where it has the table.
    pub older: Option<&'a Table>,
    /// The newer version's model, where it has the table.
    pub newer: Option<&'a Table>,
    /// Physical names of the older version's columns: their own.
    pub older_names: Names,
    /// Physical names of the newer version's columns.
    pub newer_names: Names,
    /// Of a new table: names that relations of the older version have.
    pub taken: Arc<BTreeSet<String>>,
    /// Columns that the newer version brings along.
    pub added: Vec<Added>,
    /// Columns that only the older version has.
    pub removed: Vec<String>,
    /// Columns of both versions that become NOT NULL.
    pub tightened: Vec<String>,
    /// Columns of both versions that may be NULL from complete on.
    pub loosened: Vec<String>,
    /// Constraints of both versions: the name so far and the name to be.
    pub kept_constraints: Vec<(String, String)>,
    /// Constraints that the newer version brings along.
    pub added_constraints: Vec<AddedConstraint>,
    /// Constraints that only the older version has.
    pub removed_constraints: Vec<String>,
    /// Indexes of both versions: the name so far and the name to be.
    pub kept_indexes: Vec<(String, String)>,
    /// Indexes that the newer version brings along: the name to be, the name until then, the model.
    pub added_indexes: Vec<(String, String, Index)>,
    /// Indexes that only the older version has.
    pub removed_indexes: Vec<String>,
    /// Extended statistics of both versions: the name so far and the name to be.
    pub kept_statistics: Vec<(String, String)>,
    /// Statistics that the newer version brings along: the name to be, the name until then, the model.
    pub added_statistics: Vec<(String, String, Statistics)>,
    /// Statistics that only the older version has.
    pub removed_statistics: Vec<String>,
    /// Constraints that go, and those that take their place.
    pub replaced_constraints: Vec<Replaced>,
    /// Indexes that go, and those that take their place.
    pub replaced_indexes: Vec<Replaced>,
    /// Statistics that go, and those that take their place.
    pub replaced_statistics: Vec<Replaced>,
    /// How many of the start's scripts run before the table is touched: those that its last change, or that of a table which its
    /// foreign keys point at, comes after.
    pub scripts_before: usize,
}

/// A physical column of the newer version only.
#[derive(Clone, Debug)]
pub struct Added {
    /// The model.
    pub column: Column,
    /// Its name until complete.
    pub physical: String,
    /// It is filled by expressions, so it needs backfill and sync.
    pub derived: bool,
    /// It is a new identity: existing rows get numbers, by backfill and sync as well (see [`crate::statements::numbers`]).
    pub numbered: bool,
    /// The default that the physical column has until complete.
    pub default: Option<Expression>,
    /// Its type may have a default, which it does not have until complete: who writes the older version leaves it out.
    pub is_bare: bool,
}

impl Added {
    /// Whether every row has its value from the moment that the column is there.
    pub fn is_filled_at_once(&self) -> bool {
        self.default.is_some() && !self.derived
    }
}

/// A constraint of the newer version only.
#[derive(Clone, Debug)]
pub struct AddedConstraint {
    /// The name to be.
    pub name: String,
    /// The name until complete: of the constraint, or of the index that it will be made of.
    pub physical: String,
    /// The model.
    pub constraint: Constraint,
}

/// A constraint, index or statistics that go, and the one that is the same over columns of another form.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// The name of the one that goes.
    pub so_far: String,
    /// The name until complete of the one that takes its place.
    pub physical: String,
}

impl Physical<'_> {
    /// The name until complete of a column of the newer version.
    pub fn newer_name<'a>(&'a self, logical: &'a str) -> &'a str {
        physical_name(&self.newer_names, logical)
    }

    /// The name until complete of an index, key or sequence of this table: another one where the older version has a relation of
    /// that name, or where the table's own name is still taken.
    pub fn displaced(&self, name: &str) -> String {
        let is_displaced = self.older.is_none() && self.final_name() != Some(self.name.as_str());
        if is_displaced || self.taken.contains(name) { names::generated("new", &[&self.name, name]) } else { name.to_owned() }
    }

    /// Whether the table exists in both versions.
    pub fn is_kept(&self) -> bool {
        self.older.is_some() && self.newer.is_some()
    }

    /// Whether rows need sync: a value of one side comes out of an expression.
    pub fn needs_sync(&self) -> bool {
        self.is_kept() && (self.needs_fill() || self.removed.iter().any(|column| self.lineage.is_derived_down(column)))
    }

    /// Whether existing rows need the backfill.
    pub fn needs_fill(&self) -> bool {
        self.is_kept() && self.added.iter().any(|added| added.derived || added.numbered)
    }

    /// Whether it is another thing for the newer version than the table itself: its name, a column or a default is another one.
    pub fn is_other(&self) -> bool {
        let default = |table: &Table, name: &str| {
            table.columns.iter().find(|there| there.name == name).and_then(|there| there.default.clone())
        };
        let moved = self.newer_names.iter().any(|(logical, physical)| logical != physical);
        let defaults = self.older.zip(self.newer).is_some_and(|(older, newer)| {
            newer.columns.iter().any(|column| {
                !self.is_added(self.newer_name(&column.name)) && default(older, self.newer_name(&column.name)) != column.default
            })
        });
        self.final_name() != Some(self.name.as_str()) || moved || defaults || !self.removed.is_empty()
    }

    /// Whether nothing of the table is another thing for the newer version.
    pub fn is_same(&self) -> bool {
        self.older.is_some() && self.older == self.newer && self.final_name() == Some(self.name.as_str())
    }

    /// Identity columns that get another form: the older version's column, and the one that takes its place.
    pub fn identities(&self) -> impl Iterator<Item = (String, &Added)> {
        let kept = self.added.iter().filter(|added| self.is_kept() && added.column.identity.is_some());
        kept.filter_map(|added| Some((self.lineage.origin(&added.column.name)?, added)))
    }

    /// Whether the table is a partitioned one.
    pub fn is_partitioned(&self) -> bool {
        self.older.or(self.newer).is_some_and(|table| table.partition_by.is_some())
    }

    /// The foreign keys to be added, under the names that they have until complete.
    pub fn new_foreign_keys(&self) -> Vec<(&String, &Constraint)> {
        let is_key = |constraint: &Constraint| constraint.target().is_some();
        match (self.older, self.newer) {
            (None, Some(newer)) => newer.constraints.iter().filter(|(_, there)| is_key(there)).collect(),
            _ => {
                let added = self.added_constraints.iter().filter(|added| is_key(&added.constraint));
                added.map(|added| (&added.physical, &added.constraint)).collect()
            }
        }
    }

    /// Whether the rows that are there are held to a new constraint, by the name that it has until complete.
    pub fn holds_rows(&self, name: &str) -> bool {
        let added = self.added_constraints.iter().find(|added| added.physical == name);
        let name = added.map_or(name, |added| &added.name);
        !self.newer.is_some_and(|newer| newer.not_valid.contains(name))
    }

    /// Constraints that begin to hold the rows that were there before them: the names so far and to be.
    pub fn validated(&self) -> impl Iterator<Item = &(String, String)> {
        let is_one = |so_far: &String, to_be: &String| {
            self.older.is_some_and(|older| older.not_valid.contains(so_far))
                && self.newer.is_some_and(|newer| !newer.not_valid.contains(to_be))
        };
        self.kept_constraints.iter().filter(move |(so_far, to_be)| is_one(so_far, to_be))
    }

    /// The name that the table will have.
    pub fn final_name(&self) -> Option<&str> {
        self.lineage.in_to.then(|| self.lineage.newest().table.as_str())
    }

    /// The older version's view name.
    pub fn older_view(&self) -> Option<&str> {
        self.lineage.in_from.then(|| self.lineage.oldest().table.as_str())
    }

    /// Whether a shadow column serves this logical column of the newer version.
    pub fn is_added(&self, physical: &str) -> bool {
        self.added.iter().any(|added| added.physical == physical)
    }
}

/// Lays out every table of the chain.
pub fn layout(chain: &Chain) -> Vec<Physical<'_>> {
    let stage = &chain.stage;
    let mut taken: BTreeSet<String> = stage.from.composites.keys().cloned().collect();
    for (name, table) in &stage.from.tables {
        taken.insert(name.clone());
        taken.extend(table.constraints.keys().chain(table.indexes.keys()).cloned());
        taken.extend(table.columns.iter().filter_map(|column| column.sequence_name(name)));
    }
    let taken = Arc::new(taken);
    let mut tables: Vec<_> = stage.lineages.iter().map(|lineage| lay_out(chain, lineage, &taken)).collect();
    put_in_order(&mut tables);
    tables
}

/// No table comes before one that its new foreign keys point at.
fn put_in_order(tables: &mut [Physical<'_>]) {
    loop {
        let late = tables.iter().filter(|table| table.scripts_before > 0);
        let late: BTreeMap<_, _> = late.filter_map(|table| Some((table.final_name()?, table.scripts_before))).collect();
        if late.is_empty() {
            return;
        }
        let behind = tables.iter().enumerate().find_map(|(at, table)| {
            let targets = table.new_foreign_keys().into_iter().filter_map(|(_, key)| key.target());
            let last = targets.filter_map(|name| late.get(name).copied()).max()?;
            (last > table.scripts_before).then_some((at, last))
        });
        match behind {
            Some((at, last)) => tables[at].scripts_before = last,
            None => return,
        }
    }
}

fn lay_out<'a>(chain: &'a Chain, lineage: &'a Lineage, taken: &Arc<BTreeSet<String>>) -> Physical<'a> {
    let version = &chain.newer.name;
    let (oldest, newest) = (&lineage.oldest().table, &lineage.newest().table);
    let older = lineage.in_from.then(|| &chain.stage.from.tables[oldest]);
    let newer = lineage.in_to.then(|| &chain.stage.to.tables[newest]);
    let free = |role: &str, wanted: &str| {
        if taken.contains(wanted) { names::generated(role, &[oldest, wanted, version]) } else { wanted.to_owned() }
    };
    let free_statistics = |wanted: &str| {
        let is_taken = chain.stage.from.tables.values().any(|table| table.statistics.contains_key(wanted));
        if is_taken { names::generated("statistics", &[oldest, wanted, version]) } else { wanted.to_owned() }
    };
    let mut result = Physical {
        lineage,
        name: if lineage.in_from { oldest.clone() } else { free("table", newest) },
        older,
        newer,
        older_names: older.map(own_names).unwrap_or_default(),
        newer_names: Names::new(),
        taken: Arc::default(),
        added: Vec::new(),
        removed: Vec::new(),
        tightened: Vec::new(),
        loosened: Vec::new(),
        kept_constraints: Vec::new(),
        added_constraints: Vec::new(),
        removed_constraints: Vec::new(),
        kept_indexes: Vec::new(),
        added_indexes: Vec::new(),
        removed_indexes: Vec::new(),
        kept_statistics: Vec::new(),
        added_statistics: Vec::new(),
        removed_statistics: Vec::new(),
        replaced_constraints: Vec::new(),
        replaced_indexes: Vec::new(),
        replaced_statistics: Vec::new(),
        scripts_before: lineage.scripts_before,
    };
    match (older, newer) {
        (None, Some(newer)) => {
            result.newer_names = own_names(newer);
            result.taken = Arc::clone(taken);
            let own = newer.statistics.iter().map(|(name, model)| (name.clone(), free_statistics(name), model.clone()));
            result.added_statistics = own.collect();
        }
        (Some(older), Some(newer)) => {
            pair_columns(chain, &mut result, older, newer);
            let kept: BTreeSet<&String> = result.newer_names.values().collect();
            result.removed = older.columns.iter().map(|c| c.name.clone()).filter(|name| !kept.contains(name)).collect();
            pair_constraints(&mut result, &chain.stage, older, newer, &free);
            pair_indexes(&mut result, older, newer, &free);
            pair_statistics(&mut result, older, newer, &free_statistics);
        }
        _ => {}
    }
    result
}

fn own_names(table: &Table) -> Names {
    table.columns.iter().map(|column| (column.name.clone(), column.name.clone())).collect()
}

fn pair_columns(chain: &Chain, result: &mut Physical<'_>, older: &Table, newer: &Table) {
    let table = result.lineage.oldest().table.clone();
    for column in &newer.columns {
        let physical = match result.lineage.same_below(&column.name) {
            Some(below) => {
                match older.columns.iter().find(|there| there.name == below).map(|there| there.nullable) {
                    Some(true) if !column.nullable => result.tightened.push(below.clone()),
                    Some(false) if column.nullable => result.loosened.push(below.clone()),
                    _ => {}
                }
                below
            }
            None => {
                let derived = result.lineage.is_derived_up(&column.name);
                // of a derived one only what an action of a foreign key will ask for
                let is_wanted = |default: &Expression| {
                    if derived { newer.is_set_to_default(&column.name) } else { default.is_fast_default() }
                };
                let default = column.default.clone().filter(is_wanted);
                let physical = names::generated("new", &[&table, &column.name, &chain.newer.name]);
                let numbered = column.identity.is_some() && result.lineage.origin(&column.name).is_none();
                let is_computed = column.identity.is_some() || column.generated.is_some();
                let is_bare = default.is_none() && !is_computed && chain.may_have_default(&column.sql_type);
                result.added.push(Added {
                    column: column.clone(),
                    physical: physical.clone(),
                    derived,
                    numbered,
                    default,
                    is_bare,
                });
                physical
            }
        };
        result.newer_names.insert(column.name.clone(), physical);
    }
}

/// A constraint or index in physical names: what makes one the same as another, but for its own name. Its texts are those that the older
/// version has for them; the last part are the columns that they read.
fn on_physical<T: Clone>(
    item: &T,
    columns: &[String],
    read: Vec<String>,
    names: &Names,
    rename: impl Fn(&mut T, &str, &str),
    texts: impl Fn(&mut T) -> Vec<&mut Expression>,
) -> (T, Vec<String>) {
    let mut mapped = item.clone();
    for column in columns {
        rename(&mut mapped, column, &format!("\u{1}{}", physical_name(names, column)));
    }
    for text in texts(&mut mapped) {
        *text = Expression::new(text.former());
    }
    let mut read: Vec<String> = read.iter().map(|column| physical_name(names, column).to_owned()).collect();
    read.sort();
    (mapped, read)
}

fn pair_constraints(
    result: &mut Physical<'_>,
    stage: &Stage,
    older: &Table,
    newer: &Table,
    free: &impl Fn(&str, &str) -> String,
) {
    let key = |constraint: &Constraint, table: &Table, names: &Names| {
        on_physical(
            constraint,
            &constraint.columns(table),
            table.read_by(constraint.texts()),
            names,
            |item: &mut Constraint, from: &str, to: &str| item.rename_column(from, to),
            Constraint::texts_mut,
        )
    };
    let mut unmatched: Vec<_> =
        older.constraints.iter().map(|(name, there)| (name, key(there, older, &result.older_names))).collect();
    let mut rest = Vec::new();
    for (name, constraint) in &newer.constraints {
        let mut wanted = key(constraint, newer, &result.newer_names);
        aim_at_older(&mut wanted.0, stage);
        // one that holds every row cannot be made one that does not
        let is_fit = |so_far: &String| !newer.not_valid.contains(name) || older.not_valid.contains(so_far);
        let same = |(so_far, there): &(&String, (Constraint, Vec<String>))| *there == wanted && is_fit(so_far);
        let found = unmatched.iter().position(|there| same(there) && there.0 == name).or_else(|| unmatched.iter().position(same));
        match found {
            Some(at) => result.kept_constraints.push((unmatched.remove(at).0.clone(), name.clone())),
            None => rest.push((name.clone(), constraint.clone())),
        }
    }
    let through = through_origins(result);
    let mut gone: Vec<_> = unmatched
        .into_iter()
        .map(|(name, key)| {
            let there = &older.constraints[name];
            let kind = std::mem::discriminant(there);
            Form { name: name.clone(), columns: (kind, there.columns(older)), key }
        })
        .collect();
    result.removed_constraints = gone.iter().map(|form| form.name.clone()).collect();
    for (name, constraint) in rest {
        let physical = free("key", &name);
        let columns = constraint.columns(newer).iter().map(|column| physical_name(&through, column).to_owned()).collect();
        let columns = (std::mem::discriminant(&constraint), columns);
        let form = Form { name: name.clone(), columns, key: key(&constraint, newer, &through) };
        result
            .replaced_constraints
            .extend(form.replaces(&mut gone).map(|so_far| Replaced { so_far, physical: physical.clone() }));
        result.added_constraints.push(AddedConstraint { name, physical, constraint });
    }
}

/// The newer version's columns, each with the older one's column that it is, or is another form of.
fn through_origins(result: &Physical<'_>) -> Names {
    let below = |logical: &String, physical: &String| {
        let origin = result.is_added(physical).then(|| result.lineage.origin(logical)).flatten();
        origin.unwrap_or_else(|| physical.clone())
    };
    result.newer_names.iter().map(|(logical, physical)| (logical.clone(), below(logical, physical))).collect()
}

/// A constraint or index, to be paired with one that takes its place: by its name and columns, or by all that it says.
struct Form<K, C> {
    name: String,
    columns: C,
    key: K,
}

impl<K: PartialEq, C: PartialEq> Form<K, C> {
    /// The name of the one of these that it replaces, which is no longer among them.
    fn replaces(&self, gone: &mut Vec<Self>) -> Option<String> {
        let named = gone.iter().position(|there| there.name == self.name && there.columns == self.columns);
        let at = named.or_else(|| gone.iter().position(|there| there.key == self.key))?;
        Some(gone.remove(at).name)
    }
}

/// A foreign key's target under the names that it has in the older version; a target that is not there matches nothing.
fn aim_at_older(constraint: &mut Constraint, stage: &Stage) {
    let Constraint::ForeignKey { references, .. } = constraint else { return };
    let Some(lineage) = stage.lineages.iter().find(|there| there.in_to && there.newest().table == references.table) else {
        return;
    };
    references.table = if lineage.in_from { lineage.oldest().table.clone() } else { "\u{1}".to_owned() };
    for column in &mut references.columns {
        *column = lineage.same_below(column).unwrap_or_else(|| format!("\u{1}{column}"));
    }
}

fn pair_indexes(result: &mut Physical<'_>, older: &Table, newer: &Table, free: &impl Fn(&str, &str) -> String) {
    let key = |index: &Index, table: &Table, names: &Names| {
        on_physical(
            index,
            &index.columns(table),
            table.read_by(index.texts()),
            names,
            |item: &mut Index, from: &str, to: &str| {
                item.rename_column(from, to);
            },
            Index::texts_mut,
        )
    };
    let older = Side { table: older, items: &older.indexes };
    let newer = Side { table: newer, items: &newer.indexes };
    let pairs = pair(result, &older, &newer, key, Index::columns, |name| free("index", name));
    (result.kept_indexes, result.added_indexes) = (pairs.kept, pairs.added);
    (result.removed_indexes, result.replaced_indexes) = (pairs.removed, pairs.replaced);
}

fn pair_statistics(result: &mut Physical<'_>, older: &Table, newer: &Table, free: &impl Fn(&str) -> String) {
    let key = |statistics: &Statistics, table: &Table, names: &Names| {
        on_physical(
            statistics,
            &table.columns_of(statistics),
            table.read_by(statistics.texts()),
            names,
            |item: &mut Statistics, from: &str, to: &str| item.rename_column(from, to),
            Statistics::texts_mut,
        )
    };
    let older = Side { table: older, items: &older.statistics };
    let newer = Side { table: newer, items: &newer.statistics };
    let pairs = pair(result, &older, &newer, key, |item, table| table.columns_of(item), free);
    (result.kept_statistics, result.added_statistics) = (pairs.kept, pairs.added);
    (result.removed_statistics, result.replaced_statistics) = (pairs.removed, pairs.replaced);
}

/// What a version's table has of one kind, by name.
struct Side<'a, T> {
    table: &'a Table,
    items: &'a BTreeMap<String, T>,
}

/// What both versions have, what comes and goes, and what takes the place of another.
struct Pairs<T> {
    kept: Vec<(String, String)>,
    added: Vec<(String, String, T)>,
    removed: Vec<String>,
    replaced: Vec<Replaced>,
}

fn pair<T: Clone + PartialEq>(
    result: &Physical<'_>,
    older: &Side<'_, T>,
    newer: &Side<'_, T>,
    key: impl Fn(&T, &Table, &Names) -> (T, Vec<String>),
    columns: impl Fn(&T, &Table) -> Vec<String>,
    free: impl Fn(&str) -> String,
) -> Pairs<T> {
    let mut unmatched: Vec<_> =
        older.items.iter().map(|(name, there)| (name, key(there, older.table, &result.older_names))).collect();
    let (mut kept, mut come) = (Vec::new(), Vec::new());
    for (name, item) in newer.items {
        let wanted = key(item, newer.table, &result.newer_names);
        let found = unmatched
            .iter()
            .position(|there| there.1 == wanted && there.0 == name)
            .or_else(|| unmatched.iter().position(|there| there.1 == wanted));
        match found {
            Some(at) => kept.push((unmatched.remove(at).0.clone(), name.clone())),
            None => come.push((name, item)),
        }
    }
    let through = through_origins(result);
    let form = |(name, key): (&String, _)| Form { name: name.clone(), columns: columns(&older.items[name], older.table), key };
    let mut gone: Vec<_> = unmatched.into_iter().map(form).collect();
    let removed = gone.iter().map(|form| form.name.clone()).collect();
    let (mut added, mut replaced) = (Vec::new(), Vec::new());
    for (name, item) in come {
        let physical = free(name);
        let own = columns(item, newer.table).iter().map(|column| physical_name(&through, column).to_owned()).collect();
        let form = Form { name: name.clone(), columns: own, key: key(item, newer.table, &through) };
        replaced.extend(form.replaces(&mut gone).map(|so_far| Replaced { so_far, physical: physical.clone() }));
        added.push((name.clone(), physical, item.clone()));
    }
    Pairs { kept, added, removed, replaced }
}

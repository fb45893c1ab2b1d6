//! Random enums, random changes of their labels, and the account of what becomes of those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use diptych_core::migration::ops::alter_enum::Allowed;
use diptych_core::migration::ops::{AlterEnum, CreateEnum, DropEnum};
use diptych_core::model::schema::Enum;
use diptych_core::model::types::{element, is_array, spelled};
use diptych_core::sql::{ident, literal};
use diptych_core::{Column, Constraint, DeclaredEnum, DeclaredLabel, Operation, Schema, Table};
use fastrand::Rng;

use super::account::{Layer, Value, Way};
use super::changes;
use super::schemas::{comment, relations};
use super::values::{KINDS, Kind, harmless, of_labels};

/// The enums of a version.
pub(crate) type Enums = BTreeMap<String, Enum>;

/// Names of types: words of SQL, what must be quoted, names that columns have too, and one as long as the server keeps it.
const NAMES: &[&str] = &[
    "mood",
    "kind",
    "Pet Kind",
    "order",
    "user",
    "row",
    "it's",
    "we\"ird",
    "日本語",
    "0digit",
    "a_type_whose_name_is_as_long_as_the_server_keeps_one_and_no_more",
];
/// Labels: plain ones, what must be quoted in texts or arrays, and one as long as the server keeps it.
const LABELS: &[&str] = &[
    "sad",
    "meh",
    "happy",
    "Happy",
    "a",
    "b",
    "it's",
    "two words",
    "日本",
    "back\\slash",
    "NULL",
    "",
    "{a,b}",
    "\"quoted\"",
    "$1",
    "%s",
    "a_label_that_is_just_as_long_as_the_server_keeps_it_and_no_more",
];

/// The kind of an enum's columns, or of arrays of it; nothing for other types.
pub(super) fn kind(enums: &Enums, sql_type: &str) -> Option<&'static Kind> {
    static KNOWN: Mutex<BTreeMap<(String, Vec<String>), &'static Kind>> = Mutex::new(BTreeMap::new());
    let labels = &enums.get(&element(sql_type))?.labels;
    let mut known = KNOWN.lock().expect("no panic meanwhile");
    let made = || -> &'static Kind { Box::leak(Box::new(of_labels(sql_type.to_owned().leak(), labels.clone().leak()))) };
    Some(known.entry((sql_type.to_owned(), labels.clone())).or_insert_with(made))
}

/// Every kind that an enum gives: its own and the array's.
pub(super) fn kinds(enums: &Enums) -> Vec<&'static Kind> {
    let with_labels = enums.iter().filter(|(_, model)| !model.labels.is_empty());
    let types = with_labels.flat_map(|(name, _)| [spelled(name), format!("{}[]", spelled(name))]);
    types.filter_map(|sql_type| kind(enums, &sql_type)).collect()
}

/// Whether a column's type is one of the model, or an array of it.
pub(super) fn is_enum(sql_type: &str) -> bool {
    KINDS.iter().all(|kind| kind.sql != sql_type)
}

/// Some enums for a schema without tables.
pub(super) fn some(rng: &mut Rng) -> Enums {
    let mut schema = Schema::default();
    for _ in 0..rng.u8(..3) {
        let (name, model) = another(rng, &schema, &BTreeSet::new());
        schema.enums.insert(name, model);
    }
    schema.enums
}

/// An enum with a name that neither the schema nor the list has.
fn another(rng: &mut Rng, schema: &Schema, taken: &BTreeSet<String>) -> (String, Enum) {
    let taken: BTreeSet<String> = relations(schema).union(taken).cloned().collect();
    let plain = *rng.choice(NAMES).expect("names");
    let cut = &plain[..plain.len().min(63)];
    let name = (1..).map(|n| if n == 1 { cut.to_owned() } else { format!("{n} {}", &cut[..cut.len().min(60)]) });
    let name = name.into_iter().find(|name| !taken.contains(name)).expect("a name");
    let mut labels = LABELS.to_vec();
    rng.shuffle(&mut labels);
    // a few have none
    labels.truncate(if rng.u8(..20) == 0 { 0 } else { rng.usize(1..=5) });
    (name, Enum { comment: comment(rng), labels: labels.into_iter().map(str::to_owned).collect() })
}

/// A check of one enum column that names every label.
pub(super) fn names_labels(enums: &Enums, column: &Column) -> Option<String> {
    let labels = &enums.get(&element(&column.sql_type))?.labels;
    if is_array(&column.sql_type) || labels.is_empty() {
        return None;
    }
    let list = labels.iter().map(|label| literal(label).as_str().trim_start().to_owned()).collect::<Vec<_>>().join(", ");
    Some(format!("{} = ANY (ARRAY[{list}]::{}[])", ident(&column.name), column.sql_type))
}

/// A label of a column's type.
pub(super) fn some_label(rng: &mut Rng, enums: &Enums, column: &Column) -> Option<String> {
    let model = enums.get(&element(&column.sql_type))?;
    let label = rng.choice(&model.labels).filter(|_| !is_array(&column.sql_type))?;
    Some(literal(label).as_str().trim_start().to_owned())
}

/// Whether a check of the table names labels of this column's type.
pub(super) fn is_named(table: &Table, column: &Column) -> bool {
    let cast = format!("]::{}[]", column.sql_type);
    let checks = table.constraints.values().filter(|there| matches!(there, Constraint::Check { .. }));
    checks.flat_map(|there| there.texts()).any(|text| text.contains(&cast))
}

/// Another list of labels or comment for an enum; in structs, no two labels change their names with each other.
fn changed(rng: &mut Rng, name: &str, before: &Enum, in_structs: bool) -> AlterEnum {
    let mut change = AlterEnum { name: name.to_owned(), ..AlterEnum::default() };
    if rng.u8(..6) == 0 {
        change.comment = Some(comment(rng)).filter(|now| *now != before.comment);
    }
    let mut labels = before.labels.clone();
    let fresh = |rng: &mut Rng, labels: &[String]| {
        let free = |label: &&&str| !before.labels.iter().chain(labels).any(|there| there == **label);
        rng.choice(LABELS.iter().filter(free).collect::<Vec<_>>()).map(|label| (*label).to_owned())
    };
    if rng.u8(..3) == 0 && !labels.is_empty() {
        let at = rng.usize(..labels.len());
        let other = rng.usize(..labels.len());
        if !in_structs && at != other && rng.bool() {
            change.rename = [(labels[at].clone(), labels[other].clone()), (labels[other].clone(), labels[at].clone())].into();
        } else if let Some(label) = fresh(rng, &labels) {
            change.rename = [(labels[at].clone(), label.clone())].into();
            labels[at] = label;
        }
    }
    let mut gone = Vec::new();
    if rng.u8(..3) == 0 && labels.len() > 1 {
        let at = rng.usize(..labels.len());
        if before.labels.contains(&labels[at]) && change.rename.is_empty() {
            gone.push(labels.remove(at));
        }
    }
    for _ in 0..rng.u8(..3) {
        let Some(label) = fresh(rng, &labels) else { continue };
        let to = rng.choice(&before.labels).filter(|_| rng.u8(..5) > 0);
        match to {
            Some(to) => drop(change.down.insert(label.clone(), to.clone())),
            // a few that are to be refused
            None => change.allow = (rng.u8(..20) > 0).then_some(Allowed::OldReadsNewLabels),
        }
        labels.insert(rng.usize(..=labels.len()), label);
    }
    if rng.u8(..5) == 0 {
        rng.shuffle(&mut labels);
    }
    change.up = gone.into_iter().filter_map(|label| Some((label, rng.choice(&labels)?.clone()))).collect();
    change.labels = (labels != before.labels || !change.rename.is_empty()).then_some(labels);
    change
}

fn after(change: &AlterEnum, before: &Enum) -> Enum {
    Enum {
        labels: change.labels.clone().unwrap_or_else(|| before.labels.clone()),
        comment: change.comment.clone().unwrap_or_else(|| before.comment.clone()),
    }
}

// -- operations

/// One change of the enums as operations.
pub(super) fn operations(rng: &mut Rng, schema: &Schema) -> Option<Vec<Operation>> {
    let name = rng.choice(schema.enums.keys().collect::<Vec<_>>()).filter(|_| rng.u8(..5) > 0);
    let Some(name) = name else {
        let (name, model) = another(rng, schema, &BTreeSet::new());
        return Some(vec![CreateEnum::of(&name, &model).into()]);
    };
    if rng.u8(..4) > 0 {
        let change = changed(rng, name, &schema.enums[name], false);
        // a few that are to be refused
        let is_idle = change.labels.is_none() && change.comment.is_none();
        return (!is_idle || rng.u8(..15) == 0).then(|| vec![change.into()]);
    }
    let columns: Vec<(&str, &Column)> = schema.columns_of_type(name).collect();
    let mut result = Vec::new();
    let mut left = schema.clone();
    for (table, column) in columns {
        // a few that are to be refused
        if rng.u8(..15) > 0 {
            result.extend(changes::drop_this(rng, &left, table, column)?);
            left.tables.get_mut(table).expect("there").columns.retain(|there| there.name != column.name);
        }
    }
    result.push(DropEnum { name: name.clone() }.into());
    Some(result)
}

/// Enters a change of labels: every column of the type is another one.
pub(super) fn enter(ways: &mut [Way], change: &AlterEnum, before: &Schema) {
    for way in ways {
        let Some((name, table)) = way.new.as_ref().and_then(|name| before.tables.get_key_value(name)) else { continue };
        way.layers.extend(layer(change, before, name, table));
    }
}

/// What a change of labels does to a table; nothing where that has no column of the type.
pub(super) fn layer(change: &AlterEnum, before: &Schema, name: &str, table: &Table) -> Option<Layer> {
    let old = &before.enums[&change.name].labels;
    let new = change.labels.as_ref()?;
    let below = (name.to_owned(), table.columns.clone());
    let mut layer = Layer { above: below.clone(), below, up: BTreeMap::new(), down: BTreeMap::new() };
    for column in table.columns.iter().filter(|column| element(&column.sql_type) == change.name) {
        let up = old.iter().map(|label| {
            let to = change.rename.get(label).or_else(|| change.up.get(label)).unwrap_or(label);
            (label.as_str(), Some(to.as_str()))
        });
        let default = column.default.as_deref().filter(|_| !is_array(&column.sql_type)).and_then(label_of);
        let down = new.iter().map(|label| {
            let renamed = change.rename.iter().find(|(_, to)| *to == label).map(|(from, _)| from);
            let same = Some(label).filter(|label| old.contains(label) && !change.rename.contains_key(*label));
            let known = renamed.or(same).or_else(|| change.down.get(label));
            let known = known.or_else(|| default.as_ref().filter(|label| old.contains(label)));
            (label.as_str(), known.map(String::as_str))
        });
        layer.up.insert(column.name.clone(), Value::Of(by_label(column, up)));
        layer.down.insert(column.name.clone(), Value::Of(by_label(column, down)));
    }
    (!layer.up.is_empty()).then_some(layer)
}

/// A column's labels one by one, as text.
fn by_label<'a>(column: &Column, pairs: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let arms = pairs.map(|(from, to)| {
        format!("WHEN {} THEN {}", literal(from), to.map_or_else(|| "NULL".to_owned(), |to| literal(to).as_str().to_owned()))
    });
    let arms = arms.collect::<Vec<_>>().join(" ");
    let name = ident(&column.name);
    if is_array(&column.sql_type) {
        return format!(
            "CASE WHEN {name} IS NOT NULL THEN ARRAY(SELECT CASE \"~\".one {arms} END FROM unnest({name}::text[]) WITH ORDINALITY AS \"~\" (one, at) ORDER BY \"~\".at) END"
        );
    }
    format!("CASE {name}::text {arms} END")
}

/// The label of a default that is nothing else.
fn label_of(default: &str) -> Option<String> {
    LABELS
        .iter()
        .find(|label| default.trim_start().starts_with(&format!("{}::", literal(label).as_str().trim_start())))
        .map(|label| (*label).to_owned())
}

// -- structs

/// The enums of the next release's structs.
pub(super) struct Next {
    /// What they declare.
    pub(super) declared: Vec<DeclaredEnum>,
    /// Every enum of either version, with the newer one's labels.
    pub(super) all: Enums,
    /// What was done to those of the older version.
    pub(super) changes: Vec<AlterEnum>,
    /// Those that go where no column is left.
    pub(super) goes: Vec<String>,
}

/// Enums kept, altered and added.
pub(super) fn next_release(rng: &mut Rng, schema: &Schema) -> Next {
    let mut next = Next { declared: Vec::new(), all: schema.enums.clone(), changes: Vec::new(), goes: Vec::new() };
    for (name, before) in &schema.enums {
        let mut change = AlterEnum { name: name.clone(), ..AlterEnum::default() };
        match rng.u8(..6) {
            0 | 1 => change = changed(rng, name, before, true),
            2 | 3 => next.goes.push(name.clone()),
            _ => {}
        }
        let model = after(&change, before);
        let label = |label: &String| DeclaredLabel {
            label: label.clone(),
            renamed_from: change.rename.iter().find(|(_, to)| *to == label).map(|(from, _)| from.clone()),
            down: change.down.get(label).cloned(),
            allow: change.allow.filter(|_| {
                !before.labels.contains(label)
                    && !change.rename.values().any(|to| to == label)
                    && !change.down.contains_key(label)
            }),
        };
        let labels = model.labels.iter().map(label).collect();
        next.declared.push(DeclaredEnum {
            name: name.clone(),
            comment: model.comment.clone(),
            labels,
            dropped: change.up.clone(),
        });
        next.all.insert(name.clone(), model);
        next.changes.push(change);
    }
    if rng.u8(..4) == 0 {
        let taken = Schema { enums: next.all.clone(), ..schema.clone() };
        let (name, model) = another(rng, &taken, &BTreeSet::new());
        next.declared.push(as_declared(&name, &model));
        next.all.insert(name, model);
    }
    next
}

fn as_declared(name: &str, model: &Enum) -> DeclaredEnum {
    let label = |label: &String| DeclaredLabel { label: label.clone(), ..DeclaredLabel::default() };
    DeclaredEnum {
        name: name.to_owned(),
        comment: model.comment.clone(),
        labels: model.labels.iter().map(label).collect(),
        dropped: BTreeMap::new(),
    }
}

impl Next {
    /// A column with a default that its enum still has.
    pub(super) fn forward(&self, rng: &mut Rng, column: &Column) -> Column {
        let mut column = column.clone();
        let change = self.changes.iter().find(|change| change.labels.is_some() && change.name == element(&column.sql_type));
        if let (Some(change), Some(default)) = (change, &column.default) {
            let kind = kind(&self.all, &column.sql_type).expect("an enum");
            let goes = change.rename.keys().chain(change.up.keys()).any(|label| default.contains(label.as_str()));
            let to = label_of(default).and_then(|label| change.rename.get(&label).or_else(|| change.up.get(&label)));
            column.default = Some(match to {
                Some(to) if !is_array(&column.sql_type) => {
                    format!("{}::{}", literal(to).as_str().trim_start(), column.sql_type).into()
                }
                _ if goes => kind.literal(rng.u64(..9)).into(),
                _ => default.clone(),
            });
        }
        column
    }

    /// What the changes of labels do to a table, one after another.
    pub(super) fn layers(&self, schema: &Schema, name: &str, table: &Table) -> Vec<Layer> {
        self.changes.iter().filter_map(|change| layer(change, schema, name, table)).collect()
    }

    /// The column of an enum that changes whose labels a check or predicate names.
    pub(super) fn named<'a>(&self, table: &'a Table, text: &str) -> Option<&'a Column> {
        table.columns.iter().find(|column| {
            let name = element(&column.sql_type);
            self.changes.iter().any(|change| change.name == name && change.labels.is_some())
                && text.contains(&format!("{} = ", ident(&column.name)))
        })
    }

    /// A check, with the labels as they are now where it names those of an enum that changes.
    pub(super) fn check(&self, rng: &mut Rng, table: &Table, check: &str) -> String {
        let Some(column) = self.named(table, check) else { return check.to_owned() };
        names_labels(&self.all, column).unwrap_or_else(|| harmless(&column.name, rng))
    }
}

//! The change said once more as plain queries: how the rows of one version look in the other.

use std::collections::{BTreeMap, BTreeSet};

use diptych_core::model::types::is_array;
use diptych_core::sql::ident;
use diptych_core::{Column, Operation, Schema, Table};

use super::enums::{self, is_enum};
use super::mentions;
use super::values::is_constant;

/// One table on its way from the older version to the newer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    /// Its name in the older version.
    pub(crate) old: Option<String>,
    /// Its name in the newer version.
    pub(crate) new: Option<String>,
    /// What was done to it, from the older side up.
    pub(crate) layers: Vec<Layer>,
}

/// One change of a table: how the columns above come from those below, and back.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// The table's name and columns below.
    pub(crate) below: (String, Vec<Column>),
    /// The same above.
    pub(crate) above: (String, Vec<Column>),
    /// The columns above that are not simply those of the same name below.
    pub(crate) up: BTreeMap<String, Value>,
    /// The columns below that are not simply those of the same name above.
    pub(crate) down: BTreeMap<String, Value>,
}

/// What a column holds.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// An expression over the other side's columns.
    Of(String),
    /// What nobody can foretell.
    Unknown,
}

impl Value {
    /// The value where nobody supplied one.
    pub(crate) fn default_of(column: &Column) -> Self {
        match &column.default {
            _ if column.identity.is_some() || column.generated.is_some() => Value::Unknown,
            Some(default) if is_constant(default) => Value::Of(default.as_str().to_owned()),
            Some(_) => Value::Unknown,
            None => Value::Of("NULL".to_owned()),
        }
    }

    /// An expression, else the value where nobody supplied one.
    pub(crate) fn or_default(expression: Option<&String>, column: &Column) -> Self {
        match expression.map(String::as_str).or(column.default.as_deref()) {
            Some(text) if expression.is_some() || is_constant(text) => Value::Of(text.to_owned()),
            _ => Value::default_of(column),
        }
    }
}

/// Every table's way at the beginning.
pub(crate) fn begin(schema: &Schema) -> Vec<Way> {
    schema.tables.keys().map(|name| Way { old: Some(name.clone()), new: Some(name.clone()), layers: Vec::new() }).collect()
}

/// Enters an operation; the schemas are those before and after it.
pub(crate) fn enter(ways: &mut Vec<Way>, operation: &Operation, before: &Schema, after: &Schema) {
    let itself = |name: &String| ident(name).as_str().to_owned();
    let (from, to, up, down) = match operation {
        Operation::CreateTable(create) => {
            return ways.push(Way { old: None, new: Some(create.name.clone()), layers: Vec::new() });
        }
        Operation::AlterEnum(change) => return enums::enter(ways, change, before),
        Operation::DropTable(drop) => return way_of(ways, &drop.name).new = None,
        Operation::RenameTable(rename) => (&rename.from, &rename.to, BTreeMap::new(), BTreeMap::new()),
        Operation::AddColumn(add) => {
            let column = find(&after.tables[&add.table], &add.column.name);
            let up = [(column.name.clone(), Value::or_default(add.up.as_ref(), column))];
            (&add.table, &add.table, up.into(), BTreeMap::new())
        }
        Operation::DropColumn(drop) => {
            let column = find(&before.tables[&drop.table], &drop.column);
            // its default may be another one than the older version's
            let is_touched = way_of(ways, &drop.table).layers.iter().any(|layer| layer.up.contains_key(&column.name));
            let down = [(
                column.name.clone(),
                match &drop.down {
                    Some(down) => Value::Of(down.clone()),
                    None if is_touched => Value::Unknown,
                    None => Value::default_of(column),
                },
            )];
            (&drop.table, &drop.table, BTreeMap::new(), down.into())
        }
        Operation::RenameColumn(rename) => {
            let up = [(rename.to.clone(), Value::Of(itself(&rename.from)))];
            let down = [(rename.from.clone(), Value::Of(itself(&rename.to)))];
            (&rename.table, &rename.table, up.into(), down.into())
        }
        Operation::AlterColumn(alter) => {
            let value = |given: &Option<String>| {
                [(alter.column.clone(), Value::Of(given.clone().unwrap_or_else(|| itself(&alter.column))))]
            };
            (&alter.table, &alter.table, value(&alter.up).into(), value(&alter.down).into())
        }
        Operation::Update(update) => {
            let new = |name: &String, value: &String| match &update.condition {
                Some(condition) => format!("CASE WHEN {condition} THEN {value} ELSE {} END", itself(name)),
                None => value.clone(),
            };
            let up = update.set.iter().map(|(name, value)| (name.clone(), Value::Of(new(name, value))));
            let down = update
                .set
                .keys()
                .map(|name| (name.clone(), Value::Of(update.down.get(name).cloned().unwrap_or_else(|| itself(name)))));
            (&update.table, &update.table, up.collect(), down.collect())
        }
        Operation::CreateConstraint(create) if !create.up.is_empty() => {
            let up = create.up.iter().map(|(name, up)| (name.clone(), Value::Of(up.clone())));
            let down = create
                .up
                .keys()
                .map(|name| (name.clone(), Value::Of(create.down.get(name).cloned().unwrap_or_else(|| itself(name)))));
            (&create.table, &create.table, up.collect(), down.collect())
        }
        Operation::DropMulticolumnConstraint(drop) => {
            let up = drop
                .down
                .keys()
                .map(|name| (name.clone(), Value::Of(drop.up.get(name).cloned().unwrap_or_else(|| itself(name)))));
            let down = drop.down.iter().map(|(name, down)| (name.clone(), Value::Of(down.clone())));
            (&drop.table, &drop.table, up.collect(), down.collect())
        }
        Operation::DropConstraint(drop) if drop.up.is_some() || drop.down.is_some() => {
            let model = &before.tables[&drop.table];
            let column = &model.constraints[&drop.name].columns(model)[0];
            let value = |given: &Option<String>| [(column.clone(), Value::Of(given.clone().unwrap_or_else(|| itself(column))))];
            (&drop.table, &drop.table, value(&drop.up).into(), value(&drop.down).into())
        }
        _ => return,
    };
    let way = way_of(ways, from);
    way.new = Some(to.clone());
    let side = |schema: &Schema, name: &String| (name.clone(), schema.tables[name].columns.clone());
    way.layers.push(Layer { below: side(before, from), above: side(after, to), up, down });
}

fn way_of<'a>(ways: &'a mut [Way], name: &str) -> &'a mut Way {
    ways.iter_mut().find(|way| way.new.as_deref() == Some(name)).expect("a table that is there")
}

fn find<'a>(table: &'a Table, name: &str) -> &'a Column {
    table.columns.iter().find(|column| column.name == name).expect("a column that is there")
}

/// A table expression for the rows of one side as the other has them, and the columns that nobody can foretell.
pub(crate) fn derived(way: &Way, upwards: bool, view: &str) -> (String, BTreeSet<String>) {
    let mut query = view.to_owned();
    let mut unknown = BTreeSet::new();
    let layers: Vec<&Layer> = if upwards { way.layers.iter().collect() } else { way.layers.iter().rev().collect() };
    for layer in layers {
        let (source, target, values) =
            if upwards { (&layer.below, &layer.above, &layer.up) } else { (&layer.above, &layer.below, &layer.down) };
        let mut unforeseen = BTreeSet::new();
        let columns = target.1.iter().map(|column| {
            let own = Value::Of(ident(&column.name).as_str().to_owned());
            let value = match values.get(&column.name).unwrap_or(&own) {
                Value::Of(text) if !source.1.iter().any(|there| unknown.contains(&there.name) && mentions(text, &there.name)) => {
                    text.as_str()
                }
                _ => {
                    unforeseen.insert(column.name.clone());
                    "NULL"
                }
            };
            // labels as texts: a type may be another one in either version
            let plain = match (is_enum(&column.sql_type), is_array(&column.sql_type)) {
                (false, _) => column.sql_type.as_str(),
                (true, true) => "text[]",
                (true, false) => "text",
            };
            let value = value.replace(&format!("::{}", column.sql_type), &format!("::{plain}"));
            format!("CAST(({value}\n) AS {plain}) AS {}", ident(&column.name))
        });
        query = format!("(SELECT {} FROM {query} AS {})", columns.collect::<Vec<_>>().join(", "), ident(&source.0));
        unknown = unforeseen;
    }
    (query, unknown)
}

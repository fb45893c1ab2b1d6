//! Random changes of a schema as the next release's structs.

use std::collections::{BTreeMap, BTreeSet};

use diptych_core::model::lexer;
use diptych_core::model::schema::{Enum, rename_in};
use diptych_core::sql::ident;
use diptych_core::{
    Column, Constraint, DeclaredColumn, DeclaredEnum, DeclaredSchema, DeclaredTable, DroppedColumn, Schema, Table,
};
use diptych_tests::major;
use fastrand::Rng;

use super::account::{Layer, Value, Way};
use super::changes::{alter, harmless_index, is_read, is_target, new_names, out_of};
use super::constraints::{self, is_excluded};
use super::enums::{self, Next};
use super::mentions;
use super::partitions;
use super::schemas::{self, comment, name, relations};
use super::values::{harmless, sequence};

/// The structs of the next release, and what they say about every table.
pub(crate) fn next_release(rng: &mut Rng, schema: &Schema) -> (DeclaredSchema, Vec<Way>) {
    let next = enums::next_release(rng, schema);
    let mut result = DeclaredSchema { enums: next.declared.clone(), ..DeclaredSchema::default() };
    let mut ways = Vec::new();
    let mut names = relations(schema);
    names.extend(next.all.keys().cloned());
    for (old, table) in &schema.tables {
        if schema.tables.len() > 1 && rng.u8(..8) == 0 {
            result.dropped.push(old.clone());
            ways.push(Way { old: Some(old.clone()), ..Way::default() });
            continue;
        }
        let new = if rng.u8(..6) == 0 { name(rng, &names) } else { old.clone() };
        names.insert(new.clone());
        let (table, way) = next_table(rng, schema, &next, old, table, &new);
        result.tables.push(table);
        ways.push(way);
    }
    for at in 0..result.tables.len() {
        follow(rng, schema, &next, at, &mut result, &ways);
    }
    if rng.u8(..3) == 0 {
        let model = wanted(&result);
        names.extend(relations(&model));
        let name = name(rng, &names);
        names.insert(name.clone());
        let table = schemas::table(rng, &model, &name);
        let table = new_names(rng, table, &mut names);
        ways.push(Way { old: None, new: Some(name.clone()), layers: Vec::new() });
        result.tables.push(declared(&name, &table));
    }
    for at in 0..result.tables.len() {
        names.extend(relations(&wanted(&result)));
        let table = result.tables[at].name.clone();
        if rng.u8(..6) == 0 {
            result.tables[at].replica_identity = constraints::replica_identity(rng, &wanted(&result).tables[&table]);
        } else if wanted(&result).tables[&table].check_replica_identity(&table).is_err() {
            result.tables[at].replica_identity = None;
        }
        if rng.u8(..6) == 0 {
            result.tables[at].storage = schemas::storage(rng, &wanted(&result).tables[&table]);
        }
        if rng.u8(..4) == 0
            && let Some((_, constraint)) = constraints::harmless_constraint(rng, &wanted(&result), &table)
        {
            let name = name(rng, &names);
            names.insert(name.clone());
            result.tables[at].constraints.push((Some(name), constraint));
        }
        if rng.u8(..4) == 0
            && let Some(index) = harmless_index(rng, &next.all, &wanted(&result).tables[&table])
        {
            let name = name(rng, &names);
            names.insert(name.clone());
            result.tables[at].indexes.push((Some(name), index));
        }
        if rng.clone().u8(..6) == 0
            && let Some(own) = schemas::statistics(rng, &next.all, &wanted(&result).tables[&table])
        {
            let taken = schemas::names_of_statistics(&wanted(&result));
            result.tables[at].statistics.push((Some(name(rng, &taken)), own));
        }
    }
    let model = wanted(&result);
    for name in &next.goes {
        if model.columns_of_type(name).next().is_none() {
            result.enums.retain(|there| there.name != *name);
            result.dropped.push(name.clone());
        }
    }
    let mut copy = rng.clone();
    let (kept, gone): (Vec<_>, Vec<_>) = schema.extensions.iter().cloned().partition(|_| copy.bool());
    result.extensions = kept;
    result.dropped.extend(gone);
    let new = schemas::extension(&mut copy).filter(|name| !schema.extensions.contains(name));
    result.extensions.extend(new);
    result.domains = schema.domains.clone();
    if let Some(domain) = result.domains.values_mut().next().filter(|_| copy.u8(..4) == 0) {
        domain.checks.clear();
    }
    result.composites = schema.composites.clone();
    if let Some(composite) = result.composites.values_mut().next().filter(|_| copy.u8(..4) == 0) {
        composite.comment = Some("two of them".to_owned());
    }
    // the first may change, the last may go, and another one may come
    result.sequences = schema.sequences.clone();
    if let Some((name, own)) = result.sequences.iter_mut().next().filter(|_| copy.u8(..4) == 0) {
        *own = sequence(&mut copy);
        if own.descends() != schema.sequences[name].descends() {
            own.clone_from(&schema.sequences[name]);
        }
    }
    if copy.u8(..6) == 0
        && let Some((name, _)) = result.sequences.pop_last()
    {
        result.dropped.push(name);
    } else if copy.u8(..6) == 0 {
        let taken = schemas::relations(&wanted(&result)).union(&schemas::relations(schema)).cloned().collect();
        result.sequences.insert(name(&mut copy, &taken), sequence(&mut copy));
    }
    (result, ways)
}

/// The table's struct, its columns kept, altered, renamed, dropped and added; constraints and indexes follow later.
fn next_table(rng: &mut Rng, schema: &Schema, enums: &Next, old: &str, before: &Table, new: &str) -> (DeclaredTable, Way) {
    let mut layers = enums.layers(schema, old, before);
    let mut before = before.clone();
    for column in &mut before.columns {
        *column = enums.forward(rng, column);
    }
    let before = &before;
    let mut next = DeclaredTable { name: new.to_owned(), comment: before.comment.clone(), ..DeclaredTable::default() };
    next.renamed_from = (new != old).then(|| old.to_owned());
    next.storage = before.storage.clone();
    next.replica_identity = before.replica_identity.clone();
    next.partition_by = before.partition_by.clone();
    // a few that are to be refused
    if rng.u8(..100) == 0 {
        next.partition_by = before.partition_by.as_ref().map_or_else(|| Some("HASH (id)".into()), |_| None);
    }
    if rng.u8(..8) == 0 {
        next.comment = comment(rng);
    }
    let mut layer = Layer {
        below: (old.to_owned(), before.columns.clone()),
        above: (new.to_owned(), Vec::new()),
        up: BTreeMap::new(),
        down: BTreeMap::new(),
    };
    let mut taken: BTreeSet<String> = before.columns.iter().map(|column| column.name.clone()).collect();
    let mut gone = Vec::new();
    for (at, column) in before.columns.iter().enumerate() {
        let mut fate = rng.u8(..20);
        // a few that are to be refused
        if partitions::is_key(before, &column.name) && rng.u8(..15) > 0 {
            fate = 19;
        }
        if at > 0 && fate < 2 && !is_read(before, &column.name) && !is_target(schema, old, &column.name) {
            gone.push(column.clone());
            continue;
        }
        let mut above = column.name.clone();
        if (fate == 2 || fate == 3 && !is_read(before, &column.name)) && !is_excluded(before, &column.name) {
            above = name(rng, &taken);
            taken.insert(above.clone());
        }
        let mut field = DeclaredColumn::of(column.clone());
        if rng.u8(..4) == 0
            && let Some(altered) = alter(rng, schema, &enums.all, old, column, &above)
        {
            field =
                DeclaredColumn { column: altered.column, renamed_from: None, up: altered.up, down: altered.down, allow: false };
        }
        let itself = |name: &String| Value::Of(ident(name).as_str().to_owned());
        layer.up.insert(above.clone(), field.up.clone().map_or_else(|| itself(&column.name), Value::Of));
        layer.down.insert(column.name.clone(), field.down.clone().map_or_else(|| itself(&above), Value::Of));
        field.renamed_from = (above != column.name).then(|| column.name.clone());
        field.column.name = above;
        if rng.u8(..60) == 0
            && let Some(identity) = &mut field.column.identity
        {
            identity.always = !identity.always;
        }
        next.columns.push(field);
    }
    for _ in 0..rng.u8(..3) {
        let mut column = schemas::column(rng, &enums.all, before, false);
        if column.identity.is_some() && before.partition_by.is_some() && major() < 17 && rng.u8(..10) > 0 {
            column = Column::new(&column.name, &column.sql_type, true);
        }
        column.name = name(rng, &taken);
        taken.insert(column.name.clone());
        column.generated = None;
        let numbered = column.identity.is_some();
        let needed = !column.nullable && column.default.is_none();
        let up = (!numbered && (needed || rng.u8(..3) == 0)).then(|| out_of(rng, &enums.all, &column, &before.columns, old));
        layer.up.insert(column.name.clone(), Value::or_default(up.as_ref(), &column));
        next.columns.push(DeclaredColumn { column, renamed_from: None, up, down: None, allow: false });
    }
    let above: Vec<Column> = next.columns.iter().map(|field| field.column.clone()).collect();
    for column in gone {
        let supplied = column.default.is_some() || column.identity.is_some() || column.generated.is_some();
        let down = (!column.nullable && !supplied || rng.bool() && column.generated.is_none() && column.identity.is_none())
            .then(|| out_of(rng, &enums.all, &column, &above, new));
        let value = down.clone().map_or_else(|| Value::default_of(&column), Value::Of);
        layer.down.insert(column.name.clone(), value);
        next.dropped.push(DroppedColumn { name: column.name, down });
    }
    rng.shuffle(&mut next.columns);
    layer.above.1 = next.columns.iter().map(|field| field.column.clone()).collect();
    layers.push(layer);
    (next, Way { old: Some(old.to_owned()), new: Some(new.to_owned()), layers })
}

/// What stood on the columns follows their names, where they all are there; some of it is dropped.
fn follow(rng: &mut Rng, schema: &Schema, enums: &Next, at: usize, result: &mut DeclaredSchema, ways: &[Way]) {
    let next = &result.tables[at];
    let old = next.renamed_from.as_ref().unwrap_or(&next.name);
    let before = &schema.tables[old];
    let new_name = |table: &str| ways.iter().find(|way| way.old.as_deref() == Some(table)).and_then(|way| way.new.clone());
    let renames = |table: &str| -> Vec<(String, String)> {
        let new = new_name(table);
        let fields = result.tables.iter().filter(|there| Some(&there.name) == new.as_ref()).flat_map(|there| &there.columns);
        fields.filter_map(|field| Some((field.renamed_from.clone()?, field.column.name.clone()))).collect()
    };
    let own = renames(old);
    let there = |name: &String| next.columns.iter().any(|field| field.column.name == *name);
    let mut constraints = Vec::new();
    for (name, constraint) in &before.constraints {
        let mut constraint = constraint.clone();
        own.iter().for_each(|(from, to)| constraint.rename_column(from, to));
        let new_name_of = |column: &String| own.iter().find(|(from, _)| from == column).map_or(column, |(_, to)| to).clone();
        let mentioned: Vec<String> = constraint.columns(before).iter().map(new_name_of).collect();
        if let Constraint::Check { check, .. } = &mut constraint {
            // as its author writes it under the new names
            own.iter().for_each(|(from, to)| *check = lexer::renamed(check, old, from, to).into());
        }
        match &mut constraint {
            Constraint::Check { check, .. } if mentioned.iter().any(|column| !there(column)) => {
                let left: Vec<&DeclaredColumn> = next.columns.iter().filter(|field| field.column.generated.is_none()).collect();
                let Some(field) = rng.choice(left) else { continue };
                *check = harmless(&field.column.name, rng).into();
            }
            Constraint::Check { check, .. } => *check = enums.check(rng, before, check).into(),
            Constraint::ForeignKey { references, .. } => {
                for (from, to) in renames(&references.table) {
                    rename_in(&mut references.columns, &from, &to);
                }
                let Some(new) = new_name(&references.table) else { continue };
                references.table = new;
            }
            _ => {}
        }
        let is_key = matches!(constraint, Constraint::PrimaryKey { .. } | Constraint::Unique { .. });
        let whole = matches!(constraint, Constraint::Check { .. }) || constraint.columns(before).iter().all(there);
        if whole && (is_key || rng.u8(..10) > 0) {
            constraints.push((Some(name.clone()), constraint));
        }
    }
    let mut indexes = Vec::new();
    for (name, index) in &before.indexes {
        let mut index = index.clone();
        for (from, to) in &own {
            index.columns.iter_mut().filter(|key| key.column == *from).for_each(|key| key.column.clone_from(to));
            rename_in(&mut index.include, from, to);
        }
        if let Some(predicate) = &index.predicate
            && let Some(column) = before.columns.iter().find(|column| mentions(predicate, &column.name) && !there(&column.name))
        {
            let Some((_, to)) = own.iter().find(|(from, _)| *from == column.name) else { continue };
            index.predicate = Some(format!("{} IS NOT NULL", ident(to)).into());
        } else if let Some(column) = index.predicate.as_ref().and_then(|text| enums.named(before, text)) {
            index.predicate = Some(format!("{} IS NOT NULL", ident(&column.name)).into());
        }
        if index.columns.iter().map(|key| &key.column).chain(&index.include).all(there) && rng.u8(..10) > 0 {
            indexes.push((Some(name.clone()), index));
        }
    }
    let mut statistics = Vec::new();
    for (name, model) in &before.statistics {
        let mut model = model.clone();
        own.iter().for_each(|(from, to)| model.rename_column(from, to));
        // what an expression reads is in no list here
        if model.expressions.is_empty() && model.columns.iter().all(there) && rng.clone().u8(..10) > 0 {
            statistics.push((Some(name.clone()), model));
        }
    }
    let (old, own) = (old.clone(), own.clone());
    for text in result.tables[at].columns.iter_mut().filter_map(|field| field.column.generated.as_mut()) {
        own.iter().for_each(|(from, to)| *text = lexer::renamed(text, &old, from, to).into());
    }
    result.tables[at].constraints = constraints;
    result.tables[at].indexes = indexes;
    result.tables[at].statistics = statistics;
}

/// The schema that structs with names for everything describe.
pub(crate) fn wanted(declared: &DeclaredSchema) -> Schema {
    let table = |table: &DeclaredTable| Table {
        comment: table.comment.clone(),
        columns: table.columns.iter().map(|field| field.column.clone()).collect(),
        constraints: table.constraints.iter().map(|(name, there)| (name.clone().expect("a name"), there.clone())).collect(),
        indexes: table.indexes.iter().map(|(name, there)| (name.clone().expect("a name"), there.clone())).collect(),
        statistics: table.statistics.iter().map(|(name, there)| (name.clone().expect("a name"), there.clone())).collect(),
        storage: table.storage.clone(),
        replica_identity: table.replica_identity.clone(),
        partition_by: table.partition_by.clone(),
        not_valid: std::collections::BTreeSet::new(),
    };
    let labels = |there: &DeclaredEnum| there.labels.iter().map(|variant| variant.label.clone()).collect();
    let model = |there: &DeclaredEnum| Enum { comment: there.comment.clone(), labels: labels(there) };
    Schema {
        extensions: declared.extensions.iter().cloned().collect(),
        enums: declared.enums.iter().map(|there| (there.name.clone(), model(there))).collect(),
        domains: declared.domains.clone(),
        composites: declared.composites.clone(),
        sequences: declared.sequences.clone(),
        tables: declared.tables.iter().map(|there| (there.name.clone(), table(there))).collect(),
        code: declared.code.clone(),
    }
}

fn declared(name: &str, table: &Table) -> DeclaredTable {
    let column = |column: &Column| DeclaredColumn::of(column.clone());
    DeclaredTable {
        name: name.to_owned(),
        comment: table.comment.clone(),
        columns: table.columns.iter().map(column).collect(),
        constraints: table.constraints.iter().map(|(name, there)| (Some(name.clone()), there.clone())).collect(),
        indexes: table.indexes.iter().map(|(name, there)| (Some(name.clone()), there.clone())).collect(),
        statistics: table.statistics.iter().map(|(name, there)| (Some(name.clone()), there.clone())).collect(),
        storage: table.storage.clone(),
        replica_identity: table.replica_identity.clone(),
        partition_by: table.partition_by.clone(),
        ..DeclaredTable::default()
    }
}

//! Random changes of a schema: as the next release's structs, or as a list of operations.

use std::collections::{BTreeMap, BTreeSet};

use diptych::core::ops::column_spec::{CheckSpec, ColumnSpec};
use diptych::core::ops::{
    AddColumn, AlterColumn, AlterTable, CreateIndex, CreateTable, DropColumn, DropIndex, DropTable, RenameColumn, RenameTable,
};
use diptych::core::schema::rename_in;
use diptych::core::sql::{ident, mentions};
use diptych::core::{
    Column, Constraint, DeclaredColumn, DeclaredSchema, DeclaredTable, DroppedColumn, Index, Operation, Schema, Table,
};
use fastrand::Rng;

use super::account::{Layer, Value, Way};
use super::constraints::{self, is_excluded};
use super::schemas::{self, collation, comment, name, relations};
use super::values::{KINDS, harmless, kind};

/// A column in another form, with the values of either side.
struct Altered {
    column: Column,
    up: Option<String>,
    down: Option<String>,
}

/// Alters a column of a table as far as what stands on it lets it; `down` is written for the name that it will have.
fn alter(rng: &mut Rng, schema: &Schema, table: &str, before: &Column, name_above: &str) -> Option<Altered> {
    let model = &schema.tables[table];
    let mut column = before.clone();
    if rng.u8(..3) == 0 {
        column.comment = comment(rng);
    }
    let on = |columns: &[String]| columns.contains(&before.name);
    let keys = || model.constraints.values().filter(|there| on(&there.columns(model)));
    let is_primary = on(model.primary_key());
    let is_unique = is_primary
        || keys().any(|there| matches!(there, Constraint::Unique { .. }))
        || model.indexes.values().any(|index| index.unique && on(&index.columns(model)));
    let is_reference = keys().any(|there| matches!(there, Constraint::ForeignKey { .. }));
    let is_special = model.indexes.values().any(|index| {
        on(&index.columns(model))
            && (index.method.is_some()
                || index.predicate.as_ref().is_some_and(|text| mentions(text, &before.name))
                || index.columns.iter().any(|key| key.column == before.name && (key.opclass.is_some() || key.collate.is_some())))
    });
    let is_computed = before.identity.is_some() || before.generated.is_some();
    let stands_alone = !is_special && !is_read(model, &before.name) && !is_excluded(model, &before.name);
    let is_free = stands_alone && !is_target(schema, table, &before.name) && !is_computed;
    if !is_computed && rng.u8(..3) == 0 {
        column.default = rng.bool().then(|| kind(&column.sql_type).default(rng));
    }
    // a few that are to be refused
    if (is_free && !is_reference || rng.u8(..40) == 0) && rng.bool() {
        let fits = |kind: &&super::values::Kind| kind.ordered && (!is_unique || kind.injective) && kind.sql != before.sql_type;
        let kind = rng.choice(KINDS.iter().filter(fits).collect::<Vec<_>>())?;
        column.sql_type = kind.sql.to_owned();
        column.default = before.default.as_ref().map(|_| kind.default(rng));
        column.collation = collation(rng, kind.sql);
    } else if is_free && !is_reference && rng.u8(..10) == 0 {
        column.collation = collation(rng, &before.sql_type);
    }
    if (is_free || rng.u8(..40) == 0) && !is_primary && !(is_unique && before.nullable) && rng.u8(..3) == 0 {
        column.nullable = !before.nullable;
    }
    let retyped = column.sql_type != before.sql_type;
    let convert = |rng: &mut Rng, source: &str, target: &Column, other: &Column| {
        let itself = ident(source).as_str().to_owned();
        let made = if retyped { kind(&target.sql_type).made_of(&itself) } else { itself };
        if target.nullable || !retyped && !other.nullable {
            made
        } else {
            format!("coalesce({made}, {})", kind(&target.sql_type).literal(rng.u64(..9)))
        }
    };
    let (mut up, mut down) = (None, None);
    if retyped || before.nullable != column.nullable {
        if retyped || before.nullable || rng.u8(..4) == 0 {
            up = Some(convert(rng, &before.name, &column, before));
        }
        if retyped || column.nullable || rng.u8(..4) == 0 {
            down = Some(convert(rng, name_above, before, &column));
        }
    }
    (column != *before).then_some(Altered { column, up, down })
}

/// A value for a column out of one or two of the others, mostly.
fn out_of(rng: &mut Rng, target: &Column, sources: &[Column], label: &str) -> String {
    let kind = kind(&target.sql_type);
    // a few that are to be refused
    let sources: Vec<&Column> = sources.iter().filter(|there| there.generated.is_none() || rng.u8(..20) == 0).collect();
    let Some(&source) = rng.choice(&sources) else { return kind.literal(rng.u64(..9)) };
    let mut text = ident(&source.name).as_str().to_owned();
    if rng.u8(..4) == 0 {
        text = format!("{}.{text}", ident(label));
    }
    if let Some(other) = rng.choice(&sources).filter(|_| rng.u8(..4) == 0) {
        text = format!("CAST({text} AS text) || CAST({} AS text)", ident(&other.name));
    }
    let made = if rng.u8(..8) == 0 { kind.literal(rng.u64(..9)) } else { kind.made_of(&text) };
    if target.nullable { made } else { format!("coalesce({made}, {})", kind.literal(rng.u64(..9))) }
}

/// Whether a generated column reads it.
pub(super) fn is_read(model: &Table, column: &str) -> bool {
    model.columns.iter().any(|there| there.generated.as_deref().is_some_and(|text| mentions(text, column)))
}

/// Whether a foreign key points at it.
pub(super) fn is_target(schema: &Schema, table: &str, column: &str) -> bool {
    schema.tables.values().flat_map(|there| there.constraints.values()).any(|there| {
        matches!(there, Constraint::ForeignKey { references, .. }
            if references.table == table && references.columns.iter().any(|name| name == column))
    })
}

fn harmless_index(rng: &mut Rng, table: &Table) -> Option<Index> {
    let mut index = schemas::index(rng, table)?;
    let key = table.primary_key();
    let covers = !key.is_empty() && key.iter().all(|name| index.columns.iter().any(|there| there.column == *name));
    if !covers && rng.u8(..20) > 0 {
        index.unique = false;
        index.nulls_not_distinct = false;
    }
    Some(index)
}

// -- structs

/// The structs of the next release, and what they say about every table.
pub(crate) fn next_release(rng: &mut Rng, schema: &Schema) -> (DeclaredSchema, Vec<Way>) {
    let mut result = DeclaredSchema::default();
    let mut ways = Vec::new();
    let mut names = relations(schema);
    for (old, table) in &schema.tables {
        if schema.tables.len() > 1 && rng.u8(..8) == 0 {
            result.dropped.push(old.clone());
            ways.push(Way { old: Some(old.clone()), ..Way::default() });
            continue;
        }
        let new = if rng.u8(..6) == 0 { name(rng, &names) } else { old.clone() };
        names.insert(new.clone());
        let (next, way) = next_table(rng, schema, old, table, &new);
        result.tables.push(next);
        ways.push(way);
    }
    for at in 0..result.tables.len() {
        follow(rng, schema, at, &mut result, &ways);
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
        if rng.u8(..4) == 0
            && let Some((_, constraint)) = constraints::harmless_constraint(rng, &wanted(&result), &table)
        {
            let name = name(rng, &names);
            names.insert(name.clone());
            result.tables[at].constraints.push((Some(name), constraint));
        }
        if rng.u8(..4) == 0
            && let Some(index) = harmless_index(rng, &wanted(&result).tables[&table])
        {
            let name = name(rng, &names);
            names.insert(name.clone());
            result.tables[at].indexes.push((Some(name), index));
        }
    }
    (result, ways)
}

/// The table's struct, its columns kept, altered, renamed, dropped and added; constraints and indexes follow later.
fn next_table(rng: &mut Rng, schema: &Schema, old: &str, before: &Table, new: &str) -> (DeclaredTable, Way) {
    let mut next = DeclaredTable { name: new.to_owned(), comment: before.comment.clone(), ..DeclaredTable::default() };
    next.renamed_from = (new != old).then(|| old.to_owned());
    next.replica_identity = before.replica_identity.clone();
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
        let fate = rng.u8(..20);
        if at > 0 && fate < 2 && !is_read(before, &column.name) && !is_target(schema, old, &column.name) {
            gone.push(column.clone());
            continue;
        }
        let mut above = column.name.clone();
        if (fate == 2 || fate == 3 && !is_read(before, &column.name)) && !is_excluded(before, &column.name) {
            above = name(rng, &taken);
            taken.insert(above.clone());
        }
        let mut field = DeclaredColumn { column: column.clone(), renamed_from: None, up: None, down: None };
        if rng.u8(..4) == 0
            && let Some(altered) = alter(rng, schema, old, column, &above)
        {
            field = DeclaredColumn { column: altered.column, renamed_from: None, up: altered.up, down: altered.down };
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
        let mut column = schemas::column(rng, before, false);
        column.name = name(rng, &taken);
        taken.insert(column.name.clone());
        column.generated = None;
        let numbered = column.identity.is_some();
        let needed = !column.nullable && column.default.is_none();
        let up = (!numbered && (needed || rng.u8(..3) == 0)).then(|| out_of(rng, &column, &before.columns, old));
        layer.up.insert(column.name.clone(), Value::or_default(up.as_ref(), &column));
        next.columns.push(DeclaredColumn { column, renamed_from: None, up, down: None });
    }
    let above: Vec<Column> = next.columns.iter().map(|field| field.column.clone()).collect();
    for column in gone {
        let supplied = column.default.is_some() || column.identity.is_some() || column.generated.is_some();
        let down = (!column.nullable && !supplied || rng.bool() && column.generated.is_none() && column.identity.is_none())
            .then(|| out_of(rng, &column, &above, new));
        let value = down.clone().map_or_else(|| Value::default_of(&column), Value::Of);
        layer.down.insert(column.name.clone(), value);
        next.dropped.push(DroppedColumn { name: column.name, down });
    }
    rng.shuffle(&mut next.columns);
    layer.above.1 = next.columns.iter().map(|field| field.column.clone()).collect();
    (next, Way { old: Some(old.to_owned()), new: Some(new.to_owned()), layers: vec![layer] })
}

/// What stood on the columns follows their names, where they all are there; some of it is dropped.
fn follow(rng: &mut Rng, schema: &Schema, at: usize, result: &mut DeclaredSchema, ways: &[Way]) {
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
        let mentioned = constraint.columns(before);
        match &mut constraint {
            Constraint::Check { check, .. } if mentioned.iter().any(|column| !there(column)) => {
                let left: Vec<&DeclaredColumn> = next.columns.iter().filter(|field| field.column.generated.is_none()).collect();
                let Some(field) = rng.choice(left) else { continue };
                *check = harmless(&field.column.name, rng);
            }
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
            index.predicate = Some(format!("{} IS NOT NULL", ident(to)));
        }
        if index.columns.iter().map(|key| &key.column).chain(&index.include).all(there) && rng.u8(..10) > 0 {
            indexes.push((Some(name.clone()), index));
        }
    }
    result.tables[at].constraints = constraints;
    result.tables[at].indexes = indexes;
}

/// The same table with names for its constraints that nothing else has.
fn new_names(rng: &mut Rng, mut table: Table, names: &mut BTreeSet<String>) -> Table {
    let constraints = std::mem::take(&mut table.constraints);
    for (_, constraint) in constraints {
        let name = name(rng, names);
        names.insert(name.clone());
        table.constraints.insert(name, constraint);
    }
    table
}

/// The schema that structs with names for everything describe.
pub(crate) fn wanted(declared: &DeclaredSchema) -> Schema {
    let table = |table: &DeclaredTable| Table {
        comment: table.comment.clone(),
        columns: table.columns.iter().map(|field| field.column.clone()).collect(),
        constraints: table.constraints.iter().map(|(name, there)| (name.clone().expect("a name"), there.clone())).collect(),
        indexes: table.indexes.iter().map(|(name, there)| (name.clone().expect("a name"), there.clone())).collect(),
        replica_identity: table.replica_identity.clone(),
        partition_by: None,
    };
    Schema { tables: declared.tables.iter().map(|there| (there.name.clone(), table(there))).collect(), ..Schema::default() }
}

fn declared(name: &str, table: &Table) -> DeclaredTable {
    let column = |column: &Column| DeclaredColumn { column: column.clone(), renamed_from: None, up: None, down: None };
    DeclaredTable {
        name: name.to_owned(),
        comment: table.comment.clone(),
        columns: table.columns.iter().map(column).collect(),
        constraints: table.constraints.iter().map(|(name, there)| (Some(name.clone()), there.clone())).collect(),
        indexes: table.indexes.iter().map(|(name, there)| (Some(name.clone()), there.clone())).collect(),
        replica_identity: table.replica_identity.clone(),
        ..DeclaredTable::default()
    }
}

// -- operations

/// One change as one to three operations, where the schema has what it takes.
pub(crate) fn operations(rng: &mut Rng, schema: &Schema) -> Option<Vec<Operation>> {
    let Some(table) = rng.choice(schema.tables.keys().collect::<Vec<_>>()) else { return create_table(rng, schema) };
    let model = &schema.tables[table];
    let one = |operation: Operation| Some(vec![operation]);
    match rng.u8(..31) {
        0 => create_table(rng, schema),
        1 => {
            // a few that are to be refused
            let referenced = is_referenced(schema, table, None);
            (schema.tables.len() > 1 && (!referenced || rng.u8(..8) == 0)).then(|| vec![DropTable { name: table.clone() }.into()])
        }
        2 | 3 => one(RenameTable { from: table.clone(), to: name(rng, &relations(schema)) }.into()),
        4..=8 => add_column(rng, schema, table),
        9..=11 => drop_column(rng, schema, table),
        12..=14 => rename_column(rng, model, table),
        15..=19 => alter_column(rng, schema, table),
        20..=22 => {
            let index = harmless_index(rng, model)?;
            one(CreateIndex::of(&name(rng, &relations(schema)), table, &index).into())
        }
        23 => one(DropIndex { name: rng.choice(model.indexes.keys().collect::<Vec<_>>())?.clone() }.into()),
        24..=29 => constraints::operations(rng, schema, table),
        _ => one(AlterTable { table: table.clone(), comment: Some(comment(rng)) }.into()),
    }
}

/// Another change of a column that this migration has touched already.
pub(crate) fn once_more(rng: &mut Rng, schema: &Schema, operation: &Operation) -> Option<Vec<Operation>> {
    let (table, column) = match operation {
        Operation::AddColumn(add) => (&add.table, &add.column.name),
        Operation::AlterColumn(alter) => (&alter.table, &alter.column),
        Operation::RenameColumn(rename) => (&rename.table, &rename.to),
        _ => return None,
    };
    let model = schema.tables.get(table)?;
    let there = model.columns.iter().find(|there| there.name == *column)?;
    match rng.u8(..5) {
        0 => drop_this(rng, schema, table, there),
        1 | 2 => rename_this(rng, model, table, there),
        _ => alter_this(rng, schema, table, there),
    }
}

/// Whether a foreign key points at the table, or at some of these columns of it.
pub(super) fn is_referenced(schema: &Schema, table: &str, columns: Option<&[String]>) -> bool {
    schema.tables.iter().any(|(other, there)| {
        there.constraints.values().any(|constraint| match constraint {
            Constraint::ForeignKey { references, .. } if references.table == table => {
                columns.map_or(other != table, |columns| references.columns.iter().all(|name| columns.contains(name)))
            }
            _ => false,
        })
    })
}

fn create_table(rng: &mut Rng, schema: &Schema) -> Option<Vec<Operation>> {
    if schema.tables.len() > 3 {
        return None;
    }
    let mut taken = relations(schema);
    let name = name(rng, &taken);
    taken.insert(name.clone());
    let model = schemas::table(rng, schema, &name);
    let mut model = new_names(rng, model, &mut taken);
    if let Some((target, columns)) = schemas::target(rng, schema).filter(|_| rng.bool()) {
        let own = pointers(rng, schema, &target, &columns, &mut model)?;
        let key = schemas::reference(rng, &model, own, &target, columns);
        let name = schemas::name(rng, &taken);
        taken.insert(name.clone());
        model.constraints.insert(name, key);
    }
    let mut result: Vec<Operation> = vec![CreateTable::of(&name, &model).into()];
    if let Some(index) = schemas::index(rng, &model).filter(|_| rng.bool()) {
        result.push(CreateIndex::of(&schemas::name(rng, &taken), &name, &index).into());
    }
    Some(result)
}

/// New nullable columns of the types of a key.
pub(super) fn pointers(
    rng: &mut Rng,
    schema: &Schema,
    target: &str,
    columns: &[String],
    model: &mut Table,
) -> Option<Vec<String>> {
    let mut own = Vec::new();
    for column in columns {
        let there = schema.tables[target].columns.iter().find(|there| there.name == *column)?;
        let taken = model.columns.iter().map(|column| column.name.clone()).collect();
        own.push(name(rng, &taken));
        model.columns.push(Column::new(own.last()?, &there.sql_type, true));
    }
    Some(own)
}

fn add_column(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let model = &schema.tables[table];
    let mut column = schemas::column(rng, model, false);
    // a few that are to be refused
    if rng.u8(..15) > 0 {
        column.generated = None;
    }
    let numbered = column.identity.is_some() && rng.u8(..15) > 0;
    let needed = !column.nullable && column.default.is_none();
    let up = (!numbered && (needed && rng.u8(..40) > 0 || rng.u8(..3) == 0)).then(|| out_of(rng, &column, &model.columns, table));
    let mut spec = ColumnSpec::of(&column);
    if rng.u8(..8) == 0 {
        let name = name(rng, &relations(schema));
        spec.check = Some(CheckSpec { name, constraint: harmless(&column.name, rng), no_inherit: rng.bool() });
    }
    Some(vec![AddColumn { table: table.to_owned(), column: spec, up }.into()])
}

fn drop_column(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let column = rng.choice(&schema.tables[table].columns)?;
    drop_this(rng, schema, table, column)
}

fn drop_this(rng: &mut Rng, schema: &Schema, table: &str, column: &Column) -> Option<Vec<Operation>> {
    let model = &schema.tables[table];
    let needed_elsewhere = is_target(schema, table, &column.name) || is_read(model, &column.name);
    if model.columns.len() < 2 || needed_elsewhere && rng.u8(..15) > 0 {
        return None;
    }
    let rest: Vec<Column> = model.columns.iter().filter(|there| there.name != column.name).cloned().collect();
    let computed = column.identity.is_some() || column.generated.is_some();
    let needed = !column.nullable && column.default.is_none() && !computed;
    let down = (needed && rng.u8(..40) > 0 || rng.bool() && !computed).then(|| out_of(rng, column, &rest, table));
    Some(vec![DropColumn { table: table.to_owned(), column: column.name.clone(), down, ..DropColumn::default() }.into()])
}

fn rename_column(rng: &mut Rng, model: &Table, table: &str) -> Option<Vec<Operation>> {
    let column = rng.choice(&model.columns)?;
    rename_this(rng, model, table, column)
}

fn rename_this(rng: &mut Rng, model: &Table, table: &str, column: &Column) -> Option<Vec<Operation>> {
    let spoken = |text: &str| mentions(text, &column.name);
    let fixed = is_read(model, &column.name)
        || model.constraints.values().any(|there| there.opaque().iter().any(|text| spoken(text)))
        || model.indexes.values().any(|index| index.predicate.as_deref().is_some_and(spoken));
    let taken = model.columns.iter().map(|column| column.name.clone()).collect();
    let to = name(rng, &taken);
    (!fixed || rng.u8(..15) == 0).then(|| vec![RenameColumn { table: table.to_owned(), from: column.name.clone(), to }.into()])
}

fn alter_column(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let before = rng.choice(&schema.tables[table].columns)?;
    alter_this(rng, schema, table, before)
}

fn alter_this(rng: &mut Rng, schema: &Schema, table: &str, before: &Column) -> Option<Vec<Operation>> {
    let altered = alter(rng, schema, table, before, &before.name)?;
    let now = altered.column;
    let check = (altered.up.is_some() && altered.down.is_some() && rng.u8(..3) == 0).then(|| CheckSpec {
        name: name(rng, &relations(schema)),
        constraint: harmless(&before.name, rng),
        no_inherit: false,
    });
    let operation = AlterColumn {
        table: table.to_owned(),
        column: before.name.clone(),
        sql_type: (before.sql_type != now.sql_type).then_some(now.sql_type),
        nullable: (before.nullable != now.nullable).then_some(now.nullable),
        collate: (before.collation != now.collation).then_some(now.collation),
        default: (before.default != now.default).then_some(now.default),
        comment: (before.comment != now.comment).then_some(now.comment),
        check,
        up: altered.up,
        down: altered.down,
        ..AlterColumn::default()
    };
    Some(vec![operation.into()])
}

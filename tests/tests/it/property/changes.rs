//! Random changes of a schema as a list of operations.

use std::collections::{BTreeMap, BTreeSet};

use diptych_core::migration::ops::column_spec::{CheckSpec, ColumnSpec};
use diptych_core::migration::ops::{
    AddColumn, AlterColumn, AlterCompositeType, AlterDomain, AlterSequence, AlterTable, CreateCompositeType, CreateDomain,
    CreateExtension, CreateIndex, CreateSequence, CreateStatistics, CreateTable, DropColumn, DropCompositeType, DropDomain,
    DropExtension, DropIndex, DropSequence, DropStatistics, DropTable, RenameColumn, RenameIndex, RenameTable, Update,
};
use diptych_core::model::storage::between;
use diptych_core::sql::ident;
use diptych_core::{Attribute, Column, Constraint, Index, Operation, Schema, Table};
use diptych_tests::major;
use fastrand::Rng;

use super::constraints::{self, is_excluded};
use super::enums::{self, Enums};
use super::mentions;
use super::partitions;
use super::schemas::{self, collation, comment, name, relations};
use super::values::{any, composites, domains, harmless, kind, sequence};

/// A column in another form, with the values of either side.
pub(super) struct Altered {
    pub(super) column: Column,
    pub(super) up: Option<String>,
    pub(super) down: Option<String>,
}

/// Alters a column of a table as far as what stands on it lets it; `down` is written for the name that it will have, labels are
/// those of these enums.
pub(super) fn alter(
    rng: &mut Rng,
    schema: &Schema,
    enums: &Enums,
    table: &str,
    before: &Column,
    name_above: &str,
) -> Option<Altered> {
    let mut column = before.clone();
    if rng.u8(..3) == 0 {
        column.comment = comment(rng);
    }
    let Standing { is_primary, is_unique, is_reference, is_computed, is_free } = Standing::of(schema, table, before);
    if !is_computed && rng.u8(..3) == 0 {
        column.default = rng.bool().then(|| kind(enums, &column.sql_type).default(rng).into());
    }
    // a few that are to be refused
    if (is_free && !is_reference || rng.u8(..40) == 0) && rng.bool() {
        let kind = any(rng, enums, |kind| kind.ordered && (!is_unique || kind.injective) && kind.sql != before.sql_type)?;
        column.sql_type = kind.sql.to_owned();
        column.default = before.default.as_ref().map(|_| kind.default(rng).into());
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
        let kind = kind(enums, &target.sql_type);
        let made = if retyped { kind.made_of(&itself) } else { kind.itself(&itself) };
        if target.nullable || !retyped && !other.nullable {
            made
        } else {
            format!("coalesce({made}, {})", kind.given(rng.u64(..9)))
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

/// What stands on a column.
struct Standing {
    is_primary: bool,
    is_unique: bool,
    is_reference: bool,
    is_computed: bool,
    /// Whether it may have other values, or another type, as far as others read it.
    is_free: bool,
}

impl Standing {
    fn of(schema: &Schema, table: &str, column: &Column) -> Self {
        let model = &schema.tables[table];
        let on = |columns: &[String]| columns.contains(&column.name);
        let keys = || model.constraints.values().filter(|there| on(&there.columns(model)));
        let is_primary = on(model.primary_key());
        let is_unique = is_primary
            || keys().any(|there| matches!(there, Constraint::Unique { .. }))
            || model.indexes.values().any(|index| index.unique && on(&index.columns(model)));
        let is_special = model.indexes.values().any(|index| {
            on(&index.columns(model))
                && (index.method.is_some()
                    || index.predicate.as_ref().is_some_and(|text| mentions(text, &column.name))
                    || index
                        .columns
                        .iter()
                        .any(|key| key.column == column.name && (key.opclass.is_some() || key.collate.is_some())))
        });
        let is_computed = column.identity.is_some() || column.generated.is_some();
        let stands_alone = !is_special
            && !is_read(model, &column.name)
            && !is_excluded(model, &column.name)
            && !partitions::is_key(model, &column.name)
            && !enums::is_named(model, column);
        Standing {
            is_primary,
            is_unique,
            is_reference: keys().any(|there| matches!(there, Constraint::ForeignKey { .. })),
            is_computed,
            is_free: stands_alone && !is_target(schema, table, &column.name) && !is_computed,
        }
    }
}

/// A value for a column out of one or two of the others, mostly.
pub(super) fn out_of(rng: &mut Rng, enums: &Enums, target: &Column, sources: &[Column], label: &str) -> String {
    let kind = kind(enums, &target.sql_type);
    let given = |rng: &mut Rng| {
        let number = rng.u64(..9);
        kind.written(rng, number)
    };
    // a few that are to be refused
    let sources: Vec<&Column> = sources.iter().filter(|there| there.generated.is_none() || rng.u8(..20) == 0).collect();
    let Some(&source) = rng.choice(&sources) else { return given(rng) };
    let mut text = ident(&source.name).as_str().to_owned();
    if rng.u8(..4) == 0 {
        text = format!("{}.{text}", ident(label));
    }
    if let Some(label) = enums::some_label(rng, enums, source).filter(|_| rng.u8(..4) == 0) {
        text = format!("CASE WHEN {text} = {label} THEN 'it is' ELSE CAST({text} AS text) END");
    }
    if let Some(other) = rng.choice(&sources).filter(|_| rng.u8(..4) == 0) {
        text = format!("CAST({text} AS text) || CAST({} AS text)", ident(&other.name));
    }
    let made = if rng.u8(..8) == 0 { given(rng) } else { kind.made_of(&text) };
    if target.nullable { made } else { format!("coalesce({made}, {})", given(rng)) }
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

pub(super) fn harmless_index(rng: &mut Rng, enums: &Enums, table: &Table) -> Option<Index> {
    let mut index = schemas::index(rng, enums, table)?;
    let key = table.primary_key();
    let covers = !key.is_empty() && key.iter().all(|name| index.columns.iter().any(|there| there.column == *name));
    if !covers && rng.u8(..20) > 0 {
        index.unique = false;
        index.nulls_not_distinct = false;
    }
    Some(index)
}

// -- operations

/// A domain that comes, changes or goes; what has columns stays.
fn domain(copy: &mut Rng, schema: &Schema) -> Option<Operation> {
    let all: Vec<&String> = schema.domains.keys().collect();
    match copy.u8(..3) {
        0 => {
            let name = ["word", "share", "Two Words"].into_iter().find(|name| !schema.domains.contains_key(*name))?.to_owned();
            let checks = BTreeMap::from([("known".to_owned(), "VALUE <> 'x'".to_owned())]);
            let default = copy.bool().then(|| "'y'".to_owned());
            Some(
                CreateDomain {
                    name,
                    sql_type: "text".to_owned(),
                    not_null: copy.bool(),
                    default,
                    checks,
                    ..CreateDomain::default()
                }
                .into(),
            )
        }
        1 => {
            let name = copy.choice(all)?.clone();
            let checks = copy.bool().then(BTreeMap::new);
            let comment = (checks.is_none() || copy.bool()).then(|| Some("of its own".to_owned()));
            Some(AlterDomain { name, checks, comment, ..AlterDomain::default() }.into())
        }
        _ => {
            let gone = all.into_iter().find(|name| !domains().contains_key(*name))?;
            Some(DropDomain { name: gone.clone() }.into())
        }
    }
}

/// A composite type that comes, changes or goes; what has columns stays.
fn composite(copy: &mut Rng, schema: &Schema) -> Option<Operation> {
    let all: Vec<&String> = schema.composites.keys().collect();
    match copy.u8(..3) {
        0 => {
            let name = ["place", "Two Rows", "user"].into_iter().find(|name| !schema.has_own_type(name))?.to_owned();
            let types = ["text", "pair", "integer[]", "\"Odd Row\""];
            let attribute = |at: usize| Attribute {
                name: format!("{at} of them"),
                sql_type: types[at].to_owned(),
                collation: (at == 0).then(|| "C".to_owned()),
            };
            let attributes = (0..copy.usize(..=types.len())).map(attribute).collect();
            Some(CreateCompositeType { name, attributes, comment: copy.bool().then(|| "a row".to_owned()) }.into())
        }
        1 => {
            let name = copy.choice(all)?.clone();
            Some(AlterCompositeType { name, comment: Some(copy.bool().then(|| "of its own".to_owned())) }.into())
        }
        _ => {
            let gone = all.into_iter().find(|name| !composites().contains_key(*name))?;
            Some(DropCompositeType { name: gone.clone() }.into())
        }
    }
}

/// A sequence that comes, changes or goes; a few that are to be refused.
fn of_sequences(copy: &mut Rng, schema: &Schema) -> Option<Operation> {
    let there = copy.choice(schema.sequences.keys().collect::<Vec<_>>()).cloned();
    match copy.u8(..3) {
        0 => Some(CreateSequence::of(&name(copy, &relations(schema)), &sequence(copy)).into()),
        1 => {
            let name = there?;
            AlterSequence::between(&name, &schema.sequences[&name], &sequence(copy)).map(Into::into)
        }
        _ => Some(DropSequence { name: there? }.into()),
    }
}

/// One change as one to three operations, where the schema has what it takes.
pub(crate) fn operations(rng: &mut Rng, schema: &Schema) -> Option<Vec<Operation>> {
    let Some(table) = rng.choice(schema.tables.keys().collect::<Vec<_>>()) else { return create_table(rng, schema) };
    let model = &schema.tables[table];
    let one = |operation: Operation| Some(vec![operation]);
    if let Some(name) = schemas::extension(&mut rng.clone()).filter(|_| rng.clone().u64(..).is_multiple_of(4)) {
        // the next draw is another one
        rng.u8(..);
        let is_there = schema.extensions.contains(&name);
        return one(if is_there { DropExtension { name }.into() } else { CreateExtension { name }.into() });
    }
    if let Some(operation) = domain(&mut rng.clone(), schema).filter(|_| rng.clone().u64(..) % 6 == 1) {
        rng.u8(..);
        return one(operation);
    }
    if let Some(operation) = composite(&mut rng.clone(), schema).filter(|_| rng.clone().u64(..) % 8 == 2) {
        rng.u8(..);
        return one(operation);
    }
    if let Some(operation) = of_sequences(&mut rng.clone(), schema).filter(|_| rng.clone().u64(..) % 7 == 2) {
        rng.u8(..);
        return one(operation);
    }
    match rng.u8(..42) {
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
            let index = harmless_index(rng, &schema.enums, model)?;
            one(CreateIndex::of(&name(rng, &relations(schema)), table, &index).into())
        }
        23 => one(DropIndex { name: rng.choice(model.indexes.keys().collect::<Vec<_>>())?.clone() }.into()),
        34 => {
            let from = rng.choice(model.indexes.keys().collect::<Vec<_>>())?.clone();
            one(RenameIndex { from, to: name(rng, &relations(schema)) }.into())
        }
        35 => {
            let own = schemas::statistics(rng, &schema.enums, model)?;
            one(CreateStatistics::of(&name(rng, &schemas::names_of_statistics(schema)), table, &own).into())
        }
        36 => one(DropStatistics { name: rng.choice(model.statistics.keys().collect::<Vec<_>>())?.clone() }.into()),
        24..=29 => constraints::operations(rng, schema, table),
        30..=33 => enums::operations(rng, schema),
        37..=40 => update(rng, schema, table),
        _ => {
            let storage = between(&model.storage, &schemas::storage(rng, model));
            let comment = (storage.is_empty() || rng.bool()).then(|| comment(rng));
            one(AlterTable { table: table.clone(), comment, storage }.into())
        }
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
    if let Some(index) = schemas::index(rng, &schema.enums, &model).filter(|_| rng.bool()) {
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
    let mut column = schemas::column(rng, &schema.enums, model, false);
    if column.identity.is_some() && model.partition_by.is_some() && major() < 17 && rng.u8(..10) > 0 {
        column = Column::new(&column.name, &column.sql_type, true);
    }
    // a few that are to be refused
    if rng.u8(..15) > 0 {
        column.generated = None;
    }
    let numbered = column.identity.is_some() && rng.u8(..15) > 0;
    let needed = !column.nullable && column.default.is_none();
    let up = (!numbered && (needed && rng.u8(..40) > 0 || rng.u8(..3) == 0))
        .then(|| out_of(rng, &schema.enums, &column, &model.columns, table));
    let mut spec = ColumnSpec::of(&column);
    if rng.u8(..8) == 0 {
        let name = name(rng, &relations(schema));
        spec.check = Some(CheckSpec {
            name,
            constraint: harmless(&column.name, rng),
            no_inherit: rng.bool() && model.partition_by.is_none(),
        });
    }
    Some(vec![AddColumn { table: table.to_owned(), column: spec, up }.into()])
}

fn drop_column(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let column = rng.choice(&schema.tables[table].columns)?;
    drop_this(rng, schema, table, column)
}

pub(super) fn drop_this(rng: &mut Rng, schema: &Schema, table: &str, column: &Column) -> Option<Vec<Operation>> {
    let model = &schema.tables[table];
    let needed_elsewhere =
        is_target(schema, table, &column.name) || is_read(model, &column.name) || partitions::is_key(model, &column.name);
    if model.columns.len() < 2 || needed_elsewhere && rng.u8(..15) > 0 {
        return None;
    }
    let rest: Vec<Column> = model.columns.iter().filter(|there| there.name != column.name).cloned().collect();
    let computed = column.identity.is_some() || column.generated.is_some();
    let needed = !column.nullable && column.default.is_none() && !computed;
    let down = (needed && rng.u8(..40) > 0 || rng.bool() && !computed).then(|| out_of(rng, &schema.enums, column, &rest, table));
    Some(vec![DropColumn { table: table.to_owned(), column: column.name.clone(), down, ..DropColumn::default() }.into()])
}

fn rename_column(rng: &mut Rng, model: &Table, table: &str) -> Option<Vec<Operation>> {
    let column = rng.choice(&model.columns)?;
    rename_this(rng, model, table, column)
}

fn rename_this(rng: &mut Rng, model: &Table, table: &str, column: &Column) -> Option<Vec<Operation>> {
    let taken = model.columns.iter().map(|column| column.name.clone()).collect();
    let to = name(rng, &taken);
    Some(vec![RenameColumn { table: table.to_owned(), from: column.name.clone(), to }.into()])
}

fn alter_column(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let before = rng.choice(&schema.tables[table].columns)?;
    alter_this(rng, schema, table, before)
}

fn alter_this(rng: &mut Rng, schema: &Schema, table: &str, before: &Column) -> Option<Vec<Operation>> {
    let altered = alter(rng, schema, &schema.enums, table, before, &before.name)?;
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
        default: (before.default != now.default).then_some(now.default.map(|text| text.as_str().to_owned())),
        comment: (before.comment != now.comment).then_some(now.comment),
        check,
        up: altered.up,
        down: altered.down,
        ..AlterColumn::default()
    };
    Some(vec![operation.into()])
}

fn update(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let model = &schema.tables[table];
    let may_change = |column: &&Column| {
        let Standing { is_unique, is_reference, is_free, .. } = Standing::of(schema, table, column);
        is_free && !is_reference && !is_unique
    };
    let column = rng.choice(model.columns.iter().filter(may_change).collect::<Vec<_>>())?;
    let value = out_of(rng, &schema.enums, column, &model.columns, table);
    let condition = rng.choice(&model.columns).filter(|_| rng.bool());
    let condition = condition.map(|there| format!("{} IS {}NULL", ident(&there.name), if rng.bool() { "NOT " } else { "" }));
    let down = rng.bool().then(|| (column.name.clone(), out_of(rng, &schema.enums, column, &model.columns, table)));
    let set = [(column.name.clone(), value)].into();
    Some(vec![Update { table: table.to_owned(), set, condition, down: down.into_iter().collect() }.into()])
}

/// The same table with names for its constraints that nothing else has.
pub(super) fn new_names(rng: &mut Rng, mut table: Table, names: &mut BTreeSet<String>) -> Table {
    let constraints = std::mem::take(&mut table.constraints);
    for (_, constraint) in constraints {
        let name = name(rng, names);
        names.insert(name.clone());
        table.constraints.insert(name, constraint);
    }
    table
}

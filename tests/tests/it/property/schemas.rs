//! Random schemas that every server accepts, with every feature of the model.

use std::collections::BTreeSet;

use diptych_core::model::schema::{Exclusion, Identity, IndexColumn, IndexParameters, OperatorClass, References};
use diptych_core::model::statistics::KINDS as STATISTICS;
use diptych_core::names::LONGEST;
use diptych_core::sql::ident;
use diptych_core::{Column, Constraint, Index, Schema, Setting, Statistics, Storage, Table};
use diptych_tests::{has_extension, major};
use fastrand::Rng;

use super::enums::{self, Enums};
use super::values::{KINDS, any, composites, domains, harmless, kind, sequence, spare, spare_composite};
use super::{constraints, partitions};

/// Names that are words of SQL or PL/pgSQL, hold what must be quoted, or are as long as the server keeps them.
const NAMES: &[&str] = &[
    "id",
    "name",
    "email",
    "amount",
    "kind",
    "state",
    "x",
    "y",
    "a_b",
    "order",
    "select",
    "user",
    "new",
    "old",
    "tg_op",
    "found",
    "row",
    "value",
    "table",
    "end",
    "record",
    "Mixed",
    "UPPER",
    "it's",
    "we\"ird",
    "two words",
    "a.b",
    "ünïcode",
    "日本語",
    "$1",
    "%",
    "back\\slash",
    "0digit",
    "diptych row",
    "n-1",
    "{}",
    "null",
    "result",
];

/// A name that nothing in the list has.
pub(crate) fn name(rng: &mut Rng, taken: &BTreeSet<String>) -> String {
    let plain = *rng.choice(NAMES).expect("names");
    let mut name = match rng.u8(..12) {
        0 => fitted(&format!("{plain}{}", "long".repeat(20))),
        1 => fitted(&format!("{plain}{}", "ü日".repeat(20))),
        _ => plain.to_owned(),
    };
    let mut number = 2;
    while taken.contains(&name) {
        name = fitted(&format!("{number}{plain}"));
        number += 1;
    }
    name
}

fn fitted(name: &str) -> String {
    let mut end = name.len().min(LONGEST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

/// Names that relations, sequences among them, and enums of the schema have; constraints' too, though not all of them are relations.
pub(crate) fn relations(schema: &Schema) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = schema.enums.keys().chain(schema.sequences.keys()).cloned().collect();
    for (name, table) in &schema.tables {
        names.insert(name.clone());
        names.extend(table.constraints.keys().chain(table.indexes.keys()).cloned());
        names.extend(table.columns.iter().filter_map(|column| column.sequence_name(name)));
    }
    names
}

/// In one case of eight one of PostgreSQL's own extensions, where the server has it. It is drawn from a copy, so that all else is the same on a
/// server without.
pub(super) fn extension(copy: &mut Rng) -> Option<String> {
    if copy.u8(..8) > 0 {
        return None;
    }
    let name = copy.choice(["citext", "pg_trgm", "uuid-ossp"])?;
    has_extension(name).then(|| name.to_owned())
}

/// One to three tables.
pub(crate) fn schema(rng: &mut Rng) -> Schema {
    let mut schema = Schema {
        enums: enums::some(rng),
        domains: domains().into_iter().chain(spare(rng.clone())).collect(),
        composites: composites().into_iter().chain(spare_composite(rng.clone())).collect(),
        ..Schema::default()
    };
    for at in 0..rng.clone().u8(..3) {
        let mut copy = Rng::with_seed(rng.clone().u64(..) + u64::from(at));
        schema.sequences.insert(name(&mut copy, &relations(&schema)), sequence(&mut copy));
    }
    schema.extensions.extend(extension(&mut rng.clone()));
    for _ in 0..rng.u8(1..=3) {
        let name = name(rng, &relations(&schema));
        let table = table(rng, &schema, &name);
        schema.tables.insert(name, table);
    }
    let names: Vec<String> = schema.tables.keys().cloned().collect();
    for table in &names {
        for _ in 0..rng.u8(..3) {
            add_reference(rng, &mut schema, table);
        }
        for _ in 0..rng.u8(..3) {
            let Some(index) = index(rng, &schema.enums, &schema.tables[table]) else { continue };
            let name = name_of_index(rng, &schema, table, &index);
            schema.tables.get_mut(table).expect("there").indexes.insert(name, index);
        }
        if let Some(own) = statistics(rng, &schema.enums, &schema.tables[table]).filter(|_| rng.clone().u8(..4) == 0) {
            let name = name(rng, &names_of_statistics(&schema));
            schema.tables.get_mut(table).expect("there").statistics.insert(name, own);
        }
        if rng.u8(..6) == 0 {
            let model = schema.tables.get_mut(table).expect("there");
            model.replica_identity = constraints::replica_identity(rng, model);
        }
        if rng.u8(..6) == 0 {
            let model = schema.tables.get_mut(table).expect("there");
            model.storage = storage(rng, model);
        }
    }
    schema
}

/// Storage parameters that the table can have; none, it may be.
pub(super) fn storage(rng: &mut Rng, table: &Table) -> Storage {
    let mut storage = Storage::new();
    // a few that are to be refused
    if table.partition_by.is_some() && rng.u8(..20) > 0 {
        return storage;
    }
    let mut add = |name: &str, values: &[&str]| {
        if let Some(value) = rng.choice(values).filter(|value| !value.is_empty()) {
            storage.insert(name.to_owned(), Setting::from(*value));
        }
    };
    add("fillfactor", &["", "10", "70", "100"]);
    add("autovacuum_vacuum_scale_factor", &["", "0.01", "0"]);
    add("autovacuum_enabled", &["", "false", "on"]);
    // a table that has no long values has no TOAST table
    if table.columns.iter().any(|column| column.sql_type == "text") {
        add("toast.autovacuum_enabled", &["", "off", "true"]);
    }
    storage
}

/// Statistics on two columns, or on an expression of one.
pub(super) fn statistics(rng: &mut Rng, enums: &Enums, table: &Table) -> Option<Statistics> {
    let fit = |column: &&Column| kind(enums, &column.sql_type).ordered && column.generated.is_none();
    let fit: Vec<&Column> = table.columns.iter().filter(fit).collect();
    let (one, other) = (*rng.choice(&fit)?, *rng.choice(&fit)?);
    let kinds = if rng.bool() { vec![rng.choice(STATISTICS)?.to_owned()] } else { Vec::new() };
    let expression = format!("{} IS NULL", ident(&one.name));
    let own = match rng.u8(..4) {
        0 => Statistics { expressions: vec![expression.into()], ..Statistics::default() },
        1 => Statistics { kinds, columns: vec![other.name.clone()], expressions: vec![expression.into()] },
        _ if one.name == other.name => return None,
        _ => Statistics { kinds, columns: vec![one.name.clone(), other.name.clone()], expressions: Vec::new() },
    };
    Some(own.normal())
}

/// The names that statistics of the schema have.
pub(super) fn names_of_statistics(schema: &Schema) -> BTreeSet<String> {
    schema.tables.values().flat_map(|table| table.statistics.keys().cloned()).collect()
}

fn name_of_index(rng: &mut Rng, schema: &Schema, table: &str, index: &Index) -> String {
    let columns: Vec<&str> = index.columns.iter().map(|key| key.column.as_str()).collect();
    let usual = diptych_core::names::object_name(table, Some(&columns.join("_")), "idx");
    let taken = relations(schema);
    if rng.bool() && !taken.contains(&usual) { usual } else { name(rng, &taken) }
}

/// A table without foreign keys and indexes.
pub(crate) fn table(rng: &mut Rng, schema: &Schema, name: &str) -> Table {
    let mut table = Table { comment: comment(rng), ..Table::default() };
    let enums = &schema.enums;
    for at in 0..rng.u8(1..=6) {
        let column = column(rng, enums, &table, at == 0);
        table.columns.push(column);
    }
    let mut whole = schema.clone();
    whole.tables.insert(name.to_owned(), table.clone());
    if rng.u8(..8) > 0 {
        let identity = table.columns.iter().position(|column| column.identity.is_some());
        let mut columns: Vec<String> =
            some_columns(rng, &table, 2, |column| kind(enums, &column.sql_type).ordered && column.generated.is_none());
        if let Some(at) = identity.filter(|_| rng.u8(..4) > 0) {
            columns = vec![table.columns[at].name.clone()];
        }
        if !columns.is_empty() {
            for column in table.columns.iter_mut().filter(|column| columns.contains(&column.name)) {
                column.nullable = false;
            }
            let key = Constraint::primary_key(columns);
            let name = name_of_constraint(rng, &whole, name, &key);
            table.constraints.insert(name, key);
        }
    }
    if rng.u8(..4) == 0 {
        partitions::divide(rng, enums, &mut table);
    }
    if rng.u8(..6) == 0
        && table.partition_by.is_none()
        && let Some(constraint) = exclusion(rng, enums, &table)
    {
        whole.tables.insert(name.to_owned(), table.clone());
        let name = name_of_constraint(rng, &whole, name, &constraint);
        table.constraints.insert(name, constraint);
    }
    for _ in 0..rng.u8(..3) {
        whole.tables.insert(name.to_owned(), table.clone());
        if let Some((constraint_name, constraint)) = constraint(rng, &whole, name) {
            if matches!(constraint, Constraint::Check { .. }) && rng.bool() {
                table.not_valid.insert(constraint_name.clone());
            }
            table.constraints.insert(constraint_name, constraint);
        }
    }
    table
}

/// An exclusion constraint: nothing twice, or no overlap.
fn exclusion(rng: &mut Rng, enums: &Enums, table: &Table) -> Option<Constraint> {
    let fit = |column: &&Column| kind(enums, &column.sql_type).ordered && column.generated.is_none();
    let column = rng.choice(table.columns.iter().filter(fit).collect::<Vec<_>>())?;
    let (method, operator) = match column.sql_type.as_str() {
        "int4range" => (Some("gist"), "&&"),
        _ => (None, "="),
    };
    let predicate = (rng.u8(..3) == 0).then(|| rng.choice(&table.columns)).flatten();
    let deferrable = rng.u8(..4) == 0;
    Some(Constraint::Exclude {
        exclude: Exclusion {
            index_method: method.map(str::to_owned),
            elements: format!("{} WITH {operator}", ident(&column.name)).into(),
            predicate: predicate.map(|column| format!("{} IS NOT NULL", ident(&column.name)).into()),
        },
        deferrable,
        initially_deferred: deferrable && rng.bool(),
        index_parameters: index_parameters(rng, table, std::slice::from_ref(&column.name), method.is_none()),
    })
}

/// What an index of these columns has besides, mostly nothing.
fn index_parameters(rng: &mut Rng, table: &Table, columns: &[String], includes: bool) -> IndexParameters {
    let rest = table.columns.iter().map(|column| &column.name).filter(|name| !columns.contains(name));
    let more = if includes && rng.u8(..5) == 0 { rng.choice(rest.collect::<Vec<_>>()) } else { None };
    IndexParameters {
        include_columns: more.cloned().into_iter().collect(),
        storage_parameters: (rng.u8(..6) == 0).then(|| "fillfactor=60".to_owned()),
        tablespace: None,
    }
}

/// A collation for columns of this type, mostly its own.
pub(crate) fn collation(rng: &mut Rng, sql_type: &str) -> Option<String> {
    let collatable = matches!(sql_type, "text" | "character varying" | "character varying(40)" | "character(12)");
    (collatable && rng.u8(..6) == 0).then(|| ["C", "POSIX"][rng.usize(..2)].to_owned())
}

/// A name that PostgreSQL would choose, or another.
fn name_of_constraint(rng: &mut Rng, schema: &Schema, table: &str, constraint: &Constraint) -> String {
    let taken = relations(schema);
    let usual = constraint.default_name(table);
    if rng.bool() && !taken.contains(&usual) { usual } else { name(rng, &taken) }
}

/// A column that the table does not have.
pub(crate) fn column(rng: &mut Rng, enums: &Enums, table: &Table, first: bool) -> Column {
    let taken = table.columns.iter().map(|column| column.name.clone()).collect();
    let name = name(rng, &taken);
    if rng.u8(..3) == 0 && (first || rng.u8(..6) == 0) && table.columns.iter().all(|column| column.identity.is_none()) {
        const OPTIONS: [&str; 4] = [
            "START WITH 10 INCREMENT BY 2",
            "CACHE 5",
            "MINVALUE 3 MAXVALUE 9000 START WITH 5 CYCLE",
            "START WITH -5 MINVALUE -99",
        ];
        let options = (rng.u8(..3) == 0).then(|| OPTIONS[rng.usize(..OPTIONS.len())].to_owned());
        let sql_type = ["bigint", "integer", "smallint"][rng.usize(..3)];
        let mut column = Column::new(&name, sql_type, false);
        column.identity = Some(Identity { always: rng.bool(), sequence: None, options });
        column.comment = comment(rng);
        return column;
    }
    let kind = if rng.u8(..3) == 0 { &KINDS[rng.usize(..3)] } else { any(rng, enums, |_| true).expect("kinds") };
    let mut column = Column::new(&name, kind.sql, rng.bool());
    column.comment = comment(rng);
    column.collation = collation(rng, kind.sql);
    let plain: Vec<&Column> = table.columns.iter().filter(|there| there.generated.is_none()).collect();
    match rng.u8(..10) {
        0..=2 => column.default = Some(kind.default(rng).into()),
        3 if !plain.is_empty() => {
            let source = plain[rng.usize(..plain.len())];
            // text forms of most types depend on settings, and a generated column must not
            let (sql_type, text) = match source.sql_type.as_str() {
                "text" => ("text", format!("upper({})", ident(&source.name))),
                "bigint" | "integer" | "smallint" | "numeric" => {
                    ("numeric", format!("({} + 1)::numeric * 2", ident(&source.name)))
                }
                _ => ("boolean", format!("{} IS NULL", ident(&source.name))),
            };
            column.sql_type = sql_type.to_owned();
            column.collation = None;
            column.generated = Some(text.into());
            column.nullable = true;
        }
        _ => {}
    }
    column
}

/// A unique or check constraint that the rows may meet.
pub(crate) fn constraint(rng: &mut Rng, schema: &Schema, table: &str) -> Option<(String, Constraint)> {
    let model = &schema.tables[table];
    let constraint = if rng.bool() {
        let mut columns =
            some_columns(rng, model, 2, |column| kind(&schema.enums, &column.sql_type).ordered && column.generated.is_none());
        if columns.is_empty() {
            return None;
        }
        partitions::cover(model, &mut columns);
        let deferrable = rng.u8(..4) == 0;
        Constraint::Unique {
            nulls_not_distinct: rng.u8(..6) == 0 && major() >= 15,
            deferrable,
            initially_deferred: deferrable && rng.bool(),
            index_parameters: index_parameters(rng, model, &columns, true),
            columns,
        }
    } else {
        let columns = some_columns(rng, model, 2, |column| column.generated.is_none());
        let mut parts = Vec::new();
        for name in &columns {
            let column = model.columns.iter().find(|column| column.name == *name).expect("a column");
            let labels = if rng.u8(..3) == 0 { enums::names_labels(&schema.enums, column) } else { None };
            parts.push(labels.unwrap_or_else(|| harmless(name, rng)));
        }
        let check = parts.join("\n AND ");
        if check.is_empty() {
            return None;
        }
        Constraint::Check { check: check.into(), no_inherit: rng.u8(..5) == 0 && model.partition_by.is_none() }
    };
    let name = name_of_constraint(rng, schema, table, &constraint);
    Some((name, constraint))
}

/// Adds a foreign key to a table, and the columns that it stands on; nothing where no key can be pointed at.
fn add_reference(rng: &mut Rng, schema: &mut Schema, table: &str) {
    let Some((target, columns)) = target(rng, schema) else { return };
    let mut own = Vec::new();
    for column in &columns {
        let sql_type =
            schema.tables[&target].columns.iter().find(|there| there.name == *column).expect("a key column").sql_type.clone();
        let model = schema.tables.get_mut(table).expect("there");
        let known = model.columns.iter().find(|there| {
            there.sql_type == sql_type
                && there.identity.is_none()
                && there.generated.is_none()
                && !own.contains(&there.name)
                && rng.u8(..3) > 0
        });
        let name = known.map(|there| there.name.clone()).unwrap_or_else(|| {
            let taken = model.columns.iter().map(|column| column.name.clone()).collect();
            let name = name(rng, &taken);
            model.columns.push(Column::new(&name, &sql_type, rng.u8(..4) > 0));
            name
        });
        own.push(name);
    }
    let key = reference(rng, &schema.tables[table], own, &target, columns);
    let name = name_of_constraint(rng, schema, table, &key);
    schema.tables.get_mut(table).expect("there").constraints.insert(name, key);
}

/// A key that a foreign key may point at.
pub(crate) fn target(rng: &mut Rng, schema: &Schema) -> Option<(String, Vec<String>)> {
    let mut targets = Vec::new();
    for (name, table) in &schema.tables {
        for constraint in table.constraints.values() {
            if let Constraint::PrimaryKey { columns, .. } | Constraint::Unique { columns, deferrable: false, .. } = constraint {
                targets.push((name.clone(), columns.clone()));
            }
        }
    }
    rng.choice(targets)
}

/// A foreign key with random actions.
pub(crate) fn reference(
    rng: &mut Rng,
    table: &Table,
    columns: Vec<String>,
    target: &str,
    target_columns: Vec<String>,
) -> Constraint {
    let nullable: Vec<String> = columns
        .iter()
        .filter(|name| table.columns.iter().any(|column| column.name == **name && column.nullable))
        .cloned()
        .collect();
    let all_nullable = nullable.len() == columns.len();
    let on_delete = ["", "CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT"][rng.usize(..5)];
    let on_delete = if on_delete.starts_with("SET") && !all_nullable { "" } else { on_delete };
    let on_update = ["", "", "CASCADE", "RESTRICT"][rng.usize(..4)];
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    // PostgreSQL (15.18, 18.4) sets other columns in a partition that comes later, where these have other numbers
    let may_set = major() >= 15 && table.partition_by.is_none();
    let set = if on_delete == "SET NULL" && rng.bool() && may_set { vec![nullable[0].clone()] } else { Vec::new() };
    let deferrable = rng.u8(..3) == 0;
    Constraint::ForeignKey {
        columns,
        references: References {
            table: target.to_owned(),
            columns: target_columns,
            on_delete: some(on_delete),
            on_delete_set_columns: set,
            on_update: some(on_update),
            match_type: (rng.u8(..5) == 0).then(|| "FULL".to_owned()),
        },
        deferrable,
        initially_deferred: deferrable && rng.bool(),
    }
}

/// An index in the model's own spelling.
pub(crate) fn index(rng: &mut Rng, enums: &Enums, table: &Table) -> Option<Index> {
    let other: Vec<&Column> = table.columns.iter().filter(|column| !kind(enums, &column.sql_type).methods.is_empty()).collect();
    let predicate = |rng: &mut Rng| {
        let column = (rng.u8(..4) == 0).then(|| rng.choice(&table.columns)).flatten()?;
        let name = ident(&column.name);
        Some(match enums::some_label(rng, enums, column) {
            Some(label) => format!("{name} = {label}::{}", column.sql_type),
            None => format!("{name} IS NOT NULL"),
        })
    };
    if rng.u8(..4) == 0 && !other.is_empty() {
        let column = other[rng.usize(..other.len())];
        let (method, class, parameter) = *rng.choice(kind(enums, &column.sql_type).methods)?;
        let opclass = class.map(|name| OperatorClass {
            name: name.to_owned(),
            params: parameter.filter(|_| rng.bool()).map(str::to_owned).into_iter().collect(),
        });
        let columns = vec![IndexColumn { column: column.name.clone(), opclass, ..IndexColumn::default() }];
        return Some(Index {
            columns,
            method: Some(method.to_owned()),
            predicate: predicate(rng).map(Into::into),
            ..Index::default()
        });
    }
    let keys = some_columns(rng, table, 3, |column| kind(enums, &column.sql_type).ordered);
    if keys.is_empty() {
        return None;
    }
    let unique = rng.u8(..5) == 0;
    let rest: Vec<String> = table.columns.iter().map(|column| column.name.clone()).filter(|name| !keys.contains(name)).collect();
    let include = if rng.u8(..4) == 0 { rng.choice(rest).into_iter().collect() } else { Vec::new() };
    let columns = keys.into_iter().map(|name| {
        let kind = kind(enums, &table.columns.iter().find(|column| column.name == name).expect("a key column").sql_type);
        let class = (rng.u8(..4) == 0).then(|| rng.choice(kind.classes)).flatten();
        let sort = (rng.u8(..3) == 0).then(|| "DESC".to_owned());
        let unusual = if sort.is_some() { "LAST" } else { "FIRST" };
        let is_text = matches!(kind.sql, "text" | "character varying");
        IndexColumn {
            column: name,
            expression: None,
            collate: (is_text && rng.u8(..4) == 0).then(|| ["C", "POSIX", "pg_catalog.C"][rng.usize(..3)].to_owned()),
            nulls: (rng.u8(..3) == 0).then(|| unusual.to_owned()),
            sort,
            opclass: class.map(|name| OperatorClass { name: (*name).to_owned(), params: Vec::new() }),
        }
    });
    let mut index = Index {
        columns: columns.collect(),
        unique,
        method: None,
        predicate: predicate(rng).map(Into::into),
        storage_parameters: (rng.u8(..4) == 0).then(|| "fillfactor = 70".to_owned()),
        include,
        tablespace: None,
        nulls_not_distinct: unique && rng.u8(..4) == 0 && major() >= 15,
    };
    partitions::cover_in_index(table, &mut index);
    Some(index)
}

/// Some columns that meet a condition, in random order.
pub(crate) fn some_columns(rng: &mut Rng, table: &Table, most: usize, condition: impl Fn(&Column) -> bool) -> Vec<String> {
    let mut names: Vec<String> =
        table.columns.iter().filter(|column| condition(column)).map(|column| column.name.clone()).collect();
    rng.shuffle(&mut names);
    names.truncate(rng.usize(1..=most));
    names
}

/// Often none.
pub(crate) fn comment(rng: &mut Rng) -> Option<String> {
    (rng.u8(..5) == 0).then(|| ["a note", "it's \"quoted\"", "日本 \\ $$", "two\nlines"][rng.usize(..4)].to_owned())
}

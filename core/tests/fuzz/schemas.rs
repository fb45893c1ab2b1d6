//! Schemas as values: two random ones are diffed, and the operations lead from the one to the other.

use diptych_core::model::rules::check_statistics;
use diptych_core::model::schema::{Exclusion, Identity, IndexColumn, IndexParameters, References, ReplicaIdentity};
use diptych_core::{
    Column, Constraint, DeclaredColumn, DeclaredSchema, DeclaredTable, DroppedColumn, Expression, Index, Migration, Schema,
    Setting, Snapshot, Statistics, Storage, Table, migration::diff,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;

use crate::config;
use crate::migrations::{assert_says, try_on};
use crate::mutation;

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn a_diff_leads_to_what_is_declared(from in schema(), to in declared()) {
        try_diff(&Snapshot { version: Some("0001_first".into()), base: None, schema: from, used: Default::default() }, &to);
    }

    #[test]
    fn a_diff_of_what_became_of_a_schema_leads_there((from, to) in schema().prop_flat_map(|from| (Just(from.clone()), next_release(from)))) {
        try_diff(&Snapshot { version: Some("0001_first".into()), base: None, schema: from, used: Default::default() }, &to);
    }

    #[test]
    fn a_schema_can_be_created_anew(schema in schema()) {
        let migration = Migration { name: "0001_anew".into(), version_schema: None, operations: diff::create_all(&schema) };
        let read = Migration::parse("0001_anew", &migration.to_yaml());
        prop_assert_eq!(read.as_ref(), Ok(&migration));
        match migration.stage(&Schema::default()) {
            Ok(stage) => prop_assert_eq!(stage.to, schema),
            Err(error) => assert_says(&error),
        }
    }
}

/// Diffs, and carries the operations out: they are a file, have plans, and leave nothing over.
pub(crate) fn try_diff(snapshot: &Snapshot, declared: &DeclaredSchema) -> bool {
    let operations = match diff::diff(snapshot, declared) {
        Ok(operations) => operations,
        Err(error) => {
            assert_says(&error);
            return false;
        }
    };
    let migration = Migration { name: "0002_change".into(), version_schema: None, operations };
    assert_eq!(Migration::parse("0002_change", &migration.to_yaml()).as_ref(), Ok(&migration));
    let to = migration.stage(&snapshot.schema).expect("the diff applied it").to;
    try_on(&snapshot.schema, &migration);
    let after = declared.snapshot("0002_change", to);
    assert_eq!(Snapshot::parse(&after.to_yaml()).as_ref(), Ok(&after));
    // what is dropped stays declared, and may have come back under the same name only by another struct
    let again = diff::diff(&after, declared).unwrap_or_else(|error| panic!("{error}\nafter\n{}", migration.to_yaml()));
    assert!(again.is_empty(), "{again:#?}\nremain after\n{}\non\n{}", migration.to_yaml(), after.to_yaml());
    true
}

/// Without the byte that no file holds: recording a struct that has it is an error of the file.
fn odd_text() -> impl Strategy<Value = String> {
    mutation::odd_text().prop_map(|text| text.replace('\0', ""))
}

fn table_name() -> impl Strategy<Value = String> {
    prop_oneof![12 => select(vec!["a", "b", "c"]).prop_map(str::to_owned), 1 => odd_text()]
}

fn column_name() -> impl Strategy<Value = String> {
    prop_oneof![20 => select(vec!["id", "x", "y", "z"]).prop_map(str::to_owned), 1 => odd_text()]
}

fn text(known: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![12 => select(known).prop_map(str::to_owned), 1 => odd_text()]
}

fn column() -> impl Strategy<Value = Column> {
    let types =
        text(&["bigint", "text", "numeric(5,2)", "timestamp with time zone"]).prop_filter("is no type", |name| name != "serial");
    let identity = option::weighted(0.1, (any::<bool>(), option::weighted(0.2, text(&["s"]))));
    (
        column_name(),
        types,
        any::<bool>(),
        option::weighted(0.3, text(&["0", "now()", "random()"])),
        identity,
        option::weighted(0.2, text(&["note"])),
    )
        .prop_map(|(name, sql_type, nullable, default, identity, comment)| Column {
            // a struct's, too, is none where it is NULL
            default: default.as_deref().and_then(Expression::default_of),
            comment,
            identity: identity.map(|(always, sequence)| Identity { always, sequence, options: None }),
            ..Column::new(&name, &sql_type, nullable)
        })
}

fn constraint() -> impl Strategy<Value = Constraint> {
    let columns = || vec(column_name(), 1..3);
    prop_oneof![
        (columns(), any::<bool>()).prop_map(|(columns, deferrable)| Constraint::PrimaryKey {
            columns,
            deferrable,
            initially_deferred: false,
            index_parameters: IndexParameters::default()
        }),
        (columns(), any::<bool>(), any::<bool>(), vec(column_name(), 0..2)).prop_map(
            |(columns, nulls_not_distinct, deferrable, include_columns)| Constraint::Unique {
                columns,
                nulls_not_distinct,
                deferrable,
                initially_deferred: false,
                index_parameters: IndexParameters { include_columns, ..IndexParameters::default() },
            }
        ),
        (text(&["x WITH =", "y WITH &&"]), option::of(text(&["x > 3"]))).prop_map(|(elements, predicate)| Constraint::Exclude {
            exclude: Exclusion {
                index_method: Some("gist".to_owned()),
                elements: elements.into(),
                predicate: predicate.map(Into::into)
            },
            deferrable: false,
            initially_deferred: false,
            index_parameters: IndexParameters::default()
        }),
        (text(&["x > 0", "y <> z", "true"]), any::<bool>())
            .prop_map(|(check, no_inherit)| Constraint::Check { check: check.into(), no_inherit }),
        (column_name(), table_name(), column_name(), option::of(text(&["CASCADE", "SET NULL"]))).prop_map(
            |(column, table, target, on_delete)| {
                Constraint::ForeignKey {
                    columns: vec![column],
                    references: References { table, columns: vec![target], on_delete, ..References::default() },
                    deferrable: false,
                    initially_deferred: false,
                }
            }
        ),
    ]
}

fn index() -> impl Strategy<Value = Index> {
    let expression = option::weighted(0.2, text(&["lower(x)", "y || z"]));
    let keys = vec((column_name(), expression, option::weighted(0.2, Just("DESC".to_owned()))), 1..3);
    let key = |(column, expression, sort): (String, Option<String>, _)| IndexColumn {
        column: if expression.is_some() { String::new() } else { column },
        expression: expression.map(Into::into),
        sort,
        ..IndexColumn::default()
    };
    (keys, any::<bool>(), option::weighted(0.2, text(&["x > 3", "z"]))).prop_map(move |(keys, unique, predicate)| Index {
        columns: keys.into_iter().map(key).collect(),
        unique,
        predicate: predicate.map(Into::into),
        ..Index::default()
    })
}

fn statistics() -> impl Strategy<Value = Statistics> {
    let kinds = vec(text(&["ndistinct", "dependencies", "mcv"]), 0..3);
    let expressions = vec(text(&["lower(x)", "y + 1"]), 0..2);
    (kinds, vec(column_name(), 0..3), expressions).prop_map(|(kinds, columns, expressions)| {
        let expressions = expressions.into_iter().map(Into::into).collect();
        Statistics { kinds, columns, expressions }.normal()
    })
}

fn storage() -> impl Strategy<Value = Storage> {
    let setting = text(&["70", "0.01", "-1", "off", "true", "070", "it's"]).prop_map(|text| Setting::from(text.as_str()));
    btree_map(text(&["fillfactor", "autovacuum_enabled", "toast.autovacuum_enabled", "x.y"]), setting, 0..3)
}

fn identity() -> impl Strategy<Value = ReplicaIdentity> {
    let index = text(&["k1", "k2", "i1"]).prop_map(|index| ReplicaIdentity::Index { index });
    prop_oneof![1 => Just(ReplicaIdentity::Nothing), 1 => Just(ReplicaIdentity::Full), 3 => index]
}

fn table() -> impl Strategy<Value = Table> {
    let constraints = btree_map(text(&["k1", "k2", "k3"]), constraint(), 0..3);
    let indexes = btree_map(text(&["i1", "i2", "k1"]), index(), 0..2);
    let statistics = btree_map(text(&["s1", "i1"]), statistics(), 0..2);
    let rest = (statistics, storage(), option::weighted(0.3, identity()));
    (option::weighted(0.2, text(&["note"])), vec(column(), 0..5), constraints, indexes, rest).prop_map(
        |(comment, mut columns, mut constraints, mut indexes, (mut statistics, storage, replica_identity))| {
            // as every server and every struct has it: a column once, one key at most, what is in it not nullable
            let mut seen = BTreeSet::new();
            columns.retain(|column| seen.insert(column.name.clone()));
            let there = |name: &String| columns.iter().any(|column| column.name == *name);
            let of_this = |constraint: &Constraint| match constraint {
                Constraint::Unique { columns, .. } => columns.iter().all(there),
                constraint => constraint.columns(&Table::default()).iter().all(there),
            };
            constraints.retain(|_, constraint| of_this(constraint));
            indexes.retain(|_, index| index.columns.iter().all(|key| key.expression.is_some() || there(&key.column)));
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            statistics.retain(|name, own| own.columns.iter().all(there) && check_statistics(name, own, &names).is_ok());
            for constraint in constraints.values_mut() {
                if let Constraint::Unique { index_parameters, .. } = constraint {
                    index_parameters.include_columns.retain(there);
                }
            }
            let mut key = None;
            constraints.retain(|name, constraint| {
                !matches!(constraint, Constraint::PrimaryKey { .. }) || key.get_or_insert(name.clone()) == name
            });
            let key = key.and_then(|name| constraints.get(&name)).map(|key| key.columns(&Table::default())).unwrap_or_default();
            for column in &mut columns {
                column.nullable &= column.identity.is_none() && !key.contains(&column.name);
            }
            let table =
                Table { comment, columns, constraints, indexes, statistics, storage, replica_identity, ..Table::default() };
            let sound = table.check_replica_identity("a").is_ok();
            Table { replica_identity: table.replica_identity.clone().filter(|_| sound), ..table }
        },
    )
}

pub(crate) fn schema() -> impl Strategy<Value = Schema> {
    btree_map(table_name(), table(), 0..4).prop_map(|mut tables| {
        let known = tables.clone();
        let found = |references: &References| {
            known.get(&references.table).is_some_and(|table| references.columns.iter().all(|name| table.has_column(name)))
        };
        // an index has its name in the schema, not in its table
        let (mut named, mut counted) = (BTreeSet::new(), BTreeSet::new());
        for table in tables.values_mut() {
            table.constraints.retain(|name, constraint| !constraint.owns_index() || named.insert(name.clone()));
            table.indexes.retain(|name, _| named.insert(name.clone()));
            table.statistics.retain(|name, _| counted.insert(name.clone()));
            if table.check_replica_identity("a").is_err() {
                table.replica_identity = None;
            }
            table
                .constraints
                .retain(|_, constraint| !matches!(constraint, Constraint::ForeignKey { references, .. } if !found(references)));
        }
        Schema { tables, ..Schema::default() }
    })
}

fn declared_table() -> impl Strategy<Value = DeclaredTable> {
    let attributes = || {
        (
            option::weighted(0.2, column_name()),
            option::weighted(0.5, text(&["x", "z"])),
            option::weighted(0.5, text(&["y", "id"])),
        )
    };
    let gone = vec((column_name(), option::weighted(0.5, text(&["x", "z"]))), 0..4);
    (table_name(), option::weighted(0.2, table_name()), table(), vec(attributes(), 5), gone, any::<[bool; 8]>()).prop_map(
        |(name, renamed_from, table, attributes, gone, named)| {
            let mut named = named.into_iter().cycle();
            let mut name_of = |name: String| named.next().unwrap_or_default().then_some(name);
            let columns = table
                .columns
                .into_iter()
                .zip(attributes)
                .map(|(column, (renamed_from, up, down))| DeclaredColumn { column, renamed_from, up, down, allow: false })
                .collect();
            DeclaredTable {
                name,
                renamed_from,
                comment: table.comment,
                columns,
                constraints: table.constraints.into_iter().map(|(name, constraint)| (name_of(name), constraint)).collect(),
                indexes: table.indexes.into_iter().map(|(name, index)| (name_of(name), index)).collect(),
                statistics: table.statistics.into_iter().map(|(name, own)| (name_of(name), own)).collect(),
                storage: table.storage,
                replica_identity: table.replica_identity,
                partition_by: table.partition_by,
                dropped: gone.into_iter().map(|(name, down)| DroppedColumn { name, down }).collect(),
            }
        },
    )
}

/// What structs might declare. Two structs of one table do not compile, nor does a struct for a table that is dropped.
pub(crate) fn declared() -> impl Strategy<Value = DeclaredSchema> {
    (vec(declared_table(), 0..4), vec(table_name(), 0..3)).prop_map(|(mut tables, mut dropped)| {
        let mut seen = BTreeSet::new();
        tables.retain(|table| seen.insert(table.name.clone()));
        dropped.retain(|name| !seen.contains(name));
        DeclaredSchema { tables, dropped, ..DeclaredSchema::default() }
    })
}

/// What a release may make of one thing.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Keep,
    Change,
    Rename,
    Drop,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![6 => Just(Fate::Keep), 2 => Just(Fate::Change), 1 => Just(Fate::Rename), 1 => Just(Fate::Drop)]
}

/// Structs that answer for every table and column of a schema, as the derive asks of them.
fn next_release(schema: Schema) -> impl Strategy<Value = DeclaredSchema> {
    let fates = vec((fate(), vec((fate(), column()), 5), vec(fate(), 5), vec(column(), 0..2)), schema.tables.len());
    (fates, vec(declared_table(), 0..2)).prop_map(move |(fates, new)| {
        let mut result = DeclaredSchema::default();
        for ((name, table), (of_table, of_columns, of_rest, added)) in schema.tables.iter().zip(fates) {
            if matches!(of_table, Fate::Drop) {
                result.dropped.push(name.clone());
                continue;
            }
            let renamed = matches!(of_table, Fate::Rename) && !name.is_empty();
            let mut next = DeclaredTable {
                name: if renamed { format!("{}2", name.chars().take(20).collect::<String>()) } else { name.clone() },
                renamed_from: renamed.then(|| name.clone()),
                comment: table.comment.clone(),
                storage: table.storage.clone(),
                replica_identity: table.replica_identity.clone(),
                partition_by: table.partition_by.clone(),
                ..DeclaredTable::default()
            };
            for (column, (fate, other)) in table.columns.iter().zip(of_columns) {
                next_column(&mut next, column, fate, other);
            }
            let column =
                |column: Column| DeclaredColumn { column, renamed_from: None, up: Some("x".into()), down: None, allow: false };
            next.columns.extend(added.into_iter().map(column));
            let mut seen = BTreeSet::new();
            next.columns.retain(|field| seen.insert(field.column.name.clone()));
            next.dropped.retain(|dropped| !seen.contains(&dropped.name));
            let renames: Vec<_> =
                next.columns.iter().filter_map(|field| Some((field.renamed_from.clone()?, field.column.name.clone()))).collect();
            let mut fates = of_rest.into_iter().cycle();
            for (name, constraint) in &table.constraints {
                let mut constraint = constraint.clone();
                renames.iter().for_each(|(from, to)| constraint.rename_column(from, to));
                match fates.next() {
                    Some(Fate::Keep) => next.constraints.push((Some(name.clone()), constraint)),
                    Some(Fate::Rename) => next.constraints.push((None, constraint)),
                    _ => {}
                }
            }
            for (name, index) in &table.indexes {
                let mut index = index.clone();
                for key in index.columns.iter_mut().filter(|key| key.expression.is_none()) {
                    if let Some((_, to)) = renames.iter().find(|(from, _)| key.column == *from) {
                        key.column.clone_from(to);
                    }
                }
                match fates.next() {
                    Some(Fate::Keep) => next.indexes.push((Some(name.clone()), index)),
                    Some(Fate::Rename) => next.indexes.push((None, index)),
                    _ => {}
                }
            }
            for (name, own) in &table.statistics {
                let mut own = own.clone();
                renames.iter().for_each(|(from, to)| own.rename_column(from, to));
                match fates.next() {
                    Some(Fate::Keep) => next.statistics.push((Some(name.clone()), own)),
                    Some(Fate::Rename) => next.statistics.push((None, own)),
                    _ => {}
                }
            }
            let key = next.constraints.iter().find(|(_, constraint)| matches!(constraint, Constraint::PrimaryKey { .. }));
            let key = key.map(|(_, key)| key.columns(&Table::default())).unwrap_or_default();
            for field in &mut next.columns {
                field.column.nullable &= field.column.identity.is_none() && !key.contains(&field.column.name);
            }
            result.tables.push(next);
        }
        result.tables.extend(new);
        let mut seen = BTreeSet::new();
        result.tables.retain(|table| seen.insert(table.name.clone()));
        result.dropped.retain(|name| !seen.contains(name));
        result
    })
}

fn next_column(table: &mut DeclaredTable, column: &Column, fate: Fate, other: Column) {
    let mut field = DeclaredColumn { column: column.clone(), renamed_from: None, up: None, down: None, allow: false };
    match fate {
        Fate::Keep => {}
        Fate::Change => {
            field.column = Column { name: column.name.clone(), identity: column.identity.clone(), ..other };
            (field.up, field.down) = (Some("coalesce(x, y)".into()), Some("y".into()));
        }
        Fate::Rename => {
            field.column.name = other.name;
            field.renamed_from = Some(column.name.clone());
        }
        Fate::Drop => return table.dropped.push(DroppedColumn { name: column.name.clone(), down: Some("y".into()) }),
    }
    table.columns.push(field);
}

fn declare(columns: &[(&str, &str, Option<&str>)]) -> DeclaredSchema {
    let columns = columns.iter().map(|(name, sql_type, from)| DeclaredColumn {
        column: Column::new(name, sql_type, false),
        renamed_from: from.map(str::to_owned),
        up: None,
        down: None,
        allow: false,
    });
    DeclaredSchema {
        tables: vec![DeclaredTable { name: "a".into(), columns: columns.collect(), ..DeclaredTable::default() }],
        ..DeclaredSchema::default()
    }
}

#[test]
fn what_would_be_lost_is_refused() {
    let recorded = Schema {
        tables: [("a".to_owned(), Table { columns: vec![Column::new("x", "text", false)], ..Table::default() })].into(),
        ..Schema::default()
    };
    let snapshot = Snapshot { schema: recorded, ..Snapshot::default() };
    let refused = |snapshot: &Snapshot, declared: &DeclaredSchema, what: &str| {
        let error = diff::diff(snapshot, declared).unwrap_err();
        assert_says(&error);
        assert!(error.message().contains(what), "{error}");
    };
    refused(&snapshot, &declare(&[("x", "text", None), ("y", "text", Some("x"))]), "`a.x`");
    refused(&snapshot, &declare(&[("y", "text", Some("x")), ("z", "text", Some("x"))]), "`a.x`");
    refused(&Snapshot::default(), &declare(&[("x", "bigserial", None)]), "`a.x`");
    let mut two = declare(&[("x", "text", None)]);
    two.tables.push(DeclaredTable { name: "b".into(), renamed_from: Some("a".into()), ..two.tables[0].clone() });
    refused(&snapshot, &two, "`b`");
    let mut named = declare(&[("x", "text", None), ("y", "text", None)]);
    for column in ["x", "y"] {
        let columns = vec![IndexColumn { column: column.into(), ..IndexColumn::default() }];
        named.tables[0].indexes.push((Some("i".into()), Index { columns, ..Index::default() }));
    }
    refused(&Snapshot::default(), &named, "`i`");
}

//! What a start adds to a table: columns, proofs that a column is NOT NULL, indexes.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::schema::Index;
use crate::plan::Action;
use crate::sql::{Sql, ident};
use crate::statements::ddl::{self, Build};
use crate::statements::path::Path;
use crate::{names, sql, statements::partitions};

/// The statements that give a table its new columns, at a place of its form.
pub(super) fn add_columns(place: &Sql, table: &Physical<'_>) -> Vec<Sql> {
    let mut statements = Vec::new();
    for added in &table.added {
        let declared = ddl::typed(&added.column.sql_type, &added.column.collation);
        let mut definition = sql!("ADD COLUMN {} {}", ident(&added.physical), declared);
        if let Some(default) = added.default.as_ref().filter(|_| added.is_filled_at_once()) {
            definition = sql!("{} DEFAULT {}", definition, sql::user(default));
            if !added.column.nullable {
                definition = sql!("{} NOT NULL", definition);
            }
        }
        if added.is_bare {
            definition = sql!("{} DEFAULT NULL", definition);
        }
        statements.push(sql!("ALTER TABLE {} {}", place, definition));
        if let Some(default) = added.default.as_ref().filter(|_| !added.is_filled_at_once()) {
            let default = sql::user(default);
            statements.push(sql!("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}", place, ident(&added.physical), default));
        }
    }
    statements
}

/// Columns that become NOT NULL without a default that says so from the beginning.
pub(super) fn proven<'a>(table: &'a Physical<'_>) -> impl Iterator<Item = &'a String> {
    let added = table.added.iter().filter(|added| !added.is_filled_at_once() && !added.column.nullable);
    added.map(|added| &added.physical).chain(&table.tightened)
}

/// The name of the constraint that proves a column NOT NULL.
pub(super) fn proof(chain: &Chain, table: &Physical<'_>, physical: &str) -> String {
    names::generated("proof", &[&table.name, physical, &chain.newer.name])
}

/// The indexes to be built: the name to be, the name until complete, the model.
pub(super) fn new_indexes(table: &Physical<'_>) -> Vec<(String, String, Index)> {
    let keys = table
        .added_constraints
        .iter()
        .filter_map(|added| Some((added.name.clone(), added.physical.clone(), ddl::key_index(&added.constraint)?)));
    table.added_indexes.iter().cloned().chain(keys).collect()
}

/// An index on every partition; a key's has none above it, for PostgreSQL makes no key out of an index of the whole.
pub(super) fn partitioned_index(chain: &Chain, table: &Physical<'_>, name: &str, index: &Index) -> Action {
    let is_key =
        table.added_constraints.iter().any(|added| added.physical == name && ddl::key_index(&added.constraint).is_some());
    Action::CreatePartitionedIndex {
        schema: chain.base.clone(),
        table: table.name.clone(),
        name: (!is_key).then(|| name.to_owned()),
        stem: partitions::stem(chain, table, name),
        sql: partitions::index_template(index, &table.newer_names),
        bind: bind(chain, ("", partitions::PARTITION, partitions::PARTITION_INDEX), table, index, Build::OnPartition),
    }
}

/// The transaction that binds the index's texts, where they mention a column that is called otherwise until complete.
pub(super) fn bind(chain: &Chain, on: (&str, &str, &str), table: &Physical<'_>, index: &Index, build: Build) -> Vec<Sql> {
    let Some(newer) = table.newer else { return Vec::new() };
    let moved = newer.read_by(index.texts()).iter().any(|column| table.newer_name(column) != column);
    // a text may name a type that the path of the statement does not have
    let is_typed = !index.texts().is_empty() && chain.makes_types();
    if !moved && !is_typed {
        return Vec::new();
    }
    // read under the newer version's names, printed for the tool's own path, which has none
    let (bound, made) = ddl::bind_index(on, index, &table.newer_names, build, newer);
    let mut statements = Path::newer(chain, &chain.newer.scratch()).around(made);
    statements.push(bound);
    statements
}

/// A statement whose opaque text names the newer version's columns, with those names in place for its duration (R6).
///
/// The renames are instant, and nobody sees them: the transaction holds the table, views follow attribute numbers.
pub(super) fn bound_by_rename(place: &Sql, table: &Physical<'_>, columns: Vec<String>, statement: Sql) -> Vec<Sql> {
    let moved: Vec<(String, String)> = columns
        .into_iter()
        .filter_map(|logical| {
            let physical = table.newer_name(&logical).to_owned();
            (physical != logical).then_some((logical, physical))
        })
        .collect();
    let rename = |from: &str, to: &str| sql!("ALTER TABLE {} RENAME COLUMN {} TO {}", place, ident(from), ident(to));
    let occupied: Vec<&String> =
        moved.iter().map(|(logical, _)| logical).filter(|logical| table.older_names.contains_key(*logical)).collect();
    let away = |name: &str| names::generated("away", &[&table.name, name]);
    // the newer column may be the older one of another name: put everything aside first, then in place
    let moving =
        |physical: &str| if occupied.iter().any(|name| *name == physical) { away(physical) } else { physical.to_owned() };
    let mut statements: Vec<Sql> = occupied.iter().map(|name| rename(name, &away(name))).collect();
    statements.extend(moved.iter().map(|(logical, physical)| rename(&moving(physical), logical)));
    statements.push(statement);
    statements.extend(moved.iter().map(|(logical, physical)| rename(logical, &moving(physical))));
    statements.extend(occupied.iter().map(|name| rename(&away(name), name)));
    statements
}

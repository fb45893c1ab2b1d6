//! What a table's columns are once only the newer version is left, and how names become final.

use crate::layout::tables::Physical;
use crate::model::schema::Column;
use crate::names;
use crate::sql;
use crate::sql::{Sql, ident};

/// The older columns go: generated ones before those that they read.
pub(super) fn drop_columns(table: &Physical<'_>, place: &Sql) -> Vec<Sql> {
    let reads = |name: &&String| {
        let column = table.older.and_then(|older| older.columns.iter().find(|column| column.name == **name));
        column.is_some_and(|column| column.generated.is_some())
    };
    let (first, then): (Vec<&String>, Vec<&String>) = table.removed.iter().partition(reads);
    first.into_iter().chain(then).map(|name| sql!("ALTER TABLE {} DROP COLUMN {}", place, ident(name))).collect()
}

/// Columns get their final names; first aside where a name is still in use.
pub(super) fn rename_columns(table: &Physical<'_>, place: &Sql) -> Vec<Sql> {
    let rename = |from: &str, to: &str| sql!("ALTER TABLE {} RENAME COLUMN {} TO {}", place, ident(from), ident(to));
    let moved: Vec<(&String, &String)> = table.newer_names.iter().filter(|(logical, physical)| logical != physical).collect();
    let in_use = |name: &str| moved.iter().any(|(_, physical)| *physical == name);
    let aside = |name: &str| names::generated("away", &[&table.name, name]);
    let (waiting, free): (Vec<_>, Vec<_>) = moved.iter().partition(|(logical, _)| in_use(logical));
    let mut statements: Vec<Sql> = waiting.iter().map(|(_, physical)| rename(physical, &aside(physical))).collect();
    statements.extend(free.iter().map(|(logical, physical)| rename(physical, logical)));
    statements.extend(waiting.iter().map(|(logical, physical)| rename(&aside(physical), logical)));
    statements
}

/// Whether complete gives a column another default.
pub(super) fn changes_default(table: &Physical<'_>, column: &Column) -> bool {
    let physical = table.newer_name(&column.name);
    let so_far = match table.added.iter().find(|added| added.physical == physical) {
        Some(added) if added.is_bare && column.default.is_none() => return true,
        Some(added) => added.default.clone(),
        None => table
            .older
            .and_then(|older| older.columns.iter().find(|there| there.name == physical))
            .and_then(|there| there.default.clone()),
    };
    so_far != column.default
}

/// Renames in an order in which every name is free when it is given; one of a circle is put aside first.
pub(super) fn in_order(mut waiting: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let free = waiting.iter().position(|(_, wanted)| waiting.iter().all(|(so_far, _)| so_far != wanted));
        let (so_far, wanted) = waiting.remove(free.unwrap_or_default());
        if free.is_some() {
            order.push((so_far, wanted));
        } else {
            let aside = names::generated("away", &[&so_far]);
            order.push((so_far, aside.clone()));
            waiting.push((aside, wanted));
        }
    }
    order
}

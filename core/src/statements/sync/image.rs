//! Whether values are the same to the last bit: equality of types such as `numeric` or `citext` is coarser, `json` has none.

use crate::layout::chain::Chain;
use crate::layout::tables::{Physical, physical_name};
use crate::model::schema::Column;
use crate::sql;
use crate::sql::{Sql, ident, join, operation, type_name};

/// Whether two values for a physical column of a table are the same, wherever names are looked up.
pub(super) fn same(table: &Physical<'_>, column: &str, one: &Sql, other: &Sql) -> Sql {
    match exact_type(table, column) {
        Some(exact) => {
            let equal = operation(&exact.of(one), "=", &exact.of(other));
            sql!("coalesce({}, {} IS NULL AND {} IS NULL)", equal, one, other)
        }
        // a function, since the operator of the same meaning is printed by the server in a way that it does not read back
        None => sql!("pg_catalog.record_image_eq(ROW({}), ROW({}))", one, other),
    }
}

/// A column of the new row in the type that a variable has for it: images of rows are not compared across a domain and what is behind it.
pub(super) fn as_variable(chain: &Chain, table: &Physical<'_>, physical: &str) -> Sql {
    let value = sql!("NEW.{}", ident(physical));
    match column(table, physical).and_then(|column| chain.behind_rules(&column.sql_type)) {
        Some((behind, _)) => sql!("CAST({} AS {})", value, type_name(behind)),
        None => value,
    }
}

fn column<'a>(table: &'a Physical<'_>, physical: &str) -> Option<&'a Column> {
    let added = table.added.iter().find(|added| added.physical == physical).map(|added| &added.column);
    let older = || table.older?.columns.iter().find(|column| physical_name(&table.older_names, &column.name) == physical);
    added.or_else(older)
}

/// Whether two columns of the new row, each a copy of the other, differ.
pub(super) fn differ(table: &Physical<'_>, one: &str, other: &str) -> Sql {
    let value = |name: &str| sql!("NEW.{}", ident(name));
    match (exact_type(table, one), exact_type(table, other)) {
        (Some(own), Some(their)) => sql!("{} IS DISTINCT FROM {}", own.of(&value(one)), their.of(&value(other))),
        _ => sql!("pg_catalog.record_image_ne(ROW({}), ROW({}))", value(one), value(other)),
    }
}

/// Whether one of these physical columns is another one than before.
pub(super) fn changed(table: &Physical<'_>, columns: &[String]) -> Sql {
    let mut differences: Vec<Sql> = Vec::new();
    let mut images: Vec<&String> = Vec::new();
    for column in columns {
        match exact_type(table, column) {
            Some(exact) => {
                let value = |row: &str| exact.of(&sql!("{}.{}", Sql::trusted(row), ident(column)));
                differences.push(sql!("{} IS DISTINCT FROM {}", value("OLD"), value("NEW")));
            }
            None => images.push(column),
        }
    }
    if !images.is_empty() {
        let row = |row: &str| join(images.iter().map(|name| sql!("{}.{}", Sql::trusted(row), ident(name))), ", ");
        differences.push(sql!("pg_catalog.record_image_ne(ROW({}), ROW({}))", row("OLD"), row("NEW")));
    }
    if differences.is_empty() { Sql::trusted("false") } else { sql!("({})", join(differences, " OR ")) }
}

/// A type of which two values are equal only where they are the same, by an operator of the server's own: that is found sooner, and read and
/// asked in less time than images of rows.
#[derive(Clone, Copy)]
enum Exact {
    /// Its own equality.
    Own,
    /// That of `text`, which has the same form.
    AsText,
}

impl Exact {
    fn of(self, value: &Sql) -> Sql {
        match self {
            Exact::Own => value.clone(),
            Exact::AsText => sql!("{}::pg_catalog.text", value),
        }
    }
}

fn exact_type(table: &Physical<'_>, physical: &str) -> Option<Exact> {
    let column = column(table, physical)?;
    match column.sql_type.split('(').next()? {
        "smallint" | "integer" | "bigint" | "boolean" | "uuid" | "date" => Some(Exact::Own),
        "timestamp" | "timestamp with time zone" | "timestamp without time zone" => Some(Exact::Own),
        "text" if column.collation.is_none() => Some(Exact::Own),
        "character varying" if column.collation.is_none() => Some(Exact::AsText),
        _ => None,
    }
}

//! The conversions as a query: what preflight asks, and what the backfill writes.

use std::collections::BTreeSet;

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::sql::is_quoted;
use crate::sql::{Sql, ident, join, type_name, user};
use crate::statements::ddl::null;
use crate::statements::enums::{self, Moment};
use crate::transition::lineage::ScopeColumn;
use crate::{model::types, sql, statements::numbers};

use super::Direction;
use super::conversion::{Conversion, Scope, Source};

/// The derived columns of one side that are wanted, as a query: `(SELECT … FROM (SELECT …) AS "users")`, correlated to `row`, with the
/// physical columns that it gives, in order.
pub fn conversion_query(
    chain: &Chain,
    table: &Physical<'_>,
    direction: Direction,
    row: &Sql,
    moment: Moment,
    wanted: impl Fn(&str) -> bool,
) -> (Vec<String>, Sql) {
    let conversion = Conversion::of_some(table, direction, wanted);
    nested_query(chain, &conversion, moment, Some(row), |_, physical| sql!("{}.{}", row, ident(physical)))
}

/// Columns of the newer version, under their names there and of their types, as a query that is correlated to `row` of the table as
/// it is: what a constraint or index of that version will be held against.
pub fn newer_row(chain: &Chain, table: &Physical<'_>, wanted: &BTreeSet<String>, row: &Sql) -> Sql {
    let (lineage, name) = (table.lineage, ident(&table.lineage.newest().table));
    let added = |column: &String| table.added.iter().find(|added| added.column.name == *column);
    let carried = wanted.iter().filter(|column| added(column).is_none_or(|added| added.derived));
    let targets = carried.map(|column| (column.clone(), column.clone())).collect();
    let conversion = Conversion::towards(lineage, Direction::Up, targets, &table.older_names);
    let from = |_: &ScopeColumn, physical: &str| sql!("{}.{}", row, ident(physical));
    let query = nested_query(chain, &conversion, Moment::Preflight, Some(row), from).1;
    let parts = wanted.iter().map(|column| {
        let there = sql!("{}.{}", name, ident(column));
        let value = match added(column) {
            None => there,
            Some(added) => {
                let default = added.default.as_ref().map(|default| chain.stage.as_value(&added.column.sql_type, default));
                let default = default.as_deref().map_or_else(|| Sql::trusted("NULL"), user);
                let value = if added.derived { &there } else { &default };
                // what the expression's own collation is does not count
                let usual = || types::is_text(&added.column.sql_type).then(|| "pg_catalog.default".to_owned());
                crate::statements::ddl::cast(
                    value,
                    &enums::plain(chain, &added.column.sql_type),
                    &added.column.collation.clone().or_else(usual),
                )
            }
        };
        sql!("{} AS {}", value, ident(column))
    });
    let parts: Vec<Sql> = parts.collect();
    let parts = if parts.is_empty() { Sql::trusted("1") } else { join(parts, ", ") };
    sql!("SELECT {} FROM ({}) AS {}", parts, query, name)
}

/// Finds a row whose older side alone was written, in `place`, while no trigger was there: a column of the newer version is empty although its
/// conversion gives a value, and the older side is not what the newer one would give it, so that no newer writer has emptied it. None where
/// that cannot be told of any column.
pub fn unconverted(chain: &Chain, table: &Physical<'_>, place: &Sql) -> Option<Sql> {
    let row = ident("diptych row");
    let held = |physical: &str| sql!("{}.{}", row, ident(physical));
    let (mut joined, mut found) = (Vec::new(), Vec::new());
    for (at, added) in table.added.iter().filter(|added| added.derived).enumerate() {
        let name = &added.physical;
        let inputs = Conversion::of_some(table, Direction::Up, |physical| physical == name).inputs();
        let (back, down) =
            conversion_query(chain, table, Direction::Down, &row, Moment::Published, |physical| inputs.contains(physical));
        if back.is_empty() || !added.column.nullable {
            continue;
        }
        let (_, up) = conversion_query(chain, table, Direction::Up, &row, Moment::Published, |physical| physical == name);
        let [there, here] = ["diptych up", "diptych down"].map(|side| ident(&format!("{side} {at}")));
        let names = join((1..=back.len()).map(|number| ident(&format!("diptych {number}"))), ", ");
        joined.push(sql!(", LATERAL ({}) AS {} ({}), LATERAL ({}) AS {} ({})", up, there, ident("diptych 1"), down, here, names));
        let differs = back.iter().enumerate().map(|(at, physical)| {
            let given = sql!("{}.{}", here, ident(&format!("diptych {}", at + 1)));
            sql!(
                "pg_catalog.record_image_ne(ROW({}), ROW({}))",
                printed(chain, table, physical, &held(physical)),
                printed(chain, table, physical, &given)
            )
        });
        found.push(sql!(
            "CASE WHEN {} IS NOT DISTINCT FROM NULL AND ({}) THEN {}.{} IS DISTINCT FROM NULL ELSE false END",
            held(name),
            join(differs, " OR "),
            there,
            ident("diptych 1")
        ));
    }
    found.extend(numbers::columns(table).map(|added| sql!("{} IS NULL", held(&added.physical))));
    (!found.is_empty()).then(|| {
        sql!(
            "SELECT {}.ctid::pg_catalog.text FROM {} AS {}{} WHERE {} LIMIT 1",
            row,
            place,
            row,
            join(joined, ""),
            join(found, " OR ")
        )
    })
}

/// A value of an older column as the server prints it once it is stored.
fn printed(chain: &Chain, table: &Physical<'_>, physical: &str, value: &Sql) -> Sql {
    let column = table.older.and_then(|older| older.columns.iter().find(|column| column.name == *physical));
    let stored = column.filter(|column| enums::plain(chain, &column.sql_type) == column.sql_type).map(|column| {
        let behind = chain.behind_rules(&column.sql_type).map_or(column.sql_type.as_str(), |(behind, _)| behind);
        sql!("CAST({} AS {})", value, type_name(behind))
    });
    sql!("({})::pg_catalog.text", stored.unwrap_or_else(|| value.clone()))
}

/// The same over NULLs of the right types, to see whether the expressions are valid at all.
pub fn validity_query(chain: &Chain, table: &Physical<'_>, direction: Direction) -> Option<Sql> {
    let conversion = Conversion::of(table, direction);
    if conversion.is_empty() {
        return None;
    }
    let empty = |column: &ScopeColumn, _: &str| match column.form {
        Some(_) => sql!("CAST(NULL AS {})", enums::in_query(chain, column, Moment::Preflight)),
        None => null(&column.sql_type, &column.collation),
    };
    Some(nested_query(chain, &conversion, Moment::Preflight, None, empty).1)
}

fn nested_query(
    chain: &Chain,
    conversion: &Conversion<'_>,
    moment: Moment,
    row: Option<&Sql>,
    first: impl Fn(&ScopeColumn, &str) -> Sql,
) -> (Vec<String>, Sql) {
    let select = |parts: Vec<Sql>| if parts.is_empty() { Sql::trusted("1") } else { join(parts, ", ") };
    let mut query = Sql::default();
    let mut below: Option<&Scope<'_>> = None;
    for (at, scope) in conversion.scopes.iter().enumerate() {
        let is_last = at + 1 == conversion.scopes.len();
        let parts = scope.values.iter().map(|value| {
            let column = value.column;
            let by_label = |given: Sql| enums::by_label(chain, column, given, moment);
            let typed = |given: Sql| match column.form {
                Some(_) => by_label(given),
                None => sql!("CAST({} AS {})", given, enums::in_query(chain, column, moment)),
            };
            let given = match &value.source {
                Source::Row(physical) => first(column, physical),
                Source::Same(other) => sql!("{}.{}", ident(below.map_or("", |below| below.name)), ident(other)),
                // what the next expressions read has its type, as in the triggers; the last is assigned to its column
                Source::Derived(expression, _) if !is_last || is_quoted(expression) => typed(user(expression)),
                Source::Derived(expression, _) => by_label(user(expression)),
                Source::Fresh => typed(Sql::trusted("NULL")),
            };
            sql!("{} AS {}", given, ident(&column.name))
        });
        let parts = select(parts.collect());
        query = match below {
            // a condition takes no aggregates, windows and sets, of which a row alone knows nothing; nobody computes it
            Some(below) if row.is_none() => {
                let derived = scope.values.iter().filter_map(|value| match &value.source {
                    Source::Derived(expression, _) => Some(sql!("({}) IS NULL", user(expression))),
                    _ => None,
                });
                let alone = join(derived.chain([Sql::trusted("true")]), " OR ");
                sql!("SELECT {} FROM ({}) AS {} WHERE {}", parts, query, ident(below.name), alone)
            }
            Some(below) => sql!("SELECT {} FROM ({}) AS {}", parts, query, ident(below.name)),
            // it reads nothing of the row: the server would ask a volatile function once for all rows
            None if scope.values.is_empty() && row.is_some() => {
                sql!("SELECT {} WHERE {}.ctid IS NOT NULL", parts, row.cloned().unwrap_or_default())
            }
            None => sql!("SELECT {}", parts),
        };
        below = Some(scope);
    }
    let top = ident(below.map_or("", |below| below.name));
    let parts = conversion.targets.iter().map(|(logical, _)| sql!("{}.{}", top, ident(logical))).collect();
    let targets = conversion.targets.iter().map(|(_, physical)| physical.clone()).collect();
    (targets, sql!("SELECT {} FROM ({}) AS {}", select(parts), query, top))
}

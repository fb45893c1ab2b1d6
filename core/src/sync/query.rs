//! The conversions as a query: what preflight asks, and what the backfill writes.

use std::collections::BTreeSet;

use crate::chain::Chain;
use crate::ddl::null;
use crate::enums::{self, Moment};
use crate::lineage::{Lineage, Link};
use crate::ops::add_column::is_quoted;
use crate::shadow::Physical;
use crate::sql::{Sql, ident, join, user};
use crate::{sql, types};

use super::Direction;
use super::needs::Needs;

/// The derived columns of one side as a query: `(SELECT … FROM (SELECT …) AS "users")`, correlated to `row`, with the
/// physical columns that it gives, in order.
pub fn conversion_query(
    chain: &Chain,
    table: &Physical<'_>,
    direction: Direction,
    row: &Sql,
    moment: Moment,
) -> (Vec<String>, Sql) {
    let plan = Needs::of(table, direction);
    let from = |name: &str| sql!("{}.{}", row, ident(crate::ddl::physical(&plan.physical, name)));
    nested_query(chain, table.lineage, &plan, moment, Some(row), from)
}

/// Columns of the newer version, under their names there and of their types, as a query that is correlated to `row` of the table as
/// it is: what a constraint or index of that version will be held against.
pub fn newer_row(chain: &Chain, table: &Physical<'_>, wanted: &BTreeSet<String>, row: &Sql) -> Sql {
    let (lineage, name) = (table.lineage, ident(&table.lineage.newest().table));
    let added = |column: &String| table.added.iter().find(|added| added.column.name == *column);
    let carried = wanted.iter().filter(|column| added(column).is_none_or(|added| added.derived));
    let plan =
        Needs::towards(lineage, Direction::Up, carried.map(|c| (c.clone(), c.clone())).collect(), table.older_names.clone());
    let from = |name: &str| sql!("{}.{}", row, ident(crate::ddl::physical(&plan.physical, name)));
    let query = nested_query(chain, lineage, &plan, Moment::Preflight, Some(row), from).1;
    let parts = wanted.iter().map(|column| {
        let there = sql!("{}.{}", name, ident(column));
        let value = match added(column) {
            None => there,
            Some(added) => {
                let default = added.default.as_deref().map_or_else(|| Sql::trusted("NULL"), user);
                let value = if added.derived { &there } else { &default };
                // what the expression's own collation is does not count
                let usual = || types::is_text(&added.column.sql_type).then(|| "pg_catalog.default".to_owned());
                crate::ddl::cast(
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

/// The same over NULLs of the right types, to see whether the expressions are valid at all.
pub fn validity_query(chain: &Chain, table: &Physical<'_>, direction: Direction) -> Option<Sql> {
    let plan = Needs::of(table, direction);
    if plan.targets.is_empty() {
        return None;
    }
    let scope = plan.scope(table.lineage, 0).clone();
    let empty = |name: &str| match scope.columns.iter().find(|column| column.name == name) {
        Some(column) if column.form.is_some() => {
            sql!("CAST(NULL AS {})", enums::in_query(chain, column, Moment::Preflight))
        }
        Some(column) => null(&column.sql_type, &column.collation),
        None => null("text", &None),
    };
    Some(nested_query(chain, table.lineage, &plan, Moment::Preflight, None, empty).1)
}

fn nested_query(
    chain: &Chain,
    lineage: &Lineage,
    plan: &Needs,
    moment: Moment,
    row: Option<&Sql>,
    first: impl Fn(&str) -> Sql,
) -> (Vec<String>, Sql) {
    let select = |parts: Vec<Sql>| if parts.is_empty() { Sql::trusted("1") } else { join(parts, ", ") };
    let mut query =
        sql!("SELECT {}", select(plan.needed[0].iter().map(|name| sql!("{} AS {}", first(name), ident(name))).collect()));
    if let Some(row) = row.filter(|_| plan.needed[0].is_empty()) {
        // it reads nothing of the row: the server would ask a volatile function once for all rows
        query = sql!("{} WHERE {}.ctid IS NOT NULL", query, row);
    }
    for at in 1..plan.needed.len() {
        let (below, above) = (plan.scope(lineage, at - 1), plan.scope(lineage, at));
        let parts = plan.needed[at]
            .iter()
            .map(|name| {
                let column = above.columns.iter().find(|column| column.name == *name);
                let by_label = |value: Sql| match column {
                    Some(column) => enums::by_label(chain, column, value, moment),
                    None => value,
                };
                let typed = |value: Sql| match column {
                    Some(column) if column.form.is_some() => by_label(value),
                    Some(column) => sql!("CAST({} AS {})", value, enums::in_query(chain, column, moment)),
                    None => value,
                };
                let value = match plan.link(lineage, at, name) {
                    Link::Same(other) => sql!("{}.{}", ident(&below.table), ident(&other)),
                    // what the next expressions read has its type, as in the triggers; the last is assigned to its column
                    Link::Derived(expression) if at + 1 < plan.needed.len() || is_quoted(&expression) => typed(user(&expression)),
                    Link::Derived(expression) => by_label(user(&expression)),
                    Link::Fresh => typed(Sql::trusted("NULL")),
                };
                sql!("{} AS {}", value, ident(name))
            })
            .collect();
        query = sql!("SELECT {} FROM ({}) AS {}", select(parts), query, ident(&below.table));
    }
    let top = plan.scope(lineage, plan.needed.len() - 1);
    let parts = plan.targets.iter().map(|(logical, _)| sql!("{}.{}", ident(&top.table), ident(logical))).collect();
    let targets = plan.targets.iter().map(|(_, physical)| physical.clone()).collect();
    (targets, sql!("SELECT {} FROM ({}) AS {}", select(parts), query, ident(&top.table)))
}

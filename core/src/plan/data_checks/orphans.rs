//! The rows that a new foreign key finds pointing at nothing.

use super::{NEWER, ROW, joined, newer_rows, points_already, reads_numbers, refuse, sample_name, shown};
use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::schema::{References, Table};
use crate::model::types;
use crate::plan::Steps;
use crate::sql;
use crate::sql::{Sql, concatenation, ident, join, literal, operation, qualified};
use crate::statements::sync::{self, Direction};
use crate::statements::{ddl, enums};

/// The alias of the rows that point.
const CHILD: &str = "diptych child";
/// The alias of the rows that they point at.
const PARENT: &str = "diptych parent";

/// A new foreign key that points at nothing in existing rows.
pub(super) fn orphans(
    chain: &Chain,
    tables: &[Physical<'_>],
    table: &Physical<'_>,
    (name, columns, references): (&str, &[String], &References),
    steps: &mut Steps,
) {
    let target = tables.iter().find(|there| there.final_name() == Some(references.table.as_str()));
    let (Some(newer), Some(target)) = (table.newer, target) else { return };
    let Some(parent) = target.newer else { return };
    let numbers = reads_numbers(table, columns) || reads_numbers(target, &references.columns);
    if numbers || points_already(table, target, columns, references) {
        return;
    }
    let key = Key { chain, table, newer, target, parent, columns, references };
    refuse(
        steps,
        format!("the rows of `{}` point at rows of `{}` by foreign key `{name}`", table.name, references.table),
        sync::path(chain, Direction::Up),
        sql!("{} LIMIT 3", key.violations()),
        format!(
            "rows of table `{}` reference rows of table `{}` that do not exist (foreign key `{name}`)",
            table.name, references.table
        ),
        if key.target_has_rows() {
            "correct these rows, add the rows that they reference, or give the column an `up` that avoids such references"
        } else {
            "create the foreign key in a later migration, when the new table has its rows"
        },
    );
}

/// A foreign key, with the tables at both its ends.
struct Key<'a> {
    chain: &'a Chain,
    table: &'a Physical<'a>,
    newer: &'a Table,
    target: &'a Physical<'a>,
    parent: &'a Table,
    columns: &'a [String],
    references: &'a References,
}

impl Key<'_> {
    /// The rows that violate it: a key points at no row, or is NULL in part where that is not allowed.
    fn violations(&self) -> Sql {
        let is_null = |column: &String| sql!("{} IS NOT DISTINCT FROM NULL", child(column));
        let is_there = |column: &String| sql!("{} IS DISTINCT FROM NULL", child(column));
        let mut broken = join(self.columns.iter().map(is_there), " AND ");
        if self.target_has_rows() {
            let (rows, same) = (self.target_rows(), self.is_same());
            broken = sql!("{} AND NOT EXISTS (SELECT 1 FROM ({}) AS {} WHERE {})", broken, rows, ident(PARENT), same);
        }
        let dangling = self.samples(&broken);
        if self.references.match_type.is_none() || self.columns.len() == 1 {
            return dangling;
        }
        let (null, there) = (self.columns.iter().map(is_null), self.columns.iter().map(is_there));
        let half = sql!("({}) AND ({})", join(null, " OR "), join(there, " OR "));
        sql!("{} UNION ALL {}", dangling, self.samples(&half))
    }

    /// Whether rows can be there to point at: a table that comes with this migration has none yet, unless sql has filled it.
    fn target_has_rows(&self) -> bool {
        self.target.is_kept() || self.is_filled()
    }

    fn is_filled(&self) -> bool {
        !self.target.is_kept() && self.target.scripts_before < self.table.scripts_before
    }

    /// The rows that are pointed at, as the newer version will have them.
    fn target_rows(&self) -> Sql {
        let place = qualified(&self.chain.base, &self.target.name);
        if self.is_filled() {
            return sql!("SELECT * FROM {}", place);
        }
        let read = self.references.columns.iter().cloned().collect();
        sql!(
            "SELECT {}.* FROM {} AS {}, LATERAL ({}) AS {}",
            ident(NEWER),
            place,
            ident(ROW),
            sync::newer_row(self.chain, self.target, &read, &ident(ROW)),
            ident(NEWER)
        )
    }

    /// Whether a row that points and one that is pointed at have the same key.
    fn is_same(&self) -> Sql {
        let pairs = self.columns.iter().zip(&self.references.columns).map(|(own, other)| {
            let (ours, theirs) = (collation(self.newer, own), collation(self.parent, other));
            // it is the referenced column's collation that counts
            let collate = (ours != theirs).then(|| theirs.unwrap_or_else(|| "pg_catalog.default".to_owned()));
            // equality of the referenced column's type, whatever operator of that name the path has
            let there = sql!("{}.{}", ident(PARENT), ident(other));
            let here = ddl::collate(&ddl::cast(&child(own), &self.target_type(other), &None), &collate);
            operation(&sql!("ARRAY[{}]", there), "=", &sql!("ARRAY[{}]", here))
        });
        join(pairs, " AND ")
    }

    fn target_type(&self, name: &String) -> String {
        let column = self.parent.columns.iter().find(|column| column.name == *name);
        enums::plain(self.chain, &types::without_length(column.map_or("text", |column| &column.sql_type)))
    }

    /// The rows for which a condition holds, as they are named to people.
    fn samples(&self, condition: &Sql) -> Sql {
        let rows = newer_rows(self.chain, self.table, self.newer, &self.columns.iter().cloned().collect());
        let values = joined(self.columns.iter().map(|column| shown(&literal(column), &child(column))).collect());
        let (row, place) = (sql!("{}.{}", ident(CHILD), sample_name(self.newer)), ident(CHILD));
        let text = concatenation([row, literal(": "), values.unwrap_or_default()]);
        sql!("SELECT {} FROM ({}) AS {} WHERE {}", text, rows, place, condition)
    }
}

fn child(column: &str) -> Sql {
    sql!("{}.{}", ident(CHILD), ident(column))
}

fn collation(table: &Table, name: &str) -> Option<String> {
    table.columns.iter().find(|column| column.name == name).and_then(|column| column.collation.clone())
}

//! Clauses of new constraints and indexes that an older server does not know: told before it meets them in the middle of a start.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::schema::{Constraint, Index};
use crate::plan::{Steps, Verdict};
use crate::sql;
use crate::sql::{join, literal};

/// What PostgreSQL 14 does not know: the field's name, what may have it, and who does in a table.
const SINCE_15: [(&str, &str, Owners); 2] =
    [("nulls_not_distinct", "unique key or index", not_distinct), ("on_delete_set_columns", "foreign key", sets_columns)];

type Owners = fn(&New<'_>) -> Vec<String>;

/// The server knows every clause of what is new.
pub(super) fn known(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    parts_hold_rows(chain, tables, steps);
    if chain.server >= 15 {
        return;
    }
    for (field, kind, owners) in SINCE_15 {
        let found = tables.iter().flat_map(|table| {
            let place = table.final_name().unwrap_or(&table.name);
            owners(&New::of(table)).into_iter().map(move |name| sql!("({})", literal(&format!("`{name}` of table `{place}`"))))
        });
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            continue;
        }
        steps.check(
            format!("no {kind} has `{field}` (PostgreSQL {})", chain.server),
            sql!("VALUES {}", join(found, ", ")),
            format!("PostgreSQL {} does not support `{field}`, and a {kind} has it", chain.server),
            "remove it, or upgrade to PostgreSQL 15 or newer",
            Verdict::Refuse,
        );
    }
}

/// Before PostgreSQL 18 a foreign key of a partitioned table is valid from the beginning.
fn parts_hold_rows(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let keys = tables.iter().filter(|table| table.is_partitioned() && chain.server < 18).flat_map(|table| {
        let place = table.final_name().unwrap_or(&table.name);
        let keys = table.new_foreign_keys().into_iter().filter(|(name, _)| !table.holds_rows(name));
        keys.map(move |_| sql!("({})", literal(place)))
    });
    let keys: Vec<_> = keys.collect();
    if !keys.is_empty() {
        steps.check(
            format!("no foreign key of a partitioned table is `not_valid` (PostgreSQL {})", chain.server),
            sql!("VALUES {}", join(keys, ", ")),
            format!(
                "PostgreSQL {} holds every row of a partitioned table to its foreign keys, and a new one is `not_valid`",
                chain.server
            ),
            "remove `not_valid` and correct the rows, or upgrade to PostgreSQL 18 or newer",
            Verdict::Refuse,
        );
    }
}

/// What a table has in the newer version only, by the names to be.
struct New<'a> {
    constraints: Vec<(&'a String, &'a Constraint)>,
    indexes: Vec<(&'a String, &'a Index)>,
}

impl<'a> New<'a> {
    fn of(table: &'a Physical<'_>) -> Self {
        match table.newer {
            Some(newer) if table.older.is_none() => {
                New { constraints: newer.constraints.iter().collect(), indexes: newer.indexes.iter().collect() }
            }
            _ => New {
                constraints: table.added_constraints.iter().map(|added| (&added.name, &added.constraint)).collect(),
                indexes: table.added_indexes.iter().map(|(name, _, index)| (name, index)).collect(),
            },
        }
    }
}

fn not_distinct(new: &New<'_>) -> Vec<String> {
    let keys = new.constraints.iter().filter(|(_, key)| matches!(key, Constraint::Unique { nulls_not_distinct: true, .. }));
    let indexes = new.indexes.iter().filter(|(_, index)| index.nulls_not_distinct);
    keys.map(|(name, _)| (*name).clone()).chain(indexes.map(|(name, _)| (*name).clone())).collect()
}

fn sets_columns(new: &New<'_>) -> Vec<String> {
    let sets = |key: &Constraint| matches!(key, Constraint::ForeignKey { references, .. } if !references.on_delete_set_columns.is_empty());
    new.constraints.iter().filter(|(_, key)| sets(key)).map(|(name, _)| (*name).clone()).collect()
}

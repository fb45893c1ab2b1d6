//! Whose write a row is, by what it holds.

use crate::chain::Chain;
use crate::ops::add_column::is_fast_default;
use crate::schema::Column;
use crate::shadow::Physical;
use crate::sql::{Sql, ident, join, literal, type_name, user};
use crate::{sql, types};

use super::needs::Needs;
use super::{Direction, has_check};

/// What a row tells about who wrote it.
pub(super) struct Evidence {
    pub(super) writer_newer: Sql,
    /// The newer side's columns with their types; none of them has a value of its own accord.
    pub(super) newer: Vec<(String, String)>,
    /// Every newer-side column.
    pub(super) newer_all: Vec<(String, String)>,
    /// The older side's columns with types, and the default to tell apart from a value, where there is one.
    pub(super) older: Vec<(String, String, Option<String>)>,
    pub(super) older_all: Vec<(String, String)>,
    /// Columns that `up` reads: the older side's own, and shared ones.
    pub(super) up_own: Vec<(String, String)>,
    pub(super) up_shared: Vec<(String, String)>,
    /// Columns that `down` reads.
    pub(super) down_all: Vec<(String, String)>,
    pub(super) checked: bool,
}

impl Evidence {
    pub(super) fn of(chain: &Chain, table: &Physical<'_>) -> Self {
        let older_model = table.older.expect("sync is for tables of both versions");
        let older_type = |name: &String| {
            let column = older_model.columns.iter().find(|column| column.name == *name);
            (name.clone(), column.map_or_else(String::new, comparable))
        };
        let newer_all: Vec<_> = table.added.iter().map(|added| (added.physical.clone(), comparable(&added.column))).collect();
        let newer = table
            .added
            .iter()
            .filter(|added| added.default.is_none() && !added.numbered)
            .map(|a| (a.physical.clone(), a.column.sql_type.clone()))
            .collect();
        let older = table.removed.iter().filter_map(|name| {
            let column = older_model.columns.iter().find(|column| column.name == *name)?;
            let default = column.default.clone();
            let tellable =
                column.identity.is_none() && column.generated.is_none() && default.as_deref().is_none_or(is_fast_default);
            tellable.then(|| (name.clone(), column.sql_type.clone(), default))
        });
        // a generated column cannot be looked at before it is computed, and nobody writes it
        let is_written =
            |name: &&String| !older_model.columns.iter().any(|column| column.name == **name && column.generated.is_some());
        let older_all: Vec<_> = table.removed.iter().filter(is_written).map(older_type).collect();
        let (up, down) = (Needs::of(table, Direction::Up).inputs(), Needs::of(table, Direction::Down).inputs());
        let shared = |name: &&String| !table.removed.contains(name) && !table.is_added(name);
        let of_newer = |name: &String| newer_all.iter().find(|(there, _)| there == name).cloned();
        Evidence {
            writer_newer: sql!("{} = ANY (pg_catalog.current_schemas(false))", literal(&chain.newer.views)),
            newer,
            older: older.collect(),
            older_all,
            up_own: up.iter().filter(|name| table.removed.contains(name)).map(older_type).collect(),
            up_shared: up.iter().filter(shared).map(older_type).collect(),
            down_all: down.iter().map(|name| of_newer(name).unwrap_or_else(|| older_type(name))).collect(),
            newer_all,
            checked: has_check(table),
        }
    }

    pub(super) fn carries_newer(&self) -> Sql {
        any(self.newer.iter().map(|(name, _)| sql!("NEW.{} IS NOT NULL", ident(name))))
    }

    pub(super) fn carries_older(&self) -> Sql {
        any(self.older.iter().map(|(name, sql_type, default)| match default {
            None => sql!("NEW.{} IS NOT NULL", ident(name)),
            Some(default) => {
                sql!(
                    "(NEW.{} IS NOT NULL AND NOT {})",
                    ident(name),
                    same_image(&sql!("NEW.{}", ident(name)), &sql!("CAST({} AS {})", user(default), type_name(sql_type)))
                )
            }
        }))
    }

    pub(super) fn down_insert(&self) -> Sql {
        let (newer, older) = (self.carries_newer(), self.carries_older());
        sql!("({} AND ({} OR NOT {})) OR ({} AND NOT {})", self.writer_newer, newer, older, newer, older)
    }

    pub(super) fn up_insert(&self) -> Sql {
        sql!("NOT {} AND NOT {}", self.carries_newer(), wrap(&self.writer_newer))
    }

    pub(super) fn check_insert(&self) -> Option<Sql> {
        (self.checked && !self.older.is_empty())
            .then(|| sql!("NOT {} AND {} AND {}", self.carries_newer(), self.carries_older(), self.writer_newer))
    }

    pub(super) fn down_update(&self) -> Sql {
        let (newer, older) = (changed(&self.newer_all), changed(&self.older_all));
        sql!(
            "{} AND (({} AND ({} OR NOT {})) OR ({} AND NOT {}))",
            changed(&self.down_all),
            newer,
            self.writer_newer,
            older,
            self.writer_newer,
            older
        )
    }

    pub(super) fn up_update(&self) -> Sql {
        let inputs: Vec<_> = self.up_own.iter().chain(&self.up_shared).cloned().collect();
        sql!("NOT {} AND {} AND NOT {}", wrap(&self.writer_newer), changed(&inputs), changed(&self.newer_all))
    }

    pub(super) fn check_update(&self) -> Option<Sql> {
        (self.checked && !self.up_own.is_empty())
            .then(|| sql!("{} AND {} AND NOT {}", self.writer_newer, changed(&self.up_own), changed(&self.newer_all)))
    }
}

/// The type by which values are compared; none where a collation may find equal what is not the same.
pub(super) fn comparable(column: &Column) -> String {
    if column.collation.is_some() { String::new() } else { column.sql_type.clone() }
}

/// Whether two values are the same to the last bit: equality of types such as `numeric` or `citext` is coarser, `json` has
/// none. The casts keep the server from comparing the rows field by field.
pub(super) fn same_image(one: &Sql, other: &Sql) -> Sql {
    sql!("(ROW({})::pg_catalog.record OPERATOR(pg_catalog.*=) ROW({})::pg_catalog.record)", one, other)
}

fn wrap(condition: &Sql) -> Sql {
    sql!("({})", condition)
}

fn any(conditions: impl Iterator<Item = Sql>) -> Sql {
    let conditions: Vec<_> = conditions.collect();
    if conditions.is_empty() { Sql::trusted("false") } else { sql!("({})", join(conditions, " OR ")) }
}

pub(super) fn changed(columns: &[(String, String)]) -> Sql {
    any(columns.iter().map(|(name, sql_type)| {
        if types::equality_is_identity(sql_type) {
            sql!("OLD.{} IS DISTINCT FROM NEW.{}", ident(name), ident(name))
        } else {
            sql!("NOT {}", same_image(&sql!("OLD.{}", ident(name)), &sql!("NEW.{}", ident(name))))
        }
    }))
}

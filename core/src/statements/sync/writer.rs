//! Whose write a row is, by what it holds.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::expression::Expression;
use crate::sql;
use crate::sql::{Sql, ident, join, literal, type_name, user};

use super::conversion::Conversion;
use super::image::{changed, same};
use super::{Direction, has_check};

/// What a row tells about who wrote it. The server reads these conditions anew for each statement, and evaluates them for each row: what
/// is short, and what tells most rows apart, comes first.
pub(super) struct WriterDetection<'a> {
    table: &'a Physical<'a>,
    writer_newer: Sql,
    /// The newer side's columns that have no value of their own accord.
    newer: Vec<String>,
    /// Every newer-side column.
    newer_all: Vec<String>,
    /// The older side's columns with types, and the default to tell apart from a value, where there is one.
    older: Vec<(String, String, Option<Expression>)>,
    older_all: Vec<String>,
    /// Columns that `up` reads: the older side's own, and shared ones.
    up_own: Vec<String>,
    up_shared: Vec<String>,
    /// Columns that `down` reads.
    down_all: Vec<String>,
    checked: bool,
}

impl<'a> WriterDetection<'a> {
    pub(super) fn of(chain: &Chain, table: &'a Physical<'a>) -> Self {
        let older_model = table.older.expect("sync is for tables of both versions");
        let newer_all = table.added.iter().map(|added| added.physical.clone());
        let newer = table.added.iter().filter(|added| added.default.is_none() && !added.numbered);
        let older = table.removed.iter().filter_map(|name| {
            let column = older_model.columns.iter().find(|column| column.name == *name)?;
            let default = column.default.as_ref().or_else(|| chain.stage.from.default_of_type(&column.sql_type)).cloned();
            let tellable = column.identity.is_none()
                && column.generated.is_none()
                && default.as_ref().is_none_or(Expression::is_fast_default);
            tellable.then(|| (name.clone(), column.sql_type.clone(), default))
        });
        // a generated column cannot be looked at before it is computed, and nobody writes it
        let is_written =
            |name: &&String| !older_model.columns.iter().any(|column| column.name == **name && column.generated.is_some());
        let (up, down) = (Conversion::of(table, Direction::Up).inputs(), Conversion::of(table, Direction::Down).inputs());
        let shared = |name: &&String| !table.removed.contains(name) && !table.is_added(name);
        let current = Sql::trusted("(pg_catalog.current_schemas(false))");
        WriterDetection {
            table,
            // as a text: a name is written down with all of its 64 bytes
            writer_newer: sql!("{}::pg_catalog.text OPERATOR(pg_catalog.=) ANY {}", literal(&chain.newer.views), current),
            newer: newer.map(|added| added.physical.clone()).collect(),
            newer_all: newer_all.collect(),
            older: older.collect(),
            older_all: table.removed.iter().filter(is_written).cloned().collect(),
            up_own: up.iter().filter(|name| table.removed.contains(name)).cloned().collect(),
            up_shared: up.iter().filter(shared).cloned().collect(),
            down_all: down.into_iter().collect(),
            checked: has_check(table),
        }
    }

    fn carries_newer(&self) -> Sql {
        any(self.newer.iter().map(|name| is_there(name)))
    }

    fn carries_older(&self) -> Sql {
        any(self.older.iter().map(|(name, sql_type, default)| match default {
            None => is_there(name),
            Some(default) => {
                let default = sql!("CAST({} AS {})", user(default), type_name(sql_type));
                sql!("({} AND NOT {})", is_there(name), same(self.table, name, &sql!("NEW.{}", ident(name)), &default))
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
        let (read, newer, older) = (self.changed(&self.down_all), self.changed(&self.newer_all), self.changed(&self.older_all));
        if self.down_all.iter().all(|name| self.newer_all.contains(name)) {
            return sql!("{} AND ({} OR NOT {})", read, self.writer_newer, older);
        }
        sql!(
            "{} AND (({} AND ({} OR NOT {})) OR ({} AND NOT {}))",
            read,
            newer,
            self.writer_newer,
            older,
            self.writer_newer,
            older
        )
    }

    pub(super) fn up_update(&self) -> Sql {
        let inputs: Vec<String> = self.up_own.iter().chain(&self.up_shared).cloned().collect();
        sql!("{} AND NOT {} AND NOT {}", self.changed(&inputs), self.changed(&self.newer_all), wrap(&self.writer_newer))
    }

    pub(super) fn check_update(&self) -> Option<Sql> {
        (self.checked && !self.up_own.is_empty())
            .then(|| sql!("{} AND NOT {} AND {}", self.changed(&self.up_own), self.changed(&self.newer_all), self.writer_newer))
    }

    fn changed(&self, columns: &[String]) -> Sql {
        changed(self.table, columns)
    }
}

/// Whether the new row has a value; of a composite value one field is enough.
fn is_there(name: &str) -> Sql {
    sql!("NEW.{} IS DISTINCT FROM NULL", ident(name))
}

fn wrap(condition: &Sql) -> Sql {
    sql!("({})", condition)
}

fn any(conditions: impl Iterator<Item = Sql>) -> Sql {
    let conditions: Vec<_> = conditions.collect();
    if conditions.is_empty() { Sql::trusted("false") } else { sql!("({})", join(conditions, " OR ")) }
}

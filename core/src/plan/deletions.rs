//! Rows that a migration deletes: at complete, when no older version has them.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::hazard::Hazard;
use crate::layout::chain::{Chain, Version};
use crate::layout::tables::Physical;
use crate::model::schema::{Constraint, Table};
use crate::plan::{Action, Phase, Steps, Verdict, catalog_checks};
use crate::sql;
use crate::sql::{Sql, concatenation, ident, join, literal, qualified, user};
use crate::statements::path::Path;
use crate::statements::{ddl, enums, partitions, ranges};
use crate::transition::lineage::Link;
use crate::transition::stage::{Delete, Moment, Script, Work};

/// The deletions of a complete, in order.
fn deletions(chain: &Chain) -> impl Iterator<Item = &Delete> {
    chain.stage.scripts_of(Moment::Complete).filter_map(|script| match &script.work {
        Work::Delete(delete) => Some(delete.as_ref()),
        Work::Sql { .. } | Work::Insert(_) => None,
    })
}

/// What `plan` says of them.
pub(super) fn notes(chain: &Chain) -> impl Iterator<Item = String> {
    deletions(chain).map(|delete| {
        format!(
            "table `{}`: the rows that `where` names are deleted at complete, in batches; both versions see them until then, and there is no undo",
            delete.table
        )
    })
}

/// A condition is tried on an empty twin of its table, unless it reads others, which may have to be made first.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    may_delete(chain, tables, steps);
    let reads_no_table = |delete: &&Delete| delete.condition.facts([]).relations.is_empty();
    for delete in deletions(chain).filter(|_| !chain.stage.is_opaque()).filter(reads_no_table) {
        let model = Table { partition_by: None, ..delete.model.clone() };
        let step = steps.check(
            format!("`where` chooses rows of table `{}`", delete.table),
            ddl::try_rows(enums::attempt(chain), &delete.table, &model, |twin| deletion(twin, delete, &Sql::trusted("true"))),
            format!("`where` of the `delete` from table `{}` is no condition over its columns", delete.table),
            "correct the condition in the migration; the server's message stands above",
            Verdict::Refuse,
        );
        step.path(Path::base(&chain.base));
    }
}

/// A deletion is carried out under the names that the table has at complete: an operation below it that changes them, or a column, is refused.
pub(super) fn refuse_what_moves(chain: &Chain, tables: &[Physical<'_>]) -> Result<()> {
    for delete in deletions(chain) {
        let stays = |table: &&Physical<'_>| {
            let layers = &table.lineage.layers;
            let is_it = layers.get(delete.layers - 1).is_some_and(|layer| layer.table == delete.table);
            let same = |link: Option<&Link>, name: &String| matches!(link, Some(Link::Same(below)) if below == name);
            let kept = |name: &String| layers[delete.layers..].iter().all(|layer| same(layer.up.get(name), name));
            is_it && delete.model.columns.iter().all(|column| kept(&column.name))
        };
        if tables.iter().filter(|table| table.final_name() == Some(delete.table.as_str())).any(|table| stays(&table)) {
            continue;
        }
        return Err(Error::new(format!("`delete` has rows of table `{}`, which an operation below it changes", delete.table)).hint(
            "move the `delete` below that operation; if that is in a later migration, run `start --to` with this one, then `complete`, then `start` again",
        ));
    }
    Ok(())
}

/// Nobody else's triggers run for the rows that complete deletes, and row security hides none.
fn may_delete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    if deletions(chain).next().is_some() {
        catalog_checks::meets_nobody_elses(chain, "the conditions of `delete`", steps);
    }
    let names: BTreeSet<&str> = deletions(chain).map(|delete| delete.table.as_str()).collect();
    let kept = tables.iter().filter(|table| table.older.is_some() && table.final_name().is_some_and(|name| names.contains(name)));
    catalog_checks::written(chain, &kept.map(|table| literal(&table.name)).collect::<Vec<_>>(), "8", steps);
}

/// What would stand in the way of a deletion is found before complete changes anything.
pub(super) fn checks_of_complete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    may_delete(chain, tables, steps);
    for (at, delete) in deletions(chain).enumerate() {
        let gone_before = |table: &String| deletions(chain).take(at).any(|before| before.table == *table);
        let views = |name: &str| qualified(&chain.newer.views, name);
        let references = held_by(&chain.newer, &delete.table).into_iter().filter(|(table, ..)| !gone_before(table));
        let held = references.map(|(table, columns, referenced)| {
            let row = ident(&delete.table);
            let pairs = columns.iter().zip(&referenced);
            let pairs = pairs.map(|(own, other)| sql!("\"diptych other\".{} = {}.{}", ident(own), row, ident(other)));
            sql!("EXISTS (SELECT FROM {} AS \"diptych other\" WHERE {})", views(&table), join(pairs, " AND "))
        });
        let held: Vec<Sql> = held.collect();
        if held.is_empty() {
            continue;
        }
        let row = ident(&delete.table);
        let key = delete
            .model
            .primary_key()
            .iter()
            .map(|name| concatenation([literal(&format!("{name} = ")), sql!("{}.{}::pg_catalog.text", row, ident(name))]));
        let key: Vec<Sql> = std::iter::once(Sql::trusted("NULL")).chain(key).collect();
        let step = steps.check(
            format!("no row references those that are deleted from `{}`", delete.table),
            sql!(
                "SELECT pg_catalog.concat_ws(', ', {}) FROM {} AS {} WHERE {} AND ({}) LIMIT 3",
                join(key, ", "),
                views(&delete.table),
                row,
                user(&delete.condition),
                join(held, " OR ")
            ),
            format!("rows that are to be deleted from table `{}` are referenced", delete.table),
            "delete or change the rows that reference them; or run `rollback`, and give `where` a condition that leaves them out",
            Verdict::Refuse,
        );
        step.path(Path::base(&chain.base).behind(&chain.newer.views));
    }
}

/// The foreign keys of other tables that keep rows of a table: each with its table, its columns and those that it references.
fn held_by(version: &Version, name: &str) -> Vec<(String, Vec<String>, Vec<String>)> {
    let tables = version.schema.tables.iter().filter(|(table, _)| *table != name);
    let keys = tables.flat_map(|(table, model)| model.constraints.values().map(move |constraint| (table, constraint)));
    let held = keys.filter_map(|(table, constraint)| match constraint {
        Constraint::ForeignKey { columns, references, .. }
            if references.table == name && matches!(references.on_delete.as_deref(), None | Some("NO ACTION" | "RESTRICT")) =>
        {
            Some((table.clone(), columns.clone(), references.columns.clone()))
        }
        _ => None,
    });
    held.collect()
}

/// Deletes the rows in batches: everything has its final name.
pub(super) fn run_at_complete(chain: &Chain, script: &Script, steps: &mut Steps) {
    let Work::Delete(delete) = &script.work else { return };
    let is_partitioned = delete.model.partition_by.is_some();
    let place = if is_partitioned { ident(partitions::PARTITION) } else { qualified(&chain.base, &delete.table) };
    let row = ident(&delete.table);
    let action = Action::Delete {
        schema: chain.base.clone(),
        table: delete.table.clone(),
        partitioned: is_partitioned,
        delete: deletion(&place, delete, &ranges::within(&row)),
        verify: sql!("SELECT {}.ctid::pg_catalog.text FROM {} AS {} WHERE {} LIMIT 1", row, place, row, user(&delete.condition)),
        vacuum: ranges::vacuum(&place),
    };
    let step = steps.push(Phase::Contract, format!("delete rows of `{}`", delete.table), action);
    step.path(Path::base(&chain.base).behind(&chain.newer.views))
        .lock("row locks, some 25 ms each, at most 250 ms; a single row for as long as its triggers take")
        .hazard(Hazard::Standby);
}

/// The statement that deletes the rows of a place for which another condition holds as well.
fn deletion(place: &Sql, delete: &Delete, within: &Sql) -> Sql {
    sql!("DELETE FROM {} AS {} WHERE {} AND {}", place, ident(&delete.table), within, user(&delete.condition))
}

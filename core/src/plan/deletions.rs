//! Rows that a migration deletes: at complete, when no older version has them.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::hazard::Hazard;
use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::expression::Expression;
use crate::model::schema::{Constraint, References, Schema, Table};
use crate::plan::reads::reads;
use crate::plan::{Action, Phase, Steps, Verdict, catalog_checks};
use crate::sql;
use crate::sql::{Sql, concatenation, ident, join, literal, qualified, user};
use crate::statements::path::Path;
use crate::statements::{ddl, enums, partitions, ranges};
use crate::transition::lineage::Lineage;
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

/// A deletion is carried out on what the tables are at complete: an operation below it is refused that changes what it is carried out on.
pub(super) fn refuse_what_moves(chain: &Chain, tables: &[Physical<'_>]) -> Result<()> {
    for (at, script) in chain.stage.scripts.iter().enumerate() {
        let Work::Delete(delete) = &script.work else { continue };
        let below = &chain.stage.scripts[at + 1..];
        let Some(why) = moved(chain, tables, delete, below) else { continue };
        let error = Error::new(format!("`delete` has rows of table `{}`, {why}", delete.table)).hint(
            "move the `delete` below that operation, or that operation into a later migration; where it is in one, run `start --to` with this one, then `complete`, then `start` again",
        );
        return Err(error.within(format!("migration `{}`", script.migration)));
    }
    Ok(())
}

/// What an operation below a deletion changes of it.
fn moved(chain: &Chain, tables: &[Physical<'_>], delete: &Delete, below: &[Script]) -> Option<String> {
    let named = |name: &str| tables.iter().find(|table| table.final_name() == Some(name)).map(|table| table.lineage);
    let stays = |(is_older, layers): (bool, usize), now: &Lineage| {
        let is_it = is_older == now.in_from && now.layers.get(layers - 1).is_some_and(|layer| layer.table == delete.table);
        is_it && delete.model.columns.iter().all(|column| now.keeps(&column.name, layers))
    };
    let own = delete.tables.get(&delete.table).copied().zip(named(&delete.table));
    if !own.is_some_and(|(then, now)| stays(then, now)) {
        return Some("which an operation below it changes".to_owned());
    }
    let read = read_by(tables, delete);
    let is_other = |name: &&String| match (delete.tables.get(*name), named(name)) {
        (None, None) => false,
        (Some((is_older, layers)), Some(now)) if *is_older == now.in_from => {
            changes_what_is_read(now, *layers, &delete.condition)
        }
        _ => true,
    };
    if let Some(name) = read.iter().find(is_other) {
        return Some(format!("and its `where` reads table `{name}`, which an operation below it changes"));
    }
    let is_read = |name: &String| *name == delete.table || read.contains(name);
    let inserted = below.iter().find_map(|script| match &script.work {
        Work::Insert(insert) if is_read(&insert.table) => Some(&insert.table),
        _ => None,
    });
    if let Some(name) = inserted {
        return Some(format!("and an `insert` below it gives rows to table `{name}`, which would be there before these go"));
    }
    let now = chain.stage.to.keys_behind(&delete.table);
    // those without an action are asked before anything is changed
    let acts =
        |(_, key): &&(String, Constraint)| matches!(key, Constraint::ForeignKey { references, .. } if !is_held(references));
    (!now.iter().filter(acts).eq(delete.keys.iter().filter(acts))).then(|| {
        "and an operation below it changes the foreign keys that decide what becomes of rows that reference them".to_owned()
    })
}

/// Whether a column that a text names is another one, or has come or gone, since a table had so many layers.
fn changes_what_is_read(table: &Lineage, layers: usize, text: &Expression) -> bool {
    let Some(then) = table.layers.get(layers - 1) else { return true };
    let stays = |name: &str| then.columns.iter().any(|column| column.name == name) && table.keeps(name, layers);
    let names = then.columns.iter().chain(&table.newest().columns).map(|column| &column.name);
    then.table != table.newest().table || names.into_iter().any(|name| text.mentions(name) && !stays(name))
}

/// The tables that a condition reads, by the names that they have at its place or at the end.
fn read_by(tables: &[Physical<'_>], delete: &Delete) -> BTreeSet<String> {
    let is_read = |name: &&str| reads(&delete.condition, name);
    let names = delete.tables.keys().map(String::as_str).chain(tables.iter().filter_map(Physical::final_name));
    names.filter(is_read).map(str::to_owned).collect()
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
        let ways = held_by(&chain.newer.schema, &delete.table);
        let ways = ways.iter().filter(|way| way.last().is_none_or(|(table, _)| !gone_before(table)));
        let held: Vec<Sql> = ways.map(|way| exists(&views, way, &ident(&delete.table), 1)).collect();
        let row = ident(&delete.table);
        let (place, condition) = (views(&delete.table), user(&delete.condition));
        let path = Path::base(&chain.base).behind(&chain.newer.views);
        let step = steps.check(
            format!("`where` chooses rows of table `{}` as it is at the end", delete.table),
            sql!("SELECT NULL::pg_catalog.text FROM {} AS {} WHERE {} AND false", place, row, condition),
            format!("`where` of the `delete` from table `{}` is no condition over the newer version's tables", delete.table),
            "run `rollback`, and correct the condition in the migration; the server's message stands above",
            Verdict::Refuse,
        );
        step.path(path.clone());
        if held.is_empty() {
            continue;
        }
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
                place,
                row,
                condition,
                join(held, " OR ")
            ),
            format!("rows that are to be deleted from table `{}` are referenced", delete.table),
            "delete or change the rows that reference them; or run `rollback`, and give `where` a condition that leaves them out",
            Verdict::Refuse,
        );
        step.path(path);
    }
}

/// The ways on which other tables keep rows of a table: a key that lets none go, behind those with which rows go along; each with its table.
fn held_by<'a>(schema: &'a Schema, name: &'a str) -> Vec<Vec<(&'a String, &'a Constraint)>> {
    let keys = |target: &'a str| schema.keys_to(target).map(|(table, _, key)| (table, key));
    let mut ways = Vec::new();
    let mut open: Vec<Vec<_>> = keys(name).map(|key| vec![key]).collect();
    while let Some(way) = open.pop() {
        let [before @ .., (last, Constraint::ForeignKey { references, .. })] = way.as_slice() else { continue };
        if *last == name || before.iter().any(|(table, _)| table == last) {
            continue;
        }
        if is_held(references) {
            ways.push(way);
        } else if references.on_delete.as_deref() == Some("CASCADE") {
            open.extend(keys(last).map(|next| way.iter().copied().chain([next]).collect::<Vec<_>>()));
        }
    }
    ways
}

/// Whether a row that is referenced cannot go.
fn is_held(references: &References) -> bool {
    matches!(references.on_delete.as_deref(), None | Some("NO ACTION" | "RESTRICT"))
}

/// Whether a row is kept on a way.
fn exists(views: &impl Fn(&str) -> Sql, way: &[(&String, &Constraint)], row: &Sql, depth: usize) -> Sql {
    let Some(((table, Constraint::ForeignKey { columns, references, .. }), rest)) = way.split_first() else {
        return Sql::trusted("true");
    };
    let other = ident(&format!("diptych other {depth}"));
    let pairs = columns.iter().zip(&references.columns);
    let pairs = pairs.map(|(own, referenced)| sql!("{}.{} = {}.{}", other, ident(own), row, ident(referenced)));
    let conditions: Vec<Sql> = pairs.chain((!rest.is_empty()).then(|| exists(views, rest, &other, depth + 1))).collect();
    sql!("EXISTS (SELECT FROM {} AS {} WHERE {})", views(table), other, join(conditions, " AND "))
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
        .hazard(Hazard::Standby)
        .hazard(Hazard::DataGoes);
}

/// The statement that deletes the rows of a place for which another condition holds as well.
fn deletion(place: &Sql, delete: &Delete, within: &Sql) -> Sql {
    sql!("DELETE FROM {} AS {} WHERE {} AND {}", place, ident(&delete.table), within, user(&delete.condition))
}

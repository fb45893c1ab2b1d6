//! Partitions below partitions: what their keys do not allow, and what came since the start. PostgreSQL would tell it half-way.

use crate::layout::chain::Chain;
use crate::layout::tables::{Physical, physical_name};
use crate::model::schema::Index;
use crate::plan::{Steps, Verdict};
use crate::sql;
use crate::sql::{Sql, ident, join, literal, qualified};
use crate::statements::sync::{self, Direction};
use crate::statements::{ddl, partitions};

/// Before a start.
pub(super) fn checks_of_start(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    half_detached(chain, tables, steps);
    checks(
        chain,
        tables,
        "keep them in this version; or detach these partitions, and attach partitions that are not partitioned by them in their place",
        "add to the key what these partitions are partitioned by; or detach them, and attach partitions without partitions of their own in their place",
        steps,
    );
}

/// Before a rollback.
pub(super) fn checks_of_rollback(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    half_detached(chain, tables, steps);
}

/// A partition that DETACH … CONCURRENTLY left on its way: no change of the table reaches it any more, and its columns and constraints stay.
fn half_detached(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    for table in changed(tables) {
        steps.check(
            format!("no partition of `{}` is on its way out", table.name),
            sql!(
                "SELECT family.inhrelid::pg_catalog.regclass::pg_catalog.text, pg_catalog.format('ALTER TABLE %s DETACH PARTITION %s FINALIZE', family.inhparent::pg_catalog.regclass, family.inhrelid::pg_catalog.regclass) \
                 FROM pg_catalog.pg_inherits AS family WHERE family.inhdetachpending AND family.inhparent IN (\
                 SELECT tree.relid FROM pg_catalog.pg_partition_tree({}::pg_catalog.regclass) AS tree) ORDER BY family.inhrelid",
                literal(qualified(&chain.base, &table.name).as_str())
            ),
            format!("a DETACH … CONCURRENTLY of partitions of table `{}` was not finished", table.name),
            "finish it, and run the command again",
            Verdict::Refuse,
        );
    }
}

/// Before a complete: partitions may have come since.
pub(super) fn checks_of_complete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    half_detached(chain, tables, steps);
    let hint = "detach these partitions, attach partitions without partitions of their own in their place, and run `complete` again (`rollback` is possible, too)";
    checks(chain, tables, hint, hint, steps);
    for table in changed(tables) {
        for added in &table.added_constraints {
            if let Some(index) = ddl::key_index(&added.constraint) {
                duplicates(chain, table, (&added.name, &added.physical), &index, steps);
            }
        }
        if table.needs_fill() {
            unconverted(chain, table, steps);
        }
    }
    heirs(chain, tables, steps);
}

/// Rows that came with their partition: no trigger has given them the newer version's values.
fn unconverted(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let (Some(older), Some(view)) = (&chain.older, table.older_view()) else { return };
    let mark = ident(partitions::PARTITION);
    // what another table said when a row was written is not known any more
    let Some(query) = sync::unconverted(chain, table, &mark).filter(|_| !sync::has_sub_select(table)) else { return };
    let newer = table.final_name().unwrap_or(&table.name);
    steps.check(
        format!("the rows of partitions that were attached to `{}` since the start are converted", table.name),
        sql!(
            "SELECT found.what FROM diptych.unconverted({}, {}, {}, {}, {}, {}) AS found (what)",
            literal(&chain.base),
            literal(&chain.newer.name),
            literal(qualified(&chain.base, &table.name).as_str()),
            literal(sync::path(chain, Direction::Up).value().as_str()),
            literal(query.as_str()),
            literal(mark.as_str())
        ),
        format!("partitions of table `{}` have rows that were written while they were not attached, and that the newer version has no values for", table.name),
        format!(
            "detach them, attach empty partitions in their place, write these rows with INSERT INTO {}, those that have the newer version's values with INSERT INTO {}, and run `complete` again (`rollback` is possible, too)",
            qualified(&older.views, view),
            qualified(&chain.newer.views, newer)
        ),
        Verdict::Refuse,
    );
}

/// Tables that inherit from one that changes, and came since the start: no trigger fires on what is written to them.
fn heirs(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let plain = tables.iter().filter(|table| table.is_kept() && table.needs_sync() && !table.is_partitioned());
    let places: Vec<Sql> = plain.map(|table| literal(qualified(&chain.base, &table.name).as_str())).collect();
    if places.is_empty() {
        return;
    }
    steps.check(
        "no table inherits from one that was converted",
        sql!(
            "SELECT pg_catalog.format('%s inherits from %s', family.inhrelid::pg_catalog.regclass, family.inhparent::pg_catalog.regclass) FROM pg_catalog.pg_inherits AS family \
             WHERE family.inhparent = ANY (ARRAY[{}]::pg_catalog.regclass[]::pg_catalog.oid[]) ORDER BY 1",
            join(places, ", ")
        ),
        "rows of tables that inherit from a converted one have no values for the newer version",
        "ALTER TABLE … NO INHERIT …, write the rows into the table that was converted, through a version's view, and run `complete` again (`rollback` is possible, too)",
        Verdict::Refuse,
    );
}

fn checks(chain: &Chain, tables: &[Physical<'_>], keep: &str, extend: &str, steps: &mut Steps) {
    for table in changed(tables) {
        if !table.removed.is_empty() {
            steps.check(
                format!("no partition of `{}` is partitioned by what goes", table.name),
                below(
                    chain,
                    table,
                    &format!("{KEY} AND attribute.attname = ANY (ARRAY[{}]::pg_catalog.name[]))", names(&table.removed)),
                ),
                format!(
                    "columns of table `{}` cannot be converted or dropped, because partitions of it are partitioned by them",
                    table.name
                ),
                keep,
                Verdict::Refuse,
            );
        }
        for (name, index) in keys(table) {
            let columns: Vec<String> =
                index.columns.iter().map(|key| physical_name(&table.newer_names, &key.column).to_owned()).collect();
            let lacks = format!("{KEY} AND attribute.attname <> ALL (ARRAY[{}]::pg_catalog.name[]))", names(&columns));
            steps.check(
                format!("the partitions of `{}` can have the unique `{name}`", table.name),
                below(chain, table, &format!("(key.partexprs IS NOT NULL OR {lacks})")),
                format!(
                    "unique `{name}` of table `{}` lacks columns by which partitions of it are partitioned, and PostgreSQL has no unique key across partitions",
                    table.name
                ),
                extend,
                Verdict::Refuse,
            );
        }
    }
}

fn changed<'a>(tables: &'a [Physical<'_>]) -> impl Iterator<Item = &'a Physical<'a>> {
    tables.iter().filter(|table| table.is_kept() && table.is_partitioned())
}

/// The unique keys and indexes that are new, or made anew, by their names to be.
fn keys<'a>(table: &'a Physical<'_>) -> impl Iterator<Item = (&'a String, Index)> {
    let of_constraints =
        table.added_constraints.iter().filter_map(|added| Some((&added.name, ddl::key_index(&added.constraint)?)));
    let plain = table.added_indexes.iter().map(|(name, _, index)| (name, index.clone()));
    of_constraints.chain(plain).filter(|(_, index)| index.unique)
}

/// The column that a partition's own partition key reads; the condition goes on.
const KEY: &str = "EXISTS (SELECT FROM pg_catalog.pg_depend AS depend JOIN pg_catalog.pg_attribute AS attribute \
    ON attribute.attrelid = depend.objid AND attribute.attnum = depend.objsubid \
    WHERE depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
    AND depend.objid = key.partrelid AND depend.objsubid > 0 AND depend.refobjid = key.partrelid AND depend.refobjsubid = 0 AND depend.deptype = 'i'";

/// The partitions that have partitions of their own, each with its key, for which a condition holds.
fn below(chain: &Chain, table: &Physical<'_>, condition: &str) -> Sql {
    sql!(
        "SELECT pg_catalog.format('%s by %s', key.partrelid::pg_catalog.regclass, pg_catalog.pg_get_partkeydef(key.partrelid)) \
         FROM pg_catalog.pg_partition_tree({}::pg_catalog.regclass) AS tree \
         JOIN pg_catalog.pg_partitioned_table AS key ON key.partrelid = tree.relid WHERE tree.level > 0 AND {} ORDER BY tree.relid",
        literal(qualified(&chain.base, &table.name).as_str()),
        Sql::trusted(condition)
    )
}

fn names(columns: &[String]) -> String {
    join(columns.iter().map(|column| literal(column)), ", ").as_str().to_owned()
}

/// Rows that a new key finds twice in partitions that do not have its index yet: they came since the start. Of a key that is no constraint every
/// new partition has the index from the beginning.
fn duplicates(chain: &Chain, table: &Physical<'_>, (name, physical): (&str, &str), index: &Index, steps: &mut Steps) {
    let columns = index.columns.iter().map(|key| literal(physical_name(&table.newer_names, &key.column)));
    steps.check(
        format!("the rows of partitions of `{}` that were added since the start differ in unique `{name}`", table.name),
        sql!(
            "SELECT found.what FROM diptych.duplicates({}, {}, ARRAY[{}]::pg_catalog.text[], {}) AS found (what)",
            literal(qualified(&chain.base, &table.name).as_str()),
            literal(&partitions::stem(chain, table, physical)),
            join(columns, ", "),
            Sql::trusted(if index.nulls_not_distinct { "true" } else { "false" })
        ),
        format!("rows of table `{}` are equal in unique `{name}`, in partitions that were added since the start", table.name),
        "correct these rows and run `complete` again (`rollback` is possible, too)",
        Verdict::Refuse,
    );
}

//! Logical replication around the tables: who is sent their rows, and what PostgreSQL asks of a table whose rows are sent.

use crate::chain::Chain;
use crate::partitions::PARTITION;
use crate::plan::complete::rename_columns;
use crate::plan::surroundings::{names, push};
use crate::plan::{Steps, Verdict};
use crate::shadow::Physical;
use crate::sql::{Sql, ident, join, literal, qualified, user};
use crate::{ddl, sql};

/// Looked at before anything is changed.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let filled = names(tables, |table| table.needs_fill());
    push(
        steps,
        "the rows that are filled can be published",
        (!filled.is_empty()).then(|| without_identity(chain, &filled)),
        "these tables are in publications of updates and have no replica identity (no primary key, or NOTHING), so that PostgreSQL refuses every UPDATE, the backfill's too",
        "give them one before the start",
        Verdict::Refuse,
    );
    let widened: Vec<_> = tables.iter().filter(|table| table.is_kept() && !table.added.is_empty()).collect();
    let added = |table: &&Physical<'_>| {
        let columns = table.added.iter().map(|added| {
            let default = added.default.as_ref().map_or_else(Sql::default, |text| sql!(" DEFAULT {}", user(text)));
            let column = &added.column;
            sql!("ADD COLUMN {} {}{}", ident(&added.physical), ddl::typed(&column.sql_type, &column.collation), default)
        });
        sql!("ALTER TABLE {} {}", ident(PARTITION), join(columns, ", "))
    };
    push(
        steps,
        "no subscriber is surprised by a new column",
        subscribers(chain, &widened, added),
        "these publications have the tables, and a native subscriber stops at the first row with a column that it lacks",
        "add the new columns to the subscriber's tables first (one that has stopped goes on as soon as they are there), or give the publication a list of columns; on the subscriber",
        Verdict::Warn,
    );
    let created = tables.iter().filter(|table| table.older.is_none());
    push(
        steps,
        "no subscriber is surprised by a new table",
        publications_of_all(chain, &created.collect::<Vec<_>>(), |table| {
            let (newer, logical) = table.newer.zip(table.final_name())?;
            ddl::create_table(&chain.base, &table.name, logical, newer, |name| table.displaced(name)).into_iter().next()
        }),
        "these publications will have the new tables, and a native subscriber stops at the first row of a table that it lacks",
        "create them on the subscriber first, and let it REFRESH PUBLICATION after the start; on the subscriber",
        Verdict::Warn,
    );
}

/// Looked at before complete gives columns and tables their names.
pub(super) fn checks_of_complete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let renamed: Vec<_> = tables.iter().filter(|table| table.is_kept() && !after_complete(table).is_empty()).collect();
    push(
        steps,
        "the subscribers' tables follow",
        subscribers(chain, &renamed, |table| join(after_complete(table), "; ")),
        "these publications send the columns under other names from `complete` on, for which the subscribers' tables are not made",
        "let no row be written to these tables between `complete` and the time when the subscriber has caught up and run its statements; on the subscriber",
        Verdict::Warn,
    );
}

/// Looked at before rollback takes the new columns.
pub(super) fn checks_of_rollback(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let widened: Vec<_> = tables.iter().filter(|table| table.is_kept() && !table.added.is_empty()).collect();
    let added = |table: &&Physical<'_>| {
        let gone = table.added.iter().map(|added| sql!("DROP COLUMN IF EXISTS {}", ident(&added.physical)));
        sql!("ALTER TABLE {} {}", ident(PARTITION), join(gone, ", "))
    };
    let hint = "when the subscriber has caught up, and before the next start, so that nothing of this one is left there; on the subscriber";
    push(
        steps,
        "the subscribers' tables follow",
        subscribers(chain, &widened, added),
        "these publications send the new columns no more",
        hint,
        Verdict::Warn,
    );
    let created: Vec<_> = tables.iter().filter(|table| table.older.is_none()).collect();
    push(
        steps,
        "the subscribers' new tables go",
        publications_of_all(chain, &created, |table| Some(sql!("DROP TABLE IF EXISTS {}", qualified(&chain.base, &table.name)))),
        "these publications send the new tables no more",
        hint,
        Verdict::Warn,
    );
}

/// What a subscriber's table needs when complete has given the publisher's its final form.
fn after_complete(table: &Physical<'_>) -> Vec<Sql> {
    let place = ident(PARTITION);
    let gone = table.removed.iter().map(|name| sql!("ALTER TABLE {} DROP COLUMN {}", place, ident(name)));
    let mut statements: Vec<Sql> = gone.chain(rename_columns(table, &place)).collect();
    let name = table.final_name().filter(|name| *name != table.name);
    statements.extend(name.map(|name| sql!("ALTER TABLE {} RENAME TO {}", place, ident(name))));
    statements
}

/// The tables of these names and their partitions.
fn places(chain: &Chain, names: &[Sql]) -> Sql {
    sql!(
        "(SELECT place.oid, class.relname FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
         CROSS JOIN LATERAL (SELECT class.oid UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(class.oid) AS tree) AS place (oid) \
         WHERE space.nspname = {} AND class.relname IN ({}) AND class.relkind IN ('r', 'p')) AS place (oid, table_)",
        literal(&chain.base),
        join(names.iter().cloned(), ", ")
    )
}

/// What `pg_publication_tables` has of a relation.
const PUBLISHED: &str = "pg_catalog.pg_publication_tables AS published ON published.schemaname = space.nspname AND published.tablename = own.relname \
    JOIN pg_catalog.pg_publication AS publication ON publication.pubname = published.pubname";

/// Tables, partitions too, whose updates are published and which cannot say which row was updated.
fn without_identity(chain: &Chain, names: &[Sql]) -> Sql {
    sql!(
        "SELECT DISTINCT pg_catalog.format('%s (%s)', publication.pubname, class.oid::pg_catalog.regclass), \
         pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY FULL', class.oid::pg_catalog.regclass) \
         FROM {} JOIN pg_catalog.pg_class AS class ON class.oid = place.oid AND class.relkind = 'r' \
         CROSS JOIN LATERAL (SELECT class.oid UNION SELECT above.relid FROM pg_catalog.pg_partition_ancestors(class.oid) AS above) AS as_ (oid) \
         JOIN pg_catalog.pg_class AS own ON own.oid = as_.oid JOIN pg_catalog.pg_namespace AS space ON space.oid = own.relnamespace \
         JOIN {} AND publication.pubupdate \
         WHERE class.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS index WHERE index.indrelid = class.oid AND index.indisvalid AND index.indimmediate \
         AND CASE class.relreplident WHEN 'd' THEN index.indisprimary WHEN 'i' THEN index.indisreplident ELSE false END) ORDER BY 1",
        places(chain, names),
        Sql::trusted(PUBLISHED)
    )
}

/// The publications that have these tables or partitions of theirs, and the statements that a subscriber needs for each. One with a list of
/// columns sends no others.
fn subscribers(chain: &Chain, tables: &[&Physical<'_>], needs: impl Fn(&&Physical<'_>) -> Sql) -> Option<Sql> {
    if tables.is_empty() {
        return None;
    }
    let names: Vec<Sql> = tables.iter().map(|table| literal(&table.name)).collect();
    let needed = tables.iter().map(|table| sql!("({}, {})", literal(&table.name), literal(needs(table).as_str())));
    Some(sql!(
        "SELECT DISTINCT pg_catalog.format('%s (%s)', publication.pubname, own.relname), pg_catalog.replace(needed.statements, {}, own.oid::pg_catalog.regclass::pg_catalog.text) \
         FROM {} JOIN (VALUES {}) AS needed (table_, statements) ON needed.table_ = place.table_ \
         JOIN pg_catalog.pg_class AS own ON own.oid = place.oid JOIN pg_catalog.pg_namespace AS space ON space.oid = own.relnamespace \
         JOIN {} WHERE {} ORDER BY 1",
        literal(ident(PARTITION).as_str()),
        places(chain, &names),
        join(needed, ", "),
        Sql::trusted(PUBLISHED),
        Sql::trusted(if chain.server >= 15 {
            "NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS listed WHERE listed.prpubid = publication.oid AND listed.prrelid = own.oid AND listed.prattrs IS NOT NULL)"
        } else {
            "true"
        })
    ))
}

/// The publications that have every table, and the statement that a subscriber needs for each of these.
fn publications_of_all(chain: &Chain, created: &[&Physical<'_>], needs: impl Fn(&Physical<'_>) -> Option<Sql>) -> Option<Sql> {
    let made = created.iter().filter_map(|table| Some(sql!("({}, {})", literal(&table.name), literal(needs(table)?.as_str()))));
    let made: Vec<_> = made.collect();
    let of_schema = sql!(
        " OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace AS listed JOIN pg_catalog.pg_namespace AS space ON space.oid = listed.pnnspid \
         WHERE listed.pnpubid = publication.oid AND space.nspname = {})",
        literal(&chain.base)
    );
    (!made.is_empty()).then(|| {
        sql!(
            "SELECT pg_catalog.format('%s (%s)', publication.pubname, made.table_), made.statement FROM pg_catalog.pg_publication AS publication \
             CROSS JOIN (VALUES {}) AS made (table_, statement) WHERE publication.puballtables{} ORDER BY 1",
            join(made, ", "),
            if chain.server >= 15 { of_schema } else { Sql::default() }
        )
    })
}

//! Logical replication around the tables: who is sent their rows, and what PostgreSQL asks of a table whose rows are sent.

use crate::chain::Chain;
use crate::plan::surroundings::{names, push};
use crate::plan::{Steps, Verdict};
use crate::shadow::Physical;
use crate::sql::{Sql, ident, join, literal};
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
    push(
        steps,
        "no subscriber is surprised by a new column",
        (!widened.is_empty()).then(|| surprised(chain, &widened)),
        "these publications have the tables, and a native subscriber stops at the first row with a column that it lacks",
        "add the new columns to the subscriber's tables first (a subscriber that has stopped goes on as soon as they are there), or give the publication a list of columns; on the subscriber",
        Verdict::Warn,
    );
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

/// Publications that send new columns, and what a subscriber's tables need for them. One with a list of columns sends no others.
fn surprised(chain: &Chain, widened: &[&Physical<'_>]) -> Sql {
    let names: Vec<Sql> = widened.iter().map(|table| literal(&table.name)).collect();
    let added = widened.iter().map(|table| {
        let columns = table.added.iter().map(|added| {
            let column = &added.column;
            sql!("ADD COLUMN {} {}", ident(&added.physical), ddl::typed(&column.sql_type, &column.collation))
        });
        sql!("({}, {})", literal(&table.name), literal(join(columns, ", ").as_str()))
    });
    sql!(
        "SELECT DISTINCT pg_catalog.format('%s (%s)', publication.pubname, own.relname), pg_catalog.format('ALTER TABLE %s %s', own.oid::pg_catalog.regclass, wanted.columns) \
         FROM {} JOIN (VALUES {}) AS wanted (table_, columns) ON wanted.table_ = place.table_ \
         JOIN pg_catalog.pg_class AS own ON own.oid = place.oid JOIN pg_catalog.pg_namespace AS space ON space.oid = own.relnamespace \
         JOIN {} WHERE {} ORDER BY 1",
        places(chain, &names),
        join(added, ", "),
        Sql::trusted(PUBLISHED),
        Sql::trusted(if chain.server >= 15 {
            "NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS listed WHERE listed.prpubid = publication.oid AND listed.prrelid = own.oid AND listed.prattrs IS NOT NULL)"
        } else {
            "true"
        })
    )
}

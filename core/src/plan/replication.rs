//! Logical replication around the tables: who is sent their rows, and what PostgreSQL asks of a table whose rows are sent.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::schema::{Constraint, Table};
use crate::plan::catalog_checks::{names, push};
use crate::plan::final_form::{drop_columns, rename_columns};
use crate::plan::{Steps, Verdict};
use crate::sql::{Sql, dollar_quoted, ident, join, literal, qualified, user};
use crate::statements::partitions::PARTITION;
use crate::{sql, statements::ddl};

/// Looked at before anything is changed.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    replica_identities(chain, tables, steps);
    let widened: Vec<_> = tables.iter().filter(|table| table.is_kept() && !table.added.is_empty()).collect();
    new_columns(chain, &widened, steps);
    new_tables(chain, tables, steps);
    push(
        steps,
        "no consumer of a logical slot gets columns that it does not know",
        (!widened.is_empty()).then(|| Sql::trusted(SLOTS)),
        "these slots decode every table: their consumers get the new columns beside the older ones from now on, and the columns' final names after `complete`",
        "make sure that the consumers accept columns that they do not know; `plan` shows the names",
        Verdict::Warn,
    );
    push(
        steps,
        "no subscription writes to a table that changes",
        subscriptions(chain, tables, &Sql::default()),
        "these subscriptions write rows in the older form, which Diptych converts until `complete`; after it they would stop, or write older values into the newer columns",
        "change the publisher's tables in the same way, and run `complete` on both sides while the subscription is disabled and has nothing left to apply",
        Verdict::Warn,
    );
    for table in tables {
        carried(chain, table, &forward(table), steps);
    }
}

/// PostgreSQL refuses to update a published row that it cannot name to everybody.
fn replica_identities(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let filled = names(tables, |table| table.needs_fill());
    push(
        steps,
        "published tables that are filled have a replica identity",
        (!filled.is_empty()).then(|| unidentified(chain, &filled)),
        "PostgreSQL refuses every UPDATE of these published tables, also the backfill's, because they have no replica identity",
        "give them one before the start, or publish inserts only",
        Verdict::Refuse,
    );
    let wider = names(tables, |table| table.is_kept() && !table.added.is_empty());
    push(
        steps,
        "no new column belongs to a replica identity without being published",
        (chain.server >= 15 && !wider.is_empty()).then(|| outgrown(chain, &wider)),
        "the replica identity of these tables is FULL and would include the new column, but the publication's column list would not: PostgreSQL would refuse every UPDATE and DELETE",
        "make the primary key the replica identity, or publish every column",
        Verdict::Refuse,
    );
}

/// Subscribers are sent rows with new columns from now on.
fn new_columns(chain: &Chain, widened: &[&Physical<'_>], steps: &mut Steps) {
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
        "no subscriber lacks a new column",
        subscribers(chain, widened, added),
        "these publications include the tables, and a native subscriber stops at the first row with a column that it lacks",
        "add the new columns to the subscriber's tables first (a subscriber that has stopped goes on as soon as they are there), or give the publication a column list; on the subscriber",
        Verdict::Warn,
    );
}

/// Subscribers of every table are sent rows of new ones.
fn new_tables(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let created = tables.iter().filter(|table| table.older.is_none());
    push(
        steps,
        "no subscriber lacks a new table",
        publications_of_all(chain, &created.collect::<Vec<_>>(), |table| {
            let (newer, logical) = table.newer.zip(table.final_name())?;
            ddl::create_table(&chain.base, &table.name, logical, newer, |name| table.displaced(name)).into_iter().next()
        }),
        "these publications will include the new tables, and a native subscriber stops at the first row of a table that it lacks",
        "create the tables on the subscriber first, and run REFRESH PUBLICATION there after the start; on the subscriber",
        Verdict::Warn,
    );
}

/// Servers that follow this one as a whole.
const STANDBYS: &str = "SELECT pg_catalog.concat(sender.application_name, ' ' || pg_catalog.host(sender.client_addr)) FROM pg_catalog.pg_stat_replication AS sender \
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots AS slot WHERE slot.active_pid = sender.pid AND slot.slot_type = 'logical') \
    AND sender.state IN ('streaming', 'catchup') ORDER BY 1";

/// Looked at before complete gives columns and tables their names.
pub(super) fn checks_of_complete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let renamed: Vec<_> = tables.iter().filter(|table| table.is_kept() && !after_complete(table).is_empty()).collect();
    push(
        steps,
        "no standby has readers of the older version",
        chain.older.is_some().then(|| Sql::trusted(STANDBYS)),
        "standbys follow this server, and sessions that only read there hold no lease: the version that is dropped disappears for them as well",
        "make sure that nothing reads that version on a standby any more",
        Verdict::Warn,
    );
    push(
        steps,
        "subscribers have the columns' final names",
        subscribers(chain, &renamed, |table| join(after_complete(table), "; ")),
        "after `complete` these publications send columns under other names, which the subscribers' tables do not have",
        "write no row to these tables from `complete` until the subscriber has caught up and has run its statements; on the subscriber",
        Verdict::Warn,
    );
    push(
        steps,
        "no subscription writes to a table that changes",
        subscriptions(chain, tables, &Sql::trusted(" AND subscription.subenabled")),
        "these subscriptions write rows in the older form; after `complete` they would stop, or write older values into the newer columns",
        "disable them as soon as they have caught up, and enable them when the publisher's tables have the newer form as well",
        Verdict::Refuse,
    );
    for table in tables {
        let exchange = forward(table);
        carried(chain, table, &exchange, steps);
        push(
            steps,
            &format!("subscribers of column lists with columns of `{}` have the newer columns", table.name),
            entries(chain, table, &exchange).map(|entries| {
                sql!("SELECT pg_catalog.format('%s (%s)', entry.name, entry.place) FROM ({}) AS entry WHERE entry.touched ORDER BY 1", entries)
            }),
            "these publications have column lists, in which `complete` puts the newer columns in place of the older ones",
            "change and convert the subscriber's table in the same way when it has caught up with `complete`, and write no row until then: rows that are not written again are not sent again",
            Verdict::Warn,
        );
    }
}

/// Looked at before rollback takes the new columns.
pub(super) fn checks_of_rollback(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let widened: Vec<_> = tables.iter().filter(|table| table.is_kept() && !table.added.is_empty()).collect();
    let added = |table: &&Physical<'_>| {
        let gone = table.added.iter().map(|added| sql!("DROP COLUMN IF EXISTS {}", ident(&added.physical)));
        sql!("ALTER TABLE {} {}", ident(PARTITION), join(gone, ", "))
    };
    let hint = "do this when the subscriber has caught up and before the next start, so that nothing of this start is left there; on the subscriber";
    push(
        steps,
        "subscribers drop the new columns",
        subscribers(chain, &widened, added),
        "these publications no longer send the new columns",
        hint,
        Verdict::Warn,
    );
    let created: Vec<_> = tables.iter().filter(|table| table.older.is_none()).collect();
    push(
        steps,
        "subscribers drop the new tables",
        publications_of_all(chain, &created, |table| Some(sql!("DROP TABLE IF EXISTS {}", qualified(&chain.base, &table.name)))),
        "these publications no longer send the new tables",
        hint,
        Verdict::Warn,
    );
    for table in tables {
        carried(chain, table, &back(table), steps);
    }
}

/// What a subscriber's table needs when complete has given the publisher's its final form.
fn after_complete(table: &Physical<'_>) -> Vec<Sql> {
    let place = ident(PARTITION);
    let mut statements = drop_columns(table, &place);
    statements.extend(rename_columns(table, &place));
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

/// The tables of these names that have rows, each with the relations under which it may be published and the columns of its replica identity.
fn identities(chain: &Chain, names: &[Sql]) -> Sql {
    sql!(
        "{} JOIN pg_catalog.pg_class AS class ON class.oid = place.oid AND class.relkind = 'r' \
         CROSS JOIN LATERAL (SELECT class.oid UNION SELECT above.relid FROM pg_catalog.pg_partition_ancestors(class.oid) AS above) AS as_ (oid) \
         CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(own.attname::pg_catalog.text) FROM pg_catalog.pg_attribute AS own \
         WHERE own.attrelid = class.oid AND own.attnum > 0 AND NOT own.attisdropped AND (class.relreplident = 'f' OR EXISTS (\
         SELECT FROM pg_catalog.pg_index AS index WHERE index.indrelid = class.oid AND index.indisvalid AND index.indimmediate AND own.attnum = ANY (index.indkey::pg_catalog.int2[]) \
         AND CASE class.relreplident WHEN 'd' THEN index.indisprimary WHEN 'i' THEN index.indisreplident ELSE false END))) AS identity (names)",
        places(chain, names)
    )
}

/// An entry of a publication with a list of columns or a filter of its own (PostgreSQL 15 and newer), for a relation `as_`.
const LISTED: &str = "pg_catalog.pg_publication_rel AS listed ON listed.prrelid = as_.oid \
    JOIN pg_catalog.pg_publication AS publication ON publication.oid = listed.prpubid AND (as_.oid = class.oid OR publication.pubviaroot) \
    CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(own.attname::pg_catalog.text) FROM pg_catalog.pg_attribute AS own \
    WHERE own.attrelid = as_.oid AND own.attnum = ANY (listed.prattrs::pg_catalog.int2[])) AS list (names)";

/// Tables, partitions too, whose updates are published and which cannot say to everybody which row was updated.
fn unidentified(chain: &Chain, names: &[Sql]) -> Sql {
    let identities = identities(chain, names);
    let none = sql!(
        "SELECT publication.pubname, class.oid, ', which has none', 'ALTER TABLE %2$s REPLICA IDENTITY FULL' FROM {} \
         JOIN pg_catalog.pg_class AS own ON own.oid = as_.oid JOIN pg_catalog.pg_namespace AS space ON space.oid = own.relnamespace \
         JOIN {} WHERE publication.pubupdate AND identity.names IS NULL",
        identities,
        Sql::trusted(PUBLISHED)
    );
    let too_little = sql!(
        " UNION ALL SELECT publication.pubname, class.oid, ', whose filter reads more than it', 'ALTER TABLE %2$s REPLICA IDENTITY FULL' FROM {0} JOIN {1} \
         WHERE publication.pubupdate AND {2} \
         UNION ALL SELECT publication.pubname, class.oid, ', whose list of columns lacks some of it', 'ALTER PUBLICATION %1$I DROP TABLE ONLY %2$s' FROM {0} JOIN {1} \
         WHERE publication.pubupdate AND class.relreplident <> 'f' AND NOT list.names @> identity.names",
        identities,
        Sql::trusted(LISTED),
        filter_reads(&Sql::trusted("as_.oid"), &Sql::trusted("list.names"), &Sql::trusted("own.attname <> ALL (identity.names)"))
    );
    sql!(
        "SELECT DISTINCT pg_catalog.format('%s (%s)%s', found.name, found.oid::pg_catalog.regclass, found.why), \
         pg_catalog.format(found.mend, found.name, found.oid::pg_catalog.regclass) FROM ({}{}) AS found (name, oid, why, mend) ORDER BY 1",
        none,
        if chain.server >= 15 { too_little } else { Sql::default() }
    )
}

/// Tables, partitions too, with every column in their identity, which a list of columns would lack.
fn outgrown(chain: &Chain, names: &[Sql]) -> Sql {
    sql!(
        "SELECT DISTINCT pg_catalog.format('%s (%s)', publication.pubname, class.oid::pg_catalog.regclass), \
         pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY DEFAULT', class.oid::pg_catalog.regclass) FROM {} JOIN {} \
         WHERE (publication.pubupdate OR publication.pubdelete) AND class.relreplident = 'f' AND list.names IS NOT NULL ORDER BY 1",
        identities(chain, names),
        Sql::trusted(LISTED)
    )
}

/// Whether the filter of the entry `listed` reads a column `own` for which a condition holds. A column of the list hangs on the entry by
/// that alone, once.
fn filter_reads(relation: &Sql, list: &Sql, condition: &Sql) -> Sql {
    sql!(
        "EXISTS (SELECT FROM pg_catalog.pg_depend AS depend JOIN pg_catalog.pg_attribute AS own ON own.attrelid = depend.refobjid AND own.attnum = depend.refobjsubid \
         WHERE depend.classid = 'pg_catalog.pg_publication_rel'::pg_catalog.regclass AND depend.objid = listed.oid \
         AND depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.refobjid = {} AND {} \
         GROUP BY own.attname HAVING pg_catalog.count(*) > CASE WHEN own.attname = ANY ({}) THEN 1 ELSE 0 END)",
        relation,
        condition,
        list
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

/// Logical slots of others than native subscribers, in use or not.
const SLOTS: &str = "SELECT pg_catalog.format('%s (%s)', slot.slot_name, slot.plugin) FROM pg_catalog.pg_replication_slots AS slot \
    WHERE slot.slot_type = 'logical' AND slot.plugin <> 'pgoutput' AND slot.database = pg_catalog.current_database() ORDER BY 1";

/// The subscriptions that write to tables which complete changes or drops, with a further condition.
fn subscriptions(chain: &Chain, tables: &[Physical<'_>], condition: &Sql) -> Option<Sql> {
    let names = names(tables, |table| table.older.is_some() && (table.newer.is_none() || !after_complete(table).is_empty()));
    (!names.is_empty()).then(|| {
        sql!(
            "SELECT pg_catalog.format('%s (%s)', subscription.subname, pg_catalog.string_agg(place.oid::pg_catalog.regclass::pg_catalog.text, ', ' ORDER BY place.oid)), \
             pg_catalog.format('ALTER SUBSCRIPTION %I DISABLE', subscription.subname) \
             FROM {} JOIN pg_catalog.pg_subscription_rel AS written ON written.srrelid = place.oid \
             JOIN pg_catalog.pg_subscription AS subscription ON subscription.oid = written.srsubid{} GROUP BY subscription.subname ORDER BY 1",
            places(chain, &names),
            condition
        )
    })
}

/// Which columns take the place of others in the lists of publications.
struct Exchange {
    /// The columns that go, each with one that comes in its place, if there is one.
    pairs: Vec<Sql>,
    /// The columns of the key to be, which a list must have where updates are published.
    key: Vec<Sql>,
}

/// At complete the newer form takes the place of the older.
fn forward(table: &Physical<'_>) -> Exchange {
    let (Some(newer), true) = (table.newer, table.is_kept()) else { return Exchange { pairs: Vec::new(), key: Vec::new() } };
    let pairs = table.removed.iter().flat_map(|gone| {
        let instead = table.added.iter().filter(|added| table.lineage.origin(&added.column.name).as_ref() == Some(gone));
        let mut pairs: Vec<Sql> = instead.map(|added| pair(gone, Some(&added.physical))).collect();
        if pairs.is_empty() {
            pairs.push(pair(gone, None));
        }
        pairs
    });
    Exchange { pairs: pairs.collect(), key: key(newer).map(|name| literal(table.newer_name(name))).collect() }
}

/// At rollback the older takes its place again.
fn back(table: &Physical<'_>) -> Exchange {
    let (Some(older), true) = (table.older, table.is_kept()) else { return Exchange { pairs: Vec::new(), key: Vec::new() } };
    let pairs = table.added.iter().map(|added| pair(&added.physical, table.lineage.origin(&added.column.name).as_deref()));
    Exchange { pairs: pairs.collect(), key: key(older).map(|name| literal(name)).collect() }
}

fn pair(gone: &str, instead: Option<&str>) -> Sql {
    sql!("({}, {})", literal(gone), instead.map_or_else(|| Sql::trusted("CAST(NULL AS pg_catalog.text)"), literal))
}

fn key(table: &Table) -> impl Iterator<Item = &String> {
    let keys = table.constraints.values().filter_map(|constraint| match constraint {
        Constraint::PrimaryKey { columns, .. } => Some(columns),
        _ => None,
    });
    keys.flatten()
}

/// The entries that a table and its partitions have in publications: before an exchange of columns, and behind it. From PostgreSQL 15 on
/// an entry may have a list of columns and a filter, and hold columns fast by either.
fn entries(chain: &Chain, table: &Physical<'_>, exchange: &Exchange) -> Option<Sql> {
    if chain.server < 15 || exchange.pairs.is_empty() {
        return None;
    }
    let pairs = join(exchange.pairs.iter().cloned(), ", ");
    Some(sql!(
        "SELECT publication.pubname AS name, place.oid::pg_catalog.regclass AS place, pg_catalog.pg_has_role(publication.pubowner, 'USAGE') AS owned, \
         pg_catalog.pg_get_expr(listed.prqual, listed.prrelid) AS filter, behind.names AS names, \
         listed.prattrs IS NOT NULL AND NOT (behind.names <@ before.names AND behind.names @> before.names) IS TRUE AS touched, \
         {3} AS is_read \
         FROM {1} JOIN pg_catalog.pg_publication_rel AS listed ON listed.prrelid = place.oid JOIN pg_catalog.pg_publication AS publication ON publication.oid = listed.prpubid \
         CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(own.attname::pg_catalog.text) FROM pg_catalog.pg_attribute AS own \
         WHERE own.attrelid = place.oid AND own.attnum = ANY (listed.prattrs::pg_catalog.int2[])) AS before (names) \
         CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(column_.name ORDER BY column_.name) FROM (\
         SELECT own.name FROM pg_catalog.unnest(before.names) AS own (name) WHERE own.name NOT IN (SELECT exchange.gone FROM (VALUES {0}) AS exchange (gone, instead)) \
         UNION SELECT exchange.instead FROM (VALUES {0}) AS exchange (gone, instead) WHERE exchange.gone = ANY (before.names) AND exchange.instead IS NOT NULL \
         UNION SELECT key.name FROM pg_catalog.unnest(ARRAY[{2}]::pg_catalog.text[]) AS key (name) WHERE publication.pubupdate OR publication.pubdelete) AS column_ (name)) AS behind (names)",
        pairs,
        places(chain, &[literal(&table.name)]),
        join(exchange.key.iter().cloned(), ", "),
        filter_reads(
            &Sql::trusted("place.oid"),
            &Sql::trusted("before.names"),
            &sql!("own.attname IN (SELECT exchange.gone FROM (VALUES {}) AS exchange (gone, instead))", pairs)
        )
    ))
}

/// What keeps entries of publications from being carried over.
fn carried(chain: &Chain, table: &Physical<'_>, exchange: &Exchange, steps: &mut Steps) {
    let Some(entries) = entries(chain, table, exchange) else { return };
    push(
        steps,
        &format!("publications can replace columns of `{}`", table.name),
        Some(sql!(
            "SELECT pg_catalog.format('%s (%s)%s', entry.name, entry.place, CASE WHEN entry.is_read THEN ', whose filter reads it' \
             WHEN entry.names IS NULL THEN ', which has no other column' ELSE ', which belongs to another role' END), \
             CASE WHEN entry.is_read OR entry.names IS NULL THEN pg_catalog.format('ALTER PUBLICATION %I DROP TABLE ONLY %s', entry.name, entry.place) \
             ELSE pg_catalog.format('ALTER PUBLICATION %I OWNER TO %I', entry.name, current_user) END \
             FROM ({}) AS entry WHERE entry.is_read OR (entry.touched AND (entry.names IS NULL OR NOT entry.owned)) ORDER BY 1",
            entries
        )),
        "these publications need a column that is dropped",
        "make the migration role their owner, or take the table out and add it again afterwards (ALTER PUBLICATION … ADD TABLE) with the columns that it has then",
        Verdict::Refuse,
    );
}

/// The lists of columns in publications take the newer form's columns, in the transaction in which the older ones go. Renames that follow
/// are followed by PostgreSQL.
pub(super) fn carry(chain: &Chain, table: &Physical<'_>) -> Option<Sql> {
    entries(chain, table, &forward(table)).map(|entries| exchanged(&entries))
}

/// And back.
pub(super) fn carry_back(chain: &Chain, table: &Physical<'_>) -> Option<Sql> {
    entries(chain, table, &back(table)).map(|entries| exchanged(&entries))
}

fn exchanged(entries: &Sql) -> Sql {
    let text = sql!(
        "
DECLARE
  entry record;
BEGIN
  FOR entry IN SELECT found.* FROM ({}) AS found WHERE found.touched ORDER BY found.name, found.place LOOP
    EXECUTE pg_catalog.format('ALTER PUBLICATION %I DROP TABLE ONLY %s', entry.name, entry.place);
    EXECUTE pg_catalog.format('ALTER PUBLICATION %I ADD TABLE ONLY %s (%s)%s', entry.name, entry.place,
      (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(own.name), ', ') FROM pg_catalog.unnest(entry.names) AS own (name)),
      ' WHERE (' || entry.filter || ')');
  END LOOP;
END
",
        entries
    );
    sql!("DO {}", dollar_quoted(&text))
}

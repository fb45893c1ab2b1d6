//! Catalog checks: what the catalogs say of a table beyond the model, such as row security, partitions and the application's triggers.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::plan::{Steps, Verdict, data_checks};
use crate::sql;
use crate::sql::{Sql, join, literal};
use crate::statements::path::Path;
use crate::statements::sync;

/// Looked at before anything is changed: what would break is refused, what somebody should know is told.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    creators(chain, tables, steps);
    owned(chain, tables, steps);
    made_by_owners(chain, tables, steps);
    row_security(chain, tables, steps);
    shapes(chain, tables, steps);
    triggers_on_rows(chain, tables, steps);
    triggers_in_the_backfill(chain, tables, steps);
    push(
        steps,
        "no unrelated UPDATE reads large values",
        large(chain, tables),
        "while both versions are live, every UPDATE of these tables reads and compares the values of converted columns, also large ones that are stored out of line",
        "expect an UPDATE to take longer, by milliseconds where such a column is a large document, and run `complete` soon",
        Verdict::Warn,
    );
    triggers_in_order(chain, tables, steps);
}

/// Of these tables those for which a condition on `class` holds.
fn found(chain: &Chain, names: &[Sql], condition: &'static str) -> Option<Sql> {
    (!names.is_empty()).then(|| relations(chain, names, &Sql::trusted(condition)))
}

/// The same for partitions as well, of which each is worked on by itself: their names, and what else is selected of `class`.
fn found_below(chain: &Chain, names: &[Sql], more: &'static str, condition: &'static str) -> Option<Sql> {
    (!names.is_empty()).then(|| {
        sql!(
            "SELECT class.oid::pg_catalog.regclass::pg_catalog.text{} FROM pg_catalog.pg_class AS root JOIN pg_catalog.pg_namespace AS space ON space.oid = root.relnamespace \
             CROSS JOIN LATERAL (SELECT root.oid UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(root.oid) AS tree) AS own (oid) \
             JOIN pg_catalog.pg_class AS class ON class.oid = own.oid \
             WHERE space.nspname = {} AND root.relname IN ({}) AND root.relkind IN ('r', 'p') AND {}",
            Sql::trusted(more),
            literal(&chain.base),
            join(names.iter().cloned(), ", "),
            Sql::trusted(condition)
        )
    })
}

/// DDL is the owner's alone.
fn owned(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let changed = names(tables, |table| table.older.is_some() && (table.newer.is_none() || is_changed(table)));
    push(
        steps,
        "the migration role owns what it changes",
        found_below(
            chain,
            &changed,
            ", pg_catalog.format('ALTER TABLE %s OWNER TO %I', class.oid::pg_catalog.regclass, current_user)",
            "NOT pg_catalog.pg_has_role(class.relowner, 'USAGE')",
        ),
        "the migration role does not own these tables or partitions, and only their owner can change them",
        "connect as a role that is a member of their owner and inherits its rights, or have a superuser hand them over, and run the command again",
        Verdict::Refuse,
    );
}

/// What a partition has from the whole is made with the rights of who makes the partition, and our trigger functions are nobody else's.
fn made_by_owners(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let synced = names(tables, |table| table.is_partitioned() && table.is_kept() && table.needs_sync());
    push(
        steps,
        "partitions can be created until complete",
        found(chain, &synced, "NOT pg_catalog.pg_has_role(class.relowner, current_user, 'USAGE')"),
        "the owner of these partitioned tables is another role than the migration role: until complete it cannot create or attach partitions (permission denied for function)",
        "create and attach partitions as the migration role until then, or make it the owner: ALTER TABLE … OWNER TO …",
        Verdict::Warn,
    );
}

fn row_security(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let read = names(tables, data_checks::are_read(tables));
    let kept = names(tables, |table| table.older.is_some() && table.newer.is_some());
    push(
        steps,
        "row security hides no row from the migration",
        found_below(chain, &read, "", "pg_catalog.row_security_active(class.oid)"),
        "row security hides rows of these tables from the migration role",
        "run as the owner of the tables and without FORCE ROW LEVEL SECURITY, or as a role with BYPASSRLS",
        Verdict::Refuse,
    );
    if chain.server < 15 {
        push(
            steps,
            "no table has row security (PostgreSQL 14)",
            found(chain, &kept, "class.relrowsecurity"),
            "these tables have row security, which does not work through views on PostgreSQL 14",
            "upgrade to PostgreSQL 15 or newer",
            Verdict::Refuse,
        );
    }
}

/// What a table is beside others, and what it has room for.
fn shapes(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let widened = names(tables, |table| table.is_kept() && !table.added.is_empty());
    let changed = names(tables, |table| is_changed(table) && !table.is_partitioned());
    let partitioned = names(tables, |table| is_changed(table) && table.is_partitioned());
    push(
        steps,
        "no table that changes is part of an inheritance",
        found(chain, &changed, FAMILY),
        "these tables cannot be changed: they inherit, are inherited, are partitions, or are partitioned without a `partition_by` in the migrations",
        "change inherited tables by hand; for a partitioned table, say `partition_by` in the migration that creates it",
        Verdict::Refuse,
    );
    push(
        steps,
        "tables with `partition_by` are partitioned, and have no foreign partitions",
        found(chain, &partitioned, TREE),
        "these tables are not partitioned, or have a foreign table as a partition",
        "detach foreign partitions during the migration; make sure that `partition_by` says what the database has",
        Verdict::Refuse,
    );
    many_partitions(chain, tables, steps);
    let numbered = names(tables, |table| {
        table.is_kept() && table.is_partitioned() && table.added.iter().any(|added| added.column.identity.is_some())
    });
    if chain.server < 17 && !numbered.is_empty() {
        push(
            steps,
            "no partitioned table gets an identity (PostgreSQL 14 to 16)",
            Some(sql!("VALUES {}", join(numbered.iter().map(|name| sql!("({})", name)), ", "))),
            "PostgreSQL before 17 does not support identity columns in partitioned tables, and these would get one",
            "give the column a default (nextval of a sequence of your own), or upgrade to PostgreSQL 17 or newer",
            Verdict::Refuse,
        );
    }
    push(
        steps,
        "there is room for the new columns",
        (!widened.is_empty()).then(|| slots(chain, tables)),
        "these tables would have more than 1600 columns, dropped ones included, which is PostgreSQL's limit",
        "rewrite the table first: dump and restore it, or copy it into a new one; dropped columns count until then",
        Verdict::Refuse,
    );
}

fn triggers_on_rows(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    for table in tables.iter().filter(|table| table.needs_sync() && !table.removed.is_empty()) {
        let columns = join(table.removed.iter().map(|name| literal(name)), ", ");
        let condition = sql!(
            "(trigger_.tgtype & 3) = 3 AND (trigger_.tgtype & 20) <> 0 AND EXISTS (SELECT 1 FROM pg_catalog.unnest(ARRAY[{}]) AS column_ \
             WHERE pg_catalog.strpos(pg_catalog.lower(proc.prosrc), 'new.' || pg_catalog.lower(column_)) > 0)",
            columns
        );
        push(
            steps,
            "no trigger of the application changes a row after its conversion",
            Some(triggers(chain, &[literal(&table.name)], &condition)),
            "these triggers of the application may change a column after it was converted for the older version: when the newer version writes a row, only the older version sees that change",
            "check whether they change a column that the migration converts or drops; if they do, do that work in the newer release",
            Verdict::Warn,
        );
    }
}

fn triggers_in_the_backfill(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let filled = names(tables, |table| table.needs_fill());
    // which triggers fire in the backfill: ordinary ones that cannot be silenced, and those that do in spite of it
    let aloud = sql!("trigger_.tgenabled = 'O' AND NOT {}", may_silence(chain));
    let in_spite = sql!("(trigger_.tgenabled = 'A' OR (trigger_.tgenabled = 'R' AND {}))", may_silence(chain));
    push(
        steps,
        "the application's triggers do not run in the backfill",
        (!filled.is_empty())
            .then(|| triggers(chain, &filled, &sql!("(trigger_.tgtype & 3) <> 3 AND (trigger_.tgtype & 16) <> 0 AND {}", aloud))),
        "these triggers of the application will run for every row of the backfill, because the migration role may not set session_replication_role",
        "allow it for the time of the start: GRANT SET ON PARAMETER session_replication_role TO … (PostgreSQL 15 or newer)",
        Verdict::Warn,
    );
    push(
        steps,
        "no trigger of another role would run in the backfill",
        (!filled.is_empty()).then(|| {
            let fires = sql!("(trigger_.tgtype & 16) <> 0 AND ({} OR ({}))", in_spite, aloud);
            triggers(chain, &filled, &sql!("{} AND NOT diptych.trusts(proc.proowner)", fires))
        }),
        "the functions of these triggers belong to other roles, and the backfill would run them with the migration role's rights",
        "review the functions and take them over (ALTER FUNCTION … OWNER TO …), allow the migration role to set session_replication_role, or drop the triggers",
        Verdict::Refuse,
    );
    push(
        steps,
        "no trigger of the application ignores session_replication_role",
        (!filled.is_empty()).then(|| triggers(chain, &filled, &sql!("(trigger_.tgtype & 16) <> 0 AND {}", in_spite))),
        "these triggers of the application are enabled ALWAYS or REPLICA, and will run for every row of the backfill; what they change in the row itself is put back, what they do elsewhere stays",
        "make them ordinary triggers for the time of the start: ALTER TABLE … ENABLE TRIGGER …",
        Verdict::Warn,
    );
}

/// Tables whose rows a migration writes as an application does: its triggers fire, and row security holds. `event` has the bits of
/// [`pg_trigger.tgtype`](https://www.postgresql.org/docs/current/catalog-pg-trigger.html).
pub(super) fn written(chain: &Chain, names: &[Sql], event: &'static str, steps: &mut Steps) {
    push(
        steps,
        "row security hides no written row from the migration",
        found(chain, names, "pg_catalog.row_security_active(class.oid)"),
        "row security holds for the migration role on these tables, whose rows the migration writes",
        "run as the owner of the tables and without FORCE ROW LEVEL SECURITY, or as a role with BYPASSRLS",
        Verdict::Refuse,
    );
    let fires = sql!(
        "(trigger_.tgtype & {}) <> 0 AND trigger_.tgenabled <> 'R' AND NOT diptych.trusts(proc.proowner)",
        Sql::trusted(event)
    );
    push(
        steps,
        "no trigger of another role would run for rows that the migration writes",
        (!names.is_empty()).then(|| triggers(chain, names, &fires)),
        "the functions of these triggers belong to other roles, and would run with the migration role's rights for the rows that the migration writes",
        "review the functions and take them over (ALTER FUNCTION … OWNER TO …), or drop the triggers",
        Verdict::Refuse,
    );
}

fn triggers_in_order(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let synced = names(tables, |table| table.needs_sync());
    push(
        steps,
        "the application's triggers fire between Diptych's own",
        (!synced.is_empty()).then(|| {
            let (after, before) = sync::BETWEEN;
            let between = sql!("trigger_.tgname > {} AND trigger_.tgname < {}", literal(after), literal(before));
            triggers(chain, &synced, &sql!("(trigger_.tgtype & 3) = 3 AND (trigger_.tgtype & 20) <> 0 AND NOT ({})", between))
        }),
        "PostgreSQL fires triggers in the order of their names, and these triggers of the application would see a row before or after it is converted for the other version",
        "rename them so that their names begin with a letter from a to z: ALTER TRIGGER … ON … RENAME TO …",
        Verdict::Refuse,
    );
}

/// A tenth of a millisecond for each statement and partition (measured: 0.05 on a machine that has nothing else to do).
const PER_PARTITION: &str = "0.1";

/// A change of a partitioned table locks all its partitions in one transaction, and does each statement on each of them.
fn many_partitions(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let changed: Vec<&Physical<'_>> = tables.iter().filter(|table| is_changed(table) && table.is_partitioned()).collect();
    let statements = |table: &Physical<'_>| {
        let columns = 2 * (table.added.len() + table.removed.len() + table.tightened.len());
        columns + table.added_constraints.len() + table.removed_constraints.len() + if table.needs_sync() { 6 } else { 0 }
    };
    let list = |condition: &str, told: &str| {
        let wanted = changed.iter().map(|table| sql!("({}, {})", literal(&table.name), statements(table)));
        (!changed.is_empty()).then(|| {
            sql!(
                "SELECT {} FROM (VALUES {}) AS wanted (name, statements) CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS partitions \
                 FROM pg_catalog.pg_partition_tree(pg_catalog.format('%I.%I', {}::pg_catalog.text, wanted.name)::pg_catalog.regclass)) AS tree \
                 CROSS JOIN LATERAL (SELECT tree.partitions * wanted.statements * {} AS ms) AS estimate WHERE {}",
                Sql::trusted(told),
                join(wanted, ", "),
                literal(&chain.base),
                Sql::trusted(PER_PARTITION),
                Sql::trusted(condition)
            )
        })
    };
    push(
        steps,
        "the locks of all partitions fit into the server's table of locks",
        list(
            "tree.partitions * 2 > pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8 * pg_catalog.current_setting('max_connections')::pg_catalog.int8",
            "pg_catalog.format('%s (%s partitions)', wanted.name, tree.partitions)",
        ),
        "these tables have more partitions than the server has room for in its table of locks",
        "raise max_locks_per_transaction (this needs a restart of the server), or merge partitions",
        Verdict::Refuse,
    );
    push(
        steps,
        "partitioned tables change within the lock budget",
        list(
            "estimate.ms > 500",
            "pg_catalog.format('%s (%s partitions, about %s s)', wanted.name, tree.partitions, pg_catalog.round(estimate.ms / 1000, 1))",
        ),
        "these tables have so many partitions that a change keeps everybody waiting for longer than the lock budget, now and again at complete",
        "choose a quiet hour, change fewer columns in one migration, or merge partitions",
        Verdict::Warn,
    );
}

/// Who else may create in the schemas where conversions find their names. What somebody puts there may fit better than what was meant:
/// it would run with the rights of whoever writes, and with those of the migration role while rows are filled, or at every write
/// where a conversion reads other tables.
fn creators(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let converted = || tables.iter().filter(|table| table.needs_sync());
    if converted().next().is_none() {
        return;
    }
    let verdict = if converted().any(sync::has_sub_select) { Verdict::Refuse } else { Verdict::Warn };
    push(
        steps,
        "only trusted roles may create objects where conversions find their names",
        Some(strangers(chain)),
        match verdict {
            Verdict::Refuse => {
                "other roles may create, or have created, functions, operators and types where a conversion finds its names; it reads other tables, and so runs with the migration role's rights"
            }
            Verdict::Warn => {
                "other roles may create, or have created, functions, operators and types where conversions find their names, which the backfill runs with the migration role's rights"
            }
        },
        STRANGERS_GO,
        verdict,
    );
}

/// The query for those who may create, or have created, where the migrations' texts find their names, with what ends it.
pub(super) fn strangers(chain: &Chain) -> Sql {
    let schemas = join(Path::base(&chain.base).schemas().iter().map(|schema| literal(schema)), ", ");
    sql!("SELECT stranger.what, stranger.mend FROM diptych.strangers(ARRAY[{}]::pg_catalog.text[]) AS stranger", schemas)
}

/// What the migration role evaluates finds nothing of others.
pub(super) fn meets_nobody_elses(chain: &Chain, what: &str, steps: &mut Steps) {
    steps.check(
        format!("only trusted roles may create objects where {what} find their names"),
        strangers(chain),
        format!("other roles may create, or have created, functions, operators and types where {what} find their names, which are evaluated with the migration role's rights"),
        STRANGERS_GO,
        Verdict::Warn,
    );
}

/// The way out for who may create no more.
pub(super) const STRANGERS_GO: &str = "revoke that right, and review what they have created before you take it over or drop it";

/// Partitioned, a partition, or of an inheritance.
const FAMILY: &str = "(class.relkind <> 'r' OR EXISTS (SELECT 1 FROM pg_catalog.pg_inherits AS family WHERE class.oid IN (family.inhrelid, family.inhparent)))";

/// Not partitioned, a partition of another table itself, or with a foreign one among its partitions.
const TREE: &str = "(class.relkind <> 'p' OR class.relispartition OR EXISTS (SELECT 1 FROM pg_catalog.pg_partition_tree(class.oid) AS tree \
    JOIN pg_catalog.pg_class AS leaf ON leaf.oid = tree.relid WHERE leaf.relkind = 'f'))";

fn is_changed(table: &Physical<'_>) -> bool {
    table.is_kept()
        && !(table.added.is_empty()
            && table.removed.is_empty()
            && table.tightened.is_empty()
            && table.loosened.is_empty()
            && table.added_constraints.is_empty()
            && table.removed_constraints.is_empty()
            && table.added_indexes.is_empty()
            && table.removed_indexes.is_empty())
}

pub(super) fn names(tables: &[Physical<'_>], wanted: impl Fn(&Physical<'_>) -> bool) -> Vec<Sql> {
    tables.iter().filter(|table| wanted(table)).map(|table| literal(&table.name)).collect()
}

pub(super) fn push(steps: &mut Steps, title: &str, query: Option<Sql>, refusal: &str, hint: &str, verdict: Verdict) {
    if let Some(sql) = query {
        steps.check(title, sql, refusal, hint, verdict);
    }
}

/// The relations of these names for which a condition holds.
fn relations(chain: &Chain, names: &[Sql], condition: &Sql) -> Sql {
    sql!(
        "SELECT class.relname::pg_catalog.text FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
         WHERE space.nspname = {} AND class.relname IN ({}) AND class.relkind IN ('r', 'p') AND {}",
        literal(&chain.base),
        join(names.iter().cloned(), ", "),
        condition
    )
}

fn slots(chain: &Chain, tables: &[Physical<'_>]) -> Sql {
    let wanted = tables.iter().filter(|table| table.is_kept() && !table.added.is_empty());
    let wanted = wanted.map(|table| sql!("({}, {})", literal(&table.name), table.added.len()));
    sql!(
        "SELECT class.relname::pg_catalog.text FROM (VALUES {}) AS wanted (name, columns) JOIN pg_catalog.pg_class AS class ON class.relname = wanted.name \
         JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
         WHERE space.nspname = {} AND class.relkind IN ('r', 'p') AND class.relnatts + wanted.columns > 1600",
        join(wanted.collect::<Vec<_>>(), ", "),
        literal(&chain.base)
    )
}

/// The application's triggers on these tables, or on partitions of theirs, for which a condition holds.
fn triggers(chain: &Chain, names: &[Sql], condition: &Sql) -> Sql {
    sql!(
        "SELECT DISTINCT pg_catalog.format('%s on %s', trigger_.tgname, class.relname) FROM pg_catalog.pg_trigger AS trigger_ \
         JOIN pg_catalog.pg_class AS class ON class.oid = trigger_.tgrelid \
         JOIN pg_catalog.pg_class AS root ON root.oid = coalesce(pg_catalog.pg_partition_root(class.oid)::pg_catalog.oid, class.oid) \
         JOIN pg_catalog.pg_namespace AS space ON space.oid = root.relnamespace \
         JOIN pg_catalog.pg_proc AS proc ON proc.oid = trigger_.tgfoid JOIN pg_catalog.pg_namespace AS home ON home.oid = proc.pronamespace \
         WHERE space.nspname = {} AND root.relname IN ({}) AND NOT trigger_.tgisinternal AND trigger_.tgparentid = 0 AND trigger_.tgenabled <> 'D' AND home.nspname <> {} AND {}",
        literal(&chain.base),
        join(names.iter().cloned(), ", "),
        literal(crate::names::OWN_SCHEMA),
        condition
    )
}

/// Whether the migration role may set `session_replication_role`, as a condition.
fn may_silence(chain: &Chain) -> Sql {
    Sql::trusted(if chain.server >= 15 {
        "pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
    } else {
        "(SELECT role.rolsuper FROM pg_catalog.pg_roles AS role WHERE role.rolname = current_user)"
    })
}

/// Tables with converted columns that may be stored out of line, where a row has more than 64 kB there on average.
fn large(chain: &Chain, tables: &[Physical<'_>]) -> Option<Sql> {
    let columns = tables.iter().filter(|table| table.needs_sync()).flat_map(|table| {
        let column = |name: &String| sql!("({}, {})", literal(&table.name), literal(name));
        table.removed.iter().map(column)
    });
    let columns: Vec<Sql> = columns.collect();
    let find = sql!(
        "SELECT pg_catalog.format('%s, with %s of %s rows out of line', class.relname, \
         pg_catalog.pg_size_pretty(pg_catalog.pg_relation_size(class.reltoastrelid)), class.reltuples::pg_catalog.int8) \
         FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
         WHERE space.nspname = {} AND class.reltoastrelid <> 0 AND class.reltuples > 0 \
         AND pg_catalog.pg_relation_size(class.reltoastrelid) > 65536 * class.reltuples AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS there \
         WHERE there.attrelid = class.oid AND there.attstorage <> 'p' AND (class.relname, there.attname) IN (VALUES {}))",
        literal(&chain.base),
        join(columns.iter().cloned(), ", ")
    );
    (!columns.is_empty()).then_some(find)
}

//! What hangs on a column or table that goes at complete and is unknown to the model: refused now rather than broken then.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::schema::Constraint;
use crate::plan::{Steps, Verdict, triggers};
use crate::sql;
use crate::sql::{Sql, ident, join, literal, qualified};

/// The check for one table; none where nothing of it goes.
pub(super) fn check(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let hint = match table.newer {
        None => {
            "before the migration, or in an `sql` operation above this one, drop the objects named above or change them so that they do not use the table"
        }
        Some(_) => {
            "drop the objects named above before the migration, or in an `sql` operation above this one, and create them again after it"
        }
    };
    push(chain, table, hint, steps);
}

fn push(chain: &Chain, table: &Physical<'_>, hint: &str, steps: &mut Steps) {
    let Some(sql) = of_what_goes(chain, table) else { return };
    let what = match table.newer {
        None => format!("table `{}` cannot be dropped, because other objects depend on it", table.name),
        Some(_) => {
            format!("columns of table `{}` cannot be converted or dropped, because other objects depend on them", table.name)
        }
    };
    let title = format!("no object outside the migrations depends on what is dropped from `{}`", table.name);
    steps.check(title, sql, what, hint, Verdict::Refuse);
}

/// The same at complete, before anything goes: a view may have come since, a temporary one of a session too.
pub(super) fn check_of_complete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    for table in tables {
        let hint = match table.newer {
            None => {
                "drop the objects named above, or change them so that they do not use the table, and run `complete` again; an object in a schema `pg_temp_…` disappears with the session that created it"
            }
            Some(_) => {
                "drop the objects named above, run `complete` again, and create them again after it; an object in a schema `pg_temp_…` disappears with the session that created it"
            }
        };
        push(chain, table, hint, steps);
    }
    if let Some(older) = &chain.older {
        check_views(&older.views, steps);
    }
}

/// Nothing hangs on the views of a version that goes, or on its code, but for that code itself.
pub(super) fn check_views(schema: &str, steps: &mut Steps) {
    let sql = sql!(
        "SELECT DISTINCT CASE WHEN rule.oid IS NULL THEN pg_catalog.pg_describe_object(depend.classid, depend.objid, depend.objsubid) \
         ELSE 'view ' || rule.ev_class::pg_catalog.regclass::pg_catalog.text END \
         FROM {} JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace AND space.nspname = {} \
         JOIN pg_catalog.pg_depend AS depend ON depend.deptype = 'n' AND depend.refclassid = ref.class AND depend.refobjid = ref.oid \
         LEFT JOIN pg_catalog.pg_rewrite AS rule ON depend.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND rule.oid = depend.objid \
         LEFT JOIN pg_catalog.pg_class AS other ON other.oid = rule.ev_class \
         WHERE class.relkind IN ('v', 'm') AND (other.oid IS NULL OR other.relnamespace <> space.oid) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS proc WHERE depend.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND proc.oid = depend.objid AND proc.pronamespace = space.oid) \
         UNION SELECT pg_catalog.pg_describe_object(depend.classid, depend.objid, depend.objsubid) \
         FROM pg_catalog.pg_proc AS code JOIN pg_catalog.pg_namespace AS space ON space.oid = code.pronamespace AND space.nspname = {} \
         JOIN pg_catalog.pg_depend AS depend ON depend.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND depend.refobjid = code.oid AND depend.deptype = 'n' \
         LEFT JOIN pg_catalog.pg_proc AS proc ON depend.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND proc.oid = depend.objid \
         LEFT JOIN pg_catalog.pg_rewrite AS rule ON depend.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND rule.oid = depend.objid \
         LEFT JOIN pg_catalog.pg_class AS other ON other.oid = CASE WHEN rule.oid IS NULL AND depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass THEN depend.objid ELSE rule.ev_class END \
         LEFT JOIN pg_catalog.pg_trigger AS fired ON depend.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND fired.oid = depend.objid \
         LEFT JOIN pg_catalog.pg_class AS firing ON firing.oid = fired.tgrelid \
         WHERE coalesce(proc.pronamespace, other.relnamespace, firing.relnamespace) IS DISTINCT FROM space.oid ORDER BY 1",
        Sql::trusted(AS_A_WHOLE),
        literal(schema),
        literal(schema)
    );
    let refusal = format!("these objects depend on views or code of `{schema}`, which are dropped");
    let hint = "drop them, or create them again on the tables or on the other version's views; an object in a schema `pg_temp_…` disappears with the session that created it";
    steps.check(format!("no object depends on the views of `{schema}`"), sql, refusal, hint, Verdict::Refuse);
}

/// The query for what depends on what complete takes from a table.
pub(super) fn of_what_goes(chain: &Chain, table: &Physical<'_>) -> Option<Sql> {
    let older = table.older?;
    let gone: Vec<&String> = match table.newer {
        None => older.columns.iter().map(|column| &column.name).collect(),
        Some(_) => table.removed.iter().collect(),
    };
    let known = older.indexes.keys().chain(older.constraints.keys()).chain(inbound(chain, table));
    let statistics = older.statistics.keys().collect::<Vec<_>>();
    (!gone.is_empty()).then(|| query(chain, table, &gone, table.newer.is_none(), known, &statistics))
}

/// The query for what depends on what rollback takes from a table, which has been built.
pub(super) fn of_what_came(chain: &Chain, tables: &[Physical<'_>], table: &Physical<'_>) -> Option<Sql> {
    let newer = table.newer?;
    let came: Vec<&String> = match table.older {
        None => newer.columns.iter().map(|column| &column.name).collect(),
        Some(_) => table.added.iter().map(|added| &added.physical).collect(),
    };
    let names = |there: &Physical<'_>| {
        let added = there.added_constraints.iter().map(|added| added.physical.clone());
        let indexes = there.added_indexes.iter().map(|(_, physical, _)| physical.clone());
        let own = there.newer.filter(|_| there.older.is_none());
        let own = own.into_iter().flat_map(|newer| newer.constraints.keys().chain(newer.indexes.keys()));
        added.chain(indexes).chain(own.map(|name| there.displaced(name)).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let known: Vec<String> = tables.iter().flat_map(names).collect();
    let statistics = table.added_statistics.iter().map(|(_, physical, _)| physical).collect::<Vec<_>>();
    (!came.is_empty()).then(|| query(chain, table, &came, table.older.is_none(), known.iter(), &statistics))
}

/// What hangs on these columns; where the table goes as a whole, on the table and its row type too.
fn query<'a>(
    chain: &Chain,
    table: &Physical<'_>,
    gone: &[&String],
    is_whole: bool,
    known: impl Iterator<Item = &'a String>,
    statistics: &[&String],
) -> Sql {
    // what belongs to a table hangs on it automatically, and goes with it
    let whole = if is_whole {
        sql!(
            " UNION SELECT ref.class, ref.oid, 0, ARRAY['n'] FROM {} WHERE class.oid IN (SELECT gone.attrelid FROM gone)",
            Sql::trusted(AS_A_WHOLE)
        )
    } else {
        Sql::default()
    };
    let mut views: Vec<Sql> = chain.older.iter().map(|version| literal(&version.views)).collect();
    views.push(literal(&chain.newer.scratch()));
    views.push(literal(&chain.newer.views));
    sql!(
        "WITH gone AS (SELECT attribute.attrelid, attribute.attnum, attribute.attname FROM pg_catalog.pg_attribute AS attribute \
         WHERE attribute.attrelid IN ({}) AND attribute.attname = ANY (ARRAY[{}]::pg_catalog.name[])), \
         ref (class, oid, number, types) AS (SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, gone.attrelid, gone.attnum::pg_catalog.int4, ARRAY['n', 'a'] FROM gone{}), \
         depend AS (SELECT depend.*, pg_catalog.pg_describe_object(depend.classid, depend.objid, depend.objsubid) AS description \
         FROM pg_catalog.pg_depend AS depend JOIN ref ON depend.refclassid = ref.class \
         AND depend.refobjid = ref.oid AND depend.refobjsubid = ref.number AND depend.deptype::pg_catalog.text = ANY (ref.types)) \
         SELECT DISTINCT found.description FROM ({}) AS found (description)",
        with_partitions(table, &literal(qualified(&chain.base, &table.name).as_str())),
        join(gone.iter().map(|name| literal(name)), ", "),
        whole,
        join(
            [
                rewritten(&views, is_whole),
                constraints_and_indexes(known),
                policies_and_triggers(chain, table),
                Sql::trusted(GENERATED_COLUMNS),
                Sql::trusted(RELATIONS),
                others(chain, statistics),
            ],
            " UNION ALL "
        )
    )
}

/// The table's OID, and those of its partitions.
fn with_partitions(table: &Physical<'_>, place: &Sql) -> Sql {
    if table.is_partitioned() {
        sql!("SELECT relid FROM pg_catalog.pg_partition_tree({}::pg_catalog.regclass)", place)
    } else {
        sql!("{}::pg_catalog.regclass", place)
    }
}

/// The foreign keys of other tables that point at a table.
fn inbound<'a>(chain: &'a Chain, table: &'a Physical<'_>) -> impl Iterator<Item = &'a String> {
    let name = &table.lineage.oldest().table;
    let all = chain.stage.from.tables.values().flat_map(|other| &other.constraints);
    all.filter(move |(_, there)| matches!(there, Constraint::ForeignKey { references, .. } if references.table == *name))
        .map(|(name, _)| name)
}

/// Views, but for those of the versions, and rules of tables; those of a table that goes as a whole go with it.
fn rewritten(versions: &[Sql], is_whole: bool) -> Sql {
    let own = if is_whole { " AND rule.ev_class NOT IN (SELECT gone.attrelid FROM gone)" } else { "" };
    sql!(
        "SELECT CASE WHEN view_.relkind IN ('v', 'm') THEN 'view ' || rule.ev_class::pg_catalog.regclass::pg_catalog.text ELSE depend.description END FROM depend \
         JOIN pg_catalog.pg_rewrite AS rule ON depend.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND rule.oid = depend.objid \
         JOIN pg_catalog.pg_class AS view_ ON view_.oid = rule.ev_class JOIN pg_catalog.pg_namespace AS space ON space.oid = view_.relnamespace \
         WHERE space.nspname <> ALL (ARRAY[{}]::pg_catalog.name[]){}",
        join(versions.iter().cloned(), ", "),
        Sql::trusted(own)
    )
}

/// Constraints and indexes that the model does not have; 18's NOT NULL constraints are no more than the column's own property.
fn constraints_and_indexes<'a>(known: impl Iterator<Item = &'a String>) -> Sql {
    let known = join(known.map(|name| literal(name)), ", ");
    sql!(
        "SELECT depend.description FROM depend JOIN pg_catalog.pg_constraint AS constraint_ \
         ON depend.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND constraint_.oid = depend.objid \
         WHERE constraint_.contype <> 'n' AND constraint_.conparentid = 0 AND constraint_.conname <> ALL (ARRAY[{}]::pg_catalog.name[]) \
         UNION ALL SELECT depend.description FROM depend JOIN pg_catalog.pg_class AS relation \
         ON depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND relation.oid = depend.objid AND depend.objsubid = 0 \
         WHERE relation.relkind IN ('i', 'I') AND NOT relation.relispartition AND relation.relname <> ALL (ARRAY[{}]::pg_catalog.name[])",
        known,
        known
    )
}

/// Relations, each with what can be meant of it as a whole: itself, its row type, arrays of that.
const AS_A_WHOLE: &str = "pg_catalog.pg_class AS class JOIN pg_catalog.pg_type AS row_ ON row_.oid = class.reltype \
    CROSS JOIN LATERAL (VALUES ('pg_catalog.pg_class'::pg_catalog.regclass, class.oid), ('pg_catalog.pg_type'::pg_catalog.regclass, row_.oid), \
    ('pg_catalog.pg_type'::pg_catalog.regclass, row_.typarray)) AS ref (class, oid)";

/// Columns of a row type that goes, and tables that inherit from one.
const RELATIONS: &str = "SELECT depend.description FROM depend JOIN pg_catalog.pg_class AS relation \
    ON depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND relation.oid = depend.objid \
    WHERE depend.deptype = 'n' AND depend.refobjsubid = 0 AND relation.relkind IN ('r', 'p', 'f', 'c')";

/// Policies and triggers that name a column; those of a table that goes as a whole go with it.
const POLICIES_AND_TRIGGERS: &str = "SELECT depend.description FROM depend LEFT JOIN pg_catalog.pg_policy AS policy \
    ON depend.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND policy.oid = depend.objid \
    LEFT JOIN pg_catalog.pg_trigger AS trigger_ ON depend.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND trigger_.oid = depend.objid \
    WHERE (policy.oid IS NOT NULL OR trigger_.oid IS NOT NULL) \
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_proc AS proc WHERE proc.oid = trigger_.tgfoid AND proc.pronamespace = pg_catalog.to_regnamespace('diptych')) AND NOT (coalesce(policy.polrelid, trigger_.tgrelid) IN (SELECT gone.attrelid FROM gone) \
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute AS rest WHERE rest.attrelid = coalesce(policy.polrelid, trigger_.tgrelid) AND rest.attnum > 0 \
    AND NOT rest.attisdropped AND rest.attname <> ALL (SELECT gone.attname FROM gone)))";

/// But for the triggers that complete exchanges.
fn policies_and_triggers(chain: &Chain, table: &Physical<'_>) -> Sql {
    let changes = triggers::Changes::of(chain);
    let exchanged = changes.exchanged(table);
    if exchanged.is_empty() {
        return Sql::trusted(POLICIES_AND_TRIGGERS);
    }
    let names = join(exchanged.iter().map(|name| literal(name)), ", ");
    sql!(
        "{} AND coalesce(trigger_.tgname <> ALL (ARRAY[{}]::pg_catalog.name[]), true)",
        Sql::trusted(POLICIES_AND_TRIGGERS),
        names
    )
}

/// Generated columns that read a column and stay. Up to which version their rule is a default's, and from which their own, differs.
const GENERATED_COLUMNS: &str = "SELECT 'generated column ' || other.attname FROM depend \
    LEFT JOIN pg_catalog.pg_attrdef AS rule ON depend.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND rule.oid = depend.objid \
    JOIN pg_catalog.pg_attribute AS other ON other.attrelid = depend.refobjid AND other.attnum = coalesce(rule.adnum::pg_catalog.int4, depend.objsubid) \
    WHERE (rule.oid IS NOT NULL OR (depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.objid = depend.refobjid)) \
    AND other.attgenerated <> '' AND other.attname <> ALL (SELECT gone.attname FROM gone)";

/// Whatever else there may be, but for statistics that are the table's own: functions with a parsed body, statistics by somebody else. What is in publications is carried, see
/// `replication`.
fn others(chain: &Chain, statistics: &[&String]) -> Sql {
    sql!(
        "SELECT depend.description FROM depend WHERE depend.classid <> ALL (ARRAY['pg_catalog.pg_rewrite', 'pg_catalog.pg_constraint', \
         'pg_catalog.pg_class', 'pg_catalog.pg_policy', 'pg_catalog.pg_trigger', 'pg_catalog.pg_attrdef', 'pg_catalog.pg_publication_rel']::pg_catalog.regclass[]) \
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_statistic_ext AS own WHERE depend.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass \
         AND own.oid = depend.objid AND own.stxname = ANY (ARRAY[{}]::pg_catalog.name[]) AND own.stxnamespace = pg_catalog.to_regnamespace({}))",
        join(statistics.iter().map(|name| literal(name)), ", "),
        literal(ident(&chain.base).as_str())
    )
}

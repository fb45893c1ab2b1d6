//! The steps that make, move and remove enum types, and what is asked of the database before.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::plan::{Phase, Steps, Verdict};
use crate::sql::{Sql, join, literal, qualified};
use crate::{sql, statements::enums, statements::rights, statements::views};

/// The types of the version before are as they were left, new ones are none of the server's own, and nothing unknown uses what goes.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let list = |labels: &[String]| sql!("ARRAY[{}]::pg_catalog.text[]", join(labels.iter().map(|label| literal(label)), ", "));
    let known = chain.stage.from.enums.iter().map(|(name, model)| sql!("({}, {})", literal(name), list(&model.labels)));
    let known: Vec<_> = known.collect();
    if !known.is_empty() {
        push(
            steps,
            "the database has the enums of the older version",
            sql!(
                "SELECT wanted.name FROM (VALUES {}) AS wanted (name, labels) WHERE wanted.labels IS DISTINCT FROM (\
                 SELECT coalesce(pg_catalog.array_agg(label.enumlabel::pg_catalog.text ORDER BY label.enumsortorder) FILTER (WHERE label.oid IS NOT NULL), '{{}}') \
                 FROM pg_catalog.pg_type AS there JOIN pg_catalog.pg_namespace AS space ON space.oid = there.typnamespace \
                 LEFT JOIN pg_catalog.pg_enum AS label ON label.enumtypid = there.oid \
                 WHERE space.nspname = {} AND there.typname = wanted.name AND there.typtype = 'e' GROUP BY there.oid)",
                join(known, ", "),
                literal(&chain.base)
            ),
            format!("schema `{}` lacks enums of the older version, or has them with other labels", chain.base),
            "somebody changed the database outside Diptych: put back what is missing",
        );
    }
    let created = chain.made_forms().filter(|(_, form)| form.in_to && !chain.stage.from.enums.contains_key(&form.name));
    let created: Vec<_> = created.map(|(_, form)| literal(&form.name)).collect();
    if !created.is_empty() {
        push(
            steps,
            "no new enum has the name of a built-in type",
            sql!(
                "SELECT there.typname::pg_catalog.text FROM pg_catalog.pg_type AS there \
                 WHERE there.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND there.typname IN ({})",
                join(created, ", ")
            ),
            "PostgreSQL has built-in types of these names".to_owned(),
            "choose another name for the new enum",
        );
    }
    let hint = "drop the objects named above before the migration, and create them again after it; for a column, give it another type until then";
    let building = literal(&chain.newer.scratch());
    nothing_depends(chain, tables, &[building], hint, steps);
}

/// The same again at complete: a partition may have been detached since, a table or function may have come.
pub(super) fn checks_of_complete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let hint =
        "drop the objects named above (for a column, give it another type), run `complete` again, and put them back after it";
    nothing_depends(chain, tables, &[], hint, steps);
}

/// Nothing but the older version, which goes first, and what is in these schemas.
fn nothing_depends(chain: &Chain, tables: &[Physical<'_>], but_for: &[Sql], hint: &str, steps: &mut Steps) {
    let gone = chain.stage.enums.iter().filter(|form| form.in_from && !form.in_to);
    let gone_types = chain.stage.gone_types();
    let gone = gone.map(|form| &form.name).chain(gone_types.iter().map(|(name, _)| *name));
    let gone: Vec<_> = gone.map(|name| literal(name)).collect();
    if !gone.is_empty() {
        let title = "no object outside the migrations depends on enums that change, or on types that are dropped";
        push(
            steps,
            title,
            dependents(chain, tables, but_for, &gone),
            "types cannot be changed or dropped, because other objects depend on them".to_owned(),
            hint,
        );
    }
}

fn push(steps: &mut Steps, title: &str, sql: Sql, refusal: String, hint: &str) {
    steps.check(title, sql, refusal, hint, Verdict::Refuse);
}

/// What depends on a type and on no column that goes, in a partition neither: functions, other types, columns that the model does not have.
fn dependents(chain: &Chain, tables: &[Physical<'_>], but_for: &[Sql], gone: &[Sql]) -> Sql {
    let columns = tables.iter().flat_map(|table| {
        let names: Vec<&String> = match (table.older, table.newer) {
            (Some(older), None) => older.columns.iter().map(|column| &column.name).collect(),
            (Some(_), Some(_)) => table.removed.iter().collect(),
            _ => Vec::new(),
        };
        let place = literal(qualified(&chain.base, &table.name).as_str());
        names.into_iter().map(move |name| sql!("({}::pg_catalog.regclass, {}::pg_catalog.name)", place, literal(name)))
    });
    let columns: Vec<Sql> = columns.collect();
    let columns =
        if columns.is_empty() { vec![Sql::trusted("(0::pg_catalog.regclass, NULL::pg_catalog.name)")] } else { columns };
    let mut versions: Vec<Sql> = chain.older.iter().map(|version| literal(&version.views)).collect();
    versions.extend(but_for.iter().cloned().chain([literal(crate::names::OWN_SCHEMA)]));
    sql!(
        "WITH type_ AS (SELECT there.oid, there.typarray, nullif(there.typrelid, 0) AS relation FROM pg_catalog.pg_type AS there JOIN pg_catalog.pg_namespace AS space ON space.oid = there.typnamespace \
         WHERE space.nspname = {} AND there.typname IN ({})), \
         gone AS (SELECT attribute.attrelid, attribute.attnum FROM (VALUES {}) AS column_ (relation, name) \
         CROSS JOIN LATERAL (SELECT column_.relation UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(column_.relation) AS tree) AS place (relation) \
         JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = place.relation AND attribute.attname = column_.name), \
         depend AS (SELECT depend.*, depend.refobjid = type_.typarray AS is_array FROM pg_catalog.pg_depend AS depend \
         JOIN type_ ON (depend.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND depend.refobjid IN (type_.oid, type_.typarray)) \
         OR (depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.refobjid = type_.relation) \
         WHERE depend.deptype IN ('n', 'a') \
         AND NOT (depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.objid IN (SELECT own.relation FROM type_ AS own WHERE own.relation IS NOT NULL)) \
         AND NOT (depend.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND depend.objid IN (SELECT own.typarray FROM type_ AS own UNION ALL SELECT own.oid FROM type_ AS own)) \
         AND NOT (depend.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND depend.objid IN (SELECT rule.oid FROM pg_catalog.pg_constraint AS rule JOIN type_ AS own ON own.oid = rule.contypid))) \
         SELECT DISTINCT pg_catalog.pg_describe_object(depend.classid, depend.objid, depend.objsubid), \
         CASE WHEN used.attname IS NOT NULL THEN pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I TYPE text%s', owner.oid::pg_catalog.regclass, used.attname, CASE WHEN depend.is_array THEN '[]' END) END \
         FROM depend LEFT JOIN pg_catalog.pg_class AS owner ON depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND owner.oid = depend.objid AND owner.relkind IN ('r', 'p') AND NOT owner.relispartition \
         LEFT JOIN pg_catalog.pg_attribute AS used ON used.attrelid = owner.oid AND used.attnum = depend.objsubid AND used.attnum > 0 WHERE NOT EXISTS (\
         SELECT FROM gone WHERE depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.objid = gone.attrelid AND depend.objsubid = gone.attnum) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS other JOIN gone ON other.refobjid = gone.attrelid AND other.refobjsubid = gone.attnum \
         WHERE other.classid = depend.classid AND other.objid = depend.objid AND other.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
         WHERE space.nspname IN ({}) AND class.oid = CASE depend.classid WHEN 'pg_catalog.pg_class'::pg_catalog.regclass THEN depend.objid \
         WHEN 'pg_catalog.pg_rewrite'::pg_catalog.regclass THEN (SELECT rule.ev_class FROM pg_catalog.pg_rewrite AS rule WHERE rule.oid = depend.objid) \
         WHEN 'pg_catalog.pg_attrdef'::pg_catalog.regclass THEN (SELECT def.adrelid FROM pg_catalog.pg_attrdef AS def WHERE def.oid = depend.objid) END) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS proc JOIN pg_catalog.pg_namespace AS space ON space.oid = proc.pronamespace \
         WHERE space.nspname IN ({}) AND depend.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND proc.oid = depend.objid)",
        literal(&chain.base),
        join(gone.iter().cloned(), ", "),
        join(columns, ", "),
        join(versions.iter().cloned(), ", "),
        join(versions, ", ")
    )
}

/// The schema of the version, earlier than its views, with the new forms of types in it.
pub(super) fn expand(chain: &Chain, steps: &mut Steps) {
    if chain.changes_types() {
        let mut statements = views::create_schema(chain);
        statements.extend(enums::create(chain));
        statements.push(rights::seal());
        let title = format!("create schema and types for version `{}`", chain.newer.name);
        steps.transaction(Phase::Expand, title, Vec::new(), statements);
    }
}

/// Every type to its place.
pub(super) fn contract(chain: &Chain, steps: &mut Steps) {
    let mut statements = if chain.changes_types() { enums::change_places(chain) } else { Vec::new() };
    statements.extend(enums::comments(chain));
    if !statements.is_empty() {
        steps.transaction(Phase::Contract, "move the types into the schemas of their versions", Vec::new(), statements);
    }
}

/// The register of a start that is undone; the types themselves go with their schema.
pub(super) fn undo(chain: &Chain, steps: &mut Steps) {
    if chain.changes_types() {
        steps.transaction(Phase::Undo, "remove the newer version's types from the state", Vec::new(), vec![enums::forget(chain)]);
    }
}

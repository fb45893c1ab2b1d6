//! What uses something that goes at complete, an extension or a sequence, and does not go with it.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::names;
use crate::plan::final_form::changes_default;
use crate::sql;
use crate::sql::{Sql, join, literal, qualified};

/// What is `used`, a common table expression of what is used and the rows of `pg_depend` that say by whom, but for what goes at complete itself:
/// columns, indexes, constraints, defaults, views and code of versions, domains and composite types. Those of the newer version count where it
/// is published.
pub(super) fn query(chain: &Chain, tables: &[Physical<'_>], used: &Sql, is_published: bool) -> Sql {
    let parts = what_goes(chain, tables);
    let mut schemas: Vec<Sql> = chain.older.iter().map(|version| literal(&version.views)).collect();
    let older = join(schemas.clone().into_iter().chain([Sql::trusted("NULL")]), ", ");
    let own = [&chain.newer.scratch(), &names::guard_schema(&chain.base), names::OWN_SCHEMA].map(literal);
    schemas.extend(own.into_iter().chain((!is_published).then(|| literal(&chain.newer.views))));
    let class = |name: &str| sql!("{}::pg_catalog.regclass", literal(&format!("pg_catalog.{name}")));
    let (pg_class, pg_attrdef, pg_constraint, pg_rewrite) =
        (class("pg_class"), class("pg_attrdef"), class("pg_constraint"), class("pg_rewrite"));
    let types = chain.stage.gone_types().into_iter().map(|(name, _)| literal(name)).chain([Sql::trusted("NULL")]);
    sql!(
        "WITH RECURSIVE {}, part (relation, kind, name) AS (SELECT place.relation, given.kind, given.name FROM (VALUES {}) AS given (relation, kind, name) \
         CROSS JOIN LATERAL (SELECT given.relation UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(given.relation) AS tree) AS place (relation)), \
         gone (classid, objid, objsubid) AS (\
         SELECT {}::pg_catalog.oid, part.relation::pg_catalog.oid, own.attnum::pg_catalog.int4 FROM part JOIN pg_catalog.pg_attribute AS own ON own.attrelid = part.relation AND own.attname = part.name WHERE part.kind = 'column' \
         UNION ALL SELECT {}, def.oid, NULL FROM part JOIN pg_catalog.pg_attribute AS own ON own.attrelid = part.relation AND own.attname = part.name \
         JOIN pg_catalog.pg_attrdef AS def ON def.adrelid = own.attrelid AND def.adnum = own.attnum WHERE part.kind = 'default' \
         UNION ALL SELECT {}, con.oid, NULL FROM part JOIN pg_catalog.pg_constraint AS con ON con.conrelid = part.relation AND con.conname = part.name WHERE part.kind = 'constraint' \
         UNION ALL SELECT {}, tree.oid, NULL FROM part JOIN pg_catalog.pg_index AS index ON index.indrelid = part.relation JOIN pg_catalog.pg_class AS own ON own.oid = index.indexrelid AND own.relname = part.name \
         CROSS JOIN LATERAL (SELECT own.oid UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(own.oid) AS tree) AS tree (oid) WHERE part.kind IN ('index', 'constraint') \
         UNION ALL SELECT {}, own.oid, NULL FROM part JOIN pg_catalog.pg_statistic_ext AS own ON own.stxrelid = part.relation AND own.stxname = part.name WHERE part.kind = 'statistics' \
         UNION ALL SELECT part.classid, part.objid, NULL FROM pg_catalog.pg_type AS own JOIN pg_catalog.pg_namespace AS space ON space.oid = own.typnamespace \
         CROSS JOIN LATERAL (VALUES ({}, own.oid), ({}, own.typrelid)) AS part (classid, objid) WHERE space.nspname = {} AND own.typname IN ({}) \
         UNION ALL SELECT {}, own.oid, NULL FROM pg_catalog.pg_proc AS own JOIN pg_catalog.pg_namespace AS space ON space.oid = own.pronamespace WHERE space.nspname IN ({})) \
         SELECT DISTINCT pg_catalog.format('%s is used by %s', used.what, pg_catalog.pg_describe_object(used.classid, used.objid, used.objsubid)) FROM used \
         WHERE NOT EXISTS (SELECT FROM gone WHERE gone.classid = used.classid AND gone.objid = used.objid AND (gone.objsubid IS NULL OR gone.objsubid = used.objsubid)) \
         AND NOT EXISTS (SELECT FROM gone JOIN pg_catalog.pg_depend AS other ON other.refclassid = gone.classid AND other.refobjid = gone.objid AND other.refobjsubid = gone.objsubid \
         WHERE other.classid = used.classid AND other.objid = used.objid) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace WHERE space.nspname IN ({}) AND class.oid = CASE used.classid \
         WHEN {} THEN used.objid WHEN {} THEN (SELECT rule.ev_class FROM pg_catalog.pg_rewrite AS rule WHERE rule.oid = used.objid) \
         WHEN {} THEN (SELECT def.adrelid FROM pg_catalog.pg_attrdef AS def WHERE def.oid = used.objid) END) ORDER BY 1",
        used,
        join(parts, ", "),
        pg_class,
        pg_attrdef,
        pg_constraint,
        pg_class,
        class("pg_statistic_ext"),
        class("pg_type"),
        pg_class,
        literal(&chain.base),
        join(types, ", "),
        class("pg_proc"),
        older,
        join(schemas, ", "),
        pg_class,
        pg_rewrite,
        pg_attrdef
    )
}

/// What goes of the tables at complete: table, kind, name.
fn what_goes(chain: &Chain, tables: &[Physical<'_>]) -> Vec<Sql> {
    let mut parts: Vec<Sql> = vec![Sql::trusted("(0::pg_catalog.regclass, NULL::pg_catalog.text, NULL::pg_catalog.text)")];
    for table in tables {
        let place = literal(qualified(&chain.base, &table.name).as_str());
        let mut put = |kind: &str, name: &str| {
            parts.push(sql!("({}::pg_catalog.regclass, {}, {})", place, literal(kind), literal(name)));
        };
        match (table.older, table.newer) {
            (Some(older), None) => older.columns.iter().for_each(|column| put("column", &column.name)),
            (Some(_), Some(newer)) => {
                table.removed.iter().for_each(|name| put("column", name));
                table.removed_indexes.iter().for_each(|name| put("index", name));
                table.removed_statistics.iter().for_each(|name| put("statistics", name));
                table.removed_constraints.iter().for_each(|name| put("constraint", name));
                let changed = newer.columns.iter().filter(|column| changes_default(table, column));
                changed.for_each(|column| put("default", table.newer_name(&column.name)));
            }
            _ => {}
        }
    }
    parts
}

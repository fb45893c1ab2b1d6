//! What a base schema holds: as sorted lines that can be compared, the measure of R4; and as the model has it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use tokio_postgres::{Client, GenericClient, IsolationLevel, Row};

use crate::catalog::histories::{self, History};
use crate::error::{Error, Result};
use diptych_core::statements::path::Path;
use diptych_core::{Composite, Domain, Enum, Schema, Sequence, Table, model::types};

/// What a base schema has, and what there is beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// The server's major version, which decides how it prints definitions.
    pub server: u32,
    /// The tables, enums, domains, composite types and sequences that a version has, and the extensions that lie beside them or are used by them.
    pub schema: Schema,
    /// Every extension of the database, and the schema that it lies in.
    pub extensions: BTreeMap<String, String>,
    /// Everything else in the database that is not an extension's: it stays as it is.
    pub beside: Vec<Object>,
    /// What other migration tools have applied; their tables are beside the version.
    pub histories: Vec<History>,
}

/// An object that is no part of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Object {
    /// What it is: `function`, `materialized view`.
    pub kind: String,
    /// Its name, with its schema.
    pub name: String,
    /// What it is made of, as the server prints it; none where only its name is known.
    pub definition: Option<String>,
}

/// Looks at everything at one moment. `versions` names the schemas of versions, which are nobody's objects.
pub(crate) async fn inventory(client: &mut Client, server: u32, base: &str, versions: &[String]) -> Result<Inventory> {
    let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?;
    transaction.batch_execute(Path::base(base).set_local().as_str()).await?;
    let schema = schema(&transaction, base).await?;
    transaction.batch_execute(Path::own().set_local().as_str()).await?;
    let histories = histories::read(&transaction, base).await?;
    let own: Vec<&String> = versions.iter().chain(histories.iter().flat_map(|history| &history.schemas)).collect();
    let listed: Vec<&String> = schema.extensions.iter().collect();
    let rows = transaction.query(include_str!("introspect/beside.sql"), &[&base, &own, &listed]).await?;
    let beside = rows.iter().map(|row| Object { kind: row.get(0), name: row.get(1), definition: row.get(2) });
    let tables = histories.iter().map(|history| Object {
        kind: format!("history of {}", history.tool),
        name: history.table.clone(),
        definition: None,
    });
    let rows = transaction.query(include_str!("introspect/extensions.sql"), &[&base]).await?;
    let extensions = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let beside = beside.chain(tables).collect();
    let inventory = Inventory { server, schema, extensions, beside, histories };
    transaction.commit().await?;
    Ok(inventory)
}

/// Every object of a schema as one line each, sorted: tables, columns, constraints, indexes, triggers, policies, sequences,
/// rights, comments, statistics, storage: all that `pg_dump` prints of a table. Equal up to attribute numbers, column order, dropped slots and OIDs.
pub async fn catalog(client: &Client, schema: &str) -> Result<Vec<String>> {
    let rows = client.query(QUERY, &[&schema]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The enums, domains, composite types, sequences that no column owns, and plain tables of a schema as a model, with the extensions that lie in it or that its tables use, as far as the model goes,
/// without the histories of other tools; texts are in the form in which PostgreSQL prints them.
///
/// Names are printed by the session's `search_path`.
pub async fn schema(client: &impl GenericClient, schema: &str) -> Result<Schema> {
    let mut found = Schema::default();
    let rows = client.query(include_str!("introspect/extensions.sql"), &[&schema]).await?;
    found.extensions.extend(rows.iter().filter(|row| row.get(2)).map(|row| row.get::<_, String>(0)));
    for row in client.query(include_str!("introspect/enums.sql"), &[&schema]).await? {
        found.enums.insert(row.get(0), Enum { labels: row.get(1), comment: row.get(2) });
    }
    for row in client.query(include_str!("introspect/domains.sql"), &[&schema]).await? {
        let (name, domain): (String, Domain) = read("domain", &row)?;
        found.domains.insert(name, domain.normal());
    }
    for row in client.query(include_str!("introspect/composites.sql"), &[&schema]).await? {
        let (name, composite): (String, Composite) = read("composite type", &row)?;
        found.composites.insert(name, composite.normal());
    }
    for row in client.query(include_str!("introspect/sequences.sql"), &[&schema]).await? {
        let (name, sequence): (String, Sequence) = read("sequence", &row)?;
        found.sequences.insert(name, sequence.normal());
    }
    let histories = histories::tables(client, schema).await?;
    for row in client.query(include_str!("introspect/schema.sql"), &[&schema, &histories]).await? {
        let (name, mut table): (String, Table) = read("table", &row)?;
        for column in &mut table.columns {
            column.sql_type = types::normalize(&column.sql_type);
        }
        // the server sorts names otherwise
        table.statistics.values_mut().for_each(|own| *own = std::mem::take(own).normal());
        found.tables.insert(name, table);
    }
    Ok(found)
}

/// A piece of the model that a query gives by name and as JSON.
fn read<T: DeserializeOwned>(kind: &str, row: &Row) -> Result<(String, T)> {
    let (name, text): (String, String) = (row.get(0), row.get(1));
    let read = serde_json::from_str(&text).map_err(|error| {
        Error::refused(format!("{kind} `{name}` cannot be read: {error}")).hint("report this as a bug in Diptych")
    })?;
    Ok((name, read))
}

const QUERY: &str = r#"
WITH space AS (SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = $1::pg_catalog.text),
relation AS (SELECT class.* FROM pg_catalog.pg_class AS class JOIN space ON space.oid = class.relnamespace),
-- what an extension has is told by its version
member AS (SELECT depend.classid, depend.objid FROM pg_catalog.pg_depend AS depend WHERE depend.deptype = 'e'),
line AS (
  SELECT pg_catalog.format('%s %s owner=%s acl=%s options=%s persistence=%s rls=%s/%s identity=%s comment=%s method=%s tablespace=%s toast=%s type=%s inherits=%s bound=%s',
    CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table partitioned by ' || pg_catalog.pg_get_partkeydef(oid) WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE relkind::text END,
    relname, relowner::pg_catalog.regrole, CASE WHEN relacl IS NOT NULL THEN ARRAY(SELECT acl.item::pg_catalog.text FROM pg_catalog.unnest(relacl) AS acl (item) ORDER BY 1) END, ARRAY(SELECT own.option FROM pg_catalog.unnest(reloptions) AS own (option) ORDER BY 1), relpersistence, relrowsecurity, relforcerowsecurity, relreplident,
    pg_catalog.obj_description(oid, 'pg_class'), (SELECT method.amname FROM pg_catalog.pg_am AS method WHERE method.oid = relam),
    (SELECT place.spcname FROM pg_catalog.pg_tablespace AS place WHERE place.oid = reltablespace),
    ARRAY(SELECT own.option FROM pg_catalog.pg_class AS toast, pg_catalog.unnest(toast.reloptions) AS own (option) WHERE toast.oid = reltoastrelid ORDER BY 1), nullif(reloftype, 0)::pg_catalog.regtype,
    (SELECT pg_catalog.array_agg(family.inhparent::pg_catalog.regclass ORDER BY family.inhseqno) FROM pg_catalog.pg_inherits AS family WHERE family.inhrelid = relation.oid),
    pg_catalog.pg_get_expr(relpartbound, oid)) AS text
  FROM relation WHERE relkind NOT IN ('i', 'I')
  UNION ALL
  SELECT pg_catalog.format('column %s.%s %s notnull=%s default=%s identity=%s generated=%s collation=%s statistics=%s storage=%s compression=%s options=%s acl=%s comment=%s',
    relation.relname, attribute.attname, pg_catalog.format_type(attribute.atttypid, attribute.atttypmod), attribute.attnotnull,
    pg_catalog.pg_get_expr(def.adbin, def.adrelid), attribute.attidentity, attribute.attgenerated, attribute.attcollation::pg_catalog.regcollation,
    attribute.attstattarget, attribute.attstorage, attribute.attcompression, attribute.attoptions, CASE WHEN attribute.attacl IS NOT NULL THEN ARRAY(SELECT acl.item::pg_catalog.text FROM pg_catalog.unnest(attribute.attacl) AS acl (item) ORDER BY 1) END, pg_catalog.col_description(relation.oid, attribute.attnum))
  FROM relation JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef AS def ON def.adrelid = relation.oid AND def.adnum = attribute.attnum
  WHERE relation.relkind IN ('r', 'p', 'v')
  UNION ALL
  SELECT pg_catalog.format('constraint %s.%s %s validated=%s comment=%s', relation.relname, con.conname,
    pg_catalog.pg_get_constraintdef(con.oid), con.convalidated, pg_catalog.obj_description(con.oid, 'pg_constraint'))
  FROM pg_catalog.pg_constraint AS con JOIN relation ON relation.oid = con.conrelid WHERE con.contype <> 'n'
  UNION ALL
  SELECT pg_catalog.format('index %s valid=%s ready=%s replica=%s options=%s tablespace=%s clustered=%s columns=%s statistics=%s comment=%s', pg_catalog.pg_get_indexdef(index.indexrelid), index.indisvalid,
    index.indisready, index.indisreplident, relation.reloptions, space.spcname, index.indisclustered,
    (SELECT pg_catalog.array_agg(own.attname ORDER BY own.attnum) FROM pg_catalog.pg_attribute AS own WHERE own.attrelid = relation.oid),
    (SELECT pg_catalog.array_agg(own.attstattarget ORDER BY own.attnum) FROM pg_catalog.pg_attribute AS own WHERE own.attrelid = relation.oid),
    pg_catalog.obj_description(relation.oid, 'pg_class'))
  FROM pg_catalog.pg_index AS index JOIN relation ON relation.oid = index.indexrelid
  LEFT JOIN pg_catalog.pg_tablespace AS space ON space.oid = relation.reltablespace
  UNION ALL
  SELECT pg_catalog.format('trigger %s enabled=%s comment=%s', pg_catalog.pg_get_triggerdef(trigger_.oid), trigger_.tgenabled,
    pg_catalog.obj_description(trigger_.oid, 'pg_trigger'))
  FROM pg_catalog.pg_trigger AS trigger_ JOIN relation ON relation.oid = trigger_.tgrelid WHERE NOT trigger_.tgisinternal
  UNION ALL
  SELECT pg_catalog.format('policy %s on %s %s permissive=%s roles=%s %s %s comment=%s', policy.polname, relation.relname, policy.polcmd, policy.polpermissive,
    policy.polroles::pg_catalog.regrole[],
    pg_catalog.pg_get_expr(policy.polqual, policy.polrelid), pg_catalog.pg_get_expr(policy.polwithcheck, policy.polrelid),
    pg_catalog.obj_description(policy.oid, 'pg_policy'))
  FROM pg_catalog.pg_policy AS policy JOIN relation ON relation.oid = policy.polrelid
  UNION ALL
  SELECT pg_catalog.format('sequence %s %s start=%s increment=%s max=%s min=%s cache=%s cycle=%s owned by %s.%s', relation.relname,
    pg_catalog.format_type(sequence.seqtypid, NULL), sequence.seqstart, sequence.seqincrement, sequence.seqmax, sequence.seqmin, sequence.seqcache,
    sequence.seqcycle, owner.relname, attribute.attname)
  FROM pg_catalog.pg_sequence AS sequence JOIN relation ON relation.oid = sequence.seqrelid
  LEFT JOIN pg_catalog.pg_depend AS depend ON depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.objid = relation.oid
    AND depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.deptype IN ('a', 'i')
  LEFT JOIN pg_catalog.pg_class AS owner ON owner.oid = depend.refobjid
  LEFT JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = depend.refobjid AND attribute.attnum = depend.refobjsubid
  UNION ALL
  SELECT pg_catalog.format('statistics %s on %s kinds=%s columns=%s expressions=%s target=%s owner=%s comment=%s', statistics.stxname, relation.relname, statistics.stxkind,
    ARRAY(SELECT attribute.attname FROM pg_catalog.unnest(statistics.stxkeys::pg_catalog.int2[]) AS key (number)
      JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum = key.number ORDER BY attribute.attname),
    pg_catalog.pg_get_statisticsobjdef_expressions(statistics.oid), statistics.stxstattarget,
    statistics.stxowner::pg_catalog.regrole, pg_catalog.obj_description(statistics.oid, 'pg_statistic_ext'))
  FROM pg_catalog.pg_statistic_ext AS statistics JOIN relation ON relation.oid = statistics.stxrelid
  UNION ALL
  SELECT pg_catalog.format('rule %s enabled=%s comment=%s', pg_catalog.pg_get_ruledef(rule.oid), rule.ev_enabled, pg_catalog.obj_description(rule.oid, 'pg_rewrite'))
  FROM pg_catalog.pg_rewrite AS rule JOIN relation ON relation.oid = rule.ev_class
  UNION ALL
  SELECT pg_catalog.format('published %s %s', published.pubname, published.tablename)
  FROM pg_catalog.pg_publication_tables AS published JOIN space ON space.nspname = published.schemaname
  UNION ALL
  SELECT pg_catalog.format('label %s %s %s %s', label.objtype, label.objname, label.provider, label.label)
  FROM pg_catalog.pg_seclabels AS label JOIN space ON space.oid = label.objnamespace
  UNION ALL
  SELECT pg_catalog.format('extension %s owner=%s version=%s', own.extname, own.extowner::pg_catalog.regrole, own.extversion)
  FROM pg_catalog.pg_extension AS own JOIN space ON space.oid = own.extnamespace
  UNION ALL
  SELECT pg_catalog.format('function %s(%s) %s', proc.proname, pg_catalog.pg_get_function_identity_arguments(proc.oid), pg_catalog.md5(proc.prosrc))
  FROM pg_catalog.pg_proc AS proc JOIN space ON space.oid = proc.pronamespace
  WHERE NOT EXISTS (SELECT FROM member WHERE member.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND member.objid = proc.oid)
  UNION ALL
  SELECT pg_catalog.format('type %s %s owner=%s acl=%s comment=%s labels=%s', type_.typname, type_.typtype, type_.typowner::pg_catalog.regrole,
    CASE WHEN type_.typacl IS NOT NULL THEN ARRAY(SELECT acl.item::pg_catalog.text FROM pg_catalog.unnest(type_.typacl) AS acl (item) ORDER BY 1) END, pg_catalog.obj_description(type_.oid, 'pg_type'),
    (SELECT pg_catalog.array_agg(label.enumlabel ORDER BY label.enumsortorder) FROM pg_catalog.pg_enum AS label WHERE label.enumtypid = type_.oid))
  FROM pg_catalog.pg_type AS type_ JOIN space ON space.oid = type_.typnamespace
  WHERE (type_.typtype IN ('e', 'd') OR type_.typrelid IN (SELECT relation.oid FROM relation WHERE relation.relkind = 'c'))
    AND NOT EXISTS (SELECT FROM member WHERE member.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND member.objid = type_.oid)
  UNION ALL
  SELECT pg_catalog.format('attribute %s of composite type %s %s %s collation=%s comment=%s', pg_catalog.row_number() OVER (PARTITION BY relation.oid ORDER BY attribute.attnum),
    relation.relname, attribute.attname, pg_catalog.format_type(attribute.atttypid, attribute.atttypmod), attribute.attcollation::pg_catalog.regcollation,
    pg_catalog.col_description(relation.oid, attribute.attnum))
  FROM relation JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
  WHERE relation.relkind = 'c'
  UNION ALL
  SELECT pg_catalog.format('domain %s %s collation=%s notnull=%s default=%s', type_.typname, pg_catalog.format_type(type_.typbasetype, type_.typtypmod),
    type_.typcollation::pg_catalog.regcollation, type_.typnotnull, pg_catalog.pg_get_expr(type_.typdefaultbin, 0))
  FROM pg_catalog.pg_type AS type_ JOIN space ON space.oid = type_.typnamespace WHERE type_.typtype = 'd'
    AND NOT EXISTS (SELECT FROM member WHERE member.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND member.objid = type_.oid)
  UNION ALL
  SELECT pg_catalog.format('rule %s of domain %s %s validated=%s comment=%s', con.conname, type_.typname, pg_catalog.pg_get_constraintdef(con.oid), con.convalidated,
    pg_catalog.obj_description(con.oid, 'pg_constraint'))
  FROM pg_catalog.pg_constraint AS con JOIN pg_catalog.pg_type AS type_ ON type_.oid = con.contypid JOIN space ON space.oid = type_.typnamespace
  WHERE NOT EXISTS (SELECT FROM member WHERE member.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND member.objid = type_.oid)
)
SELECT text FROM line ORDER BY text COLLATE pg_catalog."C"
"#;

//! What hangs on columns, indexes and constraints and is not in the model goes over to those that take their place: rights, statistics,
//! storage, comments, the mark of CLUSTER.
//!
//! Columns have it from the start, before rows are filled, and once more at complete, for what was set since. Indexes and keys have it at
//! complete: what the older ones have is put down in a setting of the transaction before they go.

use crate::layout::chain::Chain;
use crate::layout::tables::{Physical, Replaced};
use crate::model::schema::Constraint;
use crate::sql;
use crate::sql::{Sql, dollar_quoted, join, literal, qualified};
use crate::{statements::ddl, statements::rights};

/// The setting that holds what goes over, until the transaction ends.
const CARRIED: &str = "'diptych.carried'";

/// Columns that take another's place get its rights and properties.
pub(crate) fn carry_columns(table: &Physical<'_>, place: &Sql) -> Option<Sql> {
    columns(table, place, &grants())
}

fn grants() -> Sql {
    let place = Sql::trusted("pair.place::pg_catalog.regclass");
    rights::grant(&Sql::trusted("pair.attacl"), &place, Some(&Sql::trusted("pair.name")), None)
}

/// What was set since the start; of the rights, what was revoked as well.
pub(crate) fn carry_columns_again(table: &Physical<'_>, place: &Sql) -> Option<Sql> {
    let text = sql!(
        "IF pair.attacl::pg_catalog.text IS DISTINCT FROM pair.own_rights::pg_catalog.text THEN
      FOR right_ IN SELECT DISTINCT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END AS role
        FROM pg_catalog.aclexplode(pair.own_rights) AS acl LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee LOOP
        EXECUTE pg_catalog.format('REVOKE ALL (%I) ON %s FROM %s CASCADE', pair.name, pair.place::pg_catalog.regclass, right_.role);
      END LOOP;
      {}
    END IF;",
        grants()
    );
    columns(table, place, &text)
}

/// In each partition its own. Storage and compression are carried where somebody has set them, and where the new type may have them.
fn columns(table: &Physical<'_>, place: &Sql, grants: &Sql) -> Option<Sql> {
    let pairs: Vec<_> = table
        .added
        .iter()
        .filter_map(|added| Some(sql!("({}, {})", literal(&table.lineage.origin(&added.column.name)?), literal(&added.physical))))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let text = sql!(
        "
DECLARE
  whole pg_catalog.regclass := {};
  pair record;
  option_ record;
  right_ record;
BEGIN
  FOR pair IN
    SELECT place.oid AS place, shadow.name, origin.attacl, own.attacl AS own_rights, origin.attstattarget AS target, origin.attoptions AS options,
      CASE WHEN to_type.typstorage <> 'p' AND origin.attstorage <> from_type.typstorage AND origin.attstorage <> own.attstorage
        THEN CASE origin.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END AS storage,
      CASE WHEN to_type.typstorage <> 'p' AND origin.attcompression <> own.attcompression
        THEN CASE origin.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END END AS compression
    FROM (VALUES {}) AS shadow (origin, name)
    CROSS JOIN LATERAL (SELECT whole::pg_catalog.oid UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(whole) AS tree) AS place (oid)
    JOIN pg_catalog.pg_attribute AS origin ON origin.attrelid = place.oid AND origin.attname = shadow.origin
    JOIN pg_catalog.pg_attribute AS own ON own.attrelid = place.oid AND own.attname = shadow.name
    JOIN pg_catalog.pg_type AS from_type ON from_type.oid = origin.atttypid JOIN pg_catalog.pg_type AS to_type ON to_type.oid = own.atttypid
    ORDER BY place.oid, shadow.name
  LOOP
    IF pair.target >= 0 THEN
      EXECUTE pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I SET STATISTICS %s', pair.place::pg_catalog.regclass, pair.name, pair.target);
    END IF;
    FOR option_ IN SELECT option_name, option_value FROM pg_catalog.pg_options_to_table(pair.options) LOOP
      EXECUTE pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I SET (%I = %L)', pair.place::pg_catalog.regclass, pair.name,
        option_.option_name, option_.option_value);
    END LOOP;
    IF pair.storage IS NOT NULL THEN
      EXECUTE pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I SET STORAGE %s', pair.place::pg_catalog.regclass, pair.name, pair.storage);
    END IF;
    IF pair.compression IS NOT NULL THEN
      EXECUTE pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I SET COMPRESSION %s', pair.place::pg_catalog.regclass, pair.name, pair.compression);
    END IF;
  {}
  END LOOP;
END
",
        literal(place.as_str()),
        join(pairs, ", "),
        grants
    );
    Some(sql!("DO {}", dollar_quoted(&text)))
}

/// Statistics that take others' place get their target, comment and owner.
pub(crate) fn carry_statistics(chain: &Chain, table: &Physical<'_>) -> Option<Sql> {
    let pairs = table.replaced_statistics.iter().map(|pair| sql!("({}, {})", literal(&pair.so_far), literal(&pair.physical)));
    let pairs: Vec<Sql> = pairs.collect();
    if pairs.is_empty() {
        return None;
    }
    let text = sql!(
        "
DECLARE
  item record;
BEGIN
  FOR item IN
    SELECT pg_catalog.format('%I.%I', space.nspname, newer.stxname) AS place, older.stxstattarget AS target,
      pg_catalog.obj_description(older.oid, 'pg_statistic_ext') AS comment, older.stxowner AS owner, newer.stxowner AS own
    FROM (VALUES {}) AS pair (older, newer) JOIN pg_catalog.pg_namespace AS space ON space.nspname = {}
    JOIN pg_catalog.pg_statistic_ext AS older ON older.stxnamespace = space.oid AND older.stxname = pair.older
    JOIN pg_catalog.pg_statistic_ext AS newer ON newer.stxnamespace = space.oid AND newer.stxname = pair.newer
    ORDER BY pair.newer
  LOOP
    EXECUTE pg_catalog.format('ALTER STATISTICS %s SET STATISTICS %s', item.place, coalesce(item.target, -1));
    EXECUTE pg_catalog.format('COMMENT ON STATISTICS %s IS %L', item.place, item.comment);
    IF item.owner <> item.own THEN
      BEGIN
        EXECUTE pg_catalog.format('ALTER STATISTICS %s OWNER TO %s', item.place, item.owner::pg_catalog.regrole);
      EXCEPTION WHEN insufficient_privilege THEN
        -- they stay with the migration role, which owns their table
        NULL;
      END;
    END IF;
  END LOOP;
END
",
        join(pairs, ", "),
        literal(&chain.base)
    );
    Some(sql!("DO {}", dollar_quoted(&text)))
}

/// Puts down what the indexes have that go, before they do.
pub(crate) fn put_down(chain: &Chain, table: &Physical<'_>) -> Option<Sql> {
    let pairs: Vec<Sql> = indexes(table)
        .map(|pair| {
            let place = |name: &str| literal(qualified(&chain.base, name).as_str());
            sql!("({}, {})", place(&pair.so_far), place(&pair.physical))
        })
        .collect();
    if pairs.is_empty() {
        return None;
    }
    Some(sql!(
        "SELECT pg_catalog.set_config({}, coalesce((SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
  'place', index.indrelid::pg_catalog.int8, 'newer', pair.newer, 'comment', pg_catalog.obj_description(class.oid, 'pg_class'),
  'rule', (SELECT pg_catalog.obj_description(con.oid, 'pg_constraint') FROM pg_catalog.pg_constraint AS con
    WHERE con.conindid = class.oid AND con.conrelid = index.indrelid AND con.contype IN ('p', 'u', 'x')),
  'options', class.reloptions, 'clustered', index.indisclustered, 'identity', index.indisreplident,
  'targets', (SELECT pg_catalog.jsonb_object_agg(own.attnum, own.attstattarget) FROM pg_catalog.pg_attribute AS own
    WHERE own.attrelid = class.oid AND own.attstattarget >= 0)))
  FROM (VALUES {}) AS pair (older, newer)
  CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(pair.older)::pg_catalog.oid
    UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(pair.older)) AS tree) AS there (oid)
  JOIN pg_catalog.pg_class AS class ON class.oid = there.oid JOIN pg_catalog.pg_index AS index ON index.indexrelid = class.oid), '[]')::pg_catalog.text, true)",
        Sql::trusted(CARRIED),
        join(pairs, ", ")
    ))
}

/// Gives what was put down to the indexes that stay, those of partitions too, and to their constraints.
pub(crate) fn take_up(table: &Physical<'_>) -> Option<Sql> {
    indexes(table).next()?;
    let text = sql!(
        "
DECLARE
  item record;
  option_ record;
BEGIN
  FOR item IN
    SELECT carried.*, index.indexrelid::pg_catalog.regclass AS index_, class.relname AS name, class.reloptions AS own, index.indkey::pg_catalog.int2[] AS keys,
      con.conname AS rule_name, index.indisunique AND index.indimmediate AND index.indpred IS NULL AND NOT EXISTS (
        SELECT FROM pg_catalog.unnest(index.indkey::pg_catalog.int2[]) WITH ORDINALITY AS key (number, place)
        LEFT JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = key.number
        WHERE key.place <= index.indnkeyatts AND attribute.attnotnull IS NOT TRUE) AS identifies
    FROM pg_catalog.jsonb_to_recordset(pg_catalog.current_setting({})::pg_catalog.jsonb) AS carried (
      place pg_catalog.int8, newer pg_catalog.text, comment pg_catalog.text, rule pg_catalog.text, options pg_catalog.text[],
      clustered pg_catalog.bool, identity pg_catalog.bool, targets pg_catalog.jsonb)
    JOIN pg_catalog.pg_index AS index ON index.indrelid = carried.place::pg_catalog.oid AND (index.indexrelid = pg_catalog.to_regclass(carried.newer)
      OR index.indexrelid IN (SELECT tree.relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(carried.newer)) AS tree))
    JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
    LEFT JOIN pg_catalog.pg_constraint AS con ON con.conindid = class.oid AND con.conrelid = index.indrelid AND con.contype IN ('p', 'u', 'x')
    ORDER BY index.indexrelid
  LOOP
    IF item.comment IS NOT NULL THEN
      EXECUTE pg_catalog.format('COMMENT ON INDEX %s IS %L', item.index_, item.comment);
    END IF;
    IF item.rule IS NOT NULL AND item.rule_name IS NOT NULL THEN
      EXECUTE pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', item.rule_name, item.place::pg_catalog.oid::pg_catalog.regclass, item.rule);
    END IF;
    FOR option_ IN
      SELECT older.option_name, older.option_value FROM pg_catalog.pg_options_to_table(item.options) AS older
      WHERE older.option_name NOT IN (SELECT own.option_name FROM pg_catalog.pg_options_to_table(item.own) AS own)
    LOOP
      EXECUTE pg_catalog.format('ALTER INDEX %s SET (%I = %L)', item.index_, option_.option_name, option_.option_value);
    END LOOP;
    FOR option_ IN SELECT target.key, target.value FROM pg_catalog.jsonb_each_text(item.targets) AS target LOOP
      IF item.keys[option_.key::pg_catalog.int4 - 1] = 0 THEN
        EXECUTE pg_catalog.format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', item.index_, option_.key, option_.value);
      END IF;
    END LOOP;
    IF item.clustered THEN
      EXECUTE pg_catalog.format('ALTER TABLE %s CLUSTER ON %I', item.place::pg_catalog.oid::pg_catalog.regclass, item.name);
    END IF;
    IF item.identity AND item.identifies THEN
      EXECUTE pg_catalog.format('ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %I', item.place::pg_catalog.oid::pg_catalog.regclass, item.name);
    END IF;
  END LOOP;
END
",
        Sql::trusted(CARRIED)
    );
    Some(sql!("DO {}", dollar_quoted(&text)))
}

/// What is replaced and has an index: indexes, and the keys that are made of one.
fn indexes<'a>(table: &'a Physical<'_>) -> impl Iterator<Item = &'a Replaced> {
    let is_key = |replaced: &&Replaced| {
        table
            .added_constraints
            .iter()
            .any(|added| added.physical == replaced.physical && ddl::key_index(&added.constraint).is_some())
    };
    table.replaced_indexes.iter().chain(table.replaced_constraints.iter().filter(is_key))
}

/// The comment of a check or foreign key that goes, while both are there.
pub(crate) fn carry_comment(table: &Physical<'_>, so_far: &str, place: &Sql) -> Option<Sql> {
    let replaced = table.replaced_constraints.iter().find(|replaced| replaced.so_far == so_far)?;
    let added = table.added_constraints.iter().find(|added| added.physical == replaced.physical)?;
    if !matches!(added.constraint, Constraint::Check { .. } | Constraint::ForeignKey { .. }) {
        return None;
    }
    let text = sql!(
        "
DECLARE
  comment pg_catalog.text := pg_catalog.obj_description(con.oid, 'pg_constraint') FROM pg_catalog.pg_constraint AS con
    WHERE con.conrelid = {}::pg_catalog.regclass AND con.conname = {};
BEGIN
  IF comment IS NOT NULL THEN
    EXECUTE pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', {}, {}, comment);
  END IF;
END
",
        literal(place.as_str()),
        literal(so_far),
        literal(&replaced.physical),
        literal(place.as_str())
    );
    Some(sql!("DO {}", dollar_quoted(&text)))
}

/// The columns of indexes are called as those of the table, which the server does where an index is made, but not where a column gets
/// another name. `moved` are the former names and those to be; an expression's column may have one, too.
pub(crate) fn name_index_columns(table: &Physical<'_>, place: &Sql) -> Option<Sql> {
    let moved = table.newer_names.iter().filter(|(logical, physical)| logical != physical);
    let moved: Vec<Sql> = moved.map(|(logical, physical)| sql!("({}, {})", literal(physical), literal(logical))).collect();
    if moved.is_empty() {
        return None;
    }
    let text = sql!(
        "
DECLARE
  whole pg_catalog.regclass := {};
  index_ record;
  column_ record;
  wanted pg_catalog.text;
  number pg_catalog.int4;
  names pg_catalog.text[];
  moves pg_catalog.text[];
BEGIN
  FOR index_ IN
    SELECT index.indexrelid AS oid, index.indrelid AS place, index.indkey::pg_catalog.int2[] AS keys FROM pg_catalog.pg_index AS index
    WHERE index.indrelid = whole OR index.indrelid IN (SELECT tree.relid FROM pg_catalog.pg_partition_tree(whole) AS tree)
    ORDER BY (SELECT pg_catalog.count(*) FROM pg_catalog.pg_partition_ancestors(index.indexrelid)), index.indexrelid
  LOOP
    names := ARRAY[]::pg_catalog.text[];
    moves := ARRAY[]::pg_catalog.text[];
    FOR column_ IN
      {}
    LOOP
      wanted := column_.wanted;
      number := 0;
      WHILE wanted = ANY (names) LOOP
        number := number + 1;
        wanted := pg_catalog.concat(pg_catalog.left(column_.wanted, 63 - pg_catalog.length(number::pg_catalog.text)), number);
      END LOOP;
      names := names || wanted;
      IF wanted <> column_.name THEN
        moves := moves || ARRAY[column_.name, wanted];
      END IF;
    END LOOP;
    {}
  END LOOP;
END
",
        literal(place.as_str()),
        wanted_names(&join(moved, ", ")),
        Sql::trusted(RENAME_INDEX_COLUMNS)
    );
    Some(sql!("DO {}", dollar_quoted(&text)))
}

/// The columns of an index `index_`, each with the name that it is to have: its table's column's, or its own after a move.
fn wanted_names(moved: &Sql) -> Sql {
    sql!(
        "SELECT own.attname::pg_catalog.text AS name, own.attnum, coalesce(there.attname::pg_catalog.text, (
        SELECT moved.to_be FROM (VALUES {}) AS moved (so_far, to_be)
        WHERE pg_catalog.starts_with(own.attname::pg_catalog.text, moved.so_far)
          AND pg_catalog.substr(own.attname::pg_catalog.text, pg_catalog.length(moved.so_far) + 1) ~ '^[0-9]*$'
        ORDER BY pg_catalog.length(moved.so_far) DESC LIMIT 1), own.attname::pg_catalog.text) AS wanted
      FROM pg_catalog.pg_attribute AS own LEFT JOIN pg_catalog.pg_attribute AS there
        ON there.attrelid = index_.place AND there.attnum = index_.keys[own.attnum - 1] AND there.attnum <> 0
      WHERE own.attrelid = index_.oid AND own.attnum > 0 ORDER BY own.attnum",
        moved
    )
}

/// Renames the columns of an index `index_` as `moves` says, former names and those to be by turns.
const RENAME_INDEX_COLUMNS: &str = "BEGIN
      -- aside first: one may have the name of another
      FOR number IN 1 .. pg_catalog.cardinality(moves) / 2 LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s RENAME COLUMN %I TO %I', index_.oid::pg_catalog.regclass, moves[2 * number - 1], '_diptych_away_' || number);
      END LOOP;
      FOR number IN 1 .. pg_catalog.cardinality(moves) / 2 LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s RENAME COLUMN %I TO %I', index_.oid::pg_catalog.regclass, '_diptych_away_' || number, moves[2 * number]);
      END LOOP;
    EXCEPTION WHEN undefined_column OR duplicate_column THEN
      -- an index of a partition has other names: they are for the eye alone
      NULL;
    END;";

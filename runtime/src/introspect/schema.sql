-- the tables of a schema as the model has them, one row each: name and JSON
WITH relation AS (
  SELECT class.oid, class.relname::text AS name FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
  WHERE space.nspname = $1::pg_catalog.text AND class.relkind = 'r' AND NOT class.relispartition
),
key_columns AS (
  SELECT con.oid, pg_catalog.jsonb_agg(attribute.attname ORDER BY key.place) AS names
  FROM pg_catalog.pg_constraint AS con CROSS JOIN LATERAL pg_catalog.unnest(con.conkey) WITH ORDINALITY AS key (number, place)
  JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = con.conrelid AND attribute.attnum = key.number
  GROUP BY con.oid
),
target_columns AS (
  SELECT con.oid, pg_catalog.jsonb_agg(attribute.attname ORDER BY key.place) AS names
  FROM pg_catalog.pg_constraint AS con CROSS JOIN LATERAL pg_catalog.unnest(con.confkey) WITH ORDINALITY AS key (number, place)
  JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = con.confrelid AND attribute.attnum = key.number
  GROUP BY con.oid
),
set_columns AS (
  SELECT con.oid, pg_catalog.jsonb_agg(attribute.attname ORDER BY key.place) AS names
  FROM pg_catalog.pg_constraint AS con
  CROSS JOIN LATERAL pg_catalog.jsonb_array_elements_text(pg_catalog.to_jsonb(con) -> 'confdelsetcols') WITH ORDINALITY AS key (number, place)
  JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = con.conrelid AND attribute.attnum = key.number::pg_catalog.int2
  WHERE pg_catalog.jsonb_typeof(pg_catalog.to_jsonb(con) -> 'confdelsetcols') = 'array'
  GROUP BY con.oid
),
columns AS (
  SELECT attribute.attrelid, pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'name', attribute.attname,
    'type', pg_catalog.format_type(attribute.atttypid, attribute.atttypmod),
    'nullable', NOT attribute.attnotnull,
    'default', CASE WHEN attribute.attgenerated = '' THEN pg_catalog.pg_get_expr(def.adbin, def.adrelid) END,
    'generated', CASE WHEN attribute.attgenerated <> '' THEN pg_catalog.pg_get_expr(def.adbin, def.adrelid) END,
    'identity', CASE WHEN attribute.attidentity <> '' THEN pg_catalog.jsonb_build_object(
      'always', attribute.attidentity = 'a', 'sequence', sequence.name, 'options', sequence.options) END,
    'comment', pg_catalog.col_description(attribute.attrelid, attribute.attnum)
  )) ORDER BY attribute.attnum) AS list
  FROM pg_catalog.pg_attribute AS attribute JOIN relation ON relation.oid = attribute.attrelid
  LEFT JOIN pg_catalog.pg_attrdef AS def ON def.adrelid = attribute.attrelid AND def.adnum = attribute.attnum
  LEFT JOIN LATERAL (
    SELECT class.relname AS name, nullif(pg_catalog.concat_ws(' ',
      CASE WHEN seq.seqincrement <> 1 THEN 'INCREMENT BY ' || seq.seqincrement END,
      CASE WHEN seq.seqmin <> 1 THEN 'MINVALUE ' || seq.seqmin END,
      CASE WHEN seq.seqmax <> (CASE seq.seqtypid::pg_catalog.regtype::text WHEN 'smallint' THEN 32767 WHEN 'integer' THEN 2147483647 ELSE 9223372036854775807 END)
        THEN 'MAXVALUE ' || seq.seqmax END,
      CASE WHEN seq.seqstart <> 1 THEN 'START WITH ' || seq.seqstart END,
      CASE WHEN seq.seqcache <> 1 THEN 'CACHE ' || seq.seqcache END,
      CASE WHEN seq.seqcycle THEN 'CYCLE' END), '') AS options
    FROM pg_catalog.pg_depend AS depend JOIN pg_catalog.pg_class AS class ON class.oid = depend.objid AND class.relkind = 'S'
    JOIN pg_catalog.pg_sequence AS seq ON seq.seqrelid = class.oid
    WHERE depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND depend.refobjid = attribute.attrelid AND depend.refobjsubid = attribute.attnum AND depend.deptype = 'i'
  ) AS sequence ON attribute.attidentity <> ''
  WHERE attribute.attnum > 0 AND NOT attribute.attisdropped
  GROUP BY attribute.attrelid
),
constraints AS (
  SELECT con.conrelid, pg_catalog.jsonb_object_agg(con.conname, pg_catalog.jsonb_strip_nulls(CASE con.contype
    WHEN 'p' THEN pg_catalog.jsonb_build_object('type', 'primary_key', 'columns', key_columns.names)
    WHEN 'u' THEN pg_catalog.jsonb_build_object('type', 'unique', 'columns', key_columns.names,
      'nulls_not_distinct', coalesce((pg_catalog.to_jsonb(index) ->> 'indnullsnotdistinct')::pg_catalog.bool, false),
      'deferrable', con.condeferrable, 'initially_deferred', con.condeferred)
    WHEN 'c' THEN pg_catalog.jsonb_build_object('type', 'check', 'check', pg_catalog.pg_get_expr(con.conbin, con.conrelid), 'no_inherit', con.connoinherit)
    WHEN 'f' THEN pg_catalog.jsonb_build_object('type', 'foreign_key', 'columns', key_columns.names,
      'deferrable', con.condeferrable, 'initially_deferred', con.condeferred,
      'references', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
        'table', target.relname, 'columns', target_columns.names,
        'on_delete', CASE con.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END,
        'on_update', CASE con.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END,
        'on_delete_set_columns', set_columns.names,
        'match_type', CASE con.confmatchtype WHEN 'f' THEN 'FULL' END)))
    END)) AS map
  FROM pg_catalog.pg_constraint AS con JOIN relation ON relation.oid = con.conrelid
  LEFT JOIN key_columns ON key_columns.oid = con.oid LEFT JOIN target_columns ON target_columns.oid = con.oid
  LEFT JOIN set_columns ON set_columns.oid = con.oid
  LEFT JOIN pg_catalog.pg_class AS target ON target.oid = con.confrelid LEFT JOIN pg_catalog.pg_index AS index ON index.indexrelid = con.conindid
  WHERE con.contype IN ('p', 'u', 'c', 'f') AND (con.contype <> 'f' OR target.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = con.conrelid))
  GROUP BY con.conrelid
),
index_keys AS (
  SELECT index.indexrelid, pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'column', attribute.attname,
    'sort', CASE WHEN index.indoption[key.place - 1] & 1 = 1 THEN 'DESC' END,
    'nulls', CASE index.indoption[key.place - 1] & 3 WHEN 1 THEN 'LAST' WHEN 2 THEN 'FIRST' END,
    'collate', CASE WHEN collation_.oid <> attribute.attcollation THEN pg_catalog.quote_ident(space.nspname) || '.' || pg_catalog.quote_ident(collation_.collname) END,
    'opclass', CASE WHEN NOT class.opcdefault THEN pg_catalog.jsonb_build_object('name', class.opcname) END
  )) ORDER BY key.place) AS list
  FROM pg_catalog.pg_index AS index CROSS JOIN LATERAL pg_catalog.unnest(index.indkey::pg_catalog.int2[]) WITH ORDINALITY AS key (number, place)
  JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = key.number
  JOIN pg_catalog.pg_opclass AS class ON class.oid = index.indclass[key.place - 1]
  LEFT JOIN pg_catalog.pg_collation AS collation_ ON collation_.oid = index.indcollation[key.place - 1]
  LEFT JOIN pg_catalog.pg_namespace AS space ON space.oid = collation_.collnamespace
  WHERE key.place <= index.indnkeyatts
  GROUP BY index.indexrelid
),
index_include AS (
  SELECT index.indexrelid, pg_catalog.jsonb_agg(attribute.attname ORDER BY key.place) AS list
  FROM pg_catalog.pg_index AS index CROSS JOIN LATERAL pg_catalog.unnest(index.indkey::pg_catalog.int2[]) WITH ORDINALITY AS key (number, place)
  JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = key.number
  WHERE key.place > index.indnkeyatts
  GROUP BY index.indexrelid
),
indexes AS (
  SELECT index.indrelid, pg_catalog.jsonb_object_agg(class.relname, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'columns', index_keys.list, 'unique', index.indisunique,
    'method', CASE WHEN method.amname <> 'btree' THEN method.amname END,
    'predicate', pg_catalog.pg_get_expr(index.indpred, index.indrelid),
    'storage_parameters', pg_catalog.array_to_string(class.reloptions, ', '),
    'include', index_include.list,
    'nulls_not_distinct', coalesce((pg_catalog.to_jsonb(index) ->> 'indnullsnotdistinct')::pg_catalog.bool, false)
  ))) AS map
  FROM pg_catalog.pg_index AS index JOIN relation ON relation.oid = index.indrelid
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid JOIN pg_catalog.pg_am AS method ON method.oid = class.relam
  JOIN index_keys ON index_keys.indexrelid = index.indexrelid LEFT JOIN index_include ON index_include.indexrelid = index.indexrelid
  -- an index over an expression is not in the model: whatever hangs on its columns names it
  WHERE index.indisvalid AND index.indexprs IS NULL
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS con WHERE con.conindid = index.indexrelid AND con.contype IN ('p', 'u', 'x') AND con.conrelid = index.indrelid)
  GROUP BY index.indrelid
)
SELECT relation.name, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
  'comment', pg_catalog.obj_description(relation.oid, 'pg_class'),
  'columns', coalesce(columns.list, '[]'),
  'constraints', coalesce(constraints.map, '{}'),
  'indexes', coalesce(indexes.map, '{}')
))::pg_catalog.text
FROM relation LEFT JOIN columns ON columns.attrelid = relation.oid LEFT JOIN constraints ON constraints.conrelid = relation.oid
LEFT JOIN indexes ON indexes.indrelid = relation.oid
ORDER BY relation.name

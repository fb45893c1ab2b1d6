-- The tables of a schema as the model has them, but for those of these names ($2), one row each: name and JSON. Run on the path of the schema, by which names are printed:
-- every operator is one that the server has for exactly these types, or is named with its schema.
WITH relation AS (
  SELECT class.oid, class.relname::text AS name, class.relreplident, class.relkind FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
  WHERE space.nspname = $1::pg_catalog.text AND class.relkind IN ('r', 'p') AND NOT class.relispartition
    AND class.relname <> ALL ($2::pg_catalog.text[]::pg_catalog.name[])
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
    'collate', CASE WHEN attribute.attcollation <> 0::pg_catalog.oid AND attribute.attcollation <> (SELECT type_.typcollation FROM pg_catalog.pg_type AS type_ WHERE type_.oid = attribute.atttypid)
      THEN (SELECT CASE WHEN space.nspname = 'pg_catalog' THEN pg_catalog.quote_ident(collation_.collname) ELSE pg_catalog.format('%I.%I', space.nspname, collation_.collname) END
        FROM pg_catalog.pg_collation AS collation_ JOIN pg_catalog.pg_namespace AS space ON space.oid = collation_.collnamespace WHERE collation_.oid = attribute.attcollation) END,
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
      CASE WHEN seq.seqincrement <> 1 THEN pg_catalog.concat('INCREMENT BY ', seq.seqincrement) END,
      CASE WHEN seq.seqmin <> 1 THEN pg_catalog.concat('MINVALUE ', seq.seqmin) END,
      CASE WHEN seq.seqmax <> (CASE seq.seqtypid::pg_catalog.regtype::text WHEN 'smallint' THEN 32767 WHEN 'integer' THEN 2147483647 ELSE 9223372036854775807 END)
        THEN pg_catalog.concat('MAXVALUE ', seq.seqmax) END,
      CASE WHEN seq.seqstart <> 1 THEN pg_catalog.concat('START WITH ', seq.seqstart) END,
      CASE WHEN seq.seqcache <> 1 THEN pg_catalog.concat('CACHE ', seq.seqcache) END,
      CASE WHEN seq.seqcycle THEN 'CYCLE' END), '') AS options
    FROM pg_catalog.pg_depend AS depend JOIN pg_catalog.pg_class AS class ON class.oid = depend.objid AND class.relkind = 'S'
    JOIN pg_catalog.pg_sequence AS seq ON seq.seqrelid = class.oid
    WHERE depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND depend.refobjid = attribute.attrelid AND depend.refobjsubid = attribute.attnum AND depend.deptype = 'i'
  ) AS sequence ON attribute.attidentity <> ''
  WHERE attribute.attnum > 0 AND NOT attribute.attisdropped
  GROUP BY attribute.attrelid
),
index_include AS (
  SELECT index.indexrelid, pg_catalog.jsonb_agg(attribute.attname ORDER BY key.place) AS list
  FROM pg_catalog.pg_index AS index CROSS JOIN LATERAL pg_catalog.unnest(index.indkey::pg_catalog.int2[]) WITH ORDINALITY AS key (number, place)
  JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = key.number
  WHERE key.place > index.indnkeyatts
  GROUP BY index.indexrelid
),
parameters AS (
  SELECT index.indexrelid, index_include.list AS include, nullif(pg_catalog.array_to_string(class.reloptions, ', '), '') AS storage, space.spcname AS tablespace
  FROM pg_catalog.pg_index AS index JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  LEFT JOIN index_include ON index_include.indexrelid = index.indexrelid LEFT JOIN pg_catalog.pg_tablespace AS space ON space.oid = class.reltablespace
),
elements AS (
  SELECT con.oid, pg_catalog.string_agg(pg_catalog.concat(pg_catalog.pg_get_indexdef(con.conindid, key.place::pg_catalog.int4, false), ' WITH ', operator_.oprname), ', ' ORDER BY key.place) AS text
  FROM pg_catalog.pg_constraint AS con CROSS JOIN LATERAL pg_catalog.unnest(con.conexclop) WITH ORDINALITY AS key (operator, place)
  JOIN pg_catalog.pg_operator AS operator_ ON operator_.oid = key.operator
  GROUP BY con.oid
),
constraints AS (
  SELECT con.conrelid, pg_catalog.jsonb_object_agg(con.conname, pg_catalog.jsonb_strip_nulls(CASE con.contype
    WHEN 'p' THEN pg_catalog.jsonb_build_object('type', 'primary_key', 'columns', key_columns.names, 'index_parameters', parameter.map,
      'deferrable', con.condeferrable, 'initially_deferred', con.condeferred)
    WHEN 'x' THEN pg_catalog.jsonb_build_object('type', 'exclude', 'index_parameters', parameter.map,
      'deferrable', con.condeferrable, 'initially_deferred', con.condeferred,
      'exclude', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('index_method', method.amname, 'elements', elements.text,
        'predicate', pg_catalog.pg_get_expr(index.indpred, index.indrelid))))
    WHEN 'u' THEN pg_catalog.jsonb_build_object('type', 'unique', 'columns', key_columns.names, 'index_parameters', parameter.map,
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
  LEFT JOIN pg_catalog.pg_class AS own ON own.oid = con.conindid LEFT JOIN pg_catalog.pg_am AS method ON method.oid = own.relam
  LEFT JOIN elements ON elements.oid = con.oid
  LEFT JOIN LATERAL (
    SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('include_columns', parameters.include,
      'storage_parameters', parameters.storage, 'tablespace', parameters.tablespace)) AS map
    FROM parameters WHERE parameters.indexrelid = con.conindid
  ) AS parameter ON con.contype IN ('p', 'u', 'x')
  WHERE con.contype IN ('p', 'u', 'c', 'f', 'x') AND con.conparentid = 0::pg_catalog.oid AND (con.contype <> 'f' OR target.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = con.conrelid))
  GROUP BY con.conrelid
),
index_keys AS (
  SELECT index.indexrelid, pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'column', attribute.attname,
    'expression', CASE WHEN key.number = 0 THEN pg_catalog.pg_get_indexdef(index.indexrelid, key.place::pg_catalog.int4, false) END,
    'sort', CASE WHEN index.indoption[key.place - 1]::pg_catalog.int4 & 1 = 1 THEN 'DESC' END,
    'nulls', CASE index.indoption[key.place - 1]::pg_catalog.int4 & 3 WHEN 1 THEN 'LAST' WHEN 2 THEN 'FIRST' END,
    'collate', CASE WHEN collation_.oid <> coalesce(attribute.attcollation, type_.typcollation) THEN pg_catalog.quote_ident(space.nspname) || '.' || pg_catalog.quote_ident(collation_.collname) END,
    'opclass', CASE WHEN NOT class.opcdefault OR own.attoptions IS NOT NULL THEN
      pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('name', class.opcname, 'params', pg_catalog.to_jsonb(own.attoptions))) END
  )) ORDER BY key.place) AS list
  FROM pg_catalog.pg_index AS index CROSS JOIN LATERAL pg_catalog.unnest(index.indkey::pg_catalog.int2[]) WITH ORDINALITY AS key (number, place)
  LEFT JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = key.number
  JOIN pg_catalog.pg_attribute AS own ON own.attrelid = index.indexrelid AND own.attnum = key.place
  JOIN pg_catalog.pg_opclass AS class ON class.oid = index.indclass[key.place - 1]
  JOIN pg_catalog.pg_type AS type_ ON type_.oid = own.atttypid
  LEFT JOIN pg_catalog.pg_collation AS collation_ ON collation_.oid = index.indcollation[key.place - 1]
  LEFT JOIN pg_catalog.pg_namespace AS space ON space.oid = collation_.collnamespace
  WHERE key.place <= index.indnkeyatts
  GROUP BY index.indexrelid
),
indexes AS (
  SELECT index.indrelid, pg_catalog.jsonb_object_agg(class.relname, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'columns', index_keys.list, 'unique', index.indisunique,
    'method', CASE WHEN method.amname <> 'btree' THEN method.amname END,
    'predicate', pg_catalog.pg_get_expr(index.indpred, index.indrelid),
    'storage_parameters', parameters.storage,
    'tablespace', parameters.tablespace,
    'include', parameters.include,
    'nulls_not_distinct', coalesce((pg_catalog.to_jsonb(index) ->> 'indnullsnotdistinct')::pg_catalog.bool, false)
  ))) AS map
  FROM pg_catalog.pg_index AS index JOIN relation ON relation.oid = index.indrelid
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid JOIN pg_catalog.pg_am AS method ON method.oid = class.relam
  JOIN index_keys ON index_keys.indexrelid = index.indexrelid JOIN parameters ON parameters.indexrelid = index.indexrelid
  WHERE index.indisvalid
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS con WHERE con.conindid = index.indexrelid AND con.contype IN ('p', 'u', 'x') AND con.conrelid = index.indrelid)
  GROUP BY index.indrelid
)
SELECT relation.name, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
  'comment', pg_catalog.obj_description(relation.oid, 'pg_class'),
  'partition_by', CASE WHEN relation.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(relation.oid) END,
  'columns', coalesce(columns.list, '[]'),
  'constraints', coalesce(constraints.map, '{}'),
  'indexes', coalesce(indexes.map, '{}'),
  'not_valid', (SELECT pg_catalog.jsonb_agg(con.conname ORDER BY con.conname) FROM pg_catalog.pg_constraint AS con
    WHERE con.conrelid = relation.oid AND con.contype IN ('c', 'f') AND NOT con.convalidated AND con.conparentid = 0::pg_catalog.oid),
  'replica_identity', CASE relation.relreplident WHEN 'n' THEN '{"type": "NOTHING"}'::pg_catalog.jsonb WHEN 'f' THEN '{"type": "FULL"}'::pg_catalog.jsonb
    WHEN 'i' THEN (SELECT pg_catalog.jsonb_build_object('type', 'INDEX', 'index', class.relname) FROM pg_catalog.pg_index AS index
      JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid WHERE index.indrelid = relation.oid AND index.indisreplident) END
))::pg_catalog.text
FROM relation LEFT JOIN columns ON columns.attrelid = relation.oid LEFT JOIN constraints ON constraints.conrelid = relation.oid
LEFT JOIN indexes ON indexes.indrelid = relation.oid
ORDER BY relation.name

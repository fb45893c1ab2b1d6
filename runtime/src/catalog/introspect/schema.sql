-- The tables of a schema as the model has them, but for those of extensions and of these names ($2), one row each: name and JSON. Run on the path of the schema, by which names are printed:
-- every operator is one that the server has for exactly these types, or is named with its schema. What belongs to a table, a constraint or an
-- index is looked up for each by itself, by the index that its catalog has for it (OFFSET 0 keeps it so): tables that were made a moment ago are in
-- no statistics, and a join that the planner is free to choose has taken the square of their number.
WITH relation AS (
  SELECT class.oid, class.relname::text AS name, class.relnamespace, class.relreplident, class.relkind, class.reloptions, class.reltoastrelid FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
  WHERE space.nspname = $1::pg_catalog.text AND class.relkind IN ('r', 'p') AND NOT class.relispartition
    AND class.relname <> ALL ($2::pg_catalog.text[]::pg_catalog.name[])
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS depend WHERE depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND depend.objid = class.oid AND depend.deptype = 'e')
),
index AS NOT MATERIALIZED (
  SELECT index.*, pg_catalog.pg_get_expr(index.indpred, index.indrelid) AS predicate, coalesce((pg_catalog.to_jsonb(index) ->> 'indnullsnotdistinct')::pg_catalog.bool, false) AS nulls_not_distinct,
    parameters.name, parameters.method, parameters.storage, parameters.tablespace, parameters.include
  FROM pg_catalog.pg_index AS index
  CROSS JOIN LATERAL (
    SELECT class.relname AS name, method.amname AS method, nullif(pg_catalog.array_to_string(class.reloptions, ', '), '') AS storage,
      (SELECT space.spcname FROM pg_catalog.pg_tablespace AS space WHERE space.oid = class.reltablespace) AS tablespace,
      (SELECT pg_catalog.jsonb_agg(attribute.attname ORDER BY key.place) FROM pg_catalog.unnest(index.indkey::pg_catalog.int2[]) WITH ORDINALITY AS key (number, place)
        JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = key.number WHERE key.place > index.indnkeyatts) AS include
    FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_am AS method ON method.oid = class.relam WHERE class.oid = index.indexrelid OFFSET 0
  ) AS parameters
)
SELECT relation.name, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
  'comment', pg_catalog.obj_description(relation.oid, 'pg_class'),
  'partition_by', CASE WHEN relation.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(relation.oid) END,
  'columns', coalesce(columns.list, '[]'),
  'constraints', coalesce(constraints.map, '{}'),
  'indexes', coalesce(indexes.map, '{}'),
  'statistics', coalesce(statistics.map, '{}'),
  'not_valid', (SELECT pg_catalog.jsonb_agg(con.conname ORDER BY con.conname) FROM pg_catalog.pg_constraint AS con
    WHERE con.conrelid = relation.oid AND con.contype IN ('c', 'f') AND NOT con.convalidated AND con.conparentid = 0::pg_catalog.oid),
  'storage', (SELECT pg_catalog.jsonb_object_agg(own.name, own.setting) FROM (
    SELECT option.option_name, option.option_value FROM pg_catalog.pg_options_to_table(relation.reloptions) AS option
    UNION ALL
    SELECT pg_catalog.concat('toast.', option.option_name), option.option_value
    FROM pg_catalog.pg_class AS toast, pg_catalog.pg_options_to_table(toast.reloptions) AS option WHERE toast.oid = relation.reltoastrelid
  ) AS own (name, setting)),
  'replica_identity', CASE relation.relreplident WHEN 'n' THEN '{"type": "NOTHING"}'::pg_catalog.jsonb WHEN 'f' THEN '{"type": "FULL"}'::pg_catalog.jsonb
    WHEN 'i' THEN (SELECT pg_catalog.jsonb_build_object('type', 'INDEX', 'index', class.relname) FROM pg_catalog.pg_index AS index
      JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid WHERE index.indrelid = relation.oid AND index.indisreplident) END
))::pg_catalog.text
FROM relation
CROSS JOIN LATERAL (
  SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'name', attribute.attname,
    'type', pg_catalog.format_type(attribute.atttypid, attribute.atttypmod),
    'nullable', NOT attribute.attnotnull,
    'collate', CASE WHEN attribute.attcollation <> 0::pg_catalog.oid AND attribute.attcollation <> (SELECT type_.typcollation FROM pg_catalog.pg_type AS type_ WHERE type_.oid = attribute.atttypid)
      THEN (SELECT CASE WHEN space.nspname = 'pg_catalog' THEN pg_catalog.quote_ident(collation_.collname) ELSE pg_catalog.format('%I.%I', space.nspname, collation_.collname) END
        FROM pg_catalog.pg_collation AS collation_ JOIN pg_catalog.pg_namespace AS space ON space.oid = collation_.collnamespace WHERE collation_.oid = attribute.attcollation) END,
    'default', CASE WHEN attribute.attgenerated = '' THEN default_.text END,
    'generated', CASE WHEN attribute.attgenerated <> '' THEN default_.text END,
    'identity', CASE WHEN attribute.attidentity <> '' THEN pg_catalog.jsonb_build_object(
      'always', attribute.attidentity = 'a', 'sequence', sequence.name, 'options', sequence.options) END,
    'comment', pg_catalog.col_description(attribute.attrelid, attribute.attnum)
  )) ORDER BY attribute.attnum) AS list
  FROM pg_catalog.pg_attribute AS attribute
  LEFT JOIN LATERAL (
    SELECT pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS text FROM pg_catalog.pg_attrdef AS def
    WHERE attribute.atthasdef AND def.adrelid = attribute.attrelid AND def.adnum = attribute.attnum OFFSET 0
  ) AS default_ ON true
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
    WHERE attribute.attidentity <> ''
      AND depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND depend.refobjid = attribute.attrelid AND depend.refobjsubid = attribute.attnum AND depend.deptype = 'i' OFFSET 0
  ) AS sequence ON true
  WHERE attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
) AS columns
CROSS JOIN LATERAL (
  SELECT pg_catalog.jsonb_object_agg(con.conname, pg_catalog.jsonb_strip_nulls(CASE con.contype
    WHEN 'p' THEN pg_catalog.jsonb_build_object('type', 'primary_key', 'columns', key_columns.names, 'index_parameters', index.parameters,
      'deferrable', con.condeferrable, 'initially_deferred', con.condeferred)
    WHEN 'x' THEN pg_catalog.jsonb_build_object('type', 'exclude', 'index_parameters', index.parameters,
      'deferrable', con.condeferrable, 'initially_deferred', con.condeferred,
      'exclude', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('index_method', index.method, 'elements', elements.text,
        'predicate', index.predicate)))
    WHEN 'u' THEN pg_catalog.jsonb_build_object('type', 'unique', 'columns', key_columns.names, 'index_parameters', index.parameters,
      'nulls_not_distinct', index.nulls_not_distinct,
      'deferrable', con.condeferrable, 'initially_deferred', con.condeferred)
    WHEN 'c' THEN pg_catalog.jsonb_build_object('type', 'check', 'check', pg_catalog.pg_get_expr(con.conbin, con.conrelid), 'no_inherit', con.connoinherit)
    WHEN 'f' THEN pg_catalog.jsonb_build_object('type', 'foreign_key', 'columns', key_columns.names,
      'deferrable', con.condeferrable, 'initially_deferred', con.condeferred,
      'references', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
        'table', target.relname, 'columns', target.names,
        'on_delete', CASE con.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END,
        'on_update', CASE con.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END,
        'on_delete_set_columns', set_columns.names,
        'match_type', CASE con.confmatchtype WHEN 'f' THEN 'FULL' END)))
    END)) AS map
  FROM pg_catalog.pg_constraint AS con
  CROSS JOIN LATERAL (
    SELECT pg_catalog.jsonb_agg(attribute.attname ORDER BY key.place) AS names
    FROM pg_catalog.unnest(con.conkey) WITH ORDINALITY AS key (number, place)
    JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = con.conrelid AND attribute.attnum = key.number
  ) AS key_columns
  CROSS JOIN LATERAL (
    SELECT pg_catalog.jsonb_agg(attribute.attname ORDER BY key.place) AS names
    FROM pg_catalog.jsonb_array_elements_text(CASE WHEN con.contype = 'f' AND pg_catalog.jsonb_typeof(pg_catalog.to_jsonb(con) -> 'confdelsetcols') = 'array'
      THEN pg_catalog.to_jsonb(con) -> 'confdelsetcols' END) WITH ORDINALITY AS key (number, place)
    JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = con.conrelid AND attribute.attnum = key.number::pg_catalog.int2
  ) AS set_columns
  CROSS JOIN LATERAL (
    SELECT pg_catalog.string_agg(pg_catalog.concat(pg_catalog.pg_get_indexdef(con.conindid, key.place::pg_catalog.int4, false), ' WITH ', operator_.oprname), ', ' ORDER BY key.place) AS text
    FROM pg_catalog.unnest(con.conexclop) WITH ORDINALITY AS key (operator, place)
    JOIN pg_catalog.pg_operator AS operator_ ON operator_.oid = key.operator
  ) AS elements
  LEFT JOIN LATERAL (
    SELECT class.relname, class.relnamespace, (SELECT pg_catalog.jsonb_agg(attribute.attname ORDER BY key.place)
      FROM pg_catalog.unnest(con.confkey) WITH ORDINALITY AS key (number, place)
      JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = con.confrelid AND attribute.attnum = key.number) AS names
    FROM pg_catalog.pg_class AS class WHERE class.oid = con.confrelid OFFSET 0
  ) AS target ON true
  LEFT JOIN LATERAL (
    SELECT index.method, index.predicate, index.nulls_not_distinct, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
        'include_columns', index.include, 'storage_parameters', index.storage, 'tablespace', index.tablespace)) AS parameters
    FROM index
    WHERE con.contype IN ('p', 'u', 'x') AND index.indexrelid = con.conindid OFFSET 0
  ) AS index ON true
  WHERE con.conrelid = relation.oid AND con.contype IN ('p', 'u', 'c', 'f', 'x') AND con.conparentid = 0::pg_catalog.oid
    AND (con.contype <> 'f' OR target.relnamespace = relation.relnamespace)
) AS constraints
CROSS JOIN LATERAL (
  SELECT pg_catalog.jsonb_object_agg(index.name, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'columns', index_keys.list, 'unique', index.indisunique,
    'method', nullif(index.method, 'btree'),
    'predicate', index.predicate,
    'storage_parameters', index.storage,
    'tablespace', index.tablespace,
    'include', index.include,
    'nulls_not_distinct', index.nulls_not_distinct
  ))) AS map
  FROM index
  CROSS JOIN LATERAL (
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
      'column', attribute.attname,
      'expression', CASE WHEN key.number = 0 THEN pg_catalog.pg_get_indexdef(index.indexrelid, key.place::pg_catalog.int4, false) END,
      'sort', CASE WHEN index.indoption[key.place - 1]::pg_catalog.int4 & 1 = 1 THEN 'DESC' END,
      'nulls', CASE index.indoption[key.place - 1]::pg_catalog.int4 & 3 WHEN 1 THEN 'LAST' WHEN 2 THEN 'FIRST' END,
      'collate', CASE WHEN collation_.oid <> coalesce(attribute.attcollation, type_.typcollation) THEN pg_catalog.quote_ident(space.nspname) || '.' || pg_catalog.quote_ident(collation_.collname) END,
      'opclass', CASE WHEN NOT class.opcdefault OR own.attoptions IS NOT NULL THEN
        pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('name', class.opcname, 'params', pg_catalog.to_jsonb(own.attoptions))) END
    )) ORDER BY key.place) AS list
    FROM pg_catalog.unnest(index.indkey::pg_catalog.int2[]) WITH ORDINALITY AS key (number, place)
    LEFT JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = key.number
    JOIN pg_catalog.pg_attribute AS own ON own.attrelid = index.indexrelid AND own.attnum = key.place
    JOIN pg_catalog.pg_opclass AS class ON class.oid = index.indclass[key.place - 1]
    JOIN pg_catalog.pg_type AS type_ ON type_.oid = own.atttypid
    LEFT JOIN pg_catalog.pg_collation AS collation_ ON collation_.oid = index.indcollation[key.place - 1]
    LEFT JOIN pg_catalog.pg_namespace AS space ON space.oid = collation_.collnamespace
    WHERE key.place <= index.indnkeyatts
  ) AS index_keys
  WHERE index.indrelid = relation.oid AND index.indisvalid
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS con WHERE con.conindid = index.indexrelid AND con.contype IN ('p', 'u', 'x') AND con.conrelid = index.indrelid)
) AS indexes
CROSS JOIN LATERAL (
  SELECT pg_catalog.jsonb_object_agg(own.stxname, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'kinds', (SELECT pg_catalog.jsonb_agg(kind.name ORDER BY kind.place) FROM (VALUES ('d', 'ndistinct', 1), ('f', 'dependencies', 2), ('m', 'mcv', 3)) AS kind (letter, name, place)
      WHERE kind.letter::pg_catalog.text = ANY (own.stxkind::pg_catalog.text[]) AND NOT own.stxkind::pg_catalog.text[] OPERATOR(pg_catalog.@>) ARRAY['d', 'f', 'm']),
    'columns', (SELECT pg_catalog.jsonb_agg(attribute.attname ORDER BY attribute.attname) FROM pg_catalog.unnest(own.stxkeys::pg_catalog.int2[]) AS key (number)
      JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = own.stxrelid AND attribute.attnum = key.number),
    'expressions', pg_catalog.to_jsonb(pg_catalog.pg_get_statisticsobjdef_expressions(own.oid))
  ))) AS map
  FROM pg_catalog.pg_statistic_ext AS own WHERE own.stxrelid = relation.oid AND own.stxnamespace = relation.relnamespace
) AS statistics
ORDER BY relation.name

-- The domains of a schema as the model has them, but for those of extensions, one row each: name and JSON. Run on the path of the schema, by
-- which names are printed: every operator is one that the server has for exactly these types, or is named with its schema.
SELECT own.typname::pg_catalog.text, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
  'type', pg_catalog.format_type(own.typbasetype, own.typtypmod),
  'collate', (SELECT CASE WHEN place.nspname = 'pg_catalog' THEN pg_catalog.quote_ident(collation_.collname) ELSE pg_catalog.format('%I.%I', place.nspname, collation_.collname) END
    FROM pg_catalog.pg_collation AS collation_ JOIN pg_catalog.pg_namespace AS place ON place.oid = collation_.collnamespace
    JOIN pg_catalog.pg_type AS based ON based.oid = own.typbasetype WHERE collation_.oid = own.typcollation AND based.typcollation <> own.typcollation),
  'not_null', own.typnotnull,
  'default', pg_catalog.pg_get_expr(own.typdefaultbin, 0::pg_catalog.oid),
  'checks', coalesce((SELECT pg_catalog.jsonb_object_agg(con.conname, pg_catalog.pg_get_expr(con.conbin, 0::pg_catalog.oid))
    FROM pg_catalog.pg_constraint AS con WHERE con.contypid = own.oid AND con.contype = 'c'), '{}'),
  'comment', pg_catalog.obj_description(own.oid, 'pg_type')
))::pg_catalog.text
FROM pg_catalog.pg_type AS own JOIN pg_catalog.pg_namespace AS space ON space.oid = own.typnamespace
WHERE space.nspname = $1::pg_catalog.text AND own.typtype = 'd'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS depend WHERE depend.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
    AND depend.objid = own.oid AND depend.deptype = 'e')

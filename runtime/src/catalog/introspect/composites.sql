-- The composite types of a schema as the model has them, but for those of extensions, one row each: name and JSON. Run on the path of the
-- schema, by which names are printed: every operator is one that the server has for exactly these types, or is named with its schema.
SELECT own.typname::pg_catalog.text, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
  'attributes', coalesce((SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', attribute.attname,
      'type', pg_catalog.format_type(attribute.atttypid, attribute.atttypmod),
      'collate', (SELECT CASE WHEN place.nspname = 'pg_catalog' THEN pg_catalog.quote_ident(collation_.collname) ELSE pg_catalog.format('%I.%I', place.nspname, collation_.collname) END
        FROM pg_catalog.pg_collation AS collation_ JOIN pg_catalog.pg_namespace AS place ON place.oid = collation_.collnamespace
        JOIN pg_catalog.pg_type AS type_ ON type_.oid = attribute.atttypid WHERE collation_.oid = attribute.attcollation AND type_.typcollation <> attribute.attcollation)
    ) ORDER BY attribute.attnum)
    FROM pg_catalog.pg_attribute AS attribute WHERE attribute.attrelid = own.typrelid AND attribute.attnum > 0 AND NOT attribute.attisdropped), '[]'),
  'comment', pg_catalog.obj_description(own.oid, 'pg_type')
))::pg_catalog.text
FROM pg_catalog.pg_type AS own JOIN pg_catalog.pg_namespace AS space ON space.oid = own.typnamespace
JOIN pg_catalog.pg_class AS row_ ON row_.oid = own.typrelid
WHERE space.nspname = $1::pg_catalog.text AND row_.relkind = 'c'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS depend WHERE depend.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
    AND depend.objid = own.oid AND depend.deptype = 'e')

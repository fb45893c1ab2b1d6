-- The sequences of a schema that no column owns, but for those of extensions, one row each: name and JSON. Every operator is one that the server has for
-- exactly these types, or is named with its schema.
SELECT class.relname::pg_catalog.text, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
  'type', pg_catalog.format_type(own.seqtypid, NULL),
  'start', own.seqstart,
  'increment', own.seqincrement,
  'min', own.seqmin,
  'max', own.seqmax,
  'cache', own.seqcache,
  'cycle', own.seqcycle,
  'comment', pg_catalog.obj_description(class.oid, 'pg_class')
))::pg_catalog.text
FROM pg_catalog.pg_sequence AS own JOIN pg_catalog.pg_class AS class ON class.oid = own.seqrelid
JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
WHERE space.nspname = $1::pg_catalog.text
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS depend WHERE depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND depend.objid = own.seqrelid AND depend.deptype IN ('a', 'e', 'i'))

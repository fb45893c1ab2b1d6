-- the enum types of a schema, but for those of extensions, one row each: name, labels, comment
SELECT type_.typname::text,
  ARRAY(SELECT label.enumlabel::text FROM pg_catalog.pg_enum AS label WHERE label.enumtypid = type_.oid ORDER BY label.enumsortorder),
  pg_catalog.obj_description(type_.oid, 'pg_type')
FROM pg_catalog.pg_type AS type_ JOIN pg_catalog.pg_namespace AS space ON space.oid = type_.typnamespace
WHERE space.nspname = $1::pg_catalog.text AND type_.typtype = 'e'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS depend WHERE depend.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
    AND depend.objid = type_.oid AND depend.deptype = 'e')
ORDER BY type_.typname

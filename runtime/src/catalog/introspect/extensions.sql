-- the extensions of the database, but for the server's own, one row each: name, schema, whether it lies in the schema `$1` or a table there uses it
WITH RECURSIVE relation AS (
  SELECT class.oid, class.relkind FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
  WHERE space.nspname = $1::pg_catalog.text AND class.relkind IN ('r', 'p', 'i', 'I')
),
object (classid, objid) AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, relation.oid FROM relation
  UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, con.oid FROM pg_catalog.pg_constraint AS con JOIN relation ON relation.oid = con.conrelid
  UNION ALL SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, def.oid FROM pg_catalog.pg_attrdef AS def JOIN relation ON relation.oid = def.adrelid
),
-- what an extension has, and what belongs to that: the arrays of its types
member (extension, classid, objid) AS (
  SELECT depend.refobjid, depend.classid, depend.objid FROM pg_catalog.pg_depend AS depend
  WHERE depend.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND depend.deptype = 'e'
  UNION SELECT member.extension, depend.classid, depend.objid FROM member JOIN pg_catalog.pg_depend AS depend
    ON depend.refclassid = member.classid AND depend.refobjid = member.objid AND depend.deptype = 'i'
),
used AS (
  SELECT DISTINCT member.extension FROM object
  JOIN pg_catalog.pg_depend AS depend ON depend.classid = object.classid AND depend.objid = object.objid AND depend.deptype IN ('n', 'a')
  JOIN member ON member.classid = depend.refclassid AND member.objid = depend.refobjid
  WHERE NOT EXISTS (SELECT FROM member AS own WHERE own.classid = object.classid AND own.objid = object.objid)
)
SELECT own.extname::pg_catalog.text, space.nspname::pg_catalog.text, space.nspname = $1::pg_catalog.text OR own.oid IN (SELECT used.extension FROM used)
FROM pg_catalog.pg_extension AS own JOIN pg_catalog.pg_namespace AS space ON space.oid = own.extnamespace
WHERE own.extname <> 'plpgsql' ORDER BY own.extname

-- What keeps two versions of a base schema alive beside each other, as it is now: what it is, its name, its definition, and the statements
-- that put it back where it is gone or another. $1 is the base schema, $2 the schemas of views, $3 the
-- versions' sequences, domains and composite types, $4 whether a view's statements are wanted as well.
WITH table_ AS (
  SELECT class.oid, class.relname FROM pg_class AS class WHERE class.relnamespace = (SELECT space.oid FROM pg_namespace AS space WHERE space.nspname = $1::text) AND class.relkind IN ('r', 'p')
    -- partitions come and go: what they have, they have from the whole
    AND NOT class.relispartition
),
trigger_ AS (
  SELECT own.* FROM pg_trigger AS own JOIN pg_proc AS proc ON proc.oid = own.tgfoid JOIN pg_namespace AS home ON home.oid = proc.pronamespace
  WHERE home.nspname = 'diptych' AND own.tgrelid IN (SELECT oid FROM table_) AND own.tgparentid = 0
),
-- each of the next two reads the views once, all together: there is one of each table and version
view_ AS MATERIALIZED (
  SELECT class.oid, class.oid::regclass::text AS name, space.nspname, class.relowner, class.relacl, class.reloptions, pg_get_viewdef(class.oid) AS query
  FROM pg_class AS class JOIN pg_namespace AS space ON space.oid = class.relnamespace WHERE space.nspname = ANY ($2::text[]) AND class.relkind = 'v'
),
column_ AS (
  SELECT view_.oid AS view,
    string_agg(format('%I %s', attribute.attname, default_.expression), ', ' ORDER BY attribute.attnum) FILTER (WHERE default_.expression IS NOT NULL) AS defaults,
    string_agg(format(' ALTER VIEW %s ALTER COLUMN %I %s;', view_.name, attribute.attname, coalesce('SET DEFAULT ' || default_.expression, 'DROP DEFAULT')), '' ORDER BY attribute.attnum) AS put_back,
    string_agg(format(' COMMENT ON COLUMN %s.%I IS %L;', view_.name, attribute.attname, note.description), '' ORDER BY attribute.attnum) FILTER (WHERE note.description IS NOT NULL) AS comments,
    string_agg(CASE WHEN attribute.attacl IS NOT NULL THEN
      (SELECT string_agg(format(' GRANT %s (%I) ON %s TO %s%s;', acl.privilege_type, attribute.attname, view_.name, CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(role.rolname) END,
        CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '')
      FROM aclexplode(attribute.attacl) AS acl LEFT JOIN pg_roles AS role ON role.oid = acl.grantee WHERE acl.grantee <> view_.relowner) END, '' ORDER BY attribute.attnum) AS grants
  FROM view_ JOIN pg_attribute AS attribute ON attribute.attrelid = view_.oid AND attribute.attnum > 0
    LEFT JOIN (SELECT def.adrelid, def.adnum, pg_get_expr(def.adbin, def.adrelid) AS expression FROM pg_attrdef AS def) AS default_ ON default_.adrelid = view_.oid AND default_.adnum = attribute.attnum
    LEFT JOIN pg_description AS note ON note.classoid = 'pg_class'::regclass AND note.objoid = view_.oid AND note.objsubid = attribute.attnum
  GROUP BY view_.oid
)
SELECT 'function' AS kind, proc.oid::regprocedure::text AS name, pg_get_functiondef(proc.oid) AS definition,
  pg_get_functiondef(proc.oid) || '; SELECT diptych.seal()' AS put_back
FROM pg_proc AS proc WHERE proc.oid IN (SELECT tgfoid FROM trigger_)
UNION ALL
SELECT 'trigger', format('%I on %s', trigger_.tgname, trigger_.tgrelid::regclass), concat_ws(' ', pg_get_triggerdef(trigger_.oid), trigger_.tgenabled,
    -- where a partition has it in another mode
    (SELECT string_agg(format('%s %s', below.tgrelid::regclass, below.tgenabled), ', ' ORDER BY below.tgrelid) FROM pg_trigger AS below
      WHERE below.tgname = trigger_.tgname AND below.tgenabled <> trigger_.tgenabled AND below.tgparentid <> 0
        AND below.tgrelid IN (SELECT tree.relid FROM pg_partition_tree(trigger_.tgrelid) AS tree))),
  format('DROP TRIGGER IF EXISTS %I ON %s; %s; ALTER TABLE %s %s TRIGGER %I', trigger_.tgname, trigger_.tgrelid::regclass, pg_get_triggerdef(trigger_.oid), trigger_.tgrelid::regclass,
    CASE trigger_.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE' END, trigger_.tgname)
FROM trigger_
UNION ALL
SELECT 'routine', proc.oid::regprocedure::text, CASE WHEN proc.prokind <> 'a' THEN pg_get_functiondef(proc.oid) ELSE '' END,
  CASE WHEN proc.prokind <> 'a' THEN
    format('GRANT CREATE ON SCHEMA %I TO %I; %s; ALTER ROUTINE %s OWNER TO %I; REVOKE ALL ON ROUTINE %s FROM PUBLIC;', space.nspname, current_user, pg_get_functiondef(proc.oid), proc.oid::regprocedure,
      (SELECT role.rolname FROM pg_roles AS role WHERE role.oid = proc.proowner), proc.oid::regprocedure)
    || coalesce((SELECT string_agg(format(' GRANT EXECUTE ON ROUTINE %s TO %s%s;', proc.oid::regprocedure, CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(role.rolname) END,
        CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '')
      FROM aclexplode(coalesce(proc.proacl, acldefault('f', proc.proowner))) AS acl LEFT JOIN pg_roles AS role ON role.oid = acl.grantee WHERE acl.grantee <> proc.proowner), '')
    || coalesce(format(' COMMENT ON ROUTINE %s IS %L;', proc.oid::regprocedure, nullif(obj_description(proc.oid, 'pg_proc'), '')), '')
    || format(' SELECT diptych.close_schema(%L);', space.nspname) END
FROM pg_proc AS proc JOIN pg_namespace AS space ON space.oid = proc.pronamespace WHERE space.nspname = ANY ($2::text[])
UNION ALL
SELECT 'materialized view', view_.oid::regclass::text, pg_get_viewdef(view_.oid), NULL
FROM pg_class AS view_ JOIN pg_namespace AS space ON space.oid = view_.relnamespace WHERE space.nspname = ANY ($2::text[]) AND view_.relkind = 'm'
UNION ALL
SELECT 'sequence', class.oid::regclass::text, concat_ws(' ', format_type(own.seqtypid, NULL), own.seqincrement, own.seqmin, own.seqmax, own.seqcycle, (SELECT pg_describe_object(depend.refclassid, depend.refobjid, depend.refobjsubid)
    FROM pg_depend AS depend WHERE depend.classid = 'pg_class'::regclass AND depend.objid = class.oid AND depend.deptype = 'a')),
  format('ALTER SEQUENCE %s AS %s INCREMENT %s MINVALUE %s MAXVALUE %s %s OWNED BY NONE', class.oid::regclass, format_type(own.seqtypid, NULL), own.seqincrement, own.seqmin, own.seqmax,
    CASE WHEN own.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)
FROM pg_sequence AS own JOIN pg_class AS class ON class.oid = own.seqrelid JOIN pg_namespace AS space ON space.oid = class.relnamespace
WHERE space.nspname = $1::text AND class.relname = ANY ($3::text[])
UNION ALL
SELECT CASE own.typtype WHEN 'd' THEN 'domain' ELSE 'composite type' END, own.oid::regtype::text, '', NULL
FROM pg_type AS own JOIN pg_namespace AS space ON space.oid = own.typnamespace LEFT JOIN pg_class AS class ON class.oid = own.typrelid
WHERE space.nspname = $1::text AND own.typname = ANY ($3::text[]) AND (own.typtype = 'd' OR class.relkind = 'c')
UNION ALL
SELECT 'column', format('%s.%I', table_.oid::regclass, attribute.attname),
  concat_ws(' ', format_type(attribute.atttypid, attribute.atttypmod), CASE WHEN attribute.attnotnull THEN 'NOT NULL' END, pg_get_expr(def.adbin, def.adrelid)), NULL
FROM table_ JOIN pg_attribute AS attribute ON attribute.attrelid = table_.oid LEFT JOIN pg_attrdef AS def ON def.adrelid = table_.oid AND def.adnum = attribute.attnum
WHERE attribute.attnum > 0 AND NOT attribute.attisdropped AND starts_with(attribute.attname, '_diptych_')
UNION ALL
SELECT 'index', index.indexrelid::regclass::text, concat_ws(' ', pg_get_indexdef(index.indexrelid), CASE WHEN NOT index.indisvalid THEN 'invalid' END), NULL
FROM pg_index AS index JOIN pg_class AS class ON class.oid = index.indexrelid WHERE index.indrelid IN (SELECT oid FROM table_) AND starts_with(class.relname, '_diptych_')
UNION ALL
SELECT 'statistics', format('%I on %s', own.stxname, own.stxrelid::regclass), pg_get_statisticsobjdef(own.oid), NULL
FROM pg_statistic_ext AS own WHERE own.stxrelid IN (SELECT oid FROM table_) AND starts_with(own.stxname, '_diptych_')
UNION ALL
SELECT 'constraint', format('%I of %s', con.conname, con.conrelid::regclass), pg_get_constraintdef(con.oid), NULL
FROM pg_constraint AS con WHERE con.conrelid IN (SELECT oid FROM table_) AND starts_with(con.conname, '_diptych_') AND con.conparentid = 0 AND con.contype <> 'n'
UNION ALL
SELECT 'view', view_.name, concat_ws(' ', view_.query, view_.reloptions::text, column_.defaults),
  CASE WHEN $4::boolean THEN
    format('GRANT CREATE ON SCHEMA %I TO %I; CREATE OR REPLACE VIEW %s%s AS %s', view_.nspname, current_user, view_.name, ' WITH (' || array_to_string(view_.reloptions, ', ') || ')', view_.query)
    || format(' ALTER VIEW %s OWNER TO %I;', view_.name, (SELECT role.rolname FROM pg_roles AS role WHERE role.oid = view_.relowner))
    || column_.put_back
    || coalesce((SELECT string_agg(format(' GRANT %s ON %s TO %s%s;', acl.privilege_type, view_.name, CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(role.rolname) END,
        CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '')
      FROM aclexplode(view_.relacl) AS acl LEFT JOIN pg_roles AS role ON role.oid = acl.grantee WHERE acl.grantee <> view_.relowner), '')
    || coalesce(column_.grants, '')
    || coalesce(format(' COMMENT ON VIEW %s IS %L;', view_.name, note.description), '')
    || coalesce(column_.comments, '')
    || format(' SELECT diptych.close_schema(%L);', view_.nspname) END
FROM view_ JOIN column_ ON column_.view = view_.oid
  LEFT JOIN pg_description AS note ON note.classoid = 'pg_class'::regclass AND note.objoid = view_.oid AND note.objsubid = 0

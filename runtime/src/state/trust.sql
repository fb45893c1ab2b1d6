-- What of schema `diptych` is not as the tool leaves it, one row each (one without a word where there is nothing): what it is, the
-- statement that mends it, the schema's owner where that is not one to trust, the tables. Nothing in the schema is read for it. Trusted are the role that asks, superusers, and, unless it is a superuser that asks, roles it is a member of.
WITH asking AS (SELECT role.oid, role.rolsuper FROM pg_roles AS role WHERE role.rolname = current_user),
trusted AS (
  SELECT role.oid FROM pg_roles AS role, asking
  WHERE role.oid = asking.oid OR role.rolsuper OR (NOT asking.rolsuper AND pg_has_role(asking.oid, role.oid, 'MEMBER'))
),
space AS (SELECT space.* FROM pg_namespace AS space WHERE space.nspname = 'diptych'),
relation AS (SELECT class.* FROM pg_class AS class JOIN space ON class.relnamespace = space.oid),
object (kind, name, owner, rights) AS (
  SELECT 'SCHEMA', 'diptych', space.nspowner, space.nspacl FROM space
  UNION ALL
  SELECT CASE relation.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END,
    relation.oid::regclass::text, relation.relowner, relation.relacl FROM relation WHERE relation.relkind IN ('r', 'p', 'S', 'v', 'm', 'f')
  UNION ALL
  SELECT 'TABLE', relation.oid::regclass::text, relation.relowner, attribute.attacl
  FROM relation JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid WHERE attribute.attacl IS NOT NULL
  UNION ALL
  SELECT 'FUNCTION', proc.oid::regprocedure::text, proc.proowner, coalesce(proc.proacl, acldefault('f', proc.proowner))
  FROM pg_proc AS proc JOIN space ON proc.pronamespace = space.oid
  UNION ALL
  SELECT 'TYPE', type_.oid::regtype::text, type_.typowner, type_.typacl FROM pg_type AS type_ JOIN space ON type_.typnamespace = space.oid
  WHERE type_.typelem = 0 AND (type_.typrelid = 0 OR (SELECT class.relkind FROM pg_class AS class WHERE class.oid = type_.typrelid) = 'c')
),
finding (what, mend) AS (
  SELECT format('%s %s belongs to role %I', lower(object.kind), object.name, role.rolname),
    format('ALTER %s %s OWNER TO %I', object.kind, object.name, CASE WHEN object.kind = 'SCHEMA' THEN current_user ELSE schema_owner.rolname END)
  FROM object JOIN pg_roles AS role ON role.oid = object.owner CROSS JOIN space JOIN pg_roles AS schema_owner ON schema_owner.oid = space.nspowner
  WHERE object.owner NOT IN (SELECT trusted.oid FROM trusted)
  UNION ALL
  SELECT format('%s may %s %s %s', right_.role, right_.names, lower(right_.kind), right_.name),
    format('REVOKE ALL ON %s %s FROM %s CASCADE', CASE WHEN right_.kind IN ('SCHEMA', 'FUNCTION', 'SEQUENCE', 'TYPE') THEN right_.kind ELSE 'TABLE' END, right_.name, right_.role)
  FROM (
    SELECT object.kind, object.name, CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(role.rolname) END AS role,
      string_agg(DISTINCT acl.privilege_type, ', ') AS names
    FROM object CROSS JOIN LATERAL aclexplode(object.rights) AS acl LEFT JOIN pg_roles AS role ON role.oid = acl.grantee
    WHERE acl.grantee <> object.owner AND (acl.grantee = 0 OR NOT role.rolsuper)
      AND NOT (acl.grantee = 0 AND (object.kind, acl.privilege_type) IN (('SCHEMA', 'USAGE'), ('FUNCTION', 'EXECUTE'))
        AND object.name IN ('diptych', 'diptych.gone(text)', 'diptych.lease_end(text)', 'diptych.lease(text,text,text,text,text,bigint,integer)'))
    GROUP BY object.kind, object.name, acl.grantee, role.rolname
  ) AS right_
  UNION ALL
  SELECT format('rule %I on %s', rule.rulename, relation.oid::regclass), format('DROP RULE %I ON %s', rule.rulename, relation.oid::regclass)
  FROM pg_rewrite AS rule JOIN relation ON relation.oid = rule.ev_class WHERE relation.relkind = 'r'
  UNION ALL
  SELECT format('trigger %I on %s', trigger_.tgname, relation.oid::regclass), format('DROP TRIGGER %I ON %s', trigger_.tgname, relation.oid::regclass)
  FROM pg_trigger AS trigger_ JOIN relation ON relation.oid = trigger_.tgrelid WHERE NOT trigger_.tgisinternal
  UNION ALL
  SELECT format('%s %s', lower(object.kind), object.name), format('DROP %s %s', object.kind, object.name)
  FROM object WHERE object.kind IN ('VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE')
)
SELECT finding.what, finding.mend,
  (SELECT role.rolname::text FROM space JOIN pg_roles AS role ON role.oid = space.nspowner WHERE space.nspowner NOT IN (SELECT trusted.oid FROM trusted)),
  ARRAY(SELECT relation.relname::text FROM relation WHERE relation.relkind = 'r')
FROM (SELECT) AS one LEFT JOIN finding ON true ORDER BY finding.what

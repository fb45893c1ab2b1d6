-- raises where another run took over; else holds the run's row until the transaction ends
CREATE OR REPLACE FUNCTION diptych.fence(base text, token bigint) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM FROM diptych.runs AS run WHERE run.base = $1 AND run.token = $2 FOR SHARE;
  IF NOT found THEN
    RAISE EXCEPTION 'another run took over' USING ERRCODE = 'DPT01';
  END IF;
END
$body$;

-- An app's sign of life: one statement, so that it works behind a transaction pooler; with the owner's rights, since an app has none on
-- the state. It says `held`; or why there is no lease: the version is `retired` (or about to be), is `unpublished`, is `denied` to
-- the role, or the role has too `many`.
CREATE OR REPLACE FUNCTION diptych.lease(id text, base text, version text, application text, host text, process bigint, seconds integer)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  own record;
  renewed boolean;
  place text := (SELECT there.views FROM diptych.versions AS there WHERE there.base = $2 AND there.name = $3);
  until timestamptz := clock_timestamp() + make_interval(secs => greatest(1, least($7, 3600)));
BEGIN
  -- who has no right holds no row
  IF to_regnamespace(quote_ident(place)) IS NOT NULL
    AND NOT has_schema_privilege(coalesce(nullif(current_setting('role'), 'none'), session_user), place, 'USAGE') THEN
    RETURN 'denied';
  END IF;
  -- a lease that has a while to live is seen by every guard that looks: it is renewed without a lock
  UPDATE diptych.leases AS held SET seen = clock_timestamp(), expires = until
    WHERE held.id = $1 AND held.role = session_user AND held.base = $2 AND held.version = $3
    AND held.expires > clock_timestamp() + (until - clock_timestamp()) / 4;
  renewed := found;
  IF NOT renewed THEN
    -- whoever guards a version that goes has its row to itself for a moment; what it decided is seen afterwards
    PERFORM FROM diptych.versions AS there WHERE there.base = $2 AND there.name = $3 FOR KEY SHARE;
  END IF;
  SELECT there.views, there.state, EXISTS (SELECT FROM diptych.versions AS newer
      WHERE newer.base = there.base AND newer.parent = there.name AND newer.state = 'completing') AS goes
    INTO own FROM diptych.versions AS there WHERE there.base = $2 AND there.name = $3;
  -- one that was retired does not come back, one that was rolled back may
  IF own.state IS NULL OR (own.state <> 'retired' AND to_regnamespace(quote_ident(own.views)) IS NULL) THEN
    RETURN 'unpublished';
  ELSIF own.goes OR own.state NOT IN ('starting', 'started', 'completing', 'live') THEN
    DELETE FROM diptych.leases AS held WHERE held.id = $1 AND held.role = session_user;
    RETURN 'retired';
  ELSIF NOT has_schema_privilege(coalesce(nullif(current_setting('role'), 'none'), session_user), own.views, 'USAGE') THEN
    RETURN 'denied';
  END IF;
  IF NOT renewed THEN
    DELETE FROM diptych.leases AS held WHERE held.id IN (
      SELECT gone.id FROM diptych.leases AS gone WHERE gone.role = session_user AND gone.expires < clock_timestamp() FOR UPDATE SKIP LOCKED);
    IF (SELECT count(*) FROM diptych.leases AS held WHERE held.role = session_user) >= 10000 THEN
      RETURN 'many';
    END IF;
    INSERT INTO diptych.leases AS held (id, base, version, role, application, host, process, expires)
      VALUES ($1, $2, $3, session_user, left($4, 200), left($5, 200), $6, until)
      ON CONFLICT ON CONSTRAINT leases_pkey DO UPDATE SET seen = clock_timestamp(), expires = EXCLUDED.expires
      WHERE held.role = session_user AND held.base = EXCLUDED.base AND held.version = EXCLUDED.version;
  END IF;
  RETURN 'held';
END
$body$;

-- an app's farewell
CREATE OR REPLACE FUNCTION diptych.lease_end(id text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
  DELETE FROM diptych.leases AS held WHERE held.id = $1 AND held.role = session_user
$body$;

-- raises for every use of a view of the guard
CREATE OR REPLACE FUNCTION diptych.gone(name text) RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RAISE EXCEPTION 'relation "%" is not available in this session: its version is not published yet, or is retired', name
    USING ERRCODE = 'undefined_table', HINT = 'run `migrate start` first, or connect with a release that was built for a live version, as a role that may use it';
END
$body$;

CREATE OR REPLACE FUNCTION diptych.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM diptych.gone(TG_TABLE_NAME);
  RETURN NULL;
END
$body$;

-- Takes every right on a schema, or on a relation of it, from everybody but its owner.
CREATE OR REPLACE FUNCTION diptych.take_rights(kind text, object text, owner oid, rights aclitem[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE right_ record;
BEGIN
  FOR right_ IN
    SELECT DISTINCT CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(role.rolname) END AS role
    FROM aclexplode(rights) AS acl LEFT JOIN pg_roles AS role ON role.oid = acl.grantee WHERE acl.grantee <> owner
  LOOP
    EXECUTE format('REVOKE ALL ON %s %s FROM %s CASCADE', kind, object, right_.role);
  END LOOP;
END
$body$;

-- The guard of a base schema: everybody may look names up in it, nobody may create there.
CREATE OR REPLACE FUNCTION diptych.create_guard(guard text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  EXECUTE format('CREATE SCHEMA %I', guard);
  PERFORM diptych.take_rights('SCHEMA', quote_ident(guard), space.nspowner, space.nspacl) FROM pg_namespace AS space WHERE space.nspname = guard;
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO PUBLIC', guard);
END
$body$;

-- Puts a view that raises in the place of each of these names, with the columns that relations of that name have in the sources: types
-- that are not the server's own are text there, so that nothing hangs on them. One that is there already as it should be is left alone.
CREATE OR REPLACE FUNCTION diptych.guard(guard text, sources text[], names text[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  name text;
  place text;
  there oid;
  columns text[];
  so_far text[];
BEGIN
  FOREACH name IN ARRAY names LOOP
    place := format('%I.%I', guard, name);
    there := to_regclass(place);
    -- the columns ask as well: with plain NULLs, 18 folds `WHERE id = 1` to false and the view is never asked
    SELECT coalesce(array_agg(format('CASE WHEN diptych.gone(%1$L) THEN CAST(NULL AS %2$s) ELSE CAST(NULL AS %2$s) END AS %3$I', name, column_.type, column_.attname)
        ORDER BY column_.source, column_.attnum), '{}') INTO columns FROM (
      SELECT DISTINCT ON (attribute.attname) attribute.attname, attribute.attnum, source.number AS source,
        CASE type_.typnamespace WHEN 'pg_catalog'::regnamespace THEN format_type(type_.oid, attribute.atttypmod) ELSE 'text' END AS type
      FROM unnest(sources) WITH ORDINALITY AS source (space, number)
      JOIN pg_class AS class ON class.relname = name AND class.relnamespace = to_regnamespace(quote_ident(source.space)) AND class.relkind IN ('r', 'p', 'v', 'm')
      JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
      JOIN pg_type AS type_ ON type_.oid = attribute.atttypid
      ORDER BY attribute.attname, source.number DESC
    ) AS column_;
    SELECT coalesce(array_agg(format('CASE WHEN diptych.gone(%1$L) THEN CAST(NULL AS %2$s) ELSE CAST(NULL AS %2$s) END AS %3$I',
        name, format_type(attribute.atttypid, attribute.atttypmod), attribute.attname) ORDER BY attribute.attnum), '{}') INTO so_far
      FROM pg_attribute AS attribute WHERE attribute.attrelid = there AND attribute.attnum > 0;
    CONTINUE WHEN there IS NOT NULL AND so_far = columns;
    IF there IS NOT NULL THEN
      EXECUTE format('DROP VIEW %s', place);
    END IF;
    EXECUTE format('CREATE VIEW %s AS SELECT %s WHERE diptych.gone(%L)', place, array_to_string(columns, ', '), name);
    EXECUTE format('CREATE TRIGGER diptych_gone INSTEAD OF INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION diptych.refuse()', place);
    PERFORM diptych.take_rights('TABLE', place, class.relowner, class.relacl) FROM pg_class AS class WHERE class.oid = place::regclass;
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO PUBLIC', place);
  END LOOP;
END
$body$;

-- Takes those views away.
CREATE OR REPLACE FUNCTION diptych.unguard(guard text, names text[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY names LOOP
    EXECUTE format('DROP VIEW IF EXISTS %I.%I', guard, name);
  END LOOP;
END
$body$;

-- The guard goes, with what is left in it.
CREATE OR REPLACE FUNCTION diptych.remove_guard(guard text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE view_ record;
BEGIN
  FOR view_ IN SELECT class.oid FROM pg_class AS class WHERE class.relnamespace = to_regnamespace(quote_ident(guard)) AND class.relkind = 'v' LOOP
    EXECUTE format('DROP VIEW %s', view_.oid::regclass);
  END LOOP;
  EXECUTE format('DROP SCHEMA IF EXISTS %I RESTRICT', guard);
END
$body$;

-- From now on nobody creates anything in a version's schema, its owner neither.
CREATE OR REPLACE FUNCTION diptych.close_schema(name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM %I', name, (SELECT role.rolname FROM pg_namespace AS space JOIN pg_roles AS role ON role.oid = space.nspowner WHERE space.nspname = name));
END
$body$;

-- Until it is closed again, the owner may.
CREATE OR REPLACE FUNCTION diptych.open_schema(name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  EXECUTE format('GRANT CREATE ON SCHEMA %I TO %I', name, (SELECT role.rolname FROM pg_roles AS role JOIN pg_namespace AS space ON role.oid = space.nspowner WHERE space.nspname = name));
END
$body$;

-- Notes which views a version has, once they are all made.
CREATE OR REPLACE FUNCTION diptych.note_relations(base text, version text, schema text) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $body$
  UPDATE diptych.versions AS own SET relations = (
    SELECT coalesce(jsonb_agg(class.relname ORDER BY class.relname), '[]') FROM pg_class AS class
    WHERE class.relnamespace = to_regnamespace(quote_ident($3)) AND class.relkind = 'v'
      AND class.relname::text NOT IN (SELECT noted.name FROM jsonb_to_recordset(own.code) AS noted (name text)))
  WHERE own.base = $1 AND own.name = $2
$body$;

-- Drops the views that were noted for a version, but for those that are known otherwise, in whichever of these schemas they are.
CREATE OR REPLACE FUNCTION diptych.drop_relations(base text, version text, places text[], known text[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE view_ record;
BEGIN
  FOR view_ IN
    SELECT class.oid FROM diptych.versions AS own CROSS JOIN LATERAL jsonb_array_elements_text(own.relations) AS noted (name)
    JOIN pg_class AS class ON class.relname = noted.name AND class.relkind = 'v'
    JOIN pg_namespace AS space ON space.oid = class.relnamespace AND space.nspname = ANY (places)
    WHERE own.base = $1 AND own.name = $2 AND noted.name <> ALL (known)
  LOOP
    EXECUTE format('DROP VIEW %s', view_.oid::regclass);
  END LOOP;
END
$body$;

-- What somebody else has created in a version's schema goes to the base schema. Where its name is taken there, or its owner does not let it
-- go, it stays, and the schema with it, under another name if a version may want that one again.
CREATE OR REPLACE FUNCTION diptych.empty_schema(base text, schema text, is_wanted boolean) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  object record;
  moved boolean;
  name text := schema;
BEGIN
  -- what hangs on another object goes with it or after it: tried until nothing moves any more
  LOOP
    moved := false;
    FOR object IN SELECT * FROM diptych.foreign_objects(base, schema) LOOP
      BEGIN
        EXECUTE format('ALTER %s %s SET SCHEMA %I', object.kind, object.name, base);
        moved := true;
      EXCEPTION WHEN duplicate_table OR duplicate_object OR duplicate_function OR insufficient_privilege OR lock_not_available
        OR dependent_objects_still_exist OR feature_not_supported OR wrong_object_type OR undefined_object OR undefined_table OR undefined_function THEN
        NULL;
      END;
    END LOOP;
    EXIT WHEN NOT moved;
  END LOOP;
  DELETE FROM diptych.kept AS there WHERE there.base = $1 AND there.schema = $2;
  BEGIN
    EXECUTE format('DROP SCHEMA %I RESTRICT', schema);
  EXCEPTION WHEN dependent_objects_still_exist THEN
    IF is_wanted THEN
      name := left(schema, 40) || '_kept_' || to_char(clock_timestamp(), 'YYYYMMDDHH24MISS');
      EXECUTE format('ALTER SCHEMA %I RENAME TO %I', schema, name);
    END IF;
    INSERT INTO diptych.kept VALUES ($1, name);
  END;
END
$body$;

-- A version's schema goes, with what is left of the version's own views; and those that could not go earlier, if they can by now.
CREATE OR REPLACE FUNCTION diptych.leave_schema(base text, version text, schema text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE earlier record;
BEGIN
  FOR earlier IN SELECT there.schema FROM diptych.kept AS there WHERE there.base = $1 LOOP
    IF to_regnamespace(quote_ident(earlier.schema)) IS NULL THEN
      DELETE FROM diptych.kept AS there WHERE there.base = $1 AND there.schema = earlier.schema;
    ELSE
      PERFORM diptych.empty_schema(base, earlier.schema, false);
    END IF;
  END LOOP;
  IF to_regnamespace(quote_ident(schema)) IS NOT NULL THEN
    PERFORM diptych.drop_relations(base, version, ARRAY[schema], ARRAY[]::text[]);
    PERFORM diptych.empty_schema(base, schema, EXISTS (
      SELECT FROM diptych.versions AS own WHERE own.base = $1 AND own.name = $2 AND own.state = 'rolling_back'));
  END IF;
END
$body$;

-- What is in a version's schema and is not the version's own, one row each: what ALTER calls its kind, and its name.
CREATE OR REPLACE FUNCTION diptych.foreign_objects(base text, schema text) RETURNS TABLE (kind text, name text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  WITH space AS (SELECT to_regnamespace(quote_ident($2))::oid AS oid),
  own AS (SELECT noted.name FROM diptych.versions AS version CROSS JOIN LATERAL jsonb_array_elements_text(version.relations) AS noted (name)
    WHERE version.base = $1 AND version.views = $2),
  code AS (SELECT noted.kind, noted.name FROM diptych.versions AS version CROSS JOIN LATERAL jsonb_to_recordset(version.code) AS noted (kind text, name text)
    WHERE version.base = $1 AND version.views = $2),
  made AS (SELECT type_.name FROM diptych.versions AS version CROSS JOIN LATERAL jsonb_object_keys(coalesce(version.model -> 'enums', '{}')) AS type_ (name)
    WHERE version.base = $1 AND version.views = $2)
  SELECT CASE class.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
    class.oid::regclass::text
  FROM pg_class AS class JOIN space ON space.oid = class.relnamespace
  WHERE class.relkind IN ('r', 'p', 'S', 'v', 'm', 'f', 'c') AND NOT (class.relkind = 'v' AND class.relname IN (SELECT own.name FROM own))
    AND NOT (class.relkind IN ('v', 'm') AND class.relname IN (SELECT code.name FROM code WHERE code.kind <> 'ROUTINE'))
    AND NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.classid = 'pg_class'::regclass AND depend.objid = class.oid
      AND depend.refclassid = 'pg_class'::regclass AND depend.deptype IN ('a', 'i') AND class.relkind = 'S')
  UNION ALL
  SELECT CASE type_.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, type_.oid::regtype::text
  FROM pg_type AS type_ JOIN space ON space.oid = type_.typnamespace
  WHERE type_.typtype IN ('e', 'd', 'r') AND NOT (type_.typtype = 'e' AND (type_.typname IN (SELECT made.name FROM made) OR starts_with(type_.typname, '_diptych_')))
  UNION ALL
  SELECT 'ROUTINE', proc.oid::regprocedure::text FROM pg_proc AS proc JOIN space ON space.oid = proc.pronamespace
  WHERE NOT EXISTS (SELECT FROM diptych.objects($2) AS there JOIN code ON code.kind = there.kind AND code.name = there.own_name WHERE there.kind = 'ROUTINE' AND there.oid = proc.oid)
    AND NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.classid = 'pg_proc'::regclass AND depend.objid = proc.oid AND depend.deptype = 'i')
$body$;

-- Takes every right that anybody but the owner has on the objects here, whoever gave it (default privileges, PUBLIC's own), but for what
-- apps need: to find the schema, to take and give back a lease, and to be told that a table is gone.
CREATE OR REPLACE FUNCTION diptych.seal() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE right_ record;
BEGIN
  FOR right_ IN
    WITH object (kind, name, owner, rights) AS (
      SELECT 'SCHEMA', 'diptych', space.nspowner, space.nspacl FROM pg_namespace AS space WHERE space.nspname = 'diptych'
      UNION ALL
      SELECT CASE class.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, class.oid::regclass::text, class.relowner, class.relacl
        FROM pg_class AS class WHERE class.relnamespace = 'diptych'::regnamespace AND class.relkind IN ('r', 'S', 'v')
      UNION ALL
      SELECT 'TABLE', class.oid::regclass::text, class.relowner, attribute.attacl
        FROM pg_class AS class JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid
        WHERE class.relnamespace = 'diptych'::regnamespace AND attribute.attacl IS NOT NULL
      UNION ALL
      SELECT 'FUNCTION', proc.oid::regprocedure::text, proc.proowner, coalesce(proc.proacl, acldefault('f', proc.proowner))
        FROM pg_proc AS proc WHERE proc.pronamespace = 'diptych'::regnamespace
      UNION ALL
      SELECT 'TYPE', type_.oid::regtype::text, type_.typowner, type_.typacl
        FROM pg_type AS type_ WHERE type_.typnamespace = 'diptych'::regnamespace AND type_.typacl IS NOT NULL
    )
    SELECT DISTINCT object.kind, object.name, CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(role.rolname) END AS role
    FROM object CROSS JOIN LATERAL aclexplode(object.rights) AS acl LEFT JOIN pg_roles AS role ON role.oid = acl.grantee
    WHERE acl.grantee <> object.owner AND NOT (acl.grantee = 0 AND (object.kind, acl.privilege_type) IN (('SCHEMA', 'USAGE'), ('FUNCTION', 'EXECUTE'))
      AND object.name IN ('diptych', 'diptych.gone(text)', 'diptych.lease_end(text)', 'diptych.lease(text,text,text,text,text,bigint,integer)'))
  LOOP
    EXECUTE format('REVOKE ALL ON %s %s FROM %s CASCADE', right_.kind, right_.name, right_.role);
  END LOOP;
  GRANT USAGE ON SCHEMA diptych TO PUBLIC;
  GRANT EXECUTE ON FUNCTION diptych.gone(text), diptych.lease_end(text), diptych.lease(text, text, text, text, text, bigint, integer) TO PUBLIC;
END
$body$;

-- Whether a role is one whose code the current one may run: itself, superusers, and, unless it is a superuser, roles that it is a member of.
-- `trust.sql` says the same, and asks nobody: it runs before anything of this schema is trusted.
CREATE OR REPLACE FUNCTION diptych.trusts(owner oid) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT EXISTS (SELECT FROM pg_roles AS role, pg_roles AS asking WHERE role.oid = $1 AND asking.rolname = current_user
    AND (role.oid = asking.oid OR role.rolsuper OR (NOT asking.rolsuper AND pg_has_role(asking.oid, role.oid, 'MEMBER'))))
$body$;

-- What of these schemas others could have names resolve to: who else may create there, and what is there of others; with the statement that mends it.
CREATE OR REPLACE FUNCTION diptych.strangers(places text[]) RETURNS TABLE (what text, mend text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  WITH space AS (SELECT space.* FROM pg_namespace AS space WHERE space.nspname = ANY ($1)),
  -- once a role: a schema has thousands of objects, and few owners
  stranger AS MATERIALIZED (SELECT role.oid, role.rolname FROM pg_roles AS role WHERE NOT diptych.trusts(role.oid)),
  creator AS (
    SELECT DISTINCT space.nspname AS place, CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(role.rolname) END AS name
    FROM space CROSS JOIN LATERAL aclexplode(space.nspacl) AS acl LEFT JOIN pg_roles AS role ON role.oid = acl.grantee
    WHERE acl.privilege_type = 'CREATE' AND acl.grantee <> space.nspowner AND (acl.grantee = 0 OR (NOT role.rolsuper AND role.rolname <> current_user))
  ),
  object AS (
    SELECT space.nspowner AS home, 'pg_proc'::regclass::oid AS class, proc.oid, proc.proowner AS owner, 'ROUTINE ' || proc.oid::regprocedure::text AS name
    FROM pg_proc AS proc JOIN space ON space.oid = proc.pronamespace WHERE proc.prokind <> 'a'
    UNION ALL
    SELECT space.nspowner, 'pg_operator'::regclass, operator_.oid, operator_.oprowner, 'OPERATOR ' || operator_.oid::regoperator::text
    FROM pg_operator AS operator_ JOIN space ON space.oid = operator_.oprnamespace
    UNION ALL
    SELECT space.nspowner, 'pg_type'::regclass, type_.oid, type_.typowner, 'TYPE ' || type_.oid::regtype::text
    FROM pg_type AS type_ JOIN space ON space.oid = type_.typnamespace LEFT JOIN pg_class AS class ON class.oid = type_.typrelid
    WHERE (type_.typtype IN ('d', 'e', 'r') OR (type_.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type AS element WHERE element.oid = type_.typelem AND element.typarray = type_.oid)) OR class.relkind = 'c')
  )
  SELECT format('%s may create in schema %I', creator.name, creator.place), format('REVOKE CREATE ON SCHEMA %I FROM %s', creator.place, creator.name) FROM creator
  UNION ALL
  SELECT format('%s of role %I', lower(left(object.name, strpos(object.name, ' '))) || substr(object.name, strpos(object.name, ' ') + 1), stranger.rolname),
    format('ALTER %s OWNER TO %I', object.name, current_user)
  FROM object JOIN stranger ON stranger.oid = object.owner
  WHERE object.owner <> object.home AND NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.classid = object.class AND depend.objid = object.oid AND depend.deptype = 'e')
$body$;

-- The functions of a schema in a language that look names up on their caller's path; those of extensions are not ours to judge.
CREATE OR REPLACE FUNCTION diptych.own_functions(base text, language text) RETURNS TABLE (oid oid, own_name text, kind text, source text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT proc.oid, proc.proname::text, CASE proc.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, proc.prosrc
  FROM pg_proc AS proc JOIN pg_language AS spoken ON spoken.oid = proc.prolang
  WHERE proc.pronamespace = to_regnamespace(quote_ident($1)) AND spoken.lanname = $2 AND proc.prokind IN ('f', 'p') AND proc.prosqlbody IS NULL
    AND NOT EXISTS (SELECT FROM unnest(proc.proconfig) AS setting (text) WHERE starts_with(setting.text, 'search_path='))
    AND NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.classid = 'pg_proc'::regclass AND depend.objid = proc.oid AND depend.deptype = 'e')
$body$;

-- The functions in SQL that a trigger's function names, or the others.
CREATE OR REPLACE FUNCTION diptych.tried_functions(base text, is_fired boolean) RETURNS TABLE (oid oid, own_name text, kind text, source text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT own.* FROM diptych.own_functions($1, 'sql') AS own
  WHERE $2 = EXISTS (SELECT FROM pg_trigger AS trigger_ JOIN pg_proc AS fired ON fired.oid = trigger_.tgfoid JOIN pg_class AS class ON class.oid = trigger_.tgrelid
    WHERE NOT trigger_.tgisinternal AND class.relnamespace = to_regnamespace(quote_ident($1)) AND fired.proconfig IS NULL AND strpos(lower(fired.prosrc), lower(own.own_name)) > 0)
$body$;

-- Empty twins of a version's tables in a schema of their own, each with a view of its name, for whoever tries something on them and undoes it all.
-- `tables` has the version's tables (`path` is where their types are looked up), by name, each a list of columns; `known` names all that the model has
-- so far: other tables of the base schema are as they are. With `bodies`, only those whose name one of them has.
CREATE OR REPLACE FUNCTION diptych.make_twins(base text, twin text, path text, types jsonb, tables jsonb, known text[], bodies text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE item record;
BEGIN
  EXECUTE format('CREATE SCHEMA %I', twin);
  FOR item IN SELECT enum.key AS name, (SELECT string_agg(quote_literal(label), ', ' ORDER BY number) FROM jsonb_array_elements_text(enum.value) WITH ORDINALITY AS list (label, number)) AS labels FROM jsonb_each(types) AS enum LOOP
    EXECUTE format('CREATE TYPE %I.%I AS ENUM (%s)', twin, item.name, item.labels);
  END LOOP;
  FOR item IN
    SELECT table_.key AS name, 'diptych ' || table_.number AS place,
      (SELECT string_agg(format('%I %s', column_.value ->> 0, column_.value ->> 1), ', ' ORDER BY column_.number) FROM jsonb_array_elements(table_.value) WITH ORDINALITY AS column_ (value, number)) AS columns
    FROM jsonb_each(tables) WITH ORDINALITY AS table_ (key, value, number)
    UNION ALL
    SELECT class.relname, 'diptych oid ' || class.oid, format('LIKE %s', class.oid::regclass)
    FROM pg_class AS class WHERE class.relnamespace = to_regnamespace(quote_ident(base)) AND class.relkind IN ('r', 'p') AND NOT class.relispartition AND class.relname <> ALL (known)
  LOOP
    CONTINUE WHEN bodies IS NOT NULL AND NOT EXISTS (SELECT FROM unnest(bodies) AS body (text) WHERE strpos(body.text, lower(item.name)) > 0);
    PERFORM set_config('search_path', format('%I, %s', twin, path), true);
    EXECUTE format('CREATE TABLE %I.%I (%s)', twin, item.place, item.columns);
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    EXECUTE format('CREATE VIEW %1$I.%2$I AS SELECT * FROM %1$I.%3$I', twin, item.name, item.place);
  END LOOP;
END
$body$;

-- Functions of the base schema in SQL that work on its tables, and would not on the views of a version: name, the server's words, the statement
-- that pins one to the tables; of those that a trigger's function names, or of the others. Tried on empty twins of the version's tables, of which nothing stays.
-- The arguments are those of `make_twins`.
CREATE OR REPLACE FUNCTION diptych.broken_functions(base text, path text, types jsonb, tables jsonb, known text[], is_fired boolean) RETURNS TABLE (name text, reason text, mend text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  twin CONSTANT text := '_diptych_tried';
  proc record;
  prefix text;
  statement text;
  found jsonb := '[]';
BEGIN
  -- to parse a body is to run code: the input functions and checks of the types that its literals are of
  IF NOT EXISTS (SELECT FROM diptych.tried_functions(base, is_fired)) OR EXISTS (SELECT FROM diptych.strangers(ARRAY[base, 'public'])) THEN
    RETURN;
  END IF;
  BEGIN
    -- only of tables whose name is in a body anywhere: the others are not asked for
    PERFORM diptych.make_twins(base, twin, path, types, tables, known, ARRAY(SELECT lower(own.source) FROM diptych.tried_functions(base, is_fired) AS own));
    PERFORM set_config('check_function_bodies', 'on', true);
    FOR proc IN SELECT * FROM diptych.tried_functions(base, is_fired) LOOP
      prefix := format('CREATE OR REPLACE %s %I.%I', proc.kind, base, proc.own_name);
      statement := pg_get_functiondef(proc.oid);
      CONTINUE WHEN NOT starts_with(statement, prefix);
      statement := format('CREATE %s %I.%I', proc.kind, twin, proc.own_name) || substr(statement, length(prefix) + 1);
      BEGIN
        -- what fails on the tables as well is no matter of views
        BEGIN
          PERFORM set_config('search_path', path, true);
          EXECUTE statement;
          RAISE EXCEPTION USING ERRCODE = 'DPT00';
        EXCEPTION WHEN SQLSTATE 'DPT00' THEN
          PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
        END;
      EXCEPTION WHEN OTHERS THEN
        PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
        CONTINUE;
      END;
      BEGIN
        PERFORM set_config('search_path', format('%I, %s', twin, path), true);
        EXECUTE statement;
      EXCEPTION WHEN OTHERS THEN
        PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
        found := found || jsonb_build_object('oid', proc.oid, 'kind', proc.kind, 'reason', SQLERRM);
      END;
      PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'DPT00';
  EXCEPTION WHEN SQLSTATE 'DPT00' THEN
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
  END;
  RETURN QUERY SELECT (one.value ->> 'oid')::oid::regprocedure::text, one.value ->> 'reason',
    format('ALTER %s %s SET search_path = %s', one.value ->> 'kind', (one.value ->> 'oid')::oid::regprocedure, path)
  FROM jsonb_array_elements(found) AS one (value);
END
$body$;

-- Runs a statement, and says whether it was done: not where somebody else's objects hang on what it drops, or the table is another role's by now.
CREATE OR REPLACE FUNCTION diptych.try_to(statement text) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  EXECUTE statement;
  RETURN true;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
  RETURN false;
END
$body$;

-- Tables of a table's owner that are no partitions. What another role calls as we do is none of ours, and who locks it is not to hold up a command.
CREATE OR REPLACE FUNCTION diptych.beside(root oid) RETURNS TABLE (oid oid, space oid) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT class.oid, class.relnamespace FROM pg_class AS class JOIN pg_class AS whole ON whole.oid = root AND whole.relowner = class.relowner
  WHERE class.oid <> root AND class.relkind IN ('r', 'p') AND class.relpersistence <> 't' AND NOT class.relispartition
$body$;

-- What is ours goes from tables that a partitioned one had among its partitions, or that were made like it: detached, they keep the columns
-- that are named here, with their rules, and no trigger fills them any more; and indexes by the stems of their names, with the keys made of them.
-- Constraints have names of the application's: they go from those that were partitions at the end of the start.
CREATE OR REPLACE FUNCTION diptych.clean_former(base text, version text, name text, columns text[], constraints text[], stems text[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  root CONSTANT oid := to_regclass(format('%I.%I', base, name));
  former record;
  is_done boolean;
BEGIN
  FOR former IN
    SELECT own.oid::regclass AS place, con.conname FROM diptych.beside(root) AS own JOIN pg_constraint AS con ON con.conrelid = own.oid
    WHERE con.conname = ANY (constraints) AND con.coninhcount = 0 AND con.conparentid = 0
      AND EXISTS (SELECT FROM diptych.made AS made WHERE made.base = $1 AND made.version = $2 AND made.kind = 'partition' AND split_part(made.definition, ':', 1) = own.oid::text)
    UNION
    SELECT own.oid::regclass, con.conname FROM diptych.beside(root) AS own CROSS JOIN unnest(stems) AS stem
    JOIN pg_constraint AS con ON con.conrelid = own.oid AND con.contype IN ('p', 'u') AND con.conname = concat(stem, '_', own.oid)
  LOOP
    PERFORM diptych.try_to(format('ALTER TABLE %s DROP CONSTRAINT %I', former.place, former.conname));
  END LOOP;
  FOR former IN
    SELECT index.indexrelid::regclass AS place FROM diptych.beside(root) AS own CROSS JOIN unnest(stems) AS stem
    JOIN pg_index AS index ON index.indrelid = own.oid JOIN pg_class AS class ON class.oid = index.indexrelid AND class.relname = concat(stem, '_', own.oid)
  LOOP
    PERFORM diptych.try_to(format('DROP INDEX %s', former.place));
  END LOOP;
  LOOP
    is_done := true;
    FOR former IN
      SELECT own.oid::regclass AS place, attribute.attname FROM diptych.beside(root) AS own JOIN pg_attribute AS attribute ON attribute.attrelid = own.oid
      WHERE attribute.attname = ANY (columns) AND NOT attribute.attisdropped
        -- it goes from whom it is inherited from first
        AND attribute.attinhcount = 0
        -- another base schema may have columns of the same names in transition
        AND NOT EXISTS (SELECT FROM diptych.versions AS other WHERE other.base <> $1 AND to_regnamespace(quote_ident(other.base)) = own.space)
      ORDER BY own.oid, attribute.attnum
    LOOP
      is_done := is_done AND NOT diptych.try_to(format('ALTER TABLE %s DROP COLUMN %I', former.place, former.attname));
    END LOOP;
    EXIT WHEN is_done;
  END LOOP;
END
$body$;

-- Rows that are equal in the columns of a new key, in the partitions that do not have its index: their names begin with the stem.
CREATE OR REPLACE FUNCTION diptych.duplicates(place text, stem text, columns text[], nulls_not_distinct boolean) RETURNS SETOF text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  key CONSTANT text := (SELECT string_agg(quote_ident(name), ', ') FROM unnest(columns) AS name);
  condition CONSTANT text := CASE WHEN nulls_not_distinct THEN 'true' ELSE (SELECT string_agg(format('%I IS NOT NULL', name), ' AND ') FROM unnest(columns) AS name) END;
  part regclass;
BEGIN
  FOR part IN
    SELECT tree.relid FROM pg_partition_tree(place::regclass) AS tree JOIN pg_class AS class ON class.oid = tree.relid
    WHERE tree.isleaf AND class.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_index AS index JOIN pg_class AS own ON own.oid = index.indexrelid
      WHERE index.indrelid = tree.relid AND own.relname = concat(stem, '_', tree.relid::oid)) ORDER BY tree.relid
  LOOP
    RETURN QUERY EXECUTE format('SELECT concat_ws('': '', %L, concat_ws('', '', %s)) FROM %s WHERE %s GROUP BY %s HAVING count(*) > 1 LIMIT 3', part, key, part, condition, key);
  END LOOP;
END
$body$;

-- Which partition it is, and by what it and those above it are attached: another text once one of them was detached and attached again.
CREATE OR REPLACE FUNCTION diptych.attached(part regclass) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT concat_ws(': ', part::oid, string_agg(concat_ws(' ', own.inhrelid, own.inhparent, own.xmin), ', ' ORDER BY own.inhrelid))
  FROM pg_partition_ancestors(part) AS above JOIN pg_inherits AS own ON own.inhrelid = above.relid
$body$;

-- Partitions that were attached since the start and have a row that was never converted, as the query finds it: it has a place for the partition, and
-- is run on a path of its own. A row whose conversion fails was not written by the older version since; what the query cannot ask is not known.
CREATE OR REPLACE FUNCTION diptych.unconverted(base text, version text, place text, path text, verify text, mark text) RETURNS SETOF text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  part text;
  missed text;
BEGIN
  -- what it evaluates would find what others have created since the start, with the migration role's rights
  IF diptych.meets_strangers(base) THEN
    RETURN;
  END IF;
  FOR part IN
    SELECT tree.relid::regclass::text FROM pg_partition_tree(place::regclass) AS tree WHERE tree.isleaf AND tree.level > 0 AND NOT EXISTS (SELECT FROM diptych.made AS made
      WHERE made.base = $1 AND made.version = $2 AND made.kind = 'partition' AND made.name = tree.relid::regclass::text AND made.definition = diptych.attached(tree.relid))
    ORDER BY tree.relid
  LOOP
    missed := NULL;
    BEGIN
      PERFORM set_config('search_path', path, true);
      EXECUTE overlay(verify PLACING part FROM strpos(verify, mark) FOR length(mark)) INTO missed;
    EXCEPTION
      WHEN data_exception THEN missed := SQLERRM;
      WHEN syntax_error_or_access_rule_violation THEN NULL;
    END;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    IF missed IS NOT NULL THEN
      RETURN NEXT part;
    END IF;
  END LOOP;
END
$body$;

-- A NOT NULL has a name from PostgreSQL 18 on, which it got when its column was called otherwise.
CREATE OR REPLACE FUNCTION diptych.name_not_null(place text, name text, wanted text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE so_far text;
BEGIN
  SELECT con.conname INTO so_far FROM pg_constraint AS con JOIN pg_attribute AS attribute ON attribute.attrelid = con.conrelid AND attribute.attnum = con.conkey[1]
  WHERE con.conrelid = place::regclass AND con.contype = 'n' AND attribute.attname = $2;
  IF so_far <> wanted AND NOT EXISTS (SELECT FROM pg_constraint AS con WHERE con.conrelid = place::regclass AND con.conname = wanted) THEN
    EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', place::regclass, so_far, wanted);
  END IF;
END
$body$;

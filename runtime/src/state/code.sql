-- The code of a version: functions, procedures, aggregates, views and materialized views in the version's schema, each with the names and
-- rights that its release finds there. `code` has the statements by the name of each.

-- noted when a version is published; a state of an earlier release lacks the column
ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS code jsonb NOT NULL DEFAULT '[]';

-- What may be code, and what may not, of all that is in a schema: what DROP calls its kind.
CREATE OR REPLACE FUNCTION diptych.objects(schema text) RETURNS TABLE (class oid, oid oid, kind text, own_name text, is_code boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT 'pg_class'::regclass, class.oid,
    CASE class.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
    class.relname::text, class.relkind IN ('v', 'm')
  FROM pg_class AS class WHERE class.relnamespace = to_regnamespace(quote_ident($1)) AND class.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
  UNION ALL
  SELECT 'pg_proc'::regclass, proc.oid, 'ROUTINE', proc.proname::text, true FROM pg_proc AS proc WHERE proc.pronamespace = to_regnamespace(quote_ident($1))
  UNION ALL
  SELECT 'pg_type'::regclass, type_.oid, CASE type_.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, type_.typname::text, false
  FROM pg_type AS type_ WHERE type_.typnamespace = to_regnamespace(quote_ident($1)) AND type_.typtype IN ('e', 'd', 'r')
$body$;

-- Runs the statements on a path that begins with a schema, in an order in which each finds what it needs; bodies that name each other are
-- looked at when all are there. What is wrong, by name: the server's words, or what is not code. Where a row comes back, nothing of the whole is to stay.
-- `tables` is the schema whose tables none may name itself.
CREATE OR REPLACE FUNCTION diptych.run_code(tables text, guard text, schema text, path text, code jsonb) RETURNS TABLE (name text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  waiting jsonb := code;
  reasons jsonb;
  item record;
  before oid[];
  made jsonb := '{}';
  moved boolean;
  is_late boolean := false;
BEGIN
  LOOP
    moved := false;
    reasons := '{}';
    FOR item IN SELECT * FROM jsonb_each_text(waiting) LOOP
      before := ARRAY(SELECT there.oid FROM diptych.objects(schema) AS there);
      BEGIN
        PERFORM set_config('check_function_bodies', CASE WHEN is_late THEN 'off' ELSE 'on' END, true), set_config('search_path', path, true);
        EXECUTE item.value;
        PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
        waiting := waiting - item.key;
        moved := true;
        made := made || jsonb_build_object(item.key, ARRAY(SELECT there.oid FROM diptych.objects(schema) AS there WHERE there.oid <> ALL (before)));
      EXCEPTION
        WHEN lock_not_available OR deadlock_detected OR insufficient_resources OR operator_intervention THEN RAISE;
        WHEN OTHERS THEN reasons := reasons || jsonb_build_object(item.key, SQLERRM);
      END;
    END LOOP;
    EXIT WHEN waiting = '{}' OR NOT moved AND is_late;
    is_late := NOT moved;
  END LOOP;
  PERFORM set_config('check_function_bodies', 'on', true);
  FOR item IN
    SELECT one.key, proc.oid, spoken.lanvalidator::regproc AS validator
    FROM jsonb_each(made) AS one CROSS JOIN LATERAL jsonb_array_elements_text(one.value) AS own (oid)
    JOIN pg_proc AS proc ON proc.oid = own.oid::oid AND proc.pronamespace = to_regnamespace(quote_ident(schema)) AND proc.prokind IN ('f', 'p', 'w')
    JOIN pg_language AS spoken ON spoken.oid = proc.prolang WHERE spoken.lanvalidator <> 0
  LOOP
    BEGIN
      PERFORM set_config('search_path', path, true);
      EXECUTE format('SELECT %s(%s)', item.validator, item.oid);
      PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    EXCEPTION WHEN OTHERS THEN reasons := reasons || jsonb_build_object(item.key, SQLERRM);
    END;
  END LOOP;
  RETURN QUERY
    SELECT reason.key, reason.value FROM jsonb_each_text(reasons) AS reason
    UNION ALL
    SELECT one.key, 'it creates nothing in its version: leave the schema out of the name, so that each version gets its own'
    FROM jsonb_each(made) AS one WHERE one.value = '[]'
    UNION ALL
    SELECT one.key, format('it creates a %s, which keeps rows or is used by tables: create it with an operation of its own, or with `sql`', lower(there.kind))
    FROM jsonb_each(made) AS one JOIN diptych.objects(schema) AS there ON one.value ? there.oid::text AND NOT there.is_code
    UNION ALL
    SELECT DISTINCT one.key, CASE used.relkind WHEN 'v' THEN format('it uses table `%s`, which the version does not have', used.relname)
      ELSE format('it names table `%s` itself: leave the schema out, so that each version finds its own', used.oid::regclass) END
    FROM jsonb_each(made) AS one JOIN diptych.objects(schema) AS there ON one.value ? there.oid::text
    LEFT JOIN pg_rewrite AS rule ON there.class = 'pg_class'::regclass AND rule.ev_class = there.oid
    JOIN pg_depend AS depend ON (depend.classid = there.class AND depend.objid = there.oid) OR (depend.classid = 'pg_rewrite'::regclass AND depend.objid = rule.oid)
    JOIN pg_class AS used ON (depend.refclassid = 'pg_class'::regclass AND used.oid = depend.refobjid) OR (depend.refclassid = 'pg_type'::regclass AND used.reltype = depend.refobjid AND used.reltype <> 0)
    WHERE (used.relnamespace = to_regnamespace(quote_ident(tables)) AND used.relkind IN ('r', 'p')) OR used.relnamespace = to_regnamespace(quote_ident(guard));
END
$body$;

-- What is wrong with a version's code, tried on empty twins of its tables before anything is changed. Nothing of it stays.
CREATE OR REPLACE FUNCTION diptych.broken_code(base text, guard text, path text, types jsonb, tables jsonb, code jsonb) RETURNS TABLE (name text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  twin CONSTANT text := '_diptych_tried';
  item record;
  found jsonb;
BEGIN
  BEGIN
    EXECUTE format('CREATE SCHEMA %I', twin);
    FOR item IN SELECT enum.key AS name, (SELECT string_agg(quote_literal(label), ', ' ORDER BY number) FROM jsonb_array_elements_text(enum.value) WITH ORDINALITY AS list (label, number)) AS labels FROM jsonb_each(types) AS enum LOOP
      EXECUTE format('CREATE TYPE %I.%I AS ENUM (%s)', twin, item.name, item.labels);
    END LOOP;
    FOR item IN
      SELECT table_.key AS name, table_.number,
        (SELECT string_agg(format('%I %s', column_.value ->> 0, column_.value ->> 1), ', ' ORDER BY column_.number) FROM jsonb_array_elements(table_.value) WITH ORDINALITY AS column_ (value, number)) AS columns
      FROM jsonb_each(tables) WITH ORDINALITY AS table_ (key, value, number)
    LOOP
      PERFORM set_config('search_path', format('%I, %s', twin, path), true);
      EXECUTE format('CREATE TABLE %I.%I (%s)', twin, 'diptych ' || item.number, item.columns);
      PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
      EXECUTE format('CREATE VIEW %1$I.%2$I AS SELECT * FROM %1$I.%3$I', twin, item.name, 'diptych ' || item.number);
    END LOOP;
    found := (SELECT jsonb_agg(jsonb_build_array(broken.name, broken.reason)) FROM diptych.run_code(base, guard, twin, format('%I, %s', twin, path), code) AS broken);
    RAISE EXCEPTION USING ERRCODE = 'DPT00';
  EXCEPTION WHEN SQLSTATE 'DPT00' THEN
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
  END;
  RETURN QUERY SELECT one.value ->> 0, replace(one.value ->> 1, twin || '.', '') FROM jsonb_array_elements(found) AS one ORDER BY 1;
END
$body$;

-- Creates a version's code in its schema, and notes it. What its statements grant to nobody has the rights of what it takes the place of: in the
-- older version, or in the base schema; what is new has those that are granted by default in the base schema.
CREATE OR REPLACE FUNCTION diptych.create_code(base text, guard text, version text, schema text, older text, path text, code jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  before CONSTANT oid[] := ARRAY(SELECT there.oid FROM diptych.objects(schema) AS there);
  broken record;
  object record;
  right_ record;
BEGIN
  FOR broken IN SELECT * FROM diptych.run_code(base, guard, schema, path, code) LOOP
    RAISE EXCEPTION USING ERRCODE = 'DPT02', MESSAGE = format('code `%s` cannot be created: %s', broken.name, broken.reason),
      HINT = 'run `rollback`, correct the statements, and start again';
  END LOOP;
  UPDATE diptych.versions AS own SET code = (
    SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('kind', there.kind, 'name', there.own_name)), '[]')
    FROM diptych.objects(create_code.schema) AS there WHERE there.oid <> ALL (before))
  WHERE own.base = create_code.base AND own.name = create_code.version;
  FOR object IN
    SELECT there.class, there.oid, CASE there.kind WHEN 'ROUTINE' THEN 'ROUTINE' ELSE 'TABLE' END AS kind,
      CASE there.kind WHEN 'ROUTINE' THEN there.oid::regprocedure::text ELSE there.oid::regclass::text END AS place,
      CASE there.kind WHEN 'ROUTINE' THEN proc.proowner ELSE own.relowner END AS owner,
      coalesce(
        (SELECT coalesce(other.proacl, acldefault('f', other.proowner)) FROM pg_proc AS other JOIN pg_namespace AS space ON space.oid = other.pronamespace
          WHERE there.kind = 'ROUTINE' AND space.nspname IN (older, base) AND other.proname = proc.proname
            AND ARRAY(SELECT type_.typname FROM unnest(other.proargtypes) WITH ORDINALITY AS argument (oid, number) JOIN pg_type AS type_ ON type_.oid = argument.oid ORDER BY argument.number)
              = ARRAY(SELECT type_.typname FROM unnest(proc.proargtypes) WITH ORDINALITY AS argument (oid, number) JOIN pg_type AS type_ ON type_.oid = argument.oid ORDER BY argument.number)
          ORDER BY space.nspname = older DESC LIMIT 1),
        (SELECT other.relacl FROM pg_class AS other JOIN pg_namespace AS space ON space.oid = other.relnamespace
          WHERE there.kind <> 'ROUTINE' AND space.nspname IN (older, base) AND other.relname = own.relname AND other.relkind IN ('v', 'm')
          ORDER BY space.nspname = older DESC LIMIT 1),
        (SELECT given.defaclacl FROM pg_default_acl AS given WHERE given.defaclnamespace = to_regnamespace(quote_ident(base)) AND given.defaclrole = coalesce(proc.proowner, own.relowner)
          AND given.defaclobjtype = CASE WHEN there.kind = 'ROUTINE' THEN 'f' ELSE 'r' END::"char")
      ) AS rights, CASE there.kind WHEN 'ROUTINE' THEN coalesce(proc.proacl, acldefault('f', proc.proowner)) ELSE own.relacl END AS so_far
    FROM diptych.objects(schema) AS there LEFT JOIN pg_proc AS proc ON there.kind = 'ROUTINE' AND proc.oid = there.oid LEFT JOIN pg_class AS own ON there.kind <> 'ROUTINE' AND own.oid = there.oid
    WHERE there.oid <> ALL (before)
      -- who grants or revokes something in the statements says all of it
      AND coalesce(proc.proacl, own.relacl) IS NOT DISTINCT FROM (SELECT given.defaclacl FROM pg_default_acl AS given WHERE given.defaclnamespace = 0
        AND given.defaclrole = coalesce(proc.proowner, own.relowner) AND given.defaclobjtype = CASE WHEN there.kind = 'ROUTINE' THEN 'f' ELSE 'r' END::"char")
  LOOP
    CONTINUE WHEN object.rights IS NULL;
    PERFORM diptych.take_rights(object.kind, object.place, object.owner, object.so_far);
    FOR right_ IN
      SELECT acl.privilege_type, acl.is_grantable, CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(role.rolname) END AS role
      FROM aclexplode(object.rights) AS acl LEFT JOIN pg_roles AS role ON role.oid = acl.grantee WHERE acl.grantee = 0 OR role.oid <> object.owner
    LOOP
      EXECUTE format('GRANT %s ON %s %s TO %s%s', right_.privilege_type, object.kind, object.place, right_.role, CASE WHEN right_.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
  END LOOP;
END
$body$;

-- A version's code goes, and whatever of it another piece uses after that one.
CREATE OR REPLACE FUNCTION diptych.drop_code(base text, version text, schema text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  object record;
  moved boolean;
  left_ text;
BEGIN
  LOOP
    moved := false;
    left_ := NULL;
    FOR object IN
      SELECT there.kind, CASE there.kind WHEN 'ROUTINE' THEN there.oid::regprocedure::text ELSE there.oid::regclass::text END AS place
      FROM diptych.versions AS own CROSS JOIN LATERAL jsonb_to_recordset(own.code) AS noted (kind text, name text)
      JOIN diptych.objects($3) AS there ON there.kind = noted.kind AND there.own_name = noted.name
      WHERE own.base = $1 AND own.name = $2
    LOOP
      BEGIN
        EXECUTE format('DROP %s %s', object.kind, object.place);
        moved := true;
      EXCEPTION WHEN dependent_objects_still_exist THEN
        left_ := SQLERRM;
      END;
    END LOOP;
    EXIT WHEN left_ IS NULL;
    IF NOT moved THEN
      RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist', MESSAGE = left_;
    END IF;
  END LOOP;
END
$body$;

-- The code of a version: functions, procedures, aggregates, views and materialized views in the version's schema, each with the names and
-- rights that its release finds there. `code` has the statements by the name of each.

-- What is in a schema: what DROP calls its kind, its name (that of a routine with its types, which tell it from others of its name), and whether
-- it may be code.
CREATE OR REPLACE FUNCTION diptych.objects(schema text) RETURNS TABLE (class oid, oid oid, kind text, own_name text, is_code boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT 'pg_class'::regclass, class.oid,
    CASE class.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
    class.relname::text, class.relkind IN ('v', 'm')
  FROM pg_class AS class WHERE class.relnamespace = to_regnamespace(quote_ident($1)) AND class.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
  UNION ALL
  SELECT 'pg_proc'::regclass, proc.oid, 'ROUTINE', proc.proname || coalesce(
    (SELECT '(' || string_agg(type_.typname, ', ' ORDER BY argument.number) || ')' FROM unnest(proc.proargtypes) WITH ORDINALITY AS argument (oid, number) JOIN pg_type AS type_ ON type_.oid = argument.oid), '()'), true
  FROM pg_proc AS proc WHERE proc.pronamespace = to_regnamespace(quote_ident($1))
  UNION ALL
  SELECT 'pg_type'::regclass, type_.oid, CASE type_.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, type_.typname::text, false
  FROM pg_type AS type_ WHERE type_.typnamespace = to_regnamespace(quote_ident($1)) AND type_.typtype IN ('e', 'd', 'r')
$body$;

-- Runs the statements on a path that begins with a schema, in an order in which each finds what it needs; bodies that name each other are
-- looked at when all are there. What is wrong, by name: the server's words, or what is not code. Where a row comes back, nothing of the whole is to stay.
-- `tables` is the schema whose tables none may name itself, and in which none may create anything.
CREATE OR REPLACE FUNCTION diptych.run_code(tables text, guard text, schema text, path text, code jsonb) RETURNS TABLE (name text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  waiting jsonb := code;
  reasons jsonb := '{}';
  item record;
  known CONSTANT text[] := ARRAY(SELECT there.oid || ' ' || there.own_name FROM diptych.objects(schema) AS there);
  outside CONSTANT oid[] := ARRAY(SELECT there.oid FROM diptych.objects(tables) AS there);
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
    SELECT * FROM diptych.judge_code(tables, guard, schema, made)
    UNION ALL
    SELECT item_.key, format('it creates %s %s outside its version: leave that to an operation of its own, or to `sql`', lower(there.kind), there.own_name)
    FROM (SELECT min(one.key) AS key FROM jsonb_each(code) AS one) AS item_, diptych.objects(tables) AS there WHERE there.oid <> ALL (outside)
    UNION ALL
    SELECT item_.key, 'it changes the version''s views of tables: leave them as they are'
    FROM (SELECT min(one.key) AS key FROM jsonb_each(code) AS one) AS item_
    WHERE EXISTS (SELECT FROM unnest(known) AS there (text) WHERE there.text NOT IN (SELECT now.oid || ' ' || now.own_name FROM diptych.objects(schema) AS now));
END
$body$;

-- What is no code of all that was made (the objects' numbers, by the name of what made them), or hangs on what is not the version's own.
CREATE OR REPLACE FUNCTION diptych.judge_code(tables text, guard text, schema text, made jsonb) RETURNS TABLE (name text, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  WITH own AS (SELECT one.key, there.* FROM jsonb_each($4) AS one JOIN diptych.objects($3) AS there ON one.value ? there.oid::text),
  others AS (SELECT version.views FROM diptych.versions AS version WHERE version.views <> $3),
  uses AS (
    SELECT own.key, depend.refclassid, depend.refobjid FROM own LEFT JOIN pg_rewrite AS rule ON own.class = 'pg_class'::regclass AND rule.ev_class = own.oid
    JOIN pg_depend AS depend ON (depend.classid = own.class AND depend.objid = own.oid) OR (depend.classid = 'pg_rewrite'::regclass AND depend.objid = rule.oid)
  ),
  used AS (
    SELECT uses.key, class.relkind, class.relname::text, class.oid::regclass::text AS place, space.nspname FROM uses
    LEFT JOIN pg_type AS type_ ON uses.refclassid = 'pg_type'::regclass AND type_.oid = uses.refobjid
    LEFT JOIN pg_type AS element ON element.oid = type_.typelem AND type_.typcategory = 'A'
    JOIN pg_class AS class ON class.oid = CASE WHEN uses.refclassid = 'pg_class'::regclass THEN uses.refobjid ELSE nullif(coalesce(element.typrelid, type_.typrelid), 0) END
    JOIN pg_namespace AS space ON space.oid = class.relnamespace
    UNION ALL
    SELECT uses.key, 'f', proc.proname::text, proc.oid::regprocedure::text, space.nspname FROM uses
    JOIN pg_proc AS proc ON uses.refclassid = 'pg_proc'::regclass AND proc.oid = uses.refobjid JOIN pg_namespace AS space ON space.oid = proc.pronamespace
  )
  SELECT one.key, 'it creates nothing in its version: leave the schema out of the name, so that each version gets its own'
  FROM jsonb_each($4) AS one WHERE one.value = '[]'
  UNION ALL
  SELECT own.key, format('it creates a %s, which keeps rows or is used by tables: create it with an operation of its own, or with `sql`', lower(own.kind)) FROM own WHERE NOT own.is_code
  UNION ALL
  -- a view comes first on the path of every session
  SELECT own.key, format('it creates a view with the name of %s `%s`, which no session would find: choose another name', CASE class.relkind WHEN 'S' THEN 'sequence' ELSE 'composite type' END, class.relname)
  FROM own JOIN pg_class AS class ON class.relnamespace = to_regnamespace(quote_ident($1))::oid AND class.relname = own.own_name AND class.relkind IN ('S', 'c') WHERE own.class = 'pg_class'::regclass
  UNION ALL
  -- what would be left over, or hold it back, when it is dropped
  SELECT own.key, format('it creates %s, which is no part of a version', pg_describe_object(depend.classid, depend.objid, 0))
  FROM own JOIN pg_depend AS depend ON depend.refclassid = own.class AND depend.refobjid = own.oid
  WHERE depend.classid IN ('pg_operator'::regclass, 'pg_cast'::regclass, 'pg_opfamily'::regclass, 'pg_opclass'::regclass, 'pg_ts_parser'::regclass, 'pg_ts_template'::regclass, 'pg_event_trigger'::regclass,
    'pg_foreign_data_wrapper'::regclass, 'pg_language'::regclass, 'pg_transform'::regclass, 'pg_conversion'::regclass)
  UNION ALL
  SELECT (SELECT min(one.key) FROM jsonb_each($4) AS one), format('it creates %s, which is no part of a version', pg_describe_object(depend.classid, depend.objid, 0))
  FROM pg_depend AS depend WHERE depend.refclassid = 'pg_namespace'::regclass AND depend.refobjid = to_regnamespace(quote_ident($3))::oid
    AND depend.classid IN ('pg_collation'::regclass, 'pg_ts_config'::regclass, 'pg_ts_dict'::regclass, 'pg_ts_parser'::regclass, 'pg_ts_template'::regclass, 'pg_conversion'::regclass, 'pg_extension'::regclass)
  UNION ALL
  SELECT (SELECT min(one.key) FROM jsonb_each($4) AS one), format('it creates trigger `%s` on the version''s view of a table: create it on the table, with `sql`', trigger_.tgname)
  FROM pg_trigger AS trigger_ JOIN pg_class AS class ON class.oid = trigger_.tgrelid
  WHERE class.relnamespace = to_regnamespace(quote_ident($3))::oid AND NOT trigger_.tgisinternal AND class.oid NOT IN (SELECT own.oid FROM own)
  UNION ALL
  SELECT DISTINCT used.key, CASE WHEN used.nspname = $2 THEN format('it uses table `%s`, which the version does not have', used.relname)
    WHEN used.nspname = $1 THEN format('it names table `%s` itself: leave the schema out, so that each version finds its own', used.place)
    ELSE format('it uses `%s`, which is another version''s: leave the schema out, so that each version finds its own', used.place) END
  FROM used WHERE (used.nspname = $1 AND used.relkind IN ('r', 'p')) OR (used.nspname = $2 AND used.relkind <> 'f') OR used.nspname IN (SELECT others.views FROM others)
$body$;

-- What is wrong with a version's code, tried on empty twins of its tables before anything is changed; `known` names all that the model has so far.
-- Nothing of it stays. Where somebody else may have put what it finds, it is not run.
CREATE OR REPLACE FUNCTION diptych.broken_code(base text, guard text, path text, types jsonb, tables jsonb, known text[], code jsonb) RETURNS TABLE (name text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  twin CONSTANT text := '_diptych_tried';
  found jsonb;
BEGIN
  IF EXISTS (SELECT FROM diptych.strangers(ARRAY[base, 'public'])) THEN
    RETURN;
  END IF;
  BEGIN
    PERFORM diptych.make_twins(base, twin, path, types, tables, known, NULL);
    found := (SELECT jsonb_agg(jsonb_build_array(broken.name, broken.reason)) FROM diptych.run_code(base, guard, twin, format('%I, %s', twin, path), code) AS broken);
    RAISE EXCEPTION USING ERRCODE = 'DPT00';
  EXCEPTION WHEN SQLSTATE 'DPT00' THEN
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
  END;
  RETURN QUERY SELECT one.value ->> 0, replace(one.value ->> 1, twin || '.', '') FROM jsonb_array_elements(found) AS one ORDER BY 1;
END
$body$;

-- Creates a version's code in its schema, and notes it. What its statements grant to nobody has the rights of what it takes the place of: in the
-- older version, or in the base schema; what is new has besides its own those that are granted by default in the base schema.
CREATE OR REPLACE FUNCTION diptych.create_code(base text, guard text, version text, schema text, older text, path text, code jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  before CONSTANT oid[] := ARRAY(SELECT there.oid FROM diptych.objects(schema) AS there);
  broken record;
  object record;
BEGIN
  FOR broken IN SELECT stranger.what, stranger.mend FROM diptych.strangers(ARRAY[base, 'public']) AS stranger LOOP
    RAISE EXCEPTION USING ERRCODE = 'DPT02', MESSAGE = format('the version''s code could meet what others put where it looks names up: %s', broken.what), HINT = broken.mend;
  END LOOP;
  FOR broken IN SELECT * FROM diptych.run_code(base, guard, schema, path, code) LOOP
    RAISE EXCEPTION USING ERRCODE = 'DPT02', MESSAGE = format('code `%s` cannot be created: %s', broken.name, broken.reason),
      HINT = 'run `rollback`, correct the statements, and start again';
  END LOOP;
  UPDATE diptych.versions AS own SET code = (
    SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('kind', there.kind, 'name', there.own_name)), '[]')
    FROM diptych.objects(create_code.schema) AS there WHERE there.oid <> ALL (before))
  WHERE own.base = create_code.base AND own.name = create_code.version;
  FOR object IN
    SELECT there.class, there.oid, there.own_name, CASE there.kind WHEN 'ROUTINE' THEN 'ROUTINE' ELSE 'TABLE' END AS kind,
      CASE there.kind WHEN 'ROUTINE' THEN there.oid::regprocedure::text ELSE there.oid::regclass::text END AS place, coalesce(proc.proowner, own.relowner) AS owner,
      coalesce(proc.proname, own.relname) AS plain_name,
      CASE there.kind WHEN 'ROUTINE' THEN coalesce(proc.proacl, acldefault('f', proc.proowner)) ELSE own.relacl END AS so_far
    FROM diptych.objects(schema) AS there LEFT JOIN pg_proc AS proc ON there.kind = 'ROUTINE' AND proc.oid = there.oid LEFT JOIN pg_class AS own ON there.kind <> 'ROUTINE' AND own.oid = there.oid
    WHERE there.oid <> ALL (before)
      -- who grants or revokes something in the statements says all of it
      AND coalesce(proc.proacl, own.relacl) IS NOT DISTINCT FROM (SELECT given.defaclacl FROM pg_default_acl AS given WHERE given.defaclnamespace = 0
        AND given.defaclrole = coalesce(proc.proowner, own.relowner) AND given.defaclobjtype = CASE WHEN there.kind = 'ROUTINE' THEN 'f' ELSE 'r' END::"char")
  LOOP
    PERFORM diptych.give_code_rights(base, older, object.kind, object.oid, object.own_name, object.plain_name, object.place, object.owner, object.so_far);
  END LOOP;
  PERFORM diptych.guard(guard, ARRAY[older, schema], ARRAY(SELECT there.own_name FROM diptych.objects(schema) AS there WHERE there.kind <> 'ROUTINE' AND there.oid <> ALL (before)));
END
$body$;

-- The rights of a piece of code that takes another's place: of the same name in the older version or the base schema, and of the same arguments; or of other
-- arguments, where there is but one.
CREATE OR REPLACE FUNCTION diptych.give_code_rights(base text, older text, kind text, object oid, own_name text, plain_name text, place text, owner oid, so_far aclitem[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  source record;
  right_ record;
BEGIN
  SELECT there.oid, coalesce(proc.proacl, class.relacl, acldefault('f', proc.proowner)) AS rights INTO source
  FROM unnest(ARRAY[older, base]) WITH ORDINALITY AS space (name, number)
  CROSS JOIN LATERAL diptych.objects(space.name) AS there LEFT JOIN pg_proc AS proc ON there.kind = 'ROUTINE' AND proc.oid = there.oid
  LEFT JOIN pg_class AS class ON there.kind <> 'ROUTINE' AND class.oid = there.oid
  WHERE there.is_code AND (there.kind = 'ROUTINE') = (give_code_rights.kind = 'ROUTINE') AND coalesce(proc.proname, class.relname) = plain_name
    AND (there.own_name = give_code_rights.own_name OR (there.kind = 'ROUTINE' AND 1 = (SELECT count(*) FROM diptych.objects(space.name) AS other JOIN pg_proc AS named ON named.oid = other.oid WHERE other.kind = 'ROUTINE' AND named.proname = plain_name)))
  ORDER BY space.number, there.own_name = give_code_rights.own_name DESC LIMIT 1;
  IF FOUND THEN
    PERFORM diptych.take_rights(kind, place, owner, so_far);
  ELSE
    SELECT NULL::oid AS oid, given.defaclacl AS rights INTO source FROM pg_default_acl AS given
    WHERE given.defaclnamespace = to_regnamespace(quote_ident(base)) AND given.defaclrole = owner AND given.defaclobjtype = CASE kind WHEN 'ROUTINE' THEN 'f' ELSE 'r' END::"char";
  END IF;
  FOR right_ IN
    SELECT acl.privilege_type || coalesce(' (' || quote_ident(given.attname) || ')', '') AS what, acl.is_grantable, CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(role.rolname) END AS role
    FROM (
      SELECT source.rights AS rights, NULL::name AS attname
      UNION ALL
      SELECT attribute.attacl, attribute.attname FROM pg_attribute AS attribute
      JOIN pg_attribute AS own ON own.attrelid = object AND own.attname = attribute.attname AND own.attnum > 0
      WHERE kind <> 'ROUTINE' AND attribute.attrelid = source.oid AND attribute.attnum > 0 AND attribute.attacl IS NOT NULL
    ) AS given CROSS JOIN LATERAL aclexplode(given.rights) AS acl LEFT JOIN pg_roles AS role ON role.oid = acl.grantee WHERE acl.grantee = 0 OR role.oid <> owner
  LOOP
    EXECUTE format('GRANT %s ON %s %s TO %s%s', right_.what, kind, place, right_.role, CASE WHEN right_.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
  END LOOP;
END
$body$;

-- A version's code goes, and whatever of it another piece uses after that one; the guard in its place, where no other version has it.
CREATE OR REPLACE FUNCTION diptych.drop_code(base text, guard text, version text, schema text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  object record;
  moved boolean;
  left_ text;
  detail_ text;
BEGIN
  LOOP
    moved := false;
    left_ := NULL;
    FOR object IN
      SELECT there.kind, CASE there.kind WHEN 'ROUTINE' THEN there.oid::regprocedure::text ELSE there.oid::regclass::text END AS place
      FROM diptych.versions AS own CROSS JOIN LATERAL jsonb_to_recordset(own.code) AS noted (kind text, name text)
      JOIN diptych.objects($4) AS there ON there.kind = noted.kind AND there.own_name = noted.name
      WHERE own.base = $1 AND own.name = $3
    LOOP
      BEGIN
        EXECUTE format('DROP %s %s', object.kind, object.place);
        moved := true;
      EXCEPTION WHEN dependent_objects_still_exist THEN
        GET STACKED DIAGNOSTICS left_ = MESSAGE_TEXT, detail_ = PG_EXCEPTION_DETAIL;
      END;
    END LOOP;
    EXIT WHEN left_ IS NULL;
    IF NOT moved THEN
      RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist', MESSAGE = concat_ws('; ', left_, detail_);
    END IF;
  END LOOP;
  PERFORM diptych.unguard(guard, ARRAY(
    SELECT noted.name FROM diptych.versions AS own CROSS JOIN LATERAL jsonb_to_recordset(own.code) AS noted (kind text, name text)
    WHERE own.base = $1 AND own.name = $3 AND noted.kind <> 'ROUTINE'
      AND NOT EXISTS (SELECT FROM diptych.versions AS other CROSS JOIN LATERAL jsonb_to_recordset(other.code) AS kept (kind text, name text)
        WHERE other.base = $1 AND other.name <> $3 AND other.state NOT IN ('retired', 'rolled_back') AND kept.name = noted.name AND kept.kind <> 'ROUTINE')
      AND NOT EXISTS (SELECT FROM diptych.versions AS other CROSS JOIN LATERAL jsonb_object_keys(other.model -> 'tables') AS table_ (name)
        WHERE other.base = $1 AND other.name <> $3 AND other.state NOT IN ('retired', 'rolled_back') AND table_.name = noted.name)));
END
$body$;

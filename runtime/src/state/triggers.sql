-- Triggers of the application's own tables, and their functions, which a file of code exchanges with the table.

-- The triggers that these tables of a base schema have, or partitions of theirs, with the bits of what they fire for, and whether their function is
-- one to run.
CREATE OR REPLACE FUNCTION diptych.own_triggers(base text, tables text[]) RETURNS TABLE (oid oid, name text, root oid, kind integer, is_tried boolean, body text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT trigger_.oid, trigger_.tgname::text, root.oid, trigger_.tgtype::integer, diptych.trusts(proc.proowner), proc.prosrc
  FROM unnest($2) AS given (name)
  JOIN pg_class AS root ON root.relname = given.name AND root.relnamespace = to_regnamespace(quote_ident($1))
  CROSS JOIN LATERAL (SELECT root.oid UNION SELECT tree.relid FROM pg_partition_tree(root.oid) AS tree) AS table_ (oid)
  JOIN pg_trigger AS trigger_ ON trigger_.tgrelid = table_.oid
  JOIN pg_proc AS proc ON proc.oid = trigger_.tgfoid JOIN pg_namespace AS home ON home.oid = proc.pronamespace
  WHERE NOT trigger_.tgisinternal AND trigger_.tgparentid = 0 AND trigger_.tgenabled <> 'D' AND home.nspname <> 'diptych'
$body$;

-- A trigger once more, on another table, and for all of its rows and columns.
CREATE OR REPLACE FUNCTION diptych.trigger_on(oid oid, place text) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT format('CREATE TRIGGER %I %s %s ON %s %s FOR EACH %s EXECUTE FUNCTION %I.%I(%s)', trigger_.tgname,
    CASE WHEN trigger_.tgtype & 2 > 0 THEN 'BEFORE' ELSE 'AFTER' END,
    concat_ws(' OR ', CASE WHEN trigger_.tgtype & 4 > 0 THEN 'INSERT' END, CASE WHEN trigger_.tgtype & 8 > 0 THEN 'DELETE' END,
      CASE WHEN trigger_.tgtype & 16 > 0 THEN 'UPDATE' END, CASE WHEN trigger_.tgtype & 32 > 0 THEN 'TRUNCATE' END),
    $2,
    CASE WHEN trigger_.tgoldtable IS NOT NULL OR trigger_.tgnewtable IS NOT NULL THEN
      concat_ws(' ', 'REFERENCING', 'OLD TABLE AS ' || quote_ident(trigger_.tgoldtable), 'NEW TABLE AS ' || quote_ident(trigger_.tgnewtable)) END,
    CASE WHEN trigger_.tgtype & 1 > 0 THEN 'ROW' ELSE 'STATEMENT' END, home.nspname, proc.proname,
    -- arguments are kept one after the other, each with a zero byte behind it
    (SELECT string_agg(quote_literal(convert_from(decode(replace(argument.hex, ' ', ''), 'hex'), getdatabaseencoding())), ', ' ORDER BY argument.number)
      FROM string_to_table(regexp_replace(encode(trigger_.tgargs, 'hex'), '(..)', '\1 ', 'g'), '00 ') WITH ORDINALITY AS argument (hex, number) WHERE argument.number <= trigger_.tgnargs))
  FROM pg_trigger AS trigger_ JOIN pg_proc AS proc ON proc.oid = trigger_.tgfoid JOIN pg_namespace AS home ON home.oid = proc.pronamespace WHERE trigger_.oid = $1
$body$;

-- Whether a trigger that is fired here may come to code of roles that are not trusted, which would then run with the migration role's rights: it is named in
-- a body of a trusted role, it is a trigger's, or a table's rule, default or constraint hangs on it. Only what has no name of theirs in it is fired.
CREATE OR REPLACE FUNCTION diptych.meets_strangers(base text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  WITH stranger AS MATERIALIZED (SELECT role.oid FROM pg_roles AS role WHERE NOT diptych.trusts(role.oid)),
  theirs AS MATERIALIZED (
    SELECT 'pg_proc'::regclass AS class, proc.oid, proc.proname::text AS name FROM pg_proc AS proc JOIN stranger ON stranger.oid = proc.proowner
    UNION ALL
    SELECT 'pg_operator'::regclass, operator_.oid, space.nspname::text FROM pg_operator AS operator_ JOIN stranger ON stranger.oid = operator_.oprowner JOIN pg_namespace AS space ON space.oid = operator_.oprnamespace
    UNION ALL
    SELECT 'pg_class'::regclass, class.oid, class.relname::text FROM pg_class AS class JOIN stranger ON stranger.oid = class.relowner WHERE class.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION ALL
    SELECT 'pg_type'::regclass, type_.oid, type_.typname::text FROM pg_type AS type_ JOIN stranger ON stranger.oid = type_.typowner WHERE type_.typtype IN ('d', 'b') AND type_.typcategory <> 'A'
  ),
  word AS MATERIALIZED (
    SELECT DISTINCT part.text FROM pg_proc AS proc JOIN pg_namespace AS home ON home.oid = proc.pronamespace
    CROSS JOIN LATERAL regexp_split_to_table(lower(concat(proc.prosrc, ' ', proc.proconfig::text)), '\W+') AS part (text)
    WHERE home.nspname NOT IN ('pg_catalog', 'information_schema', 'diptych') AND proc.proowner NOT IN (SELECT stranger.oid FROM stranger)
      AND NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.classid = 'pg_proc'::regclass AND depend.objid = proc.oid AND depend.deptype = 'e')
  )
  SELECT EXISTS (SELECT FROM diptych.strangers(ARRAY[$1, 'public'])) OR (EXISTS (SELECT FROM theirs) AND (
    EXISTS (SELECT FROM pg_trigger AS trigger_ JOIN theirs ON theirs.class = 'pg_proc'::regclass AND theirs.oid = trigger_.tgfoid WHERE trigger_.tgrelid IN (
      SELECT class.oid FROM pg_class AS class WHERE class.relowner NOT IN (SELECT stranger.oid FROM stranger)))
    OR EXISTS (SELECT FROM pg_depend AS depend JOIN theirs ON theirs.class = depend.refclassid AND theirs.oid = depend.refobjid AND theirs.class <> 'pg_class'::regclass
      LEFT JOIN pg_attrdef AS value ON depend.classid = 'pg_attrdef'::regclass AND value.oid = depend.objid LEFT JOIN pg_constraint AS rule ON depend.classid = 'pg_constraint'::regclass AND rule.oid = depend.objid
      LEFT JOIN pg_rewrite AS rewrite ON depend.classid = 'pg_rewrite'::regclass AND rewrite.oid = depend.objid
      JOIN pg_class AS class ON class.oid = coalesce(value.adrelid, rule.conrelid, rewrite.ev_class, CASE WHEN depend.classid = 'pg_class'::regclass THEN depend.objid END) WHERE class.relowner NOT IN (SELECT stranger.oid FROM stranger))
    -- every word of the name is one of the bodies'
    OR EXISTS (SELECT FROM theirs WHERE NOT EXISTS (SELECT FROM regexp_split_to_table(lower(theirs.name), '\W+') AS part (text) WHERE part.text <> '' AND part.text NOT IN (SELECT word.text FROM word)))))
$body$;

-- What an application's writes fail of, with the server's code and the trigger's body, on a table that `prepare` makes, with one row, and with a trigger on it. Nothing
-- of it stays.
CREATE OR REPLACE FUNCTION diptych.fire(prepare text, place text, definition text, kind integer, path text) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  columns text;
  same text;
  body text;
  failed text[];
BEGIN
  BEGIN
    EXECUTE prepare;
    SELECT string_agg(quote_ident(attribute.attname), ', ' ORDER BY attribute.attnum), string_agg(format('%1$I = %1$I', attribute.attname), ', ' ORDER BY attribute.attnum) INTO columns, same
    FROM pg_attribute AS attribute WHERE attribute.attrelid = place::regclass AND attribute.attnum > 0 AND NOT attribute.attisdropped;
    PERFORM set_config('search_path', path, true);
    EXECUTE definition;
    body := (SELECT string_agg(concat(proc.prosrc, proc.proconfig::text), ' ') FROM pg_trigger AS trigger_ JOIN pg_proc AS proc ON proc.oid = trigger_.tgfoid WHERE trigger_.tgrelid = place::regclass AND NOT trigger_.tgisinternal);
    IF kind & 4 > 0 THEN
      EXECUTE format('INSERT INTO %1$s (%2$s) SELECT %2$s FROM %1$s LIMIT 1', place, columns);
    END IF;
    IF kind & 16 > 0 THEN
      EXECUTE format('UPDATE %s SET %s', place, same);
    END IF;
    IF kind & 8 > 0 THEN
      EXECUTE format('DELETE FROM %s', place);
    END IF;
    SET CONSTRAINTS ALL IMMEDIATE;
    RAISE EXCEPTION USING ERRCODE = 'DPT00';
  EXCEPTION
    WHEN lock_not_available OR deadlock_detected OR insufficient_resources OR operator_intervention THEN RAISE;
    WHEN SQLSTATE 'DPT00' THEN NULL;
    WHEN OTHERS THEN failed := ARRAY[SQLSTATE, SQLERRM, body];
  END;
  PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
  RETURN failed;
END
$body$;

-- Whether a trigger's body seems to read a column of its row.
CREATE OR REPLACE FUNCTION diptych.reads(body text, column_ text) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT $1 ~* format('\m(new|old)\s*\.\s*"?%s\M', regexp_replace($2, '(\W)', '\\\1', 'g'))
$body$;

-- Whether a trigger's failure tells of a name or a type that is not there, or of a constant of its own that no longer is one of its column's type;
-- others may come of the one row that it is tried with.
CREATE OR REPLACE FUNCTION diptych.is_unfit(failed text[]) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT coalesce($1[1] IN ('42703', '42P01', '42883', '42804', '42702')
    OR $1[1] = '22P02' AND strpos($1[3], quote_literal(substring($1[2] from '"(.*)"$'))) > 0, false)
$body$;

-- The triggers that work on their tables and would fail for the newer version's sessions: on the table as it is (`is_final` is false), and with the
-- functions and triggers to come on the table's final form. Tried on twins of all that (`twins` has the arguments of `make_twins`, and the version's code; `older` is the path
-- of the application so far), of which nothing stays. `changes` has for each table its present name, its final one, the columns that go on
-- with their names of then, the triggers that go, and those that come as what stands around the table's name. A body that names the tables themselves
-- meets those that are there, and not the twins: what fails of it says nothing.
CREATE OR REPLACE FUNCTION diptych.broken_later(base text, older text, path text, twins jsonb, changes jsonb, functions jsonb)
RETURNS TABLE (name text, reason text, is_final boolean) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  twin CONSTANT text := '_diptych_tried';
  present CONSTANT text := '_diptych_present';
  concerned CONSTANT text[] := ARRAY(SELECT change.value ->> 'table' FROM jsonb_array_elements(changes) AS change WHERE change.value ->> 'table' IS NOT NULL);
  -- tables that stay as they are, whose triggers call a function that does not
  others CONSTANT text[] := ARRAY(SELECT DISTINCT class.relname::text FROM pg_trigger AS trigger_ JOIN pg_proc AS proc ON proc.oid = trigger_.tgfoid JOIN pg_class AS class ON class.oid = trigger_.tgrelid
    WHERE class.relnamespace = to_regnamespace(quote_ident(base)) AND proc.pronamespace = class.relnamespace AND functions ? proc.proname::text AND class.relname <> ALL (concerned) AND NOT class.relispartition);
  pinned CONSTANT text := format('\m"?%s"?\s*\.|search_path', regexp_replace(base, '(\W)', '\\\1', 'g'));
  item record;
  failed text[];
  works oid[] := '{}';
  found jsonb := '[]';
BEGIN
  IF (functions = '{}' AND NOT EXISTS (SELECT FROM diptych.own_triggers(base, concerned))
    AND NOT EXISTS (SELECT FROM jsonb_array_elements(changes) AS change WHERE change.value -> 'made' <> '{}')) OR diptych.meets_strangers(base) THEN
    RETURN;
  END IF;
  BEGIN
    -- only of tables that are tried, or whose name is in a body anywhere
    PERFORM diptych.make_twins(base, twin, path, twins -> 'types', twins -> 'tables', ARRAY(SELECT jsonb_array_elements_text(twins -> 'known')), ARRAY(
      SELECT lower(proc.prosrc) FROM pg_proc AS proc WHERE proc.pronamespace = to_regnamespace(quote_ident(base)) AND NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.classid = 'pg_proc'::regclass AND depend.objid = proc.oid AND depend.deptype = 'e')
      UNION ALL SELECT lower(change.value ->> 'name') FROM jsonb_array_elements(changes) AS change UNION ALL SELECT lower(given.value) FROM jsonb_each_text(functions) AS given
      UNION ALL SELECT lower(given.value) FROM jsonb_each_text(twins -> 'code') AS given));
    EXECUTE format('CREATE SCHEMA %I', present);
    -- what of it cannot be created is told elsewhere
    PERFORM diptych.run_code(base, twins ->> 'guard', twin, format('%I, %s', twin, path), twins -> 'code') WHERE twins -> 'code' <> '{}';
    FOR shape IN 1..3 LOOP
      -- what is not there comes with a new table, the rest at complete
      FOR item IN
        SELECT given.key, given.value FROM jsonb_each_text(functions) AS given
        WHERE shape = 3 OR (shape = 2 AND NOT EXISTS (SELECT FROM pg_proc AS proc WHERE proc.proname = given.key AND proc.pronamespace = to_regnamespace(quote_ident(base)) AND proc.pronargs = 0))
      LOOP
        BEGIN
          PERFORM set_config('search_path', format('%I, %s', base, path), true), set_config('check_function_bodies', 'off', true);
          EXECUTE item.value;
        EXCEPTION WHEN OTHERS THEN found := found || jsonb_build_object('name', item.key, 'reason', SQLERRM, 'is_final', true);
        END;
        PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
      END LOOP;
      FOR item IN
        SELECT own.oid, own.name, change.value ->> 'name' AS table_, own.kind, CASE shape WHEN 3 THEN twin_.place ELSE before.place END AS place,
          CASE shape WHEN 3 THEN diptych.first_row(own.root::regclass, twin, twin_.number, twin_.place, change.value) ELSE before.prepare END AS prepare,
          diptych.trigger_on(own.oid, CASE shape WHEN 3 THEN twin_.place ELSE before.place END) AS definition
        FROM jsonb_array_elements(changes) AS change CROSS JOIN LATERAL diptych.own_triggers(base, ARRAY[change.value ->> 'table']) AS own
        CROSS JOIN LATERAL diptych.twin_of(twin, twins -> 'tables', change.value ->> 'name') AS twin_
        CROSS JOIN LATERAL diptych.as_it_is(own.root::regclass, present) AS before
        WHERE own.is_tried AND (shape = 1 OR own.oid = ANY (works))
          AND NOT (shape = 3 AND (change.value -> 'gone' ? own.name OR change.value -> 'made' ? own.name))
        UNION ALL
        SELECT NULL, made.key, change.value ->> 'name', 28, twin_.place,
          diptych.first_row(to_regclass(quote_ident(base) || '.' || quote_ident(change.value ->> 'table')), twin, twin_.number, twin_.place, change.value),
          concat(made.value ->> 0, twin_.place, made.value ->> 1)
        FROM jsonb_array_elements(changes) AS change CROSS JOIN LATERAL jsonb_each(change.value -> 'made') AS made
        CROSS JOIN LATERAL diptych.twin_of(twin, twins -> 'tables', change.value ->> 'name') AS twin_
        WHERE shape = 3 OR (shape = 2 AND change.value ->> 'table' IS NULL)
        UNION ALL
        SELECT own.oid, own.name, class.relname::text, own.kind, before.place, before.prepare, diptych.trigger_on(own.oid, before.place)
        FROM diptych.own_triggers(base, others) AS own JOIN pg_class AS class ON class.oid = own.root CROSS JOIN LATERAL diptych.as_it_is(own.root::regclass, present) AS before
        WHERE own.is_tried AND shape <> 2 AND (shape = 1 OR own.oid = ANY (works))
      LOOP
        failed := diptych.fire(item.prepare, item.place, item.definition, item.kind, CASE shape WHEN 1 THEN older ELSE format('%I, %s', twin, path) END);
        IF failed IS NULL AND shape = 1 THEN
          works := works || item.oid;
        ELSIF shape > 1 AND diptych.is_unfit(failed) AND coalesce(failed[3] !~* pinned, true) THEN
          -- what fails already is told once
          works := array_remove(works, item.oid);
          found := found || jsonb_build_object('name', format('%s on %s', item.name, item.table_), 'reason', failed[2], 'is_final', shape = 3);
        END IF;
      END LOOP;
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'DPT00';
  EXCEPTION WHEN SQLSTATE 'DPT00' THEN
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
  END;
  RETURN QUERY SELECT one.value ->> 'name', one.value ->> 'reason', (one.value ->> 'is_final')::boolean FROM jsonb_array_elements(found) AS one (value);
END
$body$;

-- Where `make_twins` has put a table, and where it is when it has its name.
CREATE OR REPLACE FUNCTION diptych.twin_of(twin text, tables jsonb, name text) RETURNS TABLE (number bigint, place text) LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT table_.number, format('%I.%I', $1, $3) FROM jsonb_object_keys($2) WITH ORDINALITY AS table_ (key, number) WHERE table_.key = $3
$body$;

-- The statements that put the first row of a table, or an empty one, into another one of its name.
CREATE OR REPLACE FUNCTION diptych.as_it_is(source regclass, home text) RETURNS TABLE (place text, prepare text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  SELECT own.place, format('CREATE TABLE %1$s AS SELECT * FROM %2$s LIMIT 1; INSERT INTO %1$s SELECT WHERE NOT EXISTS (SELECT FROM %1$s)', own.place, $1)
  FROM (SELECT format('%I.%I', $2, class.relname) FROM pg_class AS class WHERE class.oid = $1) AS own (place)
$body$;

-- The statements that give a table's twin its name, the columns of which the model does not know, and the first row of the table, with the columns that go on.
CREATE OR REPLACE FUNCTION diptych.first_row(source regclass, twin text, number bigint, place text, change jsonb) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  WITH unknown (name, type_) AS (
    SELECT attribute.attname, format_type(attribute.atttypid, attribute.atttypmod) FROM pg_attribute AS attribute
    WHERE attribute.attrelid = $1 AND attribute.attnum > 0 AND NOT attribute.attisdropped AND NOT $5 -> 'known' ? attribute.attname::text
  ),
  pair (older, newer) AS (SELECT pair.value ->> 0, pair.value ->> 1 FROM jsonb_array_elements($5 -> 'same') AS pair UNION ALL SELECT unknown.name, unknown.name FROM unknown)
  SELECT concat_ws('; ', format('ALTER VIEW %s RENAME TO "diptych view"; ALTER TABLE %I.%I RENAME TO %I', $4, $2, 'diptych ' || $3, $5 ->> 'name'),
    (SELECT string_agg(format('ALTER TABLE %s ADD COLUMN %I %s', $4, unknown.name, unknown.type_), '; ') FROM unknown),
    'INSERT INTO ' || $4 || '(' || string_agg(quote_ident(pair.newer), ', ') || ') SELECT ' || string_agg(quote_ident(pair.older), ', ') || format(' FROM %s LIMIT 1', $1),
    format('INSERT INTO %1$s SELECT WHERE NOT EXISTS (SELECT FROM %1$s)', $4))
  FROM pair
$body$;

-- Drops a trigger that is about to be put there again, or not, and remembers in the transaction whether it was enabled, and its comment.
CREATE OR REPLACE FUNCTION diptych.take_trigger(place text, name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  taken jsonb := (SELECT jsonb_build_object(name, jsonb_build_array(own.tgenabled, obj_description(own.oid, 'pg_trigger'))) FROM pg_trigger AS own
    WHERE own.tgrelid = place::regclass AND own.tgname = take_trigger.name AND NOT own.tgisinternal);
BEGIN
  IF taken IS NOT NULL THEN
    PERFORM set_config('diptych.taken', (coalesce(nullif(current_setting('diptych.taken', true), ''), '{}')::jsonb || taken)::text, true);
    EXECUTE format('DROP TRIGGER %I ON %s', name, place);
  END IF;
END
$body$;

-- Creates a trigger, as enabled as the one whose place it takes, with its comment. The path is the caller's, which finds the function.
CREATE OR REPLACE FUNCTION diptych.put_trigger(place text, name text, definition text) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
  taken pg_catalog.jsonb := coalesce(nullif(pg_catalog.current_setting('diptych.taken', true), ''), '{}')::pg_catalog.jsonb OPERATOR(pg_catalog.->) name;
  enabled text := taken OPERATOR(pg_catalog.->>) 0;
BEGIN
  EXECUTE definition;
  IF taken OPERATOR(pg_catalog.->>) 1 IS NOT NULL THEN
    EXECUTE pg_catalog.format('COMMENT ON TRIGGER %I ON %s IS %L', name, place, taken OPERATOR(pg_catalog.->>) 1);
  END IF;
  IF enabled IN ('D', 'R', 'A') THEN
    EXECUTE pg_catalog.format('ALTER TABLE %s %s TRIGGER %I', place, CASE enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, name);
  END IF;
END
$body$;

-- Raises where a function that is about to be replaced belongs to somebody who could change it again: all writers run it.
CREATE OR REPLACE FUNCTION diptych.trust_functions(base text, names text[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  there record;
BEGIN
  SELECT proc.oid::regprocedure::text AS name, role.rolname INTO there FROM pg_proc AS proc JOIN pg_roles AS role ON role.oid = proc.proowner
  WHERE proc.pronamespace = to_regnamespace(quote_ident(base)) AND proc.proname = ANY (names) AND proc.pronargs = 0 AND NOT diptych.trusts(proc.proowner) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'DPT02', MESSAGE = format('function %s belongs to role %I, who could change it again', there.name, there.rolname),
      HINT = format('look at it, and run ALTER FUNCTION %s OWNER TO %I', there.name, current_user);
  END IF;
END
$body$;

-- Creates the functions of new tables' triggers that are not there, and notes them.
CREATE OR REPLACE FUNCTION diptych.create_trigger_functions(base text, version text, path text, functions jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  item record;
  made text[] := '{}';
BEGIN
  FOR item IN
    SELECT given.key, given.value FROM jsonb_each_text(functions) AS given
    WHERE NOT EXISTS (SELECT FROM pg_proc AS proc WHERE proc.proname = given.key AND proc.pronamespace = to_regnamespace(quote_ident(base)) AND proc.pronargs = 0)
  LOOP
    PERFORM set_config('check_function_bodies', 'off', true), set_config('search_path', path, true);
    EXECUTE item.value;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    made := made || item.key;
  END LOOP;
  UPDATE diptych.versions AS own SET functions = to_jsonb(made) WHERE own.base = create_trigger_functions.base AND own.name = version;
END
$body$;

-- Drops the functions that a start has made.
CREATE OR REPLACE FUNCTION diptych.drop_trigger_functions(base text, version text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM diptych.drop_trigger_function(own.base, made.name)
  FROM diptych.versions AS own CROSS JOIN LATERAL jsonb_array_elements_text(own.functions) AS made (name) WHERE own.base = drop_trigger_functions.base AND own.name = version;
END
$body$;

-- Drops a trigger's function, unless somebody else's trigger calls it.
CREATE OR REPLACE FUNCTION diptych.drop_trigger_function(base text, name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  EXECUTE format('DROP FUNCTION IF EXISTS %I.%I()', base, name);
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE WARNING 'function %.% stays: something else uses it', base, name;
END
$body$;


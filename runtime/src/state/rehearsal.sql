-- What a change of a table would do, tried on a twin of it that nobody else sees: the table's columns, and one of its rows where it has
-- one. `prepare` ends with the path on which the statements find their names; `changes` has the statements for each table's twin, which is
-- called as the table is, in schema `_diptych_tried`. Of all this nothing stays.

-- The tables that the server would write anew under the lock, or whose rows it would not take, with the reason then.
CREATE OR REPLACE FUNCTION diptych.rewritten(base text, prepare text[], changes jsonb) RETURNS TABLE (name text, reason text, size bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  twin CONSTANT text := '_diptych_tried';
  change record;
  statement text;
  path text;
  file oid;
  found jsonb := '[]';
BEGIN
  BEGIN
    EXECUTE format('CREATE SCHEMA %I', twin);
    FOREACH statement IN ARRAY prepare LOOP
      EXECUTE statement;
    END LOOP;
    path := current_setting('search_path');
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    FOR change IN
      SELECT class.oid, format('%I.%I', twin, given.key) AS place, given.value AS statements
      FROM jsonb_each(changes) AS given (key, value) JOIN pg_class AS class ON class.relname = given.key AND class.relnamespace = to_regnamespace(quote_ident(base))
    LOOP
      BEGIN
        EXECUTE format('CREATE TABLE %s AS SELECT * FROM %s LIMIT 1', change.place, change.oid::regclass);
        file := pg_relation_filenode(change.place::regclass);
        PERFORM set_config('search_path', path, true);
        FOR statement IN SELECT value FROM jsonb_array_elements_text(change.statements) LOOP
          EXECUTE statement;
        END LOOP;
        PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
        IF pg_relation_filenode(change.place::regclass) <> file THEN
          found := found || jsonb_build_object('oid', change.oid);
        END IF;
      EXCEPTION
        WHEN lock_not_available OR deadlock_detected OR insufficient_resources OR operator_intervention THEN RAISE;
        WHEN OTHERS THEN found := found || jsonb_build_object('oid', change.oid, 'reason', SQLERRM);
      END;
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'DPT00';
  EXCEPTION WHEN SQLSTATE 'DPT00' THEN
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
  END;
  RETURN QUERY SELECT class.relname::text, one.value ->> 'reason',
    (SELECT sum(pg_total_relation_size(place.oid))::bigint FROM (SELECT class.oid UNION SELECT tree.relid FROM pg_partition_tree(class.oid) AS tree) AS place (oid))
  FROM jsonb_array_elements(found) AS one (value) JOIN pg_class AS class ON class.oid = (one.value ->> 'oid')::oid;
END
$body$;

-- The application's triggers on these tables that go now and would fail on the changed table, each with the server's words; or, of those whose
-- function reads like `suspect`, the ones that cannot be tried: they fail as it is, or are somebody's whose code is not to be run. `path` is
-- that of the application.
CREATE OR REPLACE FUNCTION diptych.broken_triggers(base text, prepare text[], path text, changes jsonb, suspect text)
RETURNS TABLE (name text, reason text) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  twin CONSTANT text := '_diptych_tried';
  are_strangers CONSTANT boolean := diptych.meets_strangers(base);
  item record;
  statement text;
  texts text;
  row_ CONSTANT text := '_diptych_tried."diptych row"';
  reasons text[];
  found jsonb := '[]';
BEGIN
  FOR item IN
    SELECT own.oid, own.root, format('%I.%I', twin, given.key) AS place, given.value AS statements, own.kind, NOT are_strangers AND own.is_tried AS is_tried, columns.names AS columns, columns.same,
      diptych.trigger_on(own.oid, format('%I.%I', twin, given.key)) AS definition
    FROM jsonb_each(changes) AS given (key, value) CROSS JOIN LATERAL diptych.own_triggers(base, ARRAY[given.key]) AS own
    CROSS JOIN LATERAL (
      SELECT string_agg(quote_ident(attribute.attname), ', ' ORDER BY attribute.attnum), string_agg(format('%1$I = %1$I', attribute.attname), ', ' ORDER BY attribute.attnum)
      FROM pg_attribute AS attribute WHERE attribute.attrelid = own.root AND attribute.attnum > 0 AND NOT attribute.attisdropped
    ) AS columns (names, same)
    WHERE suspect IS NULL OR own.body ~* suspect
  LOOP
    reasons := ARRAY[NULL, NULL];
    -- as it is, then changed
    FOR shape IN 1..CASE WHEN suspect IS NULL THEN 2 ELSE 1 END LOOP
      EXIT WHEN NOT item.is_tried OR reasons[1] IS NOT NULL;
      BEGIN
        EXECUTE format('CREATE SCHEMA %I', twin);
        EXECUTE format('CREATE TABLE %s AS SELECT * FROM %s LIMIT 1', row_, item.root::regclass);
        EXECUTE format('INSERT INTO %1$s SELECT WHERE NOT EXISTS (SELECT FROM %1$s)', row_);
        EXECUTE format('CREATE TABLE %s AS SELECT * FROM %s WITH NO DATA', item.place, row_);
        IF shape = 2 THEN
          FOREACH statement IN ARRAY prepare LOOP
            EXECUTE statement;
          END LOOP;
          FOR statement IN SELECT value FROM jsonb_array_elements_text(item.statements) LOOP
            EXECUTE statement;
          END LOOP;
          PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
        END IF;
        IF item.kind & 24 > 0 THEN
          EXECUTE format('INSERT INTO %1$s (%2$s) SELECT %2$s FROM %3$s', item.place, item.columns, row_);
        END IF;
        EXECUTE item.definition;
        texts := concat_ws('; ', CASE WHEN item.kind & 4 > 0 THEN format('INSERT INTO %1$s (%2$s) SELECT %2$s FROM %3$s', item.place, item.columns, row_) END,
          CASE WHEN item.kind & 16 > 0 THEN format('UPDATE %s SET %s', item.place, item.same) END,
          CASE WHEN item.kind & 8 > 0 THEN format('DELETE FROM %s', item.place) END);
        PERFORM set_config('search_path', path, true);
        EXECUTE texts;
        RAISE EXCEPTION USING ERRCODE = 'DPT00';
      EXCEPTION
        WHEN SQLSTATE 'DPT00' THEN NULL;
        WHEN OTHERS THEN reasons[shape] := SQLERRM;
      END;
      PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    END LOOP;
    IF (suspect IS NULL AND reasons[2] IS NOT NULL) OR (suspect IS NOT NULL AND (NOT item.is_tried OR reasons[1] IS NOT NULL)) THEN
      found := found || jsonb_build_object('oid', item.oid, 'reason', reasons[2]);
    END IF;
  END LOOP;
  RETURN QUERY SELECT format('%s on %s', trigger_.tgname, class.relname), one.value ->> 'reason'
  FROM jsonb_array_elements(found) AS one (value) JOIN pg_trigger AS trigger_ ON trigger_.oid = (one.value ->> 'oid')::oid
  JOIN pg_class AS class ON class.oid = trigger_.tgrelid;
END
$body$;

-- What has a table's row for a type, and would meet another row: columns of other tables, and functions that give one back (they find
-- a version's view on their path, which has other columns than the table), each with what to do; those that take one are marked.
CREATE OR REPLACE FUNCTION diptych.of_row_types(base text, names text[]) RETURNS TABLE (what text, is_taken boolean) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
  WITH RECURSIVE row_type (oid) AS (
    SELECT class.reltype FROM pg_class AS class WHERE class.relnamespace = to_regnamespace(quote_ident($1)) AND class.relname = ANY ($2)
    UNION
    SELECT type_.oid FROM row_type JOIN pg_type AS type_ ON type_.typelem = row_type.oid OR type_.typbasetype = row_type.oid WHERE row_type.oid <> 0
  ),
  routine AS (
    SELECT proc.*, proc.prorettype IN (SELECT row_type.oid FROM row_type) AS is_given FROM pg_proc AS proc JOIN pg_language AS spoken ON spoken.oid = proc.prolang
    WHERE (proc.prorettype IN (SELECT row_type.oid FROM row_type) OR coalesce(proc.proallargtypes, proc.proargtypes::oid[]) && ARRAY(SELECT row_type.oid FROM row_type))
      AND NOT EXISTS (SELECT FROM unnest(proc.proconfig) AS setting (text) WHERE starts_with(setting.text, 'search_path='))
      AND NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.classid = 'pg_proc'::regclass AND depend.objid = proc.oid AND depend.deptype = 'e')
  )
  SELECT format('column %I of %s', attribute.attname, class.oid::regclass), false
  FROM pg_attribute AS attribute JOIN pg_class AS class ON class.oid = attribute.attrelid AND class.relkind IN ('r', 'p', 'm', 'c')
  WHERE attribute.atttypid IN (SELECT row_type.oid FROM row_type) AND attribute.attnum > 0 AND NOT attribute.attisdropped
  UNION ALL
  SELECT format('%s %s', CASE routine.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, routine.oid::regprocedure), NOT routine.is_given FROM routine
$body$;

-- What was changed by hand of columns that get another form, and of the constraints over them: their new form would be the model's, so that
-- the change would be lost. `tables` has for each the statements that make it anew as the model has it, the columns and the constraints.
CREATE OR REPLACE FUNCTION diptych.drift(base text, path text, tables jsonb) RETURNS TABLE (what text, mend text) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  twin CONSTANT text := '_diptych_tried';
  item record;
  statement text;
  found jsonb := '[]';
BEGIN
  FOR item IN
    SELECT class.oid, class.oid::regclass AS place, format('%I.%I', twin, given.key) AS twin, given.value FROM jsonb_each(tables) AS given (key, value)
    JOIN pg_class AS class ON class.relname = given.key AND class.relnamespace = to_regnamespace(quote_ident(base))
  LOOP
    BEGIN
      EXECUTE format('CREATE SCHEMA %I', twin);
      PERFORM set_config('search_path', path, true);
      FOR statement IN SELECT value FROM jsonb_array_elements_text(item.value -> 'statements') LOOP
        EXECUTE statement;
      END LOOP;
      PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
      SELECT found || coalesce(jsonb_agg(jsonb_build_object('what', one.what, 'mend', one.mend)), '[]') INTO found FROM (
        WITH column_ AS (
          SELECT attribute.attrelid::regclass AS place, attribute.attrelid <> item.twin::regclass AS is_own, attribute.attname AS name, attribute.attnotnull AS not_null, pg_get_expr(def.adbin, def.adrelid) AS default_,
            col_description(attribute.attrelid, attribute.attnum) AS comment
          FROM pg_attribute AS attribute LEFT JOIN pg_attrdef AS def ON def.adrelid = attribute.attrelid AND def.adnum = attribute.attnum
          -- a partition may have what the whole has not
          WHERE attribute.attrelid IN (SELECT item.oid UNION SELECT item.twin::regclass::oid UNION SELECT tree.relid FROM pg_partition_tree(item.oid) AS tree) AND attribute.attname IN (SELECT value FROM jsonb_array_elements_text(item.value -> 'columns'))
        )
        SELECT format('column %s.%I has %s', own.place, own.name, coalesce('the default ' || own.default_, 'no default')) AS what,
          format('ALTER TABLE %s ALTER COLUMN %I %s', own.place, own.name, coalesce('SET DEFAULT ' || model.default_, 'DROP DEFAULT')) AS mend
        FROM column_ AS own JOIN column_ AS model USING (name) WHERE own.is_own AND NOT model.is_own AND own.default_ IS DISTINCT FROM model.default_
        UNION ALL
        SELECT format('column %s.%I %s', own.place, own.name, CASE WHEN own.not_null THEN 'is NOT NULL' ELSE 'may be NULL' END),
          format('ALTER TABLE %s ALTER COLUMN %I %s NOT NULL', own.place, own.name, CASE WHEN own.not_null THEN 'DROP' ELSE 'SET' END)
        FROM column_ AS own JOIN column_ AS model USING (name) WHERE own.is_own AND NOT model.is_own AND own.not_null <> model.not_null
        UNION ALL
        SELECT format('column %s.%I has %s', own.place, own.name, coalesce('the comment ' || quote_literal(own.comment), 'no comment')),
          format('COMMENT ON COLUMN %s.%I IS %L', own.place, own.name, model.comment)
        FROM column_ AS own JOIN column_ AS model USING (name) WHERE own.is_own AND NOT model.is_own AND own.comment IS DISTINCT FROM model.comment
          -- a partition is made without the whole's
          AND (own.comment IS NOT NULL OR own.place = item.place)
        UNION ALL
        SELECT format('constraint %I of %s is %s', own.conname, item.place, pg_get_constraintdef(own.oid)),
          format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', item.place, own.conname, own.conname, pg_get_constraintdef(model.oid))
        FROM pg_constraint AS own JOIN pg_constraint AS model ON model.conname = own.conname AND model.conrelid = item.twin::regclass
        WHERE own.conrelid = item.oid AND own.conname IN (SELECT value FROM jsonb_array_elements_text(item.value -> 'constraints'))
          AND replace(pg_get_constraintdef(own.oid), ' NOT VALID', '') <> replace(pg_get_constraintdef(model.oid), ' NOT VALID', '')
        UNION ALL
        SELECT format('constraint %I of %s is %s', own.conname, item.place, pg_get_constraintdef(own.oid)), NULL
        FROM jsonb_to_recordset(item.value -> 'keys') AS model (name text, updates "char", deletes "char", matches "char", is_deferrable boolean, is_deferred boolean)
        JOIN pg_constraint AS own ON own.conname = model.name AND own.conrelid = item.oid
        WHERE (own.confupdtype, own.confdeltype, own.confmatchtype, own.condeferrable, own.condeferred) IS DISTINCT FROM (model.updates, model.deletes, model.matches, model.is_deferrable, model.is_deferred)
      ) AS one;
      RAISE EXCEPTION USING ERRCODE = 'DPT00';
    EXCEPTION WHEN SQLSTATE 'DPT00' THEN
      PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    END;
  END LOOP;
  RETURN QUERY SELECT one.value ->> 'what', one.value ->> 'mend' FROM jsonb_array_elements(found) AS one (value);
END
$body$;

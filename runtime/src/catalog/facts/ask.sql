-- Puts a question about a text of the user's own to the server: after changes in its scope, what the text reads and how it is printed.
-- Nothing of it stays: the text is put on an empty table, looked at in the catalog, and undone. `path` is where the text finds its names.
CREATE FUNCTION "{scratch}".ask(path text, question jsonb) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  home CONSTANT text := '{scratch}';
  purpose CONSTANT text := CASE jsonb_typeof(question -> 'purpose') WHEN 'string' THEN question ->> 'purpose'
    ELSE (SELECT key FROM jsonb_object_keys(question -> 'purpose') AS key) END;
  detail CONSTANT text := CASE jsonb_typeof(question -> 'purpose') WHEN 'object' THEN question -> 'purpose' ->> purpose END;
  -- conversions may have sub-selects on the table itself: there its own name is not taken
  twin_name CONSTANT text := CASE purpose WHEN 'value' THEN 'diptych twin' ELSE question ->> 'table' END;
  body CONSTANT text := question ->> 'text' || E'\n';
  place text := format('%I.%I', home, twin_name);
  statement text;
  item record;
  twin oid;
  view_ oid;
  index_ oid;
  statistics_ oid;
  objects oid[];
  tree text;
  printed text;
  answer jsonb;
BEGIN
  FOR item IN SELECT enum.key AS name, (SELECT string_agg(quote_literal(label), ', ' ORDER BY number) FROM jsonb_array_elements_text(enum.value) WITH ORDINALITY AS list (label, number)) AS labels
    FROM jsonb_each(question -> 'enums') AS enum
  LOOP
    EXECUTE format('CREATE TYPE %I.%I AS ENUM (%s)', home, item.name, item.labels);
  END LOOP;
  SELECT string_agg(format('CREATE SEQUENCE %I.%I', home, value), '; ') INTO statement FROM jsonb_array_elements_text(question -> 'sequences') AS list (value);
  EXECUTE coalesce(statement, 'SELECT');
  SELECT string_agg(format('CREATE %s %I.%I AS %s', value ->> 0, home, value ->> 1, value ->> 2), '; ' ORDER BY number) INTO statement
    FROM jsonb_array_elements(question -> 'own_types') WITH ORDINALITY AS list (value, number);
  IF statement IS NOT NULL THEN
    PERFORM set_config('search_path', path, true);
    EXECUTE statement;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
  END IF;
  SELECT string_agg(format('%I %s%s', value ->> 'name', value ->> 'sql_type', ' COLLATE ' || (value ->> 'collation')), ', ' ORDER BY number) INTO statement
    FROM jsonb_array_elements(question -> 'columns') WITH ORDINALITY AS list (value, number);
  statement := format('CREATE TABLE %s (%s)', place, statement) || CASE purpose WHEN 'partition' THEN ' PARTITION BY ' || body ELSE '' END;
  PERFORM set_config('search_path', path, true);
  EXECUTE statement;
  statement := CASE purpose
    WHEN 'value' THEN format('CREATE VIEW %I."diptych asked" AS SELECT (%s) AS value FROM %s AS %I', home, body, place, question ->> 'table')
    WHEN 'check' THEN format('ALTER TABLE %s ADD CONSTRAINT "diptych asked" CHECK (%s)', place, body)
    WHEN 'default' THEN format('ALTER TABLE %s ADD COLUMN "diptych asked" %s DEFAULT (%s)', place, detail, body)
    WHEN 'generated' THEN format('ALTER TABLE %s ADD COLUMN "diptych asked" %s GENERATED ALWAYS AS (%s) STORED', place, detail, body)
    WHEN 'key' THEN format('CREATE INDEX "diptych asked" ON %s ((%s))', place, body)
    WHEN 'predicate' THEN format('CREATE INDEX "diptych asked" ON %s ((1)) WHERE (%s)', place, body)
    WHEN 'exclusion' THEN format('ALTER TABLE %s ADD CONSTRAINT "diptych asked" EXCLUDE USING %I (%s)', place, detail, body)
    WHEN 'statistics' THEN format('CREATE STATISTICS %I."diptych asked" ON (%s) FROM %s', home, body, place)
    ELSE 'SELECT' END;
  EXECUTE statement;
  PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);

  twin := place::regclass;
  FOR item IN SELECT change.value -> 'column' AS column_ FROM jsonb_array_elements(question -> 'then') AS change (value) WHERE change.value ? 'column'
  LOOP
    EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', place, item.column_ ->> 'from', item.column_ ->> 'to');
  END LOOP;
  FOR item IN SELECT change.value -> 'table' ->> 'to' AS to_ FROM jsonb_array_elements(question -> 'then') AS change (value) WHERE change.value ? 'table'
  LOOP
    EXECUTE format('ALTER TABLE %s RENAME TO %I', place, item.to_);
  END LOOP;
  -- names that are given to each other go out of the way first
  FOR item IN SELECT change.value -> 'labels' ->> 'of' AS of, label.key AS from_, label.value AS to_, round.aside
    FROM jsonb_array_elements(question -> 'then') AS change (value) CROSS JOIN (VALUES (true), (false)) AS round (aside)
    CROSS JOIN LATERAL jsonb_each_text(change.value -> 'labels' -> 'names') AS label
    WHERE change.value ? 'labels' ORDER BY round.aside DESC
  LOOP
    EXECUTE format('ALTER TYPE %I.%I RENAME VALUE %L TO %L', home, item.of,
      CASE WHEN item.aside THEN item.from_ ELSE 'diptych ' || left(md5(item.from_), 32) END,
      CASE WHEN item.aside THEN 'diptych ' || left(md5(item.from_), 32) ELSE item.to_ END);
  END LOOP;
  view_ := to_regclass(format('%I."diptych asked"', home));
  index_ := CASE WHEN purpose IN ('key', 'predicate', 'exclusion') THEN view_ END;
  statistics_ := (SELECT own.oid FROM pg_statistic_ext AS own WHERE own.stxrelid = twin);
  SELECT CASE purpose
      WHEN 'statistics' THEN (SELECT own.stxexprs::text FROM pg_statistic_ext AS own WHERE own.oid = statistics_)
      WHEN 'value' THEN (SELECT rule.ev_action::text FROM pg_rewrite AS rule WHERE rule.ev_class = view_)
      WHEN 'check' THEN (SELECT con.conbin::text FROM pg_constraint AS con WHERE con.conrelid = twin AND con.conname = 'diptych asked')
      WHEN 'key' THEN (SELECT index.indexprs::text FROM pg_index AS index WHERE index.indexrelid = index_)
      WHEN 'predicate' THEN (SELECT index.indpred::text FROM pg_index AS index WHERE index.indexrelid = index_)
      WHEN 'exclusion' THEN (SELECT coalesce(index.indexprs::text, '') FROM pg_index AS index WHERE index.indexrelid = index_)
      WHEN 'partition' THEN (SELECT coalesce(key.partexprs::text, '') FROM pg_partitioned_table AS key WHERE key.partrelid = twin)
      ELSE (SELECT def.adbin::text FROM pg_attrdef AS def WHERE def.adrelid = twin) END INTO tree;
  objects := ARRAY(
    SELECT rule.oid FROM pg_rewrite AS rule WHERE rule.ev_class = view_
    UNION ALL SELECT con.oid FROM pg_constraint AS con WHERE con.conrelid = twin AND con.conname = 'diptych asked'
    UNION ALL SELECT def.oid FROM pg_attrdef AS def WHERE def.adrelid = twin
    UNION ALL SELECT statistics_ WHERE statistics_ IS NOT NULL
    UNION ALL SELECT view_ WHERE view_ IS NOT NULL);
  WITH depend AS (
    SELECT depend.refclassid, depend.refobjid, depend.refobjsubid FROM pg_depend AS depend WHERE depend.objid = ANY (objects)
      AND depend.classid IN ('pg_rewrite'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_class'::regclass, 'pg_statistic_ext'::regclass)
    -- up to which version a generated column's rule is a default's, and from which its own, differs
    UNION ALL SELECT depend.refclassid, depend.refobjid, depend.refobjsubid FROM pg_depend AS depend WHERE depend.objid = twin
      AND depend.classid = 'pg_class'::regclass AND depend.objsubid > 0 AND purpose IN ('default', 'generated')
      AND depend.objsubid = (SELECT attribute.attnum FROM pg_attribute AS attribute WHERE attribute.attrelid = twin AND attribute.attname = 'diptych asked')
  ),
  number AS (SELECT (regexp_matches(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g'))[1]::oid AS proc
    UNION SELECT operator_.oprcode::oid FROM (SELECT (regexp_matches(tree, ':opno (\d+)', 'g'))[1]::oid AS oid) AS used JOIN pg_operator AS operator_ ON operator_.oid = used.oid),
  column_ AS (
    SELECT attribute.attname FROM depend JOIN pg_attribute AS attribute ON attribute.attrelid = twin AND attribute.attnum = depend.refobjsubid
    WHERE depend.refclassid = 'pg_class'::regclass AND depend.refobjid = twin AND depend.refobjsubid > 0
    UNION
    SELECT attribute.attname FROM pg_partitioned_table AS key JOIN pg_attribute AS attribute ON attribute.attrelid = twin
    WHERE key.partrelid = twin AND (attribute.attnum = ANY (key.partattrs::int2[]) OR attribute.attnum IN (SELECT (regexp_matches(tree, '\{VAR :varno \S+ :varattno (\d+) ', 'g'))[1]::int2))
    UNION
    SELECT attribute.attname FROM pg_index AS index JOIN pg_attribute AS attribute ON attribute.attrelid = twin AND attribute.attnum = ANY (index.indkey::int2[])
    WHERE index.indexrelid = index_ AND purpose = 'exclusion'
  )
  SELECT jsonb_build_object(
    'columns', (SELECT coalesce(jsonb_agg(column_.attname ORDER BY column_.attname), '[]') FROM column_ WHERE column_.attname <> 'diptych asked'),
    'whole_row', tree ~ format('\{VAR :varno \S+ :varattno 0 :vartype %s ', (SELECT class.reltype FROM pg_class AS class WHERE class.oid = twin)),
    'system_columns', tree ~ '\{VAR :varno \S+ :varattno -\d+ ',
    'relations', (SELECT coalesce(jsonb_agg(DISTINCT class.oid::regclass::text), '[]') FROM depend JOIN pg_class AS class ON class.oid = depend.refobjid
      WHERE depend.refclassid = 'pg_class'::regclass AND class.relkind IN ('r', 'p', 'v', 'm', 'f') AND class.oid NOT IN (twin, coalesce(view_, 0))),
    'sequences', (SELECT coalesce(jsonb_agg(DISTINCT class.relname), '[]') FROM depend JOIN pg_class AS class ON class.oid = depend.refobjid
      JOIN pg_namespace AS space ON space.oid = class.relnamespace WHERE depend.refclassid = 'pg_class'::regclass AND class.relkind = 'S'
      AND concat('"', replace(space.nspname, '"', '""'), '"') = ANY (string_to_array(path, ', '))),
    'functions', (SELECT coalesce(jsonb_agg(DISTINCT used.proc::regprocedure::text), '[]') FROM (
        SELECT depend.refobjid AS proc FROM depend WHERE depend.refclassid = 'pg_proc'::regclass
        UNION SELECT operator_.oprcode::oid FROM depend JOIN pg_operator AS operator_ ON operator_.oid = depend.refobjid WHERE depend.refclassid = 'pg_operator'::regclass) AS used),
    'types', (SELECT coalesce(jsonb_agg(DISTINCT CASE WHEN space.nspname = home THEN quote_ident(type_.typname) ELSE type_.oid::regtype::text END), '[]')
      FROM depend JOIN pg_type AS type_ ON type_.oid = depend.refobjid JOIN pg_namespace AS space ON space.oid = type_.typnamespace
      WHERE depend.refclassid = 'pg_type'::regclass AND type_.typrelid NOT IN (twin, coalesce(view_, 0))),
    'draws_numbers', tree ~ '\{NEXTVALUEEXPR' OR EXISTS (SELECT FROM number WHERE number.proc = 'nextval(regclass)'::regprocedure),
    'volatility', CASE
      WHEN tree ~ '\{NEXTVALUEEXPR' OR EXISTS (SELECT FROM number JOIN pg_proc AS proc ON proc.oid = number.proc WHERE proc.provolatile = 'v') THEN 'volatile'
      WHEN tree ~ '\{(SQLVALUEFUNCTION|COERCEVIAIO|SUBLINK)' OR EXISTS (SELECT FROM number JOIN pg_proc AS proc ON proc.oid = number.proc WHERE proc.provolatile = 's') THEN 'stable'
      ELSE 'immutable' END
  ) INTO answer;

  PERFORM set_config('search_path', path, true);
  printed := CASE purpose
    WHEN 'value' THEN pg_catalog.pg_get_viewdef(view_)
    WHEN 'check' THEN (SELECT pg_catalog.pg_get_expr(con.conbin, con.conrelid) FROM pg_catalog.pg_constraint AS con WHERE con.conrelid OPERATOR(pg_catalog.=) twin AND con.conname OPERATOR(pg_catalog.=) 'diptych asked')
    WHEN 'key' THEN pg_catalog.pg_get_indexdef(index_, 1, false)
    WHEN 'predicate' THEN (SELECT pg_catalog.pg_get_expr(index.indpred, index.indrelid) FROM pg_catalog.pg_index AS index WHERE index.indexrelid OPERATOR(pg_catalog.=) index_)
    WHEN 'exclusion' THEN (SELECT pg_catalog.string_agg(pg_catalog.concat(pg_catalog.pg_get_indexdef(con.conindid, key.place::pg_catalog.int4, false), ' WITH ', operator_.oprname), ', ' ORDER BY key.place)
      FROM pg_catalog.pg_constraint AS con CROSS JOIN LATERAL pg_catalog.unnest(con.conexclop) WITH ORDINALITY AS key (operator, place)
      JOIN pg_catalog.pg_operator AS operator_ ON operator_.oid OPERATOR(pg_catalog.=) key.operator WHERE con.conrelid OPERATOR(pg_catalog.=) twin AND con.conname OPERATOR(pg_catalog.=) 'diptych asked')
    WHEN 'partition' THEN pg_catalog.pg_get_partkeydef(twin)
    WHEN 'statistics' THEN (pg_catalog.pg_get_statisticsobjdef_expressions(statistics_))[1]
    ELSE (SELECT pg_catalog.pg_get_expr(def.adbin, def.adrelid) FROM pg_catalog.pg_attrdef AS def WHERE def.adrelid OPERATOR(pg_catalog.=) twin) END;
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  answer := answer || jsonb_build_object('printed', coalesce(printed, 'NULL'));
  RAISE EXCEPTION USING ERRCODE = 'DPT00';
EXCEPTION
  WHEN SQLSTATE 'DPT00' THEN RETURN jsonb_build_object('facts', answer);
  -- what may be otherwise in a moment is no answer
  WHEN lock_not_available OR deadlock_detected OR insufficient_resources OR operator_intervention THEN RAISE;
  WHEN OTHERS THEN RETURN jsonb_build_object('refused', SQLERRM);
END
$body$;

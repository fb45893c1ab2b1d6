-- The rows that `insert` operations give to tables which the older version has: noted when they are written, taken back by a rollback.
-- Rows are compared as the text of each value, under settings that print it in one way: 1.00 is no 1.

-- Notes the rows of which an insertion has entered the keys, as the older version sees them: its `columns`. `keys` has the physical column of
-- each column of the key.
CREATE OR REPLACE FUNCTION diptych.note_inserted(base text, version text, operation integer, place regclass, keys jsonb, columns text[]) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' SET lc_monetary = 'C' AS $body$
DECLARE
  is_it CONSTANT text := (
    SELECT string_agg(format('own.%I = (noted.key ->> %L)::%s', attribute.attname, named.key, format_type(attribute.atttypid, attribute.atttypmod)), ' AND ')
    FROM jsonb_each_text(keys) AS named JOIN pg_attribute AS attribute ON attribute.attrelid = place AND attribute.attname = named.value);
  shown CONSTANT text := (SELECT format('jsonb_object(ARRAY[%s]::text[], ARRAY[%s]::text[])', string_agg(quote_literal(name), ', '), string_agg(format('own.%I::text', name), ', ')) FROM unnest(columns) AS name);
BEGIN
  EXECUTE format('UPDATE diptych.inserted AS noted SET row = %s FROM %s AS own '
    'WHERE noted.base = $1 AND noted.version = $2 AND noted.operation = $3 AND noted.row IS NULL AND %s', shown, place, is_it) USING base, version, operation;
END
$body$;

-- Deletes those of the rows, from behind a number up to another one, that are as they were noted and that no row references; of the
-- others it notes why they stay. A row that is locked first gets no new reference.
CREATE OR REPLACE FUNCTION diptych.take_back(base text, version text, operation integer, above bigint, up_to bigint, place regclass, key text[]) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' SET lc_monetary = 'C' AS $body$
DECLARE
  is_it CONSTANT text := (
    SELECT string_agg(format('own.%I = ($1 ->> %L)::%s', attribute.attname, attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)), ' AND ')
    FROM unnest(key) AS name JOIN pg_attribute AS attribute ON attribute.attrelid = place AND attribute.attname = name);
  -- a row may reference itself
  is_referenced CONSTANT text := (
    SELECT string_agg(format('EXISTS (SELECT FROM %s AS other WHERE %s AND (other.tableoid, other.ctid) IS DISTINCT FROM (own.tableoid, own.ctid))', reference.conrelid::regclass, (
      SELECT string_agg(format('other.%I = own.%I', child.attname, parent.attname), ' AND ')
      FROM unnest(reference.conkey, reference.confkey) AS pair (child, parent)
      JOIN pg_attribute AS child ON child.attrelid = reference.conrelid AND child.attnum = pair.child
      JOIN pg_attribute AS parent ON parent.attrelid = place AND parent.attnum = pair.parent)), ' OR ')
    FROM pg_constraint AS reference WHERE reference.confrelid = place AND reference.contype = 'f' AND reference.conparentid = 0);
  -- where an application's triggers find their names, unless others may put something in their way
  home CONSTANT text := CASE WHEN diptych.meets_strangers(base) THEN 'pg_catalog, pg_temp'
    ELSE concat_ws(', ', quote_ident(base), CASE WHEN base <> 'public' THEN 'public' END, 'pg_temp') END;
  noted record;
  now_ record;
  reason text;
  moved boolean;
BEGIN
  SET CONSTRAINTS ALL IMMEDIATE;
  LOOP
    moved := false;
    FOR noted IN
      SELECT own.number, own.row, own.key FROM diptych.inserted AS own
      WHERE own.base = take_back.base AND own.version = take_back.version AND own.operation = take_back.operation AND own.number > above AND own.number <= up_to
      ORDER BY own.number DESC
    LOOP
      EXECUTE (SELECT format('SELECT jsonb_object(ARRAY[%s]::text[], ARRAY[%s]::text[]) AS row, own.tableoid, own.ctid FROM %s AS own WHERE %s FOR UPDATE',
        string_agg(quote_literal(name), ', '), string_agg(format('own.%I::text', name), ', '), place, is_it) FROM jsonb_object_keys(noted.row) AS name) INTO now_ USING noted.row;
      reason := CASE WHEN now_.row IS DISTINCT FROM noted.row THEN 'it was changed' END;
      IF now_.row IS NOT NULL AND reason IS NULL AND is_referenced IS NOT NULL THEN
        EXECUTE format('SELECT CASE WHEN %s THEN ''other rows reference it'' END FROM %s AS own WHERE %s', is_referenced, place, is_it) INTO reason USING noted.row;
      END IF;
      IF now_.row IS NOT NULL AND reason IS NULL THEN
        BEGIN
          -- the path is for the triggers: the statement itself looks for nothing on it
          PERFORM set_config('search_path', home, true);
          EXECUTE format('DELETE FROM %s AS own WHERE own.tableoid OPERATOR(pg_catalog.=) $1 AND own.ctid OPERATOR(pg_catalog.=) $2', place) USING now_.tableoid, now_.ctid;
          PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
          EXECUTE format('SELECT ''a trigger keeps it'' FROM %s AS own WHERE %s', place, is_it) INTO reason USING noted.row;
        EXCEPTION
          WHEN lock_not_available OR deadlock_detected OR insufficient_resources OR operator_intervention THEN RAISE;
          WHEN OTHERS THEN reason := SQLERRM;
        END;
      END IF;
      IF now_.row IS NULL OR reason IS NULL THEN
        DELETE FROM diptych.inserted AS own WHERE own.base = take_back.base AND own.version = take_back.version AND own.operation = take_back.operation AND own.number = noted.number;
        moved := moved OR now_.row IS NOT NULL;
      ELSE
        UPDATE diptych.inserted AS own
        SET stays = format('%s: %s', (SELECT string_agg(format('%s = %s', name, noted.row ->> name), ', ') FROM unnest(take_back.key) AS name), reason)
        WHERE own.base = take_back.base AND own.version = take_back.version AND own.operation = take_back.operation AND own.number = noted.number;
      END IF;
    END LOOP;
    -- what is gone may have been all that referenced another one
    EXIT WHEN NOT moved;
  END LOOP;
END
$body$;

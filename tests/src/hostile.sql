-- What every database of the suite has in its base schema: operators and functions that fit better than the server's own, as whoever may
-- create there could put them. Called by the tool, or within one of its functions, they raise; called by anybody else, they do what
-- the server's own do.
CREATE FUNCTION public.hostile(name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE context text;
BEGIN
  GET DIAGNOSTICS context = PG_CONTEXT;
  IF current_setting('application_name') = 'diptych' OR strpos(context, 'function diptych.') > 0 THEN
    RAISE EXCEPTION 'the tool has called % of the base schema', name;
  END IF;
END
$body$;

CREATE FUNCTION public.hostile(kinds text[], wide text, symbols text[]) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
  left_ text;
  right_ text;
  symbol text;
  given text;
BEGIN
  FOREACH left_ IN ARRAY kinds LOOP
    FOREACH right_ IN ARRAY kinds LOOP
      FOREACH symbol IN ARRAY symbols LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_catalog.pg_operator WHERE oprname = symbol AND oprleft = left_::regtype AND oprright = right_::regtype);
        given := CASE WHEN symbol IN ('=', '<>', '<', '>', '<=', '>=', '~', '~~', '!~') THEN 'boolean' ELSE wide END;
        EXECUTE format('CREATE FUNCTION public.%I(%s, %s) RETURNS %s LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS %L', 'op ' || symbol, left_, right_, given,
          format('BEGIN PERFORM public.hostile(%L); RETURN ($1::%s %s $2::%s)::%s; END', format('operator %s (%s, %s)', symbol, left_, right_), wide, symbol, wide, given));
        EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.%I)', symbol, left_, right_, 'op ' || symbol);
      END LOOP;
    END LOOP;
  END LOOP;
END
$body$;

-- as catalogs have them: few of the app's own texts do
SELECT public.hostile(ARRAY['smallint', 'integer', 'bigint', 'oid'], 'bigint', ARRAY['=', '<>', '<', '>', '<=', '>=', '+', '-', '*', '/', '&', '|']);
SELECT public.hostile(ARRAY['text', 'name', '"char"'], 'text', ARRAY['=', '<>', '<', '>', '<=', '>=', '||', '~', '~~', '!~']);

-- the server's own are of arrays of whatever kind: one of exactly these types fits better
CREATE FUNCTION public."op @>"(text[], text[]) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
  $body$ BEGIN PERFORM public.hostile('operator @> (text[], text[])'); RETURN $1 @> $2; END $body$;
CREATE OPERATOR public.@> (LEFTARG = text[], RIGHTARG = text[], FUNCTION = public."op @>");

-- as 15 and newer have it: nobody but the owner puts anything else there
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- as people have them: what the tool makes is to have no right that it does not give
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO pg_monitor;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO pg_monitor;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO pg_monitor;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO pg_monitor;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO pg_monitor;

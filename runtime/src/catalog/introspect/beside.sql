-- What a database has beside the tables, enums, domains, composite types and sequences of its model, one row each: kind, name, definition. `$1` is the base schema, `$2` names
-- the schemas of versions, `$3` the extensions of the model. Run on the tool's own path, by which every operator is the server's and every name is printed with its schema.
WITH member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
space AS (
  SELECT oid, nspname FROM pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> ALL (ARRAY['information_schema', 'diptych']) AND nspname::text <> ALL ($2::text[])
    AND oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_namespace'::regclass)
),
class AS (
  SELECT class.*, space.nspname FROM pg_class AS class JOIN space ON space.oid = class.relnamespace
  WHERE class.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_class'::regclass)
),
proc AS (
  SELECT proc.* FROM pg_proc AS proc JOIN space ON space.oid = proc.pronamespace
  WHERE proc.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_proc'::regclass)
),
type_ AS (
  SELECT type_.*, space.nspname FROM pg_type AS type_ JOIN space ON space.oid = type_.typnamespace
  WHERE type_.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_type'::regclass)
),
beside (kind, name, definition) AS (
  SELECT 'schema', quote_ident(nspname), NULL FROM space WHERE nspname <> ALL (ARRAY[$1::text, 'public'])
  UNION ALL
  SELECT 'extension', quote_ident(extname), NULL FROM pg_extension WHERE extname <> 'plpgsql' AND extname::text <> ALL ($3::text[])
  UNION ALL
  SELECT 'table of another schema', oid::regclass::text, NULL FROM class WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname <> $1
  UNION ALL
  SELECT 'partition', oid::regclass::text, pg_get_expr(relpartbound, oid) FROM class WHERE relispartition AND relkind <> 'I' AND relkind <> 'i'
  UNION ALL
  SELECT 'foreign table', oid::regclass::text, NULL FROM class WHERE relkind = 'f' AND NOT relispartition
  UNION ALL
  SELECT 'view', oid::regclass::text, pg_get_viewdef(oid) FROM class WHERE relkind = 'v'
  UNION ALL
  SELECT 'materialized view', oid::regclass::text, pg_get_viewdef(oid) FROM class WHERE relkind = 'm'
  UNION ALL
  SELECT 'sequence', class.oid::regclass::text, concat_ws(' ', format_type(seq.seqtypid, NULL), 'START', seq.seqstart, 'INCREMENT', seq.seqincrement,
      'MIN', seq.seqmin, 'MAX', seq.seqmax, 'CACHE', seq.seqcache, CASE WHEN seq.seqcycle THEN 'CYCLE' END,
      'OWNED BY ' || (SELECT concat(depend.refobjid::regclass, '.', attribute.attname) FROM pg_depend AS depend
        JOIN pg_attribute AS attribute ON attribute.attrelid = depend.refobjid AND attribute.attnum = depend.refobjsubid
        WHERE depend.classid = 'pg_class'::regclass AND depend.objid = class.oid AND depend.deptype = 'a'))
    FROM class JOIN pg_sequence AS seq ON seq.seqrelid = class.oid
    WHERE NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.classid = 'pg_class'::regclass AND depend.objid = class.oid AND depend.deptype = 'i')
      -- those that no column owns are the version's
      AND NOT (class.nspname = $1 AND NOT EXISTS (SELECT FROM pg_depend AS depend
        WHERE depend.classid = 'pg_class'::regclass AND depend.objid = class.oid AND depend.deptype = 'a'))
  UNION ALL
  SELECT CASE prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, oid::regprocedure::text,
    CASE WHEN prokind <> 'a' THEN pg_get_functiondef(oid) END FROM proc
  UNION ALL
  SELECT 'trigger', concat(quote_ident(trigger_.tgname), ' on ', class.oid::regclass), concat(pg_get_triggerdef(trigger_.oid), ' ', trigger_.tgenabled)
    FROM pg_trigger AS trigger_ JOIN class ON class.oid = trigger_.tgrelid WHERE NOT trigger_.tgisinternal AND trigger_.tgparentid = 0
  UNION ALL
  SELECT 'domain of another schema', oid::regtype::text, concat_ws(' ', format_type(typbasetype, typtypmod), CASE WHEN typnotnull THEN 'NOT NULL' END, typdefault,
      (SELECT string_agg(pg_get_constraintdef(con.oid), ' ' ORDER BY con.conname) FROM pg_constraint AS con WHERE con.contypid = type_.oid AND con.contype = 'c'))
    FROM type_ WHERE typtype = 'd' AND nspname <> $1
  UNION ALL
  SELECT 'composite type of another schema', type_.oid::regtype::text, (SELECT string_agg(concat(attribute.attname, ' ', format_type(attribute.atttypid, attribute.atttypmod)), ', ' ORDER BY attribute.attnum)
      FROM pg_attribute AS attribute WHERE attribute.attrelid = type_.typrelid AND attribute.attnum > 0 AND NOT attribute.attisdropped)
    FROM type_ JOIN pg_class AS own ON own.oid = type_.typrelid WHERE own.relkind = 'c' AND type_.nspname <> $1
  UNION ALL
  SELECT 'range type', oid::regtype::text, NULL FROM type_ WHERE typtype = 'r'
  UNION ALL
  SELECT 'enum of another schema', oid::regtype::text, NULL FROM type_ WHERE typtype = 'e' AND nspname <> $1
  UNION ALL
  SELECT 'table with row security', oid::regclass::text, CASE WHEN relforcerowsecurity THEN 'FORCE' END FROM class WHERE relrowsecurity
  UNION ALL
  SELECT 'policy', concat(quote_ident(policy.polname), ' on ', class.oid::regclass), concat_ws(' ', policy.polcmd, policy.polpermissive,
      policy.polroles::regrole[], pg_get_expr(policy.polqual, policy.polrelid), pg_get_expr(policy.polwithcheck, policy.polrelid))
    FROM pg_policy AS policy JOIN class ON class.oid = policy.polrelid
  UNION ALL
  SELECT 'rule', concat(quote_ident(rule.rulename), ' on ', class.oid::regclass), pg_get_ruledef(rule.oid)
    FROM pg_rewrite AS rule JOIN class ON class.oid = rule.ev_class WHERE rule.rulename <> '_RETURN'
  UNION ALL
  SELECT 'statistics', concat(quote_ident(space.nspname), '.', quote_ident(statistics.stxname)), pg_get_statisticsobjdef(statistics.oid)
    FROM pg_statistic_ext AS statistics JOIN space ON space.oid = statistics.stxnamespace JOIN pg_class AS own ON own.oid = statistics.stxrelid
    -- those of a version's tables are the version's
    WHERE NOT (space.nspname = $1 AND own.relnamespace = space.oid AND own.relkind IN ('r', 'p') AND NOT own.relispartition)
  UNION ALL
  SELECT 'foreign key to another schema', concat(quote_ident(con.conname), ' on ', class.oid::regclass), pg_get_constraintdef(con.oid)
    FROM pg_constraint AS con JOIN class ON class.oid = con.conrelid JOIN pg_class AS target ON target.oid = con.confrelid
    WHERE con.contype = 'f' AND class.nspname = $1 AND target.relnamespace <> class.relnamespace AND con.conparentid = 0
  UNION ALL
  SELECT 'invalid index', index.indexrelid::regclass::text, NULL FROM pg_index AS index JOIN class ON class.oid = index.indexrelid WHERE NOT index.indisvalid
  UNION ALL
  SELECT 'table with storage parameters', oid::regclass::text, array_to_string(reloptions, ', ') FROM class WHERE relkind IN ('r', 'm') AND reloptions IS NOT NULL
    -- those of a version's tables are the version's
    AND NOT (nspname = $1 AND relkind = 'r' AND NOT relispartition)
  UNION ALL
  SELECT 'operator', operator_.oid::regoperator::text, NULL FROM pg_operator AS operator_ JOIN space ON space.oid = operator_.oprnamespace
    WHERE operator_.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_operator'::regclass)
  UNION ALL
  SELECT 'cast', concat(format_type(castsource, NULL), ' to ', format_type(casttarget, NULL)),
      concat_ws(' ', CASE castmethod WHEN 'f' THEN castfunc::regprocedure::text WHEN 'i' THEN 'INOUT' ELSE 'WITHOUT FUNCTION' END, castcontext)
    -- those with lower numbers are the server's own, and a range type has one to its multirange
    FROM pg_cast AS cast_ WHERE cast_.oid >= 16384
      AND NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.classid = 'pg_cast'::regclass AND depend.objid = cast_.oid AND depend.deptype IN ('e', 'i'))
  UNION ALL
  SELECT 'collation', collation_.oid::regcollation::text, NULL FROM pg_collation AS collation_ JOIN space ON space.oid = collation_.collnamespace
  UNION ALL
  SELECT 'text search configuration', config.oid::regconfig::text, NULL FROM pg_ts_config AS config JOIN space ON space.oid = config.cfgnamespace
  UNION ALL
  SELECT 'event trigger', quote_ident(evtname), NULL FROM pg_event_trigger
    WHERE oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_event_trigger'::regclass)
  UNION ALL
  SELECT 'publication', quote_ident(pubname), NULL FROM pg_publication
)
SELECT kind, name, definition FROM beside ORDER BY kind COLLATE "C", name COLLATE "C"

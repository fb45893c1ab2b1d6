-- The engine's state. Run in one transaction, on the tool's own path, by the role that migrates. Nobody else has any right on it but
-- those that `diptych.seal` leaves.
CREATE SCHEMA IF NOT EXISTS diptych;

-- in which form the state and the plans in it are written: a tool refuses what is newer than it knows
CREATE TABLE diptych.format (number integer NOT NULL);

-- one row per version that was ever started in a base schema
CREATE TABLE diptych.versions (
  base text NOT NULL,
  name text NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY,
  parent text,
  views text NOT NULL,
  migrations jsonb NOT NULL,
  model jsonb NOT NULL,
  relations jsonb NOT NULL,
  -- whether the migrations run statements of the user's own, of which the model knows nothing
  opaque boolean NOT NULL,
  state text NOT NULL CHECK (state IN ('starting', 'started', 'completing', 'live', 'retired', 'rolling_back', 'rolled_back')),
  -- what each stored plan must be, by command
  checksums jsonb NOT NULL,
  tool text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (base, name)
);

-- the plans of start, complete and rollback, as they were decided when the start began
CREATE TABLE diptych.plans (
  base text NOT NULL,
  version text NOT NULL,
  command text NOT NULL,
  plan text NOT NULL,
  PRIMARY KEY (base, version, command)
);

-- the steps that are done; a transactional step's row commits with it
CREATE TABLE diptych.journal (
  base text NOT NULL,
  version text NOT NULL,
  command text NOT NULL,
  step text NOT NULL,
  done_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (base, version, command, step)
);

-- how far a backfill got, and in which file of the table
CREATE TABLE diptych.backfill (
  base text NOT NULL,
  version text NOT NULL,
  step text NOT NULL,
  filenode oid NOT NULL,
  block bigint NOT NULL,
  PRIMARY KEY (base, version, step)
);

-- version schemas that hold nothing but tombstones
CREATE TABLE diptych.tombstones (
  base text NOT NULL,
  views text NOT NULL,
  relations jsonb NOT NULL,
  PRIMARY KEY (base, views)
);

-- who runs a command; the token fences off a run that lost its session
CREATE TABLE diptych.runs (
  base text PRIMARY KEY,
  token bigint NOT NULL DEFAULT 0,
  command text NOT NULL DEFAULT '',
  pid integer NOT NULL DEFAULT 0
);

-- raises where another run took over; else holds the run's row until the transaction ends
CREATE FUNCTION diptych.fence(base text, token bigint) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  PERFORM FROM diptych.runs AS run WHERE run.base = $1 AND run.token = $2 FOR SHARE;
  IF NOT found THEN
    RAISE EXCEPTION 'another run took over' USING ERRCODE = 'DPT01';
  END IF;
END
$body$;

-- which process uses which version; a row counts until it expires
CREATE TABLE diptych.leases (
  id text PRIMARY KEY,
  base text NOT NULL,
  version text NOT NULL,
  role text NOT NULL,
  application text NOT NULL,
  host text NOT NULL,
  process bigint NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires timestamptz NOT NULL
);
CREATE INDEX leases_role ON diptych.leases (role);

-- An app's sign of life: one statement, so that it works behind a transaction pooler; with the owner's rights, since an app has none on
-- the state. It says `held`; or why there is no lease: the version is `retired` (or about to be), is `unpublished`, is `denied` to
-- the role, or the role has too `many`.
CREATE FUNCTION diptych.lease(id text, base text, version text, application text, host text, process bigint, seconds integer)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  own record;
  renewed boolean;
  until timestamptz := clock_timestamp() + make_interval(secs => greatest(1, least($7, 3600)));
BEGIN
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
  IF own.state IS NULL OR to_regnamespace(quote_ident(own.views)) IS NULL THEN
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
CREATE FUNCTION diptych.lease_end(id text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
  DELETE FROM diptych.leases AS held WHERE held.id = $1 AND held.role = session_user
$body$;

-- raises for every use of a tombstone
CREATE FUNCTION diptych.gone(name text, version text) RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RAISE EXCEPTION 'relation "%" is not there any more: version "%" retired it', name, version
    USING ERRCODE = 'undefined_table', HINT = 'this session belongs to a version that is retired: connect with a release that was built for the newer one';
END
$body$;

CREATE FUNCTION diptych.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
  RAISE EXCEPTION 'relation "%" is not there any more: version "%" retired it', TG_ARGV[0], TG_ARGV[1]
    USING ERRCODE = 'undefined_table', HINT = 'this session belongs to a version that is retired: connect with a release that was built for the newer one';
END
$body$;

-- Takes every right that anybody but the owner has on the objects here, whoever gave it (default privileges, PUBLIC's own), but for what
-- apps need: to find the schema, to take and give back a lease, and to be told that a table is gone.
CREATE FUNCTION diptych.seal() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
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
      AND object.name IN ('diptych', 'diptych.gone(text,text)', 'diptych.lease_end(text)', 'diptych.lease(text,text,text,text,text,bigint,integer)'))
  LOOP
    EXECUTE format('REVOKE ALL ON %s %s FROM %s CASCADE', right_.kind, right_.name, right_.role);
  END LOOP;
  GRANT USAGE ON SCHEMA diptych TO PUBLIC;
  GRANT EXECUTE ON FUNCTION diptych.gone(text, text), diptych.lease_end(text), diptych.lease(text, text, text, text, text, bigint, integer) TO PUBLIC;
END
$body$;
SELECT diptych.seal();
INSERT INTO diptych.format VALUES (1);

CREATE SCHEMA IF NOT EXISTS diptych;

-- one row per version that was ever started in a base schema
CREATE TABLE IF NOT EXISTS diptych.versions (
  base text NOT NULL,
  name text NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY,
  parent text,
  views text NOT NULL,
  migrations jsonb NOT NULL,
  model jsonb NOT NULL,
  relations jsonb NOT NULL,
  state text NOT NULL CHECK (state IN ('starting', 'started', 'completing', 'live', 'retired', 'rolling_back', 'rolled_back')),
  tool text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (base, name)
);

-- the plan of every command, as it was when the command began: a resumed command runs the same one
CREATE TABLE IF NOT EXISTS diptych.plans (
  base text NOT NULL,
  version text NOT NULL,
  command text NOT NULL,
  plan jsonb NOT NULL,
  PRIMARY KEY (base, version, command)
);

-- the steps that are done; a transactional step's row commits with it
CREATE TABLE IF NOT EXISTS diptych.journal (
  base text NOT NULL,
  version text NOT NULL,
  command text NOT NULL,
  step text NOT NULL,
  done_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (base, version, command, step)
);

-- how far a backfill got, and in which file of the table
CREATE TABLE IF NOT EXISTS diptych.backfill (
  base text NOT NULL,
  version text NOT NULL,
  step text NOT NULL,
  filenode oid NOT NULL,
  block bigint NOT NULL,
  PRIMARY KEY (base, version, step)
);

-- version schemas that hold nothing but tombstones
CREATE TABLE IF NOT EXISTS diptych.tombstones (
  base text NOT NULL,
  views text NOT NULL,
  relations jsonb NOT NULL,
  PRIMARY KEY (base, views)
);

-- who runs a command; the token fences off a run that lost its session
CREATE TABLE IF NOT EXISTS diptych.runs (
  base text PRIMARY KEY,
  token bigint NOT NULL DEFAULT 0,
  command text NOT NULL DEFAULT '',
  pid integer NOT NULL DEFAULT 0
);

-- which process uses which version; a row counts until it expires
CREATE TABLE IF NOT EXISTS diptych.leases (
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

-- an app's sign of life: one statement, so that it works behind a transaction pooler; with the owner's rights, since an app has
-- none on the state. False where the version is retired or about to be: then nothing is entered.
CREATE OR REPLACE FUNCTION diptych.lease(id text, base text, version text, application text, host text, process bigint, seconds integer)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE usable boolean;
BEGIN
  -- a guard that is looking at the leases locks them for a moment; whoever waited for it sees what it decided
  INSERT INTO diptych.leases AS held (id, base, version, role, application, host, process, expires)
    VALUES ($1, $2, $3, session_user, left($4, 200), left($5, 200), $6, clock_timestamp() + make_interval(secs => least($7, 3600)))
    ON CONFLICT ON CONSTRAINT leases_pkey DO UPDATE SET seen = clock_timestamp(), expires = EXCLUDED.expires
    WHERE held.role = session_user AND held.base = EXCLUDED.base AND held.version = EXCLUDED.version;
  SELECT own.state IN ('starting', 'started', 'completing', 'live') AND NOT EXISTS (
      SELECT FROM diptych.versions AS newer WHERE newer.base = own.base AND newer.parent = own.name AND newer.state = 'completing')
    INTO usable FROM diptych.versions AS own WHERE own.base = $2 AND own.name = $3;
  IF NOT usable THEN
    DELETE FROM diptych.leases AS held WHERE held.id = $1 AND held.role = session_user;
  END IF;
  RETURN coalesce(usable, true);
END
$body$;

-- an app's farewell
CREATE OR REPLACE FUNCTION diptych.lease_end(id text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
  DELETE FROM diptych.leases AS held WHERE held.id = $1 AND held.role = session_user
$body$;

-- so that apps can call the two; the tables stay closed to them
GRANT USAGE ON SCHEMA diptych TO PUBLIC;

-- raises for every use of a tombstone
CREATE OR REPLACE FUNCTION diptych.gone(name text, version text) RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $body$
BEGIN
  RAISE EXCEPTION 'relation "%" is not there any more: version "%" retired it', name, version
    USING ERRCODE = 'undefined_table', HINT = 'this session belongs to a version that is retired: connect with a release that was built for the newer one';
END
$body$;

CREATE OR REPLACE FUNCTION diptych.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
BEGIN
  RAISE EXCEPTION 'relation "%" is not there any more: version "%" retired it', TG_ARGV[0], TG_ARGV[1]
    USING ERRCODE = 'undefined_table', HINT = 'this session belongs to a version that is retired: connect with a release that was built for the newer one';
END
$body$;

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

-- The engine's state. Run in one transaction, on the tool's own path, by the role that migrates. Nobody else has any right on it but
-- those that `diptych.seal` leaves.
CREATE SCHEMA IF NOT EXISTS diptych;

-- in which form the state and the plans in it are written: a tool refuses what is newer than it knows; and whose functions are here
CREATE TABLE diptych.format (number integer NOT NULL, tool text NOT NULL);

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
  -- functions, views and the like that the version has for itself
  code jsonb NOT NULL DEFAULT '[]',
  -- functions of new tables' triggers that its start has made
  functions jsonb NOT NULL DEFAULT '[]',
  -- whether the migrations run statements of the user's own, of which the model knows nothing
  opaque boolean NOT NULL,
  state text NOT NULL CHECK (state IN ('starting', 'started', 'completing', 'live', 'retired', 'rolling_back', 'rolled_back')),
  -- what each stored plan must be, by command
  checksums jsonb NOT NULL,
  tool text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- who has started it, from where and when, and when that start was done
  role text,
  host text,
  began_at timestamptz,
  published_at timestamptz,
  PRIMARY KEY (base, name)
);

-- schemas of versions that are gone, kept since somebody else has something in them
CREATE TABLE diptych.kept (
  base text NOT NULL,
  schema text NOT NULL,
  PRIMARY KEY (base, schema)
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

-- what a start has made, as it was at its end: what `complete` needs as it is
CREATE TABLE diptych.made (
  base text NOT NULL,
  version text NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  definition text NOT NULL,
  put_back text,
  -- of the server, whose next release may print definitions otherwise
  major integer NOT NULL,
  PRIMARY KEY (base, version, kind, name)
);

-- how far a backfill got, of how many blocks, and in which file of the table; rows that transactions from `since` on wrote are in sync;
-- how many rows it has filled, and how fast it is
CREATE TABLE diptych.backfill (
  base text NOT NULL,
  version text NOT NULL,
  step text NOT NULL,
  filenode oid NOT NULL,
  block bigint NOT NULL,
  total bigint NOT NULL,
  since text,
  rows bigint NOT NULL DEFAULT 0,
  rows_per_second double precision NOT NULL DEFAULT 0,
  blocks_per_second double precision NOT NULL DEFAULT 0,
  PRIMARY KEY (base, version, step)
);

-- who runs a command, and where, and what it waits for; the token fences off a run that lost its session
CREATE TABLE diptych.runs (
  base text PRIMARY KEY,
  token bigint NOT NULL DEFAULT 0,
  command text NOT NULL DEFAULT '',
  pid integer NOT NULL DEFAULT 0,
  host text NOT NULL DEFAULT '',
  process bigint NOT NULL DEFAULT 0,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  waits text
);

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

-- Tables that an earlier release's state lacks.

-- the rows that a start has inserted into tables of the older version, as that one sees them, and why a rollback has left them
CREATE TABLE IF NOT EXISTS diptych.inserted (
  base text NOT NULL,
  version text NOT NULL,
  operation integer NOT NULL,
  number bigint NOT NULL,
  key jsonb NOT NULL,
  row jsonb,
  stays text,
  PRIMARY KEY (base, version, operation, number)
);

-- the commands that were carried out, by the token of their run: when and by whom, and what they came to
CREATE TABLE IF NOT EXISTS diptych.log (
  base text NOT NULL,
  token bigint NOT NULL,
  command text NOT NULL,
  versions jsonb NOT NULL,
  role text NOT NULL,
  host text NOT NULL,
  process bigint NOT NULL,
  began_at timestamptz NOT NULL,
  ended_at timestamptz,
  outcome text,
  message text,
  PRIMARY KEY (base, token)
);

-- a start that waits until somebody resumes it: who paused it, and from where
CREATE TABLE IF NOT EXISTS diptych.pauses (
  base text NOT NULL,
  version text NOT NULL,
  role text NOT NULL,
  host text NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (base, version)
);


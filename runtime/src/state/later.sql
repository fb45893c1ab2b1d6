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

-- a start that waits until somebody resumes it: who paused it, and from where
CREATE TABLE IF NOT EXISTS diptych.pauses (
  base text NOT NULL,
  version text NOT NULL,
  role text NOT NULL,
  host text NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (base, version)
);


-- What the tables of an earlier release's state lack.
ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS code jsonb NOT NULL DEFAULT '[]';
ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS functions jsonb NOT NULL DEFAULT '[]';
ALTER TABLE diptych.backfill ADD COLUMN IF NOT EXISTS since text, ADD COLUMN IF NOT EXISTS rows bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS rows_per_second double precision NOT NULL DEFAULT 0, ADD COLUMN IF NOT EXISTS blocks_per_second double precision NOT NULL DEFAULT 0;
ALTER TABLE diptych.runs ADD COLUMN IF NOT EXISTS waits text;
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

CREATE TABLE IF NOT EXISTS diptych.pauses (
  base text NOT NULL,
  version text NOT NULL,
  role text NOT NULL,
  host text NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (base, version)
);

-- What the tables of an earlier release's state lack.
ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS code jsonb NOT NULL DEFAULT '[]';
ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS functions jsonb NOT NULL DEFAULT '[]';
ALTER TABLE diptych.backfill ADD COLUMN IF NOT EXISTS since text;

CREATE TABLE IF NOT EXISTS diptych.pauses (
  base text NOT NULL,
  version text NOT NULL,
  role text NOT NULL,
  host text NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (base, version)
);

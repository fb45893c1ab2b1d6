-- Columns that the tables of an earlier release's state lack.
ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS code jsonb NOT NULL DEFAULT '[]';
ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS functions jsonb NOT NULL DEFAULT '[]';
ALTER TABLE diptych.backfill ADD COLUMN IF NOT EXISTS since text, ADD COLUMN IF NOT EXISTS rows bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS rows_per_second double precision NOT NULL DEFAULT 0, ADD COLUMN IF NOT EXISTS blocks_per_second double precision NOT NULL DEFAULT 0;
ALTER TABLE diptych.runs ADD COLUMN IF NOT EXISTS waits text;

ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS role text, ADD COLUMN IF NOT EXISTS host text,
  ADD COLUMN IF NOT EXISTS began_at timestamptz, ADD COLUMN IF NOT EXISTS published_at timestamptz;

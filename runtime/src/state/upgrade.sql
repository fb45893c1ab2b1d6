-- Columns that the tables of an earlier release's state lack.
ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS code jsonb NOT NULL DEFAULT '[]';
ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS functions jsonb NOT NULL DEFAULT '[]';
ALTER TABLE diptych.backfill ADD COLUMN IF NOT EXISTS since text, ADD COLUMN IF NOT EXISTS rows bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS rows_per_second double precision NOT NULL DEFAULT 0, ADD COLUMN IF NOT EXISTS blocks_per_second double precision NOT NULL DEFAULT 0;
ALTER TABLE diptych.runs ADD COLUMN IF NOT EXISTS waits text;

ALTER TABLE diptych.versions ADD COLUMN IF NOT EXISTS role text, ADD COLUMN IF NOT EXISTS host text,
  ADD COLUMN IF NOT EXISTS began_at timestamptz, ADD COLUMN IF NOT EXISTS published_at timestamptz;
-- what an earlier release has not noted is told by the steps of the start
UPDATE diptych.versions AS version SET began_at = start.began, published_at = CASE WHEN version.state <> 'starting' THEN start.ended END
FROM (SELECT base, version, min(done_at), max(done_at) FROM diptych.journal WHERE command = 'start' GROUP BY base, version) AS start (base, version, began, ended)
WHERE version.began_at IS NULL AND start.base = version.base AND start.version = version.name;

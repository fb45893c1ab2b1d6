-- What an earlier release has not noted is told by the steps of the start.
UPDATE diptych.versions AS version SET began_at = start.began, published_at = CASE WHEN version.state <> 'starting' THEN start.ended END
FROM (SELECT base, version, min(done_at), max(done_at) FROM diptych.journal WHERE command = 'start' GROUP BY base, version) AS start (base, version, began, ended)
WHERE version.began_at IS NULL AND start.base = version.base AND start.version = version.name;

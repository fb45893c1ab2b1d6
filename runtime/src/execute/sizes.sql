-- The tables of a base schema ($1) that a start makes grow ($2, as JSON), a row each: its name; bytes of its heap, of what is stored out of line (none where
-- no new column may be), of its indexes; its rows; by how many bytes each grows; bytes of its entries in the indexes that are built; whether it is filled.
WITH grown AS (
  SELECT item ->> 'table' AS name, item -> 'columns' AS columns, item -> 'indexes' AS indexes, to_regclass(format('%I.%I', $1::text, item ->> 'table'))::oid AS oid
  FROM jsonb_array_elements($2::jsonb) AS item
),
-- rows that nobody has counted yet are as many as there can be
size AS (
  SELECT grown.name, sum(CASE WHEN class.reltuples < 0 THEN pg_relation_size(class.oid) / 32 ELSE class.reltuples END)::float8 AS rows,
    sum(pg_relation_size(class.oid))::float8 AS heap, sum(coalesce(pg_total_relation_size(nullif(class.reltoastrelid, 0)), 0))::float8 AS toast,
    sum(pg_indexes_size(class.oid))::float8 AS indexes
  FROM grown JOIN pg_class AS class ON class.oid = grown.oid OR class.oid IN (SELECT tree.relid FROM pg_partition_tree(grown.oid) AS tree WHERE tree.isleaf)
  WHERE class.relkind = 'r'
  GROUP BY grown.name
),
-- a column is as wide as its type says, or as it was when it was last analyzed; one of which nothing is known is taken for 32 bytes
stat AS (SELECT tablename, attname, max(avg_width) AS width FROM pg_stats WHERE schemaname = $1 GROUP BY tablename, attname),
old AS (
  SELECT grown.name AS place, attribute.attname::text AS name, attribute.attlen, CASE WHEN attribute.attlen > 0 THEN attribute.attlen ELSE coalesce(stat.width, 32) END AS width
  FROM grown JOIN pg_attribute AS attribute ON attribute.attrelid = grown.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
  LEFT JOIN stat ON stat.tablename = grown.name AND stat.attname = attribute.attname
),
new AS (
  SELECT grown.name AS place, item ->> 'name' AS name, coalesce(type_.typlen, -1) < 0 AND coalesce(old.attlen, -1) < 0 AS may_be_large,
    CASE WHEN type_.typlen > 0 THEN type_.typlen ELSE greatest(old.width, 32) END AS width
  FROM grown CROSS JOIN jsonb_array_elements(grown.columns) AS item LEFT JOIN pg_type AS type_ ON type_.oid = to_regtype(item ->> 'sql_type')
  LEFT JOIN old ON old.place = grown.name AND old.name = item ->> 'origin'
),
filled AS (SELECT place, sum(width)::float8 AS more, bool_or(may_be_large) AS may_be_large FROM new GROUP BY place),
known AS (SELECT place, name, width FROM old UNION ALL SELECT place, name, width FROM new),
-- an entry with its head and its pointer, in pages that are not quite full
entry AS (
  SELECT grown.name AS place, sum(1.25 * (16 + (
      SELECT sum(coalesce(known.width, 32)) FROM jsonb_array_elements_text(own.columns) AS key (name) LEFT JOIN known ON known.place = grown.name AND known.name = key.name
    )))::float8 AS bytes
  FROM grown CROSS JOIN jsonb_array_elements(grown.indexes) AS own (columns) GROUP BY grown.name
)
SELECT size.name, size.heap, CASE WHEN filled.may_be_large THEN size.toast ELSE 0 END, size.indexes, size.rows, coalesce(filled.more, 0), coalesce(entry.bytes, 0),
  filled.place IS NOT NULL
FROM size LEFT JOIN filled ON filled.place = size.name LEFT JOIN entry ON entry.place = size.name ORDER BY size.name

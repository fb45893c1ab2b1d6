//! Partitioned tables. What a case calls `piece_…` is a partition, of which a version knows nothing.

use super::Side::{New, Old};
use super::{Account, BEYOND, Case, SAME};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "partitioned table: columns, indexes and constraints",
            expectation: BEYOND,
            before: "operations:
  - create_table: {name: teams, columns: [{name: id, type: bigint, pk: true}]}
  - create_table:
      name: users
      partition_by: HASH (id)
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: email, type: text}
        - {name: name, type: text, nullable: true, comment: the whole name}
        - {name: age, type: integer, nullable: true, default: '18'}
        - {name: team, type: bigint, nullable: true}
        - {name: crew, type: bigint, nullable: true, references: {name: users_crew_fk, table: teams, column: id}}
      constraints:
        - {name: users_email_key, type: unique, columns: [email, id]}
        - {name: users_age_key, type: unique, columns: [age, id]}
  - create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
  - create_statistics: {name: users_counted, table: users, columns: [age, name], expressions: [lower(email)]}
  - create_table:
      name: notes
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: user_id, type: bigint, references: {name: notes_user_fk, table: users, column: id, on_delete: CASCADE}}
        - {name: body, type: text}
  - sql:
      up: |
        INSERT INTO teams VALUES (1), (2);
        CREATE TABLE piece_a PARTITION OF users FOR VALUES WITH (MODULUS 3, REMAINDER 0);
        CREATE TABLE piece_b PARTITION OF users FOR VALUES WITH (MODULUS 3, REMAINDER 1);
        CREATE TABLE \"piece_C's\" PARTITION OF users FOR VALUES WITH (MODULUS 3, REMAINDER 2) PARTITION BY RANGE (id);
        CREATE TABLE piece_low PARTITION OF \"piece_C's\" FOR VALUES FROM (MINVALUE) TO (200);
        CREATE TABLE piece_high PARTITION OF \"piece_C's\" DEFAULT;
",
            seed: "INSERT INTO users (id, email, name, age) SELECT n, 'u' || n, 'First' || n || ' Last' || n, n % 90 FROM generate_series(1, 500) AS n",
            change: "operations:
  - alter_column: {table: users, column: age, type: text, nullable: true, up: \"age || '!'\", down: \"nullif(rtrim(age, '!'), '')::integer\", default: \"'18!'\"}
  - alter_column: {table: users, column: crew, type: integer, up: crew, down: crew}
  - add_column: {table: users, column: {name: shout, type: text, check: {name: shout_is_loud, constraint: shout = upper(shout)}}, up: upper(email)}
  - create_index: {name: users_shout_idx, table: users, columns: [{expression: lower(shout)}], predicate: id > 0}
  - create_index: {name: users_email_idx, table: users, columns: [{column: email, sort: DESC}], include: [name]}
  - create_constraint: {name: users_shout_key, table: users, type: unique, columns: [shout, id]}
  - create_constraint: {name: users_id_is_positive, table: users, type: check, columns: [id], check: id > 0}
  - create_constraint: {name: users_team_fk, table: users, type: foreign_key, columns: [team], references: {table: teams, columns: [id]}}
  - drop_index: {name: users_name_idx}
  - drop_constraint: {table: users, name: users_email_key}
  - rename_column: {table: users, from: name, to: full_name}
",
            account: Account {
                renamed: &[("name", "full_name")],
                up: &[("age", "age || '!'"), ("shout", "upper(email)"), ("crew", "crew")],
                down: &[("age", "replace(age, '!', '')::int"), ("crew", "crew")],
                values: &[(Old, "age", "{n}"), (New, "age", "{n}!"), (New, "shout", "LOUD {u}"), (Old, "team", "1"), (New, "team", "2"), (Old, "crew", "2"), (New, "crew", "1")],
                ..SAME
            },
            work: "INSERT INTO users (id, email, name) VALUES ({n}, 'w{n}', 'Work Er'); UPDATE users SET name = name || 'x' WHERE email = 'w{n}'; SELECT * FROM users WHERE id = 1",
            started: &[
                (Old, "INSERT INTO users (id, email, name, age) VALUES (1001, 'old', 'O', 7)", ""),
                (New, "SELECT age, shout FROM users WHERE email = 'old'", "7!|OLD"),
                (New, "INSERT INTO users (id, email, shout, age) VALUES (1002, 'new', 'OWN', '8!')", ""),
                (Old, "SELECT age FROM users WHERE email = 'new'", "8"),
                (New, "INSERT INTO users (id, email, shout) VALUES (1004, 'bad', 'quiet')", "!23514"),
                (New, "INSERT INTO users (id, email, shout) VALUES (1004, 'bad', NULL)", "!23502"),
                (New, "INSERT INTO users (id, email, shout) VALUES (1002, 'bad', 'OWN')", "!23505"),
                (New, "UPDATE users SET team = 3 WHERE id = 7", "!23503"),
                (New, "SELECT count(*) FROM users WHERE email LIKE 'u%' AND shout = upper(email) AND age = id % 90 || '!'", "500"),
            ],
            completed: &[
                ("SELECT age, shout, full_name FROM users WHERE email = 'u7'", "7!|U7|First7 Last7"),
                ("INSERT INTO users (id, email, shout) VALUES (1004, 'bad', NULL)", "!23502"),
                ("INSERT INTO users (id, email, shout, age) VALUES (7, 'bad', 'U7', 'x')", "!23505"),
                ("UPDATE users SET team = 3 WHERE id = 7", "!23503"),
                ("INSERT INTO users (id, email, shout) VALUES (1003, 'c', 'C') RETURNING age", "18!"),
                ("SELECT count(*), bool_and(indisvalid) FROM pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE relname LIKE 'piece%' AND relkind = 'r'", "20|t"),
                ("SELECT relname FROM pg_class WHERE relname LIKE 'piece_a%' ORDER BY relname COLLATE \"C\"", "piece_a;piece_a_age_key;piece_a_email_idx;piece_a_pkey;piece_a_shout_idx;piece_a_shout_key"),
                ("SELECT count(*), count(DISTINCT conname) FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text LIKE '%piece%'", "10|2"),
            ],
        },
        Case {
            name: "partitioned table: its key, and rows that move",
            expectation: BEYOND,
            before: "operations:
  - create_table:
      name: users
      partition_by: HASH (region)
      columns:
        - {name: id, type: integer}
        - {name: region, type: text}
        - {name: name, type: text, nullable: true}
      constraints:
        - {name: users_pkey, type: primary_key, columns: [region, id]}
  - sql:
      up: |
        CREATE TABLE piece_1 PARTITION OF users FOR VALUES WITH (MODULUS 3, REMAINDER 0);
        CREATE TABLE piece_2 (name text, id integer NOT NULL, gone integer, region text NOT NULL);
        ALTER TABLE piece_2 DROP COLUMN gone;
        ALTER TABLE users ATTACH PARTITION piece_2 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
        CREATE TABLE piece_other PARTITION OF users FOR VALUES WITH (MODULUS 3, REMAINDER 2);
",
            seed: "INSERT INTO users SELECT n, 'r' || n % 10, 'First' || n || ' Last' || n FROM generate_series(11, 500) AS n",
            change: "operations:
  - alter_column: {table: users, column: id, type: bigint, up: id, down: id}
  - add_column: {table: users, column: {name: first_name, type: text}, up: \"coalesce(split_part(name, ' ', 1), '')\"}
  - add_column: {table: users, column: {name: last_name, type: text}, up: \"coalesce(substr(name, length(split_part(name, ' ', 1)) + 2), '')\"}
  - drop_column: {table: users, column: name, down: \"first_name || ' ' || last_name\"}
",
            account: Account {
                up: &[
                    ("id", "id"),
                    ("first_name", "CASE WHEN name IS NULL THEN '' ELSE substr(name || ' ', 1, position(' ' IN name || ' ') - 1) END"),
                    ("last_name", "CASE WHEN name LIKE '% %' THEN substr(name, position(' ' IN name) + 1) ELSE '' END"),
                ],
                down: &[("id", "id"), ("name", "first_name || ' ' || last_name")],
                values: &[(Old, "region", "r{n}"), (Old, "name", "Solo{n}"), (New, "region", "r{n}"), (New, "first_name", "Anna Maria{n}"), (New, "last_name", "Last{n}")],
                upserts: false,
                notes: false,
                ..SAME
            },
            work: "INSERT INTO users (id, region, name) VALUES ({n}, 'r1', 'w{n}'); UPDATE users SET region = 'r2' WHERE name = 'w{n}' AND region = 'r1'; UPDATE users SET region = 'x' WHERE name = 'w{n}' AND region = 'r2'; SELECT * FROM users WHERE id = 11 AND region = 'r1'",
            started: &[
                (New, "INSERT INTO users VALUES (600, 'r1', 'Anna Maria', 'Muster')", ""),
                (Old, "SELECT name FROM users WHERE id = 600", "Anna Maria Muster"),
                (Old, "UPDATE users SET region = 'r2' WHERE id = 600 AND region = 'r1'", ""),
                (New, "SELECT region, first_name, last_name FROM users WHERE id = 600", "r2|Anna Maria|Muster"),
                (Old, "UPDATE users SET region = 'r3', name = 'Eva Braun' WHERE id = 600 AND region = 'r2'", ""),
                (New, "SELECT region, first_name, last_name FROM users WHERE id = 600", "r3|Eva|Braun"),
                (Old, "INSERT INTO users VALUES (601, 'r1', 'Solo')", ""),
                (New, "UPDATE users SET region = 'r2' WHERE id = 601", ""),
                (New, "UPDATE users SET region = 'r3' WHERE id = 601", ""),
                (New, "UPDATE users SET region = 'r4' WHERE id = 601", ""),
                (Old, "SELECT name || '.' FROM users WHERE id = 601", "Solo."),
                (New, "INSERT INTO users VALUES (5000000000, 'r1', 'a', 'b')", "!22003"),
                (New, "INSERT INTO users VALUES (600, 'r3', 'a', 'b')", "!23505"),
            ],
            completed: &[
                ("SELECT first_name, last_name FROM users WHERE id = 12", "First12|Last12"),
                ("INSERT INTO users VALUES (5000000000, 'r1', 'a', 'b')", ""),
                ("INSERT INTO users VALUES (5000000000, 'r1', 'a', 'b')", "!23505"),
                ("SELECT conname, contype FROM pg_constraint WHERE conname LIKE 'piece%' AND contype = 'p' ORDER BY 1", "piece_1_pkey|p;piece_2_pkey|p;piece_other_pkey|p"),
            ],
        },
        Case {
            name: "partitioned table: alter_enum, drop_enum",
            expectation: BEYOND,
            before: "operations:
  - create_enum: {name: mood, labels: [sad, meh, happy]}
  - create_enum: {name: kind, labels: [cat, dog]}
  - create_table:
      name: users
      partition_by: HASH (id)
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: email, type: text}
        - {name: mood, type: mood, default: \"'meh'::mood\"}
        - {name: moods, type: 'mood[]', nullable: true}
        - {name: kind, type: kind, nullable: true}
  - create_table: {name: pets, partition_by: LIST (kind), columns: [{name: id, type: bigint}, {name: kind, type: kind}]}
  - create_index: {name: users_mood_idx, table: users, columns: [{column: mood}]}
  - sql:
      up: |
        CREATE TABLE piece_a PARTITION OF users FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE piece_b PARTITION OF users FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY RANGE (id);
        CREATE TABLE piece_low PARTITION OF piece_b FOR VALUES FROM (MINVALUE) TO (200);
        CREATE TABLE piece_high PARTITION OF piece_b DEFAULT;
        CREATE TABLE piece_cats PARTITION OF pets FOR VALUES IN ('cat');
        CREATE TABLE piece_others PARTITION OF pets DEFAULT;
",
            seed: "INSERT INTO users (id, email, mood) SELECT n, 'u' || n, (ARRAY['sad', 'meh', 'happy'])[1 + n % 3]::mood FROM generate_series(1, 500) AS n",
            change: "operations:
  - alter_enum: {name: mood, labels: [sad, ok, happy, glad], rename: {meh: ok}, down: {glad: happy}}
  - drop_column: {table: users, column: kind}
  - drop_table: {name: pets}
  - drop_enum: {name: kind}
",
            account: Account {
                up: &[("mood", "CASE mood WHEN 'meh' THEN 'ok' ELSE mood END"), ("moods", "array_replace(moods, 'meh', 'ok')")],
                down: &[
                    ("mood", "CASE mood WHEN 'ok' THEN 'meh' WHEN 'glad' THEN 'happy' ELSE mood END"),
                    ("moods", "array_replace(array_replace(moods, 'ok', 'meh'), 'glad', 'happy')"),
                    ("kind", "NULL"),
                ],
                values: &[
                    (Old, "mood", "sad|meh|happy"),
                    (New, "mood", "sad|ok|happy|glad"),
                    (Old, "moods", "{}|{meh,NULL}"),
                    (New, "moods", "{}|{ok,sad}"),
                    (Old, "kind", "cat|dog"),
                ],
                notes: false,
                ..SAME
            },
            work: "INSERT INTO users (id, email) VALUES ({n}, 'w{n}'); UPDATE users SET mood = 'happy'::mood WHERE email = 'w{n}'; SELECT * FROM users WHERE id = 1",
            started: &[
                (New, "INSERT INTO users (id, email, mood) VALUES (1001, 'new', 'glad'::mood)", ""),
                (Old, "SELECT mood FROM users WHERE email = 'new' AND mood = 'happy'::mood", "happy"),
                (Old, "UPDATE users SET mood = 'meh', kind = 'dog' WHERE email = 'new'", ""),
                (New, "SELECT mood FROM users WHERE email = 'new'", "ok"),
            ],
            completed: &[
                ("SELECT count(*) FROM users WHERE mood = 'ok'::mood AND email LIKE 'u%'", "167"),
                ("SELECT 'cat'::kind", "!42704"),
            ],
        },
    ]
}

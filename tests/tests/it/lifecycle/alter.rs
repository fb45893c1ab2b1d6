//! Columns that are altered: type, nullability, default, comment, keys.

use super::Side::{New, Old};
use super::{Account, Case, SAME, SEED, TEAMS, USERS, WORK};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "alter_column type",
            expectation: "alter_column type",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: age, type: text, up: \"age::text || ' years'\", down: \"nullif(split_part(age, ' ', 1), '')::integer\", default: \"'0 years'\"}
",
            account: Account {
                up: &[("age", "age || ' years'")],
                down: &[("age", "CASE WHEN age LIKE '% %' THEN substr(age, 1, position(' ' IN age) - 1)::int END")],
                values: &[(New, "age", "{n} springs")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT age FROM users WHERE email = 'u7'", "7 years"),
                (Old, "INSERT INTO users (email, age) VALUES ('old', 33)", ""),
                (New, "SELECT age FROM users WHERE email = 'old'", "33 years"),
                (New, "INSERT INTO users (email) VALUES ('new')", ""),
                (Old, "SELECT age FROM users WHERE email = 'new'", "0"),
                (New, "UPDATE users SET age = '44 springs' WHERE email = 'new'", ""),
                (Old, "SELECT age FROM users WHERE email = 'new'", "44"),
                (New, "UPDATE users SET name = 'unrelated' WHERE email = 'new'", ""),
                (New, "SELECT age FROM users WHERE email = 'new'", "44 springs"),
                (Old, "UPDATE users SET age = 45 WHERE email = 'new'", ""),
                (New, "SELECT age FROM users WHERE email = 'new'", "45 years"),
                (New, "INSERT INTO users (email, age) VALUES ('null', NULL)", ""),
                (New, "SELECT age FROM users WHERE email = 'null'", "NULL"),
                (Old, "SELECT age FROM users WHERE email = 'null'", "NULL"),
            ],
            completed: &[
                ("SELECT age FROM users WHERE email = 'u7'", "7 years"),
                ("INSERT INTO users (email) VALUES ('c') RETURNING age", "0 years"),
            ],
        },
        Case {
            name: "alter_column of a key, indexed and unique",
            expectation: "key to bigint",
            before: "operations:
  - create_table:
      name: users
      columns: [{name: id, type: integer, pk: true}, {name: email, type: text, unique: true}, {name: name, type: text, nullable: true}]
  - create_index: {name: users_email_name, table: users, columns: [{column: email, sort: DESC}, {column: name}]}
",
            seed: "INSERT INTO users SELECT n, 'u' || n FROM generate_series(1, 300) AS n",
            change: "operations:
  - alter_column: {table: users, column: id, type: bigint, up: id, down: id}
  - alter_column: {table: users, column: email, type: 'varchar(100)', up: email, down: email}
",
            account: Account {
                up: &[("id", "id"), ("email", "email")],
                down: &[("id", "id"), ("email", "email")],
                notes: false,
                ..SAME
            },
            work: "INSERT INTO users VALUES ({n}, 'w{n}'); UPDATE users SET email = 'y{n}' WHERE id = {n}",
            started: &[
                (New, "INSERT INTO users VALUES (5000000000, 'big')", "!22003"),
                (New, "INSERT INTO users VALUES (1, 'x')", "!23505"),
                (New, "INSERT INTO users VALUES (1000, 'u1')", "!23505"),
                (New, "INSERT INTO users VALUES (1000, 'thousand')", ""),
                (Old, "SELECT email FROM users WHERE id = 1000", "thousand"),
            ],
            completed: &[
                ("INSERT INTO users VALUES (5000000000, 'big')", ""),
                ("INSERT INTO users VALUES (5000000000, 'big2')", "!23505"),
                ("INSERT INTO users VALUES (7777, 'big')", "!23505"),
            ],
        },
        Case {
            name: "alter_column of a key that others reference",
            expectation: "key to bigint",
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: integer, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}, comment: the key}
        - {name: email, type: text, unique: true}
        - {name: boss, type: integer, nullable: true, references: {name: users_boss_fk, table: users, column: id, on_delete: SET NULL}}
  - create_table:
      name: notes
      columns:
        - {name: id, type: integer, pk: true, generated: {identity: {user_specified_values: ALWAYS, sequence_options: START WITH 7 CACHE 3}}}
        - {name: user_id, type: integer, references: {name: notes_user_fk, table: users, column: id, on_delete: CASCADE, on_update: CASCADE}}
        - {name: body, type: text}
  - create_index: {name: notes_user_idx, table: notes, columns: [{column: user_id}]}
  - create_table:
      name: badges
      columns: [{name: user_id, type: integer, pk: true, references: {name: badges_user_fk, table: users, column: id, on_delete: CASCADE}}]
",
            seed: "INSERT INTO users (email) SELECT 'u' || n FROM generate_series(1, 300) AS n; UPDATE users SET boss = id - 1 WHERE id > 1; INSERT INTO badges SELECT id FROM users WHERE id > 250",
            change: "operations:
  - alter_column: {table: users, column: id, type: bigint, up: id, down: id}
  - alter_column: {table: users, column: boss, type: bigint, up: boss, down: boss}
  - alter_column: {table: notes, column: id, type: bigint, up: id, down: id}
  - alter_column: {table: notes, column: user_id, type: bigint, up: user_id, down: user_id}
",
            account: Account { up: &[("id", "id")], down: &[("id", "id")], unaccounted: &["boss"], ..SAME },
            work: "INSERT INTO users (email) VALUES ('w{n}'); INSERT INTO notes (user_id, body) SELECT id, 'n' FROM users WHERE email = 'w{n}'; UPDATE users SET boss = 1 WHERE email = 'w{n}'; DELETE FROM users WHERE email = 'w{n}' AND id % 2 = 0",
            started: &[
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING id IS NOT NULL", "t"),
                (Old, "SELECT count(*) FROM users WHERE email = 'new' AND id > 300", "1"),
                (Old, "INSERT INTO users (email) VALUES ('old') RETURNING id > 300", "t"),
                (New, "INSERT INTO notes (user_id, body) SELECT id, 'one' FROM users WHERE email IN ('old', 'new')", ""),
                (Old, "INSERT INTO notes (user_id, body) SELECT id, 'two' FROM users WHERE email IN ('old', 'new')", ""),
                (New, "SELECT count(*) FROM notes JOIN users ON users.id = user_id WHERE email IN ('old', 'new')", "4"),
                (New, "INSERT INTO notes (user_id, body) VALUES (0, 'x')", "!23503"),
                (Old, "INSERT INTO notes (user_id, body) VALUES (0, 'x')", "!23503"),
                (New, "INSERT INTO users (id, email) VALUES (5000000000, 'big')", "!22003"),
                (New, "INSERT INTO users (id, email) VALUES (1, 'x')", "!23505"),
                (Old, "UPDATE users SET id = 100000 WHERE email = 'old'", ""),
                (New, "SELECT count(*) FROM notes WHERE user_id = 100000", "2"),
                (New, "UPDATE users SET id = 200000 WHERE email = 'new'", ""),
                (Old, "SELECT count(*) FROM notes WHERE user_id = 200000", "2"),
                (New, "DELETE FROM users WHERE id = 200000", ""),
                (Old, "SELECT count(*) FROM notes WHERE user_id = 200000", "0"),
                (Old, "DELETE FROM users WHERE id = 299", ""),
                (New, "SELECT boss FROM users WHERE email = 'u300'", "NULL"),
                (New, "SELECT count(*) FROM badges WHERE user_id = 299", "0"),
            ],
            completed: &[
                ("INSERT INTO users (id, email) VALUES (5000000000, 'big')", ""),
                ("INSERT INTO notes (user_id, body) VALUES (5000000000, 'x') RETURNING id > 6", "t"),
                ("INSERT INTO badges VALUES (200)", ""),
                ("INSERT INTO users (email) VALUES ('next') RETURNING id > 300", "t"),
                ("INSERT INTO users (id, email) VALUES (5000000000, 'big2')", "!23505"),
                ("DELETE FROM users WHERE id = 5000000000", ""),
                ("SELECT count(*) FROM notes WHERE user_id = 5000000000", "0"),
            ],
        },
        Case {
            name: "alter_column set not null",
            expectation: "not null",
            before: USERS,
            seed: "INSERT INTO users (email) VALUES ('u1'), ('u2')",
            change: "operations:
  - alter_column: {table: users, column: name, nullable: false, up: \"coalesce(name, 'nobody')\"}
",
            account: Account { up: &[("name", "coalesce(name, 'nobody')")], down: &[("name", "name")], ..SAME },
            work: "INSERT INTO users (email) VALUES ('w{n}')",
            started: &[
                (New, "INSERT INTO users (email, name) VALUES ('new', NULL)", "!23502"),
                (Old, "INSERT INTO users (email, name) VALUES ('old', NULL)", ""),
                (New, "SELECT name FROM users WHERE email = 'old'", "nobody"),
                (Old, "SELECT name FROM users WHERE email = 'u1'", "NULL"),
                (New, "INSERT INTO users (email, name) VALUES ('new', 'N')", ""),
                (Old, "SELECT name FROM users WHERE email = 'new'", "N"),
            ],
            completed: &[("INSERT INTO users (email) VALUES ('c')", "!23502"), ("SELECT name FROM users WHERE email = 'u1'", "nobody")],
        },
        Case {
            name: "alter_column drop not null",
            expectation: "not null",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: email, nullable: true, down: \"coalesce(email, 'none' || id)\"}
",
            account: Account {
                up: &[("email", "email")],
                down: &[("email", "coalesce(email, 'none' || id)")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "INSERT INTO users (id, email, name) VALUES (9999999, NULL, 'new')", ""),
                (New, "SELECT email FROM users WHERE name = 'new'", "NULL"),
                (Old, "SELECT email FROM users WHERE name = 'new'", "none9999999"),
                (New, "UPDATE users SET age = 5 WHERE name = 'new'", ""),
                (New, "SELECT email FROM users WHERE name = 'new'", "NULL"),
                (Old, "INSERT INTO users (email) VALUES (NULL)", "!23502"),
            ],
            completed: &[("INSERT INTO users (email) VALUES (NULL)", ""), ("SELECT email FROM users WHERE name = 'First1 Last1'", "u1")],
        },
        Case {
            name: "alter_column default and comment",
            expectation: "default, comment",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: age, default: null, comment: in years}
  - alter_column: {table: users, column: name, default: \"'anonymous'\", comment: null}
",
            account: SAME,
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email) VALUES ('old') RETURNING name, age", "NULL|18"),
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING name, age", "anonymous|NULL"),
            ],
            completed: &[("INSERT INTO users (email) VALUES ('c') RETURNING name, age", "anonymous|NULL")],
        },
        Case {
            name: "alter_column type keeps what stands on it",
            expectation: "alter_column type",
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: number, type: integer, generated: {identity: {user_specified_values: BY DEFAULT, sequence_options: START WITH 1000 INCREMENT BY 2}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true, default: '18', comment: in years}
      constraints:
        - {name: users_age_range, type: check, check: age BETWEEN 0 AND 500}
        - {name: users_email_age, type: unique, columns: [email, age], deferrable: true, initially_deferred: true}
  - create_index: {name: users_age_desc, table: users, columns: [{column: age, sort: DESC, nulls: LAST}, {column: name}], predicate: age > 3}
  - create_index: {name: users_number, table: users, columns: [{column: number}], unique: true}
",
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: age, type: 'numeric(8,2)', up: age, down: round(age)}
  - alter_column: {table: users, column: number, type: bigint, up: number, down: number}
",
            account: Account {
                up: &[("age", "age * 1.00"), ("number", "number")],
                down: &[("age", "trunc(age)"), ("number", "number")],
                values: &[(New, "age", "{n}.00"), (Old, "number", "{u}"), (New, "number", "{u}")],
                notes: false,
                ..SAME
            },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email) VALUES ('old') RETURNING number % 2, age", "0|18"),
                (New, "SELECT number >= 2000, age FROM users WHERE email = 'old'", "t|18.00"),
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING number >= 2000, age", "t|18.00"),
                (New, "UPDATE users SET age = 20.75 WHERE email = 'new'", ""),
                (Old, "SELECT age FROM users WHERE email = 'new'", "21"),
                (New, "SELECT age FROM users WHERE email = 'new'", "20.75"),
                (New, "UPDATE users SET age = -1 WHERE email = 'new'", "!23514"),
                (Old, "UPDATE users SET age = 501 WHERE email = 'new'", "!23514"),
                (New, "INSERT INTO users (email, number) VALUES ('bad', 1000)", "!23505"),
                (New, "SELECT col_description('users'::regclass, attnum::int) FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'age'", "in years"),
            ],
            completed: &[
                ("SELECT age FROM users WHERE email = 'u7'", "7.00"),
                ("INSERT INTO users (email) VALUES ('c') RETURNING number >= 2000, age", "t|18.00"),
                ("UPDATE users SET age = -1 WHERE email = 'c'", "!23514"),
                ("INSERT INTO users (email, number) VALUES ('bad', 1000)", "!23505"),
                ("SELECT col_description('users'::regclass, attnum::int) FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'age'", "in years"),
                ("SELECT pg_get_indexdef('users_age_desc'::regclass) ~ 'age DESC NULLS LAST, name\\) WHERE'", "t"),
            ],
        },
        Case {
            name: "alter_column unique",
            expectation: "constraint on a column",
            before: USERS,
            seed: "INSERT INTO users (email, name) SELECT 'u' || n, 'First' || n % 9 FROM generate_series(1, 300) AS n",
            change: "operations:
  - alter_column: {table: users, column: name, unique: {name: users_name_key}, up: \"coalesce(name, 'nobody') || ' #' || id\", down: \"nullif(split_part(name, ' #', 1), 'nobody')\"}
",
            account: Account {
                up: &[("name", "concat(CASE WHEN name IS NULL THEN 'nobody' ELSE name END, ' #', id)")],
                down: &[("name", "CASE WHEN name LIKE 'nobody #%' THEN NULL ELSE regexp_replace(name, ' #.*', '') END")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT name FROM users WHERE id IN (1, 10) ORDER BY id", "First1 #1;First1 #10"),
                (New, "INSERT INTO users (email, name) VALUES ('bad', 'First1 #1')", "!23505"),
                (New, "UPDATE users SET name = 'First1 #1' WHERE id = 2", "!23505"),
                (Old, "INSERT INTO users (email, name) VALUES ('old', 'First1')", ""),
                (New, "SELECT split_part(name, '#', 1) FROM users WHERE email = 'old'", "First1 "),
                (New, "INSERT INTO users (email, name) VALUES ('new', 'Eva')", ""),
                (Old, "SELECT name FROM users WHERE email = 'new'", "Eva"),
                (Old, "UPDATE users SET name = NULL WHERE email = 'new'", ""),
                (New, "SELECT split_part(name, '#', 1) FROM users WHERE email = 'new'", "nobody "),
            ],
            completed: &[
                ("SELECT name FROM users WHERE id = 1", "First1 #1"),
                ("INSERT INTO users (email, name) VALUES ('bad', 'First1 #1')", "!23505"),
                ("INSERT INTO users (email) VALUES ('c1'), ('c2')", ""),
            ],
        },
        Case {
            name: "alter_column check",
            expectation: "constraint on a column",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: age, check: {name: users_adult, constraint: age >= 18}, up: 'greatest(age, 18)', down: age}
",
            account: Account {
                up: &[("age", "CASE WHEN age > 17 THEN age ELSE 18 END")],
                down: &[("age", "age")],
                values: &[(New, "age", "2{n}")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT age FROM users WHERE id IN (7, 70) ORDER BY id", "18;70"),
                (New, "INSERT INTO users (email, age) VALUES ('bad', 17)", "!23514"),
                (Old, "INSERT INTO users (email, age) VALUES ('old', 5)", ""),
                (New, "SELECT age FROM users WHERE email = 'old'", "18"),
                (Old, "SELECT age FROM users WHERE email = 'old'", "5"),
                (New, "UPDATE users SET age = 40 WHERE email = 'old'", ""),
                (Old, "SELECT age FROM users WHERE email = 'old'", "40"),
                (New, "UPDATE users SET age = 4 WHERE email = 'old'", "!23514"),
            ],
            completed: &[("INSERT INTO users (email, age) VALUES ('bad', 17)", "!23514"), ("SELECT age FROM users WHERE id = 7", "18")],
        },
        Case {
            name: "alter_column foreign key",
            expectation: "constraint on a column",
            before: TEAMS,
            seed: "INSERT INTO teams SELECT generate_series(0, 89); INSERT INTO users (email, age) SELECT 'u' || n, n FROM generate_series(1, 300) AS n",
            change: "operations:
  - rename_column: {table: users, from: age, to: team}
  - alter_column:
      table: users
      column: team
      references: {name: users_team_fk, table: teams, column: id, on_delete: SET NULL}
      up: (SELECT teams.id FROM teams WHERE teams.id = users.team)
      down: team
",
            account: Account {
                up: &[("team", "CASE WHEN age < 90 THEN age END")],
                down: &[("age", "team")],
                values: &[(Old, "age", "1{n}"), (New, "team", "{n}")],
                notes: false,
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT team FROM users WHERE id IN (7, 200) ORDER BY id", "7;NULL"),
                (Old, "SELECT age FROM users WHERE id IN (7, 200) ORDER BY id", "7;200"),
                (New, "INSERT INTO users (email, team) VALUES ('bad', 500)", "!23503"),
                (New, "UPDATE users SET team = 500 WHERE id = 7", "!23503"),
                (Old, "INSERT INTO users (email, age) VALUES ('old', 500)", ""),
                (New, "SELECT team FROM users WHERE email = 'old'", "NULL"),
                (New, "UPDATE users SET team = 44 WHERE email = 'old'", ""),
                (Old, "SELECT age FROM users WHERE email = 'old'", "44"),
                (Old, "DELETE FROM teams WHERE id = 44", ""),
                (New, "SELECT team FROM users WHERE email = 'old'", "NULL"),
                // nothing is left to validate
                (New, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated", "0"),
            ],
            completed: &[
                ("INSERT INTO users (email, team) VALUES ('bad', 500)", "!23503"),
                ("SELECT convalidated FROM pg_constraint WHERE conname = 'users_team_fk'", "t"),
                ("DELETE FROM teams WHERE id = 7", ""),
                ("SELECT team FROM users WHERE id = 7", "NULL"),
            ],
        },
        Case {
            name: "alter_column comment set, cleared and left alone",
            expectation: "default, comment",
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true, comment: cleared}
        - {name: name, type: text, nullable: true, comment: left}
        - {name: age, type: integer, nullable: true}
        - {name: size, type: integer, nullable: true, comment: replaced}
",
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: email, comment: null}
  - alter_column: {table: users, column: name, default: \"'left'\"}
  - alter_column: {table: users, column: age, comment: it's \"set\"}
  - alter_column: {table: users, column: size, type: bigint, comment: now, up: size, down: size}
",
            account: Account { up: &[("size", "size")], down: &[("size", "size")], notes: false, ..SAME },
            work: WORK,
            started: &[
                (Old, "SELECT string_agg(coalesce(col_description('users'::regclass, attnum::int), '-'), ',' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname IN ('email', 'name', 'age', 'size')", "-,cleared,left,replaced"),
                (New, "SELECT string_agg(coalesce(col_description('users'::regclass, attnum::int), '-'), ',' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname IN ('email', 'name', 'age', 'size')", "it's \"set\",-,left,now"),
            ],
            completed: &[
                ("SELECT string_agg(coalesce(col_description('users'::regclass, attnum::int), '-'), ',' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname IN ('email', 'name', 'age', 'size')", "it's \"set\",-,left,now"),
                ("INSERT INTO users (email) VALUES ('c') RETURNING name", "left"),
            ],
        },
        Case {
            name: "alter_column of a composite key, with values that the older version cannot hold",
            expectation: "key to bigint",
            before: "operations:
  - create_table:
      name: users
      columns: [{name: tenant, type: integer}, {name: id, type: integer}, {name: email, type: text, unique: true}]
      constraints: [{name: users_key, type: primary_key, columns: [tenant, id]}]
  - create_table:
      name: lines
      columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}, {name: tenant, type: integer}, {name: user_id, type: integer}]
      constraints: [{name: lines_user_fk, type: foreign_key, columns: [tenant, user_id], references: {table: users, columns: [tenant, id], on_delete: CASCADE, on_update: CASCADE}}]
",
            seed: "INSERT INTO users SELECT 1, n, 'u' || n FROM generate_series(1, 300) AS n; INSERT INTO lines (tenant, user_id) SELECT 1, id FROM users",
            change: "operations:
  - alter_column: {table: users, column: id, type: bigint, up: 'CASE WHEN id < 0 THEN 2147483647 - id::bigint ELSE id END', down: CASE WHEN id > 2147483647 THEN 2147483647 - id ELSE id END}
  - alter_column: {table: lines, column: user_id, type: bigint, up: 'CASE WHEN user_id < 0 THEN 2147483647 - user_id::bigint ELSE user_id END', down: CASE WHEN user_id > 2147483647 THEN 2147483647 - user_id ELSE user_id END}
",
            account: Account { up: &[("id", "id")], down: &[("id", "id")], upserts: false, notes: false, ..SAME },
            work: "INSERT INTO users VALUES (2, {n}, 'w{n}'); INSERT INTO lines (tenant, user_id) VALUES (2, {n}); UPDATE users SET tenant = 3 WHERE id = {n}",
            started: &[
                (New, "INSERT INTO users VALUES (1, 3000000000, 'big')", ""),
                (New, "INSERT INTO lines (tenant, user_id) VALUES (1, 3000000000)", ""),
                (New, "INSERT INTO lines (tenant, user_id) VALUES (1, 3000000001)", "!23503"),
                (Old, "SELECT users.id, user_id FROM users JOIN lines ON user_id = users.id WHERE email = 'big'", "-852516353|-852516353"),
                (Old, "INSERT INTO users VALUES (1, 3000000000, 'x')", "!22003"),
                (New, "INSERT INTO users VALUES (1, 9000000000, 'far')", "!22003"),
                (New, "INSERT INTO users VALUES (1, 1, 'x')", "!23505"),
                (Old, "INSERT INTO users VALUES (1, -5, 'old')", ""),
                (New, "SELECT id FROM users WHERE email = 'old'", "2147483652"),
                (New, "UPDATE users SET id = 3500000000 WHERE email = 'big'", ""),
                (New, "SELECT count(*) FROM lines WHERE user_id = 3500000000", "1"),
                (Old, "SELECT count(*) FROM lines WHERE user_id = -1352516353", "1"),
                (Old, "DELETE FROM users WHERE email = 'big'", ""),
                (New, "SELECT count(*) FROM lines WHERE user_id > 2147483647", "0"),
            ],
            completed: &[
                ("INSERT INTO users VALUES (1, 9000000000, 'far')", ""),
                ("INSERT INTO lines (tenant, user_id) VALUES (1, 9000000000)", ""),
                ("INSERT INTO lines (tenant, user_id) VALUES (2, 9000000000)", "!23503"),
                ("INSERT INTO users VALUES (1, 9000000000, 'x')", "!23505"),
                ("DELETE FROM users WHERE id = 9000000000", ""),
                ("SELECT count(*) FROM lines WHERE user_id = 9000000000", "0"),
            ],
        },
        Case {
            name: "alter_column in every way at once",
            expectation: "several changes of a column",
            before: USERS,
            seed: "INSERT INTO users (email, name, age) SELECT 'u' || n, 'First' || n % 9, nullif(n % 90, 0) FROM generate_series(1, 300) AS n",
            change: "operations:
  - alter_column: {table: users, column: age, type: bigint, nullable: false, default: '21', comment: years lived, check: {name: users_age_known, constraint: age >= 0}, up: 'coalesce(age, 0)', down: age}
  - alter_column: {table: users, column: name, nullable: false, default: \"'nobody/' || gen_random_uuid()\", comment: null, unique: {name: users_name_key}, check: {name: users_named, constraint: name <> ''}, up: \"coalesce(name, '') || '/' || id\", down: \"split_part(name, '/', 1)\"}
",
            account: Account {
                up: &[("age", "CASE WHEN age IS NULL THEN 0 ELSE age END"), ("name", "concat(name, '/', id)")],
                down: &[("age", "age"), ("name", "regexp_replace(name, '/.*', '')")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT age, name FROM users WHERE id IN (1, 90) ORDER BY id", "1|First1/1;0|First0/90"),
                (New, "INSERT INTO users (email, age) VALUES ('bad', NULL)", "!23502"),
                (New, "INSERT INTO users (email, age) VALUES ('bad', -1)", "!23514"),
                (New, "INSERT INTO users (email, name) VALUES ('bad', NULL)", "!23502"),
                (New, "INSERT INTO users (email, name) VALUES ('bad', '')", "!23514"),
                (New, "INSERT INTO users (email, name) VALUES ('bad', 'First1/1')", "!23505"),
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING age, name LIKE 'nobody/%'", "21|t"),
                (Old, "SELECT age, name FROM users WHERE email = 'new'", "21|nobody"),
                (Old, "INSERT INTO users (email, age) VALUES ('old', NULL) RETURNING age, name", "NULL|NULL"),
                (New, "SELECT age, name LIKE '/%' FROM users WHERE email = 'old'", "0|t"),
            ],
            completed: &[
                ("INSERT INTO users (email) VALUES ('c') RETURNING age, name LIKE 'nobody/%'", "21|t"),
                ("INSERT INTO users (email, age) VALUES ('bad', -1)", "!23514"),
                ("INSERT INTO users (email, name) VALUES ('bad', 'First1/1')", "!23505"),
            ],
        },
        Case {
            name: "rules that need no second column",
            expectation: "not null",
            before: TEAMS,
            seed: "INSERT INTO teams VALUES (1), (2); INSERT INTO users (email, name, age) SELECT 'u' || n, 'First' || n, 1 + n % 2 FROM generate_series(1, 300) AS n",
            change: "operations:
  - alter_column: {table: users, column: age, nullable: false, references: {name: users_team_fkey, table: teams, column: id}, up: age}
  - alter_column: {table: users, column: email, nullable: true, down: '\"email\"'}
  - alter_column: {table: users, column: name, check: {name: users_named, constraint: name <> ''}, up: name, down: name}
  - create_constraint: {table: users, name: users_name_key, type: unique, columns: [name, id], up: {name: name}}
  - create_constraint: {table: users, name: users_ripe, type: check, columns: [age, name], check: age > 0 OR name = 'none', up: {age: age, name: name}}
  - drop_constraint: {table: users, name: users_email_key, up: email, down: email}
",
            account: Account { values: &[(Old, "age", "1|2"), (New, "age", "1|2"), (Old, "name", "n{n}"), (New, "name", "n{n}"), (New, "email", "x{u}")], upserts: false, notes: false, ..SAME },
            work: "INSERT INTO users (email, name, age) VALUES ('w{n}', 'Work Er{n}', 1); UPDATE users SET name = name || 'x' WHERE email = 'w{n}'; SELECT * FROM users WHERE id = 1",
            started: &[
                // nothing but the columns that were there, and no trigger
                (New, "SELECT count(*) FROM pg_attribute WHERE attname LIKE '%diptych%'", "0"),
                (New, "SELECT count(*) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid WHERE relkind = 'r' AND relname = 'users' AND NOT tgisinternal", "0"),
                (New, "INSERT INTO users (email, name, age) VALUES ('bad', 'x', NULL)", "!23502"),
                (Old, "INSERT INTO users (email, name, age) VALUES ('bad', 'x', NULL)", "!23502"),
                (New, "INSERT INTO users (email, name, age) VALUES ('bad', 'x', 3)", "!23503"),
                (Old, "INSERT INTO users (email, name, age) VALUES ('bad', '', 1)", "!23514"),
                (New, "INSERT INTO users (email, name, age) VALUES ('bad', 'First1', 1)", ""),
                (New, "UPDATE users SET (name, id) = ('First1', 1) WHERE email = 'bad'", "!23505"),
                (New, "INSERT INTO users (email, name, age) VALUES (NULL, 'x', 1)", "!23502"),
            ],
            completed: &[
                ("INSERT INTO users (email, name, age) VALUES (NULL, 'x', 1), (NULL, 'y', 2), ('u1', 'z', 1)", ""),
                ("INSERT INTO users (email, name, age) VALUES ('bad', 'v', NULL)", "!23502"),
                ("INSERT INTO users (email, name, age) VALUES ('bad', 'v', 3)", "!23503"),
                ("INSERT INTO users (id, email, name, age) VALUES (1, 'bad', 'First1', 1)", "!23505"),
            ],
        },
    ]
}

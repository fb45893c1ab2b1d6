//! Columns that are altered: type, nullability, default, comment, keys.

use super::Side::{New, Old};
use super::{Account, Case, SAME, SEED, USERS, WORK};

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
    ]
}

//! SQL of the user's own.

use super::Side::{New, Old};
use super::{Account, Case, SAME, SEED, USERS, WORK};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "sql",
            expectation: "sql",
            before: USERS,
            seed: SEED,
            change: "operations:
  - sql: {up: CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2', down: DROP FUNCTION twice}
  - sql: {up: COMMENT ON FUNCTION twice IS 'times two', onComplete: true}
",
            account: SAME,
            work: WORK,
            started: &[(New, "SELECT twice(4)", "8"), (Old, "SELECT twice(4)", "8")],
            completed: &[("SELECT obj_description('twice'::regproc)", "times two")],
        },
        Case {
            name: "sql that what follows uses",
            expectation: "sql",
            before: concat!(
                users!(),
                "  - sql: {up: \"CREATE FUNCTION shouted(word text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(word)'\", down: DROP FUNCTION shouted}
"
            ),
            seed: SEED,
            change: "operations:
  - add_column: {table: users, column: {name: shout, type: text, nullable: true}, up: shouted(name)}
  - sql: {up: \"COMMENT ON FUNCTION shouted IS 'of use'\", onComplete: true}
",
            account: Account { up: &[("shout", "upper(name)")], notes: false, ..SAME },
            work: WORK,
            started: &[
                (New, "SELECT count(*) FROM users WHERE email LIKE 'u%' AND shout = upper(name)", "500"),
                (Old, "INSERT INTO users (email, name) VALUES ('old', 'Ada')", ""),
                (New, "SELECT shout FROM users WHERE email = 'old'", "ADA"),
                (New, "SELECT obj_description('shouted'::regproc)", "NULL"),
            ],
            completed: &[("SELECT shout FROM users WHERE email = 'u1'", "FIRST1 LAST1"), ("SELECT obj_description('shouted'::regproc)", "of use")],
        },
        Case {
            name: "sql in its place among other operations",
            expectation: "sql",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_table: {name: levels, columns: [{name: id, type: int, pk: true}, {name: title, type: text}]}
  - sql: {up: \"INSERT INTO levels VALUES (0, 'none'), (1, 'some')\"}
  - sql:
      up: \"CREATE FUNCTION level(n integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT count(*)::int FROM levels WHERE id > 0 AND id <= n'\"
      down: DROP FUNCTION level
  - add_column: {table: users, column: {name: level, type: int, references: {name: users_level_fkey, table: levels, column: id}}, up: \"coalesce(level(age), 0)\"}
  - add_column: {table: users, column: {name: shout, type: text, nullable: true}, up: upper(name)}
  - sql: {up: \"UPDATE levels SET title = 'more' WHERE id = 1\"}
",
            account: Account { up: &[("level", "CASE WHEN age > 0 THEN 1 ELSE 0 END"), ("shout", "upper(name)")], values: &[(New, "level", "1")], notes: false, ..SAME },
            work: WORK,
            started: &[
                (New, "SELECT string_agg(id || title, ',' ORDER BY id) FROM levels", "0none,1more"),
                (New, "SELECT count(*) FROM users WHERE email LIKE 'u%' AND level = 1 AND shout = upper(name)", "495"),
                (Old, "INSERT INTO users (email, name, age) VALUES ('old', 'Ada', 0)", ""),
                (New, "SELECT level, shout FROM users WHERE email = 'old'", "0|ADA"),
                (New, "UPDATE users SET level = 2 WHERE email = 'old'", "!23503"),
            ],
            completed: &[("SELECT level, shout FROM users WHERE email = 'u1'", "1|FIRST1 LAST1"), ("UPDATE users SET level = 2 WHERE email = 'u1'", "!23503")],
        },
        Case {
            name: "a column that sql adds is in its own version",
            expectation: "sql",
            before: USERS,
            seed: SEED,
            change: "operations:
  - add_column: {table: users, column: {name: shout, type: text, nullable: true}, up: upper(name)}
  - sql: {up: ALTER TABLE notes ADD COLUMN piece_place text, down: ALTER TABLE notes DROP COLUMN piece_place}
",
            account: Account { up: &[("shout", "upper(name)")], notes: false, ..SAME },
            work: WORK,
            started: &[
                (New, "INSERT INTO notes (user_id, body, piece_place) VALUES (2, 'b', 'here') RETURNING piece_place", "here"),
                (Old, "SELECT body FROM notes", "b"),
            ],
            completed: &[("INSERT INTO notes (user_id, body, piece_place) VALUES (3, 'b', 'here') RETURNING piece_place", "here")],
        },
        Case {
            name: "what onComplete makes is in its version",
            expectation: "sql",
            before: USERS,
            seed: SEED,
            change: "operations:
  - add_column: {table: users, column: {name: shout, type: text, nullable: true}, up: upper(name)}
  - sql: {up: \"ALTER TABLE notes ADD COLUMN piece_place text; CREATE TABLE piece_late (id integer PRIMARY KEY)\", onComplete: true}
",
            account: Account { up: &[("shout", "upper(name)")], notes: false, ..SAME },
            work: WORK,
            started: &[(New, "SELECT piece_place FROM notes", "!42703"), (New, "SELECT id FROM piece_late", "!42P01")],
            completed: &[
                ("INSERT INTO notes (user_id, body, piece_place) VALUES (2, 'b', 'here') RETURNING piece_place", "here"),
                ("INSERT INTO piece_late VALUES (1) RETURNING id", "1"),
            ],
        },
    ]
}

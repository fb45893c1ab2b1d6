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
    ]
}

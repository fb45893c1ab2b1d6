//! Columns that come, go and are renamed.

use super::Side::{New, Old};
use super::{Account, Case, SAME, SEED, USERS, WORK};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "add_column",
            expectation: "add_column",
            before: USERS,
            seed: SEED,
            change: "operations:
  - add_column: {table: users, column: {name: active, type: boolean, default: 'true'}}
  - add_column: {table: users, column: {name: token, type: uuid, default: gen_random_uuid()}}
  - add_column: {table: users, column: {name: shout, type: text, check: {name: shout_is_loud, constraint: shout = upper(shout)}}, up: upper(email)}
  - add_column: {table: users, column: {name: note, type: text, nullable: true, comment: a note}}
",
            account: Account {
                up: &[("active", "true"), ("shout", "upper(email)"), ("note", "NULL")],
                values: &[(New, "shout", "LOUD {u}")],
                unaccounted: &["token"],
                ..SAME
            },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email, name) VALUES ('old', 'O')", ""),
                (New, "SELECT active, token IS NOT NULL, shout, note FROM users WHERE email = 'old'", "t|t|OLD|NULL"),
                (New, "INSERT INTO users (email, shout, active) VALUES ('new', 'OWN', false)", ""),
                (New, "SELECT active, token IS NOT NULL, shout FROM users WHERE email = 'new'", "f|t|OWN"),
                (New, "INSERT INTO users (email, shout) VALUES ('bad', 'quiet')", "!23514"),
                (New, "INSERT INTO users (email, shout) VALUES ('bad', NULL)", "!23502"),
                (New, "SELECT count(*), count(DISTINCT token) FROM users WHERE email LIKE 'u%' AND shout = upper(email)", "500|500"),
            ],
            completed: &[
                ("SELECT shout, active FROM users WHERE email = 'u7'", "U7|t"),
                ("INSERT INTO users (email, shout) VALUES ('bad', NULL)", "!23502"),
                ("INSERT INTO users (email, shout) VALUES ('c', 'C') RETURNING active, token IS NOT NULL", "t|t"),
            ],
        },
        Case {
            name: "drop_column",
            expectation: "drop_column",
            before: USERS,
            seed: SEED,
            change: "operations:
  - drop_column: {table: users, column: name, down: \"'made of ' || email\"}
  - drop_column: {table: users, column: age}
",
            account: Account { down: &[("name", "'made of ' || email"), ("age", "18")], ..SAME },
            work: WORK,
            started: &[
                (New, "SELECT name FROM users", "!42703"),
                (New, "INSERT INTO users (email) VALUES ('new')", ""),
                (Old, "SELECT name, age FROM users WHERE email = 'new'", "made of new|18"),
            ],
            completed: &[("SELECT name FROM users", "!42703"), ("SELECT count(*) FROM users WHERE email LIKE 'u%'", "500")],
        },
        Case {
            name: "rename_column",
            expectation: "rename",
            before: USERS,
            seed: SEED,
            change: "operations: [{rename_column: {table: users, from: email, to: mail}}, {rename_column: {table: users, from: name, to: email}}]",
            account: Account { renamed: &[("email", "mail"), ("name", "email")], ..SAME },
            work: WORK,
            started: &[
                (New, "INSERT INTO users (mail, email) VALUES ('m', 'n')", ""),
                (Old, "SELECT email, name FROM users WHERE email = 'm'", "m|n"),
                (New, "INSERT INTO users (mail) VALUES ('m') ON CONFLICT (mail) DO UPDATE SET email = 'z'", ""),
                (Old, "SELECT name FROM users WHERE email = 'm'", "z"),
            ],
            completed: &[("SELECT email FROM users WHERE mail = 'u1'", "First1 Last1")],
        },
    ]
}

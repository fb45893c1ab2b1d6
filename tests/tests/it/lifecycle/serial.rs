//! `serial` and identity columns.

use super::Side::{New, Old};
use super::{Account, BEYOND, Case, SAME};

const USERS: &str = "operations:
  - create_table:
      name: users
      columns: [{name: id, type: serial, pk: true}, {name: email, type: text, unique: true}, {name: name, type: text, nullable: true}]
  - create_table:
      name: notes
      columns:
        - {name: id, type: bigserial, pk: true}
        - {name: user_id, type: integer, references: {name: notes_user_fk, table: users, column: id, on_delete: CASCADE}}
        - {name: body, type: text}
  - create_index: {name: notes_user_idx, table: notes, columns: [{column: user_id}]}
";
const SEED: &str = "INSERT INTO users (email, name) SELECT 'u' || n, 'Name ' || n FROM generate_series(1, 500) AS n";
const WORK: &str = "INSERT INTO users (email, name) VALUES ('w{n}', 'Work Er'); UPDATE users SET name = name || 'x' WHERE email = 'w{n}'; UPDATE users SET name = 'z{n}' WHERE id = 1 + {n} % 500";

/// Columns that have their values from sequences.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "add_column serial",
            expectation: "add_column",
            before: USERS,
            seed: SEED,
            change: "operations:
  - add_column: {table: users, column: {name: number, type: serial, comment: a number}}
  - add_column: {table: users, column: {name: 'the \"Ticket\"', type: bigint, unique: true, generated: {identity: {user_specified_values: ALWAYS, sequence_options: START WITH 1000 INCREMENT BY 5 CACHE 3}}}}
",
            account: Account { unaccounted: &["number", "the \"Ticket\""], ..SAME },
            work: WORK,
            started: &[
                (New, "SELECT count(DISTINCT number) = count(*) AND min(number) >= 1 AND count(DISTINCT \"the \"\"Ticket\"\"\") = count(*) FROM users", "t"),
                (New, "SELECT count(*) FROM users WHERE (\"the \"\"Ticket\"\"\" - 1000) % 5 <> 0 OR \"the \"\"Ticket\"\"\" < 1000", "0"),
                (Old, "INSERT INTO users (email) VALUES ('old')", ""),
                (New, "SELECT number > 500 AND \"the \"\"Ticket\"\"\" >= 3500 FROM users WHERE email = 'old'", "t"),
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING number > 500", "t"),
                (New, "INSERT INTO users (email, number) VALUES ('own', 1000000) RETURNING number", "1000000"),
                (New, "INSERT INTO users (email, number) VALUES ('none', NULL)", "!23502"),
                (New, "INSERT INTO users (email, \"the \"\"Ticket\"\"\") VALUES ('none', 1)", "!428C9"),
                (New, "UPDATE users SET number = 2000000 WHERE email = 'new'", ""),
                (Old, "UPDATE users SET name = 'x' WHERE email = 'new'", ""),
                (New, "SELECT number, name FROM users WHERE email = 'new'", "2000000|x"),
                (Old, "SELECT number FROM users", "!42703"),
            ],
            completed: &[
                ("INSERT INTO users (email) VALUES ('c') RETURNING number > 500 AND number < 900000 AND \"the \"\"Ticket\"\"\" >= 3500", "t"),
                ("INSERT INTO users (email, number) VALUES ('d', 7) RETURNING number", "7"),
                ("INSERT INTO users (email, number) VALUES ('e', NULL)", "!23502"),
                ("SELECT pg_get_serial_sequence('users', 'number') IS NULL", "t"),
            ],
        },
        Case {
            name: "add_column serial beside conversions",
            expectation: "add_column",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: name, nullable: false, type: varchar, up: \"upper(coalesce(name, ''))\", down: lower(name)}
  - add_column: {table: users, column: {name: number, type: bigserial}}
  - add_column: {table: users, column: {name: loud, type: text, nullable: true}, up: upper(email)}
  - rename_column: {table: users, from: number, to: rank}
  - rename_table: {from: users, to: people}
  - create_index: {name: people_rank, table: people, columns: [{column: rank}, {expression: rank % 7}], unique: true}
",
            account: Account {
                table: ("users", "people"),
                up: &[("name", "upper(coalesce(name, ''))")],
                down: &[("name", "lower(name)")],
                unaccounted: &["rank", "loud"],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT count(DISTINCT rank) = count(*) FROM people", "t"),
                (Old, "INSERT INTO users (email) VALUES ('old')", ""),
                (New, "SELECT name, loud, rank > 500 FROM people WHERE email = 'old'", "|OLD|t"),
                (New, "INSERT INTO people (email, name, loud) VALUES ('new', 'NEW', 'Own') RETURNING rank > 500", "t"),
                (Old, "SELECT name FROM users WHERE email = 'new'", "new"),
                (Old, "UPDATE users SET name = 'Two' WHERE email = 'new'", ""),
                (New, "SELECT name, loud FROM people WHERE email = 'new'", "TWO|Own"),
            ],
            completed: &[("INSERT INTO people (email, name, loud) VALUES ('c', 'c', 'c') RETURNING rank > 500", "t")],
        },
        Case {
            name: "serial to bigserial",
            expectation: "alter_column type",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: id, type: bigserial, up: id, down: id}
  - alter_column: {table: notes, column: user_id, type: bigint, up: user_id, down: user_id}
",
            account: Account { up: &[("id", "id")], down: &[("id", "id")], ..SAME },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email) VALUES ('old') RETURNING id > 500", "t"),
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING id > 500", "t"),
                (Old, "SELECT count(DISTINCT id) FROM users WHERE email IN ('old', 'new')", "2"),
                (New, "INSERT INTO users (id, email) VALUES (5000000000, 'big')", "!22003"),
            ],
            completed: &[
                ("INSERT INTO users (id, email) VALUES (5000000000, 'big')", ""),
                ("INSERT INTO users (email) VALUES ('next') RETURNING id > 500", "t"),
            ],
        },
        Case {
            name: "a serial column takes another's name",
            expectation: BEYOND,
            before: USERS,
            seed: SEED,
            change: "operations:
  - drop_constraint: {table: notes, name: notes_pkey}
  - drop_column: {table: notes, column: id}
  - add_column: {table: notes, column: {name: id, type: serial}}
  - create_constraint: {table: notes, name: notes_pkey, type: primary_key, columns: [id]}
",
            account: Account { notes: false, ..SAME },
            work: "INSERT INTO users (email) VALUES ('w{n}'); INSERT INTO notes (user_id, body) VALUES (1 + {n} % 500, 'n'); UPDATE notes SET body = 'm' WHERE user_id = {n}",
            started: &[
                (New, "INSERT INTO notes (user_id, body) VALUES (1, 'new') RETURNING id >= 1", "t"),
                (Old, "INSERT INTO notes (user_id, body) VALUES (1, 'old') RETURNING id >= 1", "t"),
                (New, "SELECT count(DISTINCT id) = count(*) FROM notes", "t"),
                (Old, "SELECT count(DISTINCT id) = count(*) FROM notes", "t"),
            ],
            completed: &[("INSERT INTO notes (user_id, body) VALUES (1, 'last') RETURNING id >= 1", "t")],
        },
    ]
}

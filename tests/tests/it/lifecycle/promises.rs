//! What pgroll says of itself, in its own words.

use super::Side::{New, Old};
use super::{Account, Case, SAME, SEED, USERS, WORK};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "up and down are applied with a change of default or comment",
            expectation: "default, comment",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: age, default: '1018', up: age + 1000, down: age - 1000}
  - alter_column: {table: users, column: name, comment: marked, up: \"'n:' || name\", down: \"substr(name, 3)\"}
",
            account: Account {
                up: &[("age", "age + 1000"), ("name", "'n:' || name")],
                down: &[("age", "age - 1000"), ("name", "substr(name, 3)")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT age, name FROM users WHERE email = 'u7'", "1007|n:First7 Last7"),
                (Old, "INSERT INTO users (email) VALUES ('old') RETURNING age", "18"),
                (New, "SELECT age FROM users WHERE email = 'old'", "1018"),
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING age", "1018"),
                (Old, "SELECT age FROM users WHERE email = 'new'", "18"),
            ],
            completed: &[
                ("SELECT age, name FROM users WHERE email = 'u7'", "1007|n:First7 Last7"),
                ("INSERT INTO users (email) VALUES ('c') RETURNING age", "1018"),
            ],
        },
        Case {
            name: "default: \"NULL\" is none",
            expectation: "default, comment",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: age, default: \"NULL\"}
",
            account: SAME,
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email) VALUES ('old') RETURNING age", "18"),
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING age", "NULL"),
            ],
            completed: &[("INSERT INTO users (email) VALUES ('c') RETURNING age", "NULL")],
        },
        Case {
            name: "renames under a check, a predicate, an expression and a generated column",
            expectation: "rename",
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: yes, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true, default: '18'}
        - {name: twice, type: integer, nullable: true, generated: {expression: age * 2}}
      constraints:
        - {name: users_age_check, type: check, check: \"age < 1000 AND name IS DISTINCT FROM 'age'\"}
        - {name: users_age_gone, type: check, check: age > -1000}
  - create_index: {name: users_adults, table: users, columns: [email], predicate: age >= 18}
  - create_index: {name: users_lower, table: users, columns: [{expression: lower(name)}]}
",
            seed: SEED,
            change: "operations:
  - rename_column: {table: users, from: age, to: years}
  - rename_column: {table: users, from: name, to: label}
  - drop_constraint: {table: users, name: users_age_gone, up: years, down: years}
  - rename_table: {from: users, to: people}
",
            account: Account {
                table: ("users", "people"),
                renamed: &[("age", "years"), ("name", "label")],
                unaccounted: &["twice"],
                notes: false,
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "INSERT INTO people (email, years) VALUES ('new', 1000)", "!23514"),
                (Old, "INSERT INTO users (email, name) VALUES ('old', 'age')", "!23514"),
                (New, "INSERT INTO people (email, years) VALUES ('new', 21) RETURNING twice", "42"),
                (Old, "SELECT age, twice FROM users WHERE email = 'new'", "21|42"),
            ],
            completed: &[
                ("INSERT INTO people (email, label) VALUES ('c', 'age')", "!23514"),
                (
                    "SELECT pg_get_indexdef('users_adults'::regclass) ~ 'years >= 18', pg_get_indexdef('users_lower'::regclass) ~ 'lower\\(label\\)'",
                    "t|t",
                ),
            ],
        },
        Case {
            name: "a type change under a check and a default of the old type",
            expectation: "alter_column type",
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true, default: 9 + 9}
      constraints: [{name: users_age_check, type: check, check: age < 1000}]
",
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: age, type: text, default: \"'18'\", up: CAST(age AS text), down: CAST(age AS integer)}
  - drop_constraint: {table: users, name: users_age_check, up: age, down: age}
",
            account: Account {
                up: &[("age", "CAST(age AS text)")],
                down: &[("age", "CAST(age AS integer)")],
                values: &[(New, "age", "{n}"), (Old, "age", "{n}")],
                notes: false,
                ..SAME
            },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email, age) VALUES ('old', 1000)", "!23514"),
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING age", "18"),
                (Old, "SELECT age FROM users WHERE email = 'new'", "18"),
            ],
            completed: &[("UPDATE users SET age = 'many' WHERE email = 'u1' RETURNING age", "many")],
        },
        Case {
            name: "a new foreign key that sets a default",
            expectation: "constraint on a column",
            before: super::TEAMS,
            seed: "INSERT INTO teams SELECT generate_series(0, 999); INSERT INTO users (email, age) SELECT 'u' || n, n FROM generate_series(1, 90) AS n",
            change: "operations:
  - alter_column: {table: users, column: age, default: '1', up: 'CASE WHEN age BETWEEN 0 AND 999 THEN age END', down: age,
      references: {name: users_team, table: teams, column: id, on_delete: SET DEFAULT}}
",
            account: Account {
                up: &[("age", "CASE WHEN age BETWEEN 0 AND 999 THEN age END")],
                down: &[("age", "age")],
                values: &[(New, "age", "{n}")],
                notes: false,
                ..SAME
            },
            work: WORK,
            started: &[
                (Old, "DELETE FROM teams WHERE id = 7", ""),
                (New, "SELECT age FROM users WHERE email = 'u7'", "1"),
                (Old, "SELECT age FROM users WHERE email = 'u7'", "1"),
                (New, "INSERT INTO users (email, age) VALUES ('new', 1000)", "!23503"),
            ],
            completed: &[("DELETE FROM teams WHERE id = 8", ""), ("SELECT age FROM users WHERE email = 'u8'", "1")],
        },
    ]
}

//! Constraints that come, go and are renamed.

use super::Side::{New, Old};
use super::{Account, Case, SAME, SEED, USERS, WORK};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "create_constraint and drop_constraint",
            expectation: "constraints",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_constraint: {name: users_age_check, table: users, type: check, columns: [age], check: age < 150}
  - create_constraint: {name: users_email_age, table: users, type: unique, columns: [email, age]}
  - drop_constraint: {table: users, name: users_email_key}
",
            account: SAME,
            work: WORK,
            started: &[
                (New, "INSERT INTO users (email, age) VALUES ('x', 200)", "!23514"),
                (Old, "INSERT INTO users (email) VALUES ('u1')", "!23505"),
            ],
            completed: &[
                ("INSERT INTO users (email, age) VALUES ('u1', 99)", ""),
                ("INSERT INTO users (email, age) VALUES ('u1', 99)", "!23505"),
            ],
        },
        Case {
            name: "rename_constraint",
            expectation: "constraints",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_constraint: {name: users_age_check, table: users, type: check, columns: [age], check: age < 150}
  - rename_constraint: {table: users, from: users_email_key, to: Users Email}
  - rename_constraint: {table: users, from: users_age_check, to: users_email_key}
  - rename_constraint: {table: notes, from: notes_user_fk, to: notes_of_users}
  - drop_index: {name: notes_user_idx}
  - rename_constraint: {table: notes, from: notes_pkey, to: notes_user_idx}
",
            account: SAME,
            work: WORK,
            started: &[
                (New, "INSERT INTO users (email) VALUES ('u1')", "!23505"),
                (Old, "INSERT INTO notes (user_id, body) VALUES (0, 'x')", "!23503"),
                (
                    Old,
                    "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relname ~ '^(users_email_key|Users Email|notes_pkey)$'",
                    "notes_pkey,users_email_key",
                ),
            ],
            completed: &[
                ("INSERT INTO users (email) VALUES ('u1')", "!23505"),
                ("INSERT INTO users (email, age) VALUES ('c', 150)", "!23514"),
                (
                    "SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE conname ~ '^(users_email_key|Users Email|notes_of_users)$'",
                    "Users Email,notes_of_users,users_email_key",
                ),
                (
                    "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relname ~ '^(users_email_key|Users Email|notes_user_idx|notes_pkey)$'",
                    "Users Email,notes_user_idx",
                ),
            ],
        },
        Case {
            name: "drop_multicolumn_constraint",
            expectation: "constraints",
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true, default: '18'}
      constraints:
        - {name: users_grown, type: check, check: age < 150 AND name <> 'nobody'}
        - {name: users_name_email, type: unique, columns: [email, name, age]}
",
            seed: SEED,
            change: "operations:
  - drop_multicolumn_constraint:
      table: users
      name: users_grown
      up: {age: age}
      down: {age: CASE WHEN age >= 150 THEN 149 ELSE age END, name: \"CASE WHEN name = 'nobody' THEN 'somebody' ELSE name END\"}
",
            account: Account {
                up: &[("age", "age"), ("name", "name")],
                down: &[
                    ("age", "CASE WHEN age > 149 THEN 149 ELSE age END"),
                    ("name", "CASE name WHEN 'nobody' THEN 'somebody' ELSE name END"),
                ],
                values: &[(New, "age", "1{n}0")],
                notes: false,
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "INSERT INTO users (email, name, age) VALUES ('new', 'nobody', 400)", ""),
                (New, "SELECT name, age FROM users WHERE email = 'new'", "nobody|400"),
                (Old, "SELECT name, age FROM users WHERE email = 'new'", "somebody|149"),
                (Old, "INSERT INTO users (email, age) VALUES ('old', 150)", "!23514"),
                (Old, "UPDATE users SET age = 7 WHERE email = 'new'", ""),
                (New, "SELECT name, age FROM users WHERE email = 'new'", "nobody|7"),
                (New, "INSERT INTO users (email, name, age) VALUES ('u7', 'First7 Last7', 7)", "!23505"),
            ],
            completed: &[
                ("INSERT INTO users (email, name, age) VALUES ('c', 'nobody', 150)", ""),
                ("SELECT count(*) FROM pg_constraint WHERE conname = 'users_grown'", "0"),
                ("INSERT INTO users (email, name, age) VALUES ('c', 'nobody', 150)", "!23505"),
            ],
        },
    ]
}

//! Several operations that meet in one migration.

use super::Side::{New, Old};
use super::{Account, BEYOND, Case, SAME, SEED, USERS, WORK};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "split of a column",
            expectation: BEYOND,
            before: USERS,
            seed: SEED,
            change: "operations:
  - add_column: {table: users, column: {name: first_name, type: text}, up: \"coalesce(split_part(name, ' ', 1), '')\"}
  - add_column: {table: users, column: {name: last_name, type: text}, up: \"coalesce(substr(users.name, length(split_part(users.name, ' ', 1)) + 2), '')\"}
  - drop_column: {table: users, column: name, down: \"first_name || ' ' || last_name\"}
",
            account: Account {
                up: &[
                    ("first_name", "CASE WHEN name IS NULL THEN '' ELSE substr(name || ' ', 1, position(' ' IN name || ' ') - 1) END"),
                    ("last_name", "CASE WHEN name LIKE '% %' THEN substr(name, position(' ' IN name) + 1) ELSE '' END"),
                ],
                down: &[("name", "first_name || ' ' || last_name")],
                // single words: a lossy conversion leaves what its result did not change (R2), and contended rows could not be told
                values: &[(New, "first_name", "First{n}"), (New, "last_name", "Last{n}")],
                ..SAME
            },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email, name) VALUES ('old', 'Ada Lovelace')", ""),
                (New, "SELECT first_name, last_name FROM users WHERE email = 'old'", "Ada|Lovelace"),
                (New, "INSERT INTO users (email, first_name, last_name) VALUES ('new', 'Anna Maria', 'Muster')", ""),
                (Old, "SELECT name FROM users WHERE email = 'new'", "Anna Maria Muster"),
                (New, "SELECT first_name, last_name FROM users WHERE email = 'new'", "Anna Maria|Muster"),
                (New, "UPDATE users SET last_name = 'Mann' WHERE email = 'old'", ""),
                (Old, "SELECT name FROM users WHERE email = 'old'", "Ada Mann"),
                (Old, "UPDATE users SET name = 'Eva Braun' WHERE email = 'new'", ""),
                (New, "SELECT first_name, last_name FROM users WHERE email = 'new'", "Eva|Braun"),
                (New, "SELECT count(*) FROM users WHERE email LIKE 'u%' AND last_name = 'Last' || substr(email, 2)", "500"),
            ],
            completed: &[("SELECT first_name, last_name FROM users WHERE email = 'u9'", "First9|Last9")],
        },
        Case {
            name: "rename then alter, alter twice, add then drop",
            expectation: "several changes of a column",
            before: USERS,
            seed: SEED,
            change: "operations:
  - rename_column: {table: users, from: age, to: years}
  - alter_column: {table: users, column: years, type: bigint, up: years * 2, down: years / 2, default: null}
  - alter_column: {table: users, column: years, type: text, up: \"years || '!'\", down: \"nullif(rtrim(years, '!'), '')::bigint\"}
  - add_column: {table: users, column: {name: temporary, type: text, nullable: true}}
  - drop_column: {table: users, column: temporary}
  - rename_table: {from: users, to: members}
  - create_table: {name: users, columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}, {name: email, type: text, unique: true}]}
",
            account: Account {
                table: ("users", "members"),
                up: &[("years", "(age * 2) || '!'")],
                down: &[("age", "nullif(rtrim(years, '!'), '')::int / 2")],
                values: &[(New, "years", "{n}!")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT years FROM members WHERE email = 'u7'", "14!"),
                (Old, "UPDATE users SET age = 20 WHERE email = 'u7'", ""),
                (New, "SELECT years FROM members WHERE email = 'u7'", "40!"),
                (New, "UPDATE members SET years = '60!' WHERE email = 'u7'", ""),
                (Old, "SELECT age FROM users WHERE email = 'u7'", "30"),
            ],
            completed: &[("SELECT years FROM members WHERE email = 'u8'", "16!")],
        },
    ]
}

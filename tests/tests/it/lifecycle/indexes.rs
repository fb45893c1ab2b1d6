//! Indexes that come and go.

use super::Side::{New, Old};
use super::{Account, Case, SAME, SEED, USERS, WORK};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "create_index",
            expectation: "indexes",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_index: {name: users_age_idx, table: users, columns: [{column: age, sort: DESC, nulls: LAST}, {column: name, opclass: {name: text_pattern_ops}}], predicate: age > 3}
  - create_index: {name: Users_Hash, table: users, columns: [{column: email}], method: hash, storage_parameters: fillfactor = 70}
  - create_index: {name: users_name_age, table: users, columns: [{column: email}], unique: true}
",
            account: SAME,
            work: WORK,
            started: &[(Old, "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname IN ('users_age_idx', 'Users_Hash', 'users_name_age') AND indisvalid", "3")],
            completed: &[("SELECT count(*) FROM users WHERE email LIKE 'u%'", "500")],
        },
        Case {
            name: "create_index on what changes, and alter_column of what is indexed",
            expectation: "indexes",
            before: USERS,
            seed: SEED,
            change: "operations:
  - rename_column: {table: users, from: name, to: label}
  - alter_column: {table: users, column: age, type: bigint, up: age, down: age}
  - add_column: {table: users, column: {name: folded, type: text, collate: C, nullable: true}, up: lower(email)}
  - create_index: {name: users_map, table: users, columns: {age: {sort: DESC}, label: {nulls: FIRST, opclass: {name: text_ops}}}, include: [email]}
  - create_index: {name: users_texts, table: users, columns: [{expression: \"coalesce(label, folded)\", collate: C}, {column: folded}], predicate: age > 3}
  - create_constraint: {name: users_email_age, table: users, type: unique, columns: [email, age], nulls_not_distinct: true, index_parameters: {include_columns: [label], storage_parameters: fillfactor=70}}
",
            account: Account {
                renamed: &[("name", "label")],
                up: &[("age", "age"), ("folded", "lower(email)")],
                down: &[("age", "age")],
                ..SAME
            },
            work: WORK,
            started: &[
                (Old, "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname IN ('users_map', 'users_texts') AND indisvalid", "2"),
                (New, "SELECT age, folded FROM users WHERE email = 'u7'", "7|u7"),
                (New, "SELECT collation FOR (folded) FROM users WHERE email = 'u7'", "\"C\""),
            ],
            completed: &[
                ("SELECT count(*) FROM users WHERE coalesce(label, folded) COLLATE \"C\" > 'F' AND age > 3 AND email LIKE 'u%'", "477"),
                ("SELECT pg_get_indexdef('users_texts'::regclass) ~ 'COALESCE\\(label, folded\\).*WHERE \\(age > 3\\)'", "t"),
            ],
        },
        Case {
            name: "rename_index",
            expectation: "indexes",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_index: {name: users_one_mail, table: users, columns: [{column: email}], unique: true}
  - rename_index: {from: users_one_mail, to: users_mail}
  - set_replica_identity: {table: users, identity: {type: INDEX, index: users_mail}}
  - rename_index: {from: users_mail, to: Users Mail}
  - rename_table: {from: users, to: people}
  - rename_index: {from: users_name_idx, to: people_by_name}
",
            account: Account { table: ("users", "people"), ..SAME },
            work: WORK,
            started: &[(Old, "SELECT count(*) FROM pg_class WHERE relname = 'users_name_idx'", "1")],
            completed: &[
                ("SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relname IN ('users_name_idx', 'people_by_name', 'Users Mail')", "Users Mail,people_by_name"),
                ("SELECT indisreplident FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname = 'Users Mail'", "t"),
            ],
        },
        Case {
            name: "drop_index",
            expectation: "indexes",
            before: USERS,
            seed: SEED,
            change: "operations: [{drop_index: {name: users_name_idx}}]",
            account: SAME,
            work: WORK,
            started: &[(Old, "SELECT count(*) FROM pg_class WHERE relname = 'users_name_idx'", "1")],
            completed: &[("SELECT count(*) FROM pg_class WHERE relname = 'users_name_idx'", "0")],
        },
    ]
}

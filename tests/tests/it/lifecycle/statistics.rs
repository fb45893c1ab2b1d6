//! Extended statistics that come and go, and that follow their columns.

use super::Side::{New, Old};
use super::{Account, BEYOND, Case, SAME, SEED, WORK};

/// The users, with statistics on what changes and on what stays.
const COUNTED: &str = concat!(
    users!(),
    "  - create_table:
      name: notes
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: user_id, type: bigint, references: {name: notes_user_fk, table: users, column: id, on_delete: CASCADE}}
        - {name: body, type: text}
  - create_statistics: {name: users_both, table: users, columns: [name, age], kinds: [ndistinct, mcv]}
  - create_statistics: {name: users_word, table: users, expressions: [\"split_part(email, '1', 1)\"]}
  - create_statistics: {name: Users Mixed, table: users, columns: [email], expressions: [age + 1, lower(name)]}
"
);

/// The statistics of a table with their definitions, but for the order of columns.
macro_rules! found {
    () => {
        "SELECT count(*), count(*) FILTER (WHERE stxname LIKE '\\_diptych\\_%') FROM pg_statistic_ext JOIN pg_class ON pg_class.oid = stxrelid WHERE relname IN ('users', 'people')"
    };
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "create_statistics",
            expectation: BEYOND,
            before: COUNTED,
            seed: SEED,
            change: "operations:
  - create_statistics: {name: users_all, table: users, columns: [id, email, age]}
  - create_statistics: {name: users_mail, table: users, columns: [age, email], kinds: [DEPENDENCIES]}
  - create_statistics: {name: users_low, table: users, expressions: [lower(email)]}
  - create_table: {name: teams, columns: [{name: id, type: integer, pk: true}, {name: kind, type: text}]}
  - create_statistics: {name: teams_both, table: teams, columns: [kind, id]}
",
            account: SAME,
            work: WORK,
            started: &[(Old, found!(), "6|0")],
            completed: &[
                (found!(), "6|0"),
                (
                    "SELECT pg_get_statisticsobjdef(oid) ~ '\\(dependencies\\) ON email, age FROM' FROM pg_statistic_ext WHERE stxname = 'users_mail'",
                    "t",
                ),
            ],
        },
        Case {
            name: "create_statistics on what changes, and alter_column of what has statistics",
            expectation: BEYOND,
            before: COUNTED,
            seed: SEED,
            change: "operations:
  - rename_column: {table: users, from: name, to: label}
  - alter_column: {table: users, column: age, type: bigint, up: age, down: age}
  - add_column: {table: users, column: {name: folded, type: text, nullable: true}, up: lower(email)}
  - create_statistics: {name: users_new, table: users, columns: [folded, label, age]}
  - create_statistics: {name: users_texts, table: users, columns: [age], expressions: [\"coalesce(label, folded)\", age % 10]}
  - drop_statistics: {name: users_both}
  - create_statistics: {name: users_both, table: users, columns: [label, id]}
",
            account: Account {
                renamed: &[("name", "label")],
                up: &[("age", "age"), ("folded", "lower(email)")],
                down: &[("age", "age")],
                ..SAME
            },
            work: WORK,
            started: &[(Old, found!(), "7|2"), (New, "SELECT age, folded FROM users WHERE email = 'u7'", "7|u7")],
            completed: &[
                (found!(), "5|0"),
                (
                    "SELECT pg_get_statisticsobjdef_expressions(oid)::text FROM pg_statistic_ext WHERE stxname = 'Users Mixed'",
                    "{\"(age + 1)\",lower(label)}",
                ),
                (
                    "SELECT pg_get_statisticsobjdef_expressions(oid)::text FROM pg_statistic_ext WHERE stxname = 'users_texts'",
                    "{\"COALESCE(label, folded)\",\"(age % (10)::bigint)\"}",
                ),
            ],
        },
        Case {
            name: "statistics under each other's names",
            expectation: BEYOND,
            before: COUNTED,
            seed: SEED,
            change: "operations:
  - drop_statistics: {name: users_both}
  - drop_statistics: {name: users_word}
  - drop_statistics: {name: Users Mixed}
  - create_statistics: {name: users_word, table: users, columns: [name, age], kinds: [mcv, ndistinct]}
  - create_statistics: {name: users_both, table: users, expressions: [\"split_part(email, '1', 1)\"]}
  - create_statistics: {name: users_several, table: users, columns: [email], expressions: [age + 1, lower(name)]}
",
            account: SAME,
            work: WORK,
            started: &[(Old, found!(), "3|0")],
            completed: &[
                (found!(), "3|0"),
                ("SELECT string_agg(stxname, ',' ORDER BY oid) FROM pg_statistic_ext", "users_several,users_word,users_both"),
            ],
        },
        Case {
            name: "drop_statistics, and drop_column of what has statistics",
            expectation: BEYOND,
            before: COUNTED,
            seed: SEED,
            change: "operations:
  - drop_statistics: {name: users_word}
  - drop_column: {table: users, column: age, down: '21'}
  - rename_table: {from: users, to: people}
",
            account: Account { table: ("users", "people"), down: &[("age", "21")], ..SAME },
            work: WORK,
            started: &[(Old, found!(), "3|0")],
            completed: &[(found!(), "0|0")],
        },
    ]
}

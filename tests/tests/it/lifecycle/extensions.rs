//! Extensions, and columns of their types.

use super::Side::{New, Old};
use super::{ALONE, Account, BEYOND, Case, SAME, SEED, WORK};

/// Those that the cases need.
pub(super) const NEEDED: [&str; 3] = ["citext", "cube", "earthdistance"];

/// The ways of the operations on extensions.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "create_extension",
            expectation: BEYOND,
            before: ALONE,
            seed: SEED,
            change: "operations:
  - create_extension: {name: earthdistance}
  - create_extension: {name: citext}
  - create_extension: {name: cube}
  - alter_column: {table: users, column: name, type: citext, up: name, down: name}
  - add_column: {table: users, column: {name: spot, type: cube, nullable: true}, up: \"cube(age)\"}
  - add_column: {table: users, column: {name: kind, type: 'citext[]', default: \"'{}'\", check: {name: few_kinds, constraint: \"NOT 'none'::citext = ANY (kind)\"}}}
  - create_index: {name: users_spot, table: users, columns: [{column: spot}], method: gist}
",
            account: Account {
                up: &[("name", "name::citext"), ("spot", "cube(age)"), ("kind", "'{}'")],
                down: &[("name", "name::text")],
                values: &[(New, "name", "Ada|ADA|Bob"), (New, "spot", "(1)|(2)"), (New, "kind", "{a,B}|{}")],
                notes: false,
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT count(*) FROM users WHERE name = 'FIRST1 LAST1'", "1"),
                (Old, "SELECT count(*) FROM users WHERE name = 'FIRST1 LAST1'", "0"),
                (New, "SELECT spot, kind FROM users WHERE email = 'u5'", "(5)|{}"),
                (New, "UPDATE users SET name = 'Ada', kind = '{NONE}' WHERE email = 'u5'", "!23514"),
                (New, "UPDATE users SET name = 'Ada' WHERE email = 'u5'", ""),
                (Old, "SELECT name FROM users WHERE email = 'u5'", "Ada"),
                (Old, "UPDATE users SET age = 44 WHERE email = 'u5'", ""),
                (New, "SELECT spot, name = 'ADA' FROM users WHERE email = 'u5'", "(44)|t"),
            ],
            completed: &[
                ("SELECT pg_typeof(name)::text, pg_typeof(spot)::text FROM users LIMIT 1", "citext|cube"),
                ("SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension", "citext cube earthdistance plpgsql"),
            ],
        },
        Case {
            name: "drop_extension",
            expectation: BEYOND,
            before: "operations:
  - create_extension: {name: citext}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: citext, nullable: true}
        - {name: age, type: integer, nullable: true, default: '18'}
        - {name: kind, type: text, default: \"'x'::citext::text\"}
        - {name: word, type: text, default: \"'w'\", check: {name: users_word, constraint: \"word::citext <> 'none'\"}}
  - create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
  - create_index: {name: users_word_idx, table: users, columns: [{expression: word::citext}]}
",
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: name, type: text, up: name, down: name}
  - alter_column: {table: users, column: kind, default: \"'x'\"}
  - drop_constraint: {table: users, name: users_word, up: word, down: word}
  - drop_index: {name: users_word_idx}
  - drop_extension: {name: citext}
",
            account: Account {
                up: &[("name", "name::text")],
                down: &[("name", "name::citext")],
                values: &[(Old, "name", "Ada|ADA|Bob")],
                notes: false,
                ..SAME
            },
            work: WORK,
            started: &[
                (Old, "SELECT count(*) FROM users WHERE name = 'FIRST1 LAST1'", "1"),
                (New, "SELECT count(*) FROM users WHERE name = 'FIRST1 LAST1'", "0"),
                (New, "UPDATE users SET name = 'Ada' WHERE email = 'u5'", ""),
                (Old, "SELECT name = 'ADA', kind FROM users WHERE email = 'u5'", "t|x"),
            ],
            completed: &[
                ("SELECT pg_typeof(name)::text FROM users LIMIT 1", "text"),
                ("SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension", "plpgsql"),
            ],
        },
    ]
}

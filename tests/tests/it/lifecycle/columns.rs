//! Columns that come, go and are renamed.

use super::Side::{New, Old};
use super::{Account, Case, SAME, SEED, TEAMS, USERS, WORK};

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
        Case {
            name: "add_column with every kind of default",
            expectation: "add_column",
            before: USERS,
            seed: SEED,
            change: "operations:
  - add_column: {table: users, column: {name: 'on', type: boolean, default: 'true'}}
  - add_column: {table: users, column: {name: seven, type: integer, nullable: true, default: '7'}}
  - add_column: {table: users, column: {name: since, type: timestamptz, default: now()}}
  - add_column: {table: users, column: {name: day, type: date, nullable: true, default: CURRENT_DATE}}
  - add_column: {table: users, column: {name: token, type: uuid, default: gen_random_uuid()}}
  - add_column: {table: users, column: {name: dice, type: double precision, nullable: true, default: random()}}
",
            account: Account { up: &[("on", "true"), ("seven", "7")], unaccounted: &["since", "day", "token", "dice"], ..SAME },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email) VALUES ('old')", ""),
                (New, "SELECT \"on\", seven, since IS NULL, day IS NULL, token IS NULL, dice IS NULL FROM users WHERE email = 'old'", "t|7|f|f|f|f"),
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING \"on\", seven, since IS NULL, day IS NULL, token IS NULL, dice IS NULL", "t|7|f|f|f|f"),
                (New, "INSERT INTO users (email, \"on\", seven, day, dice) VALUES ('null', false, NULL, NULL, NULL) RETURNING \"on\", seven, day, dice", "f|NULL|NULL|NULL"),
                (New, "INSERT INTO users (email, \"on\") VALUES ('bad', NULL)", "!23502"),
                (New, "INSERT INTO users (email, since) VALUES ('bad', NULL)", "!23502"),
                (New, "INSERT INTO users (email, token) VALUES ('bad', NULL)", "!23502"),
                (New, "SELECT count(*), count(\"on\"), count(seven), count(since), count(day), count(DISTINCT token), count(DISTINCT dice) > 400 FROM users WHERE email LIKE 'u%'", "500|500|500|500|500|500|t"),
            ],
            completed: &[
                ("SELECT count(*), count(\"on\"), count(seven), count(since), count(day), count(DISTINCT token), count(DISTINCT dice) > 400 FROM users WHERE email LIKE 'u%'", "500|500|500|500|500|500|t"),
                ("INSERT INTO users (email) VALUES ('c') RETURNING \"on\", seven, since = now(), day = CURRENT_DATE, token IS NULL, dice IS NULL", "t|7|t|t|f|f"),
                ("INSERT INTO users (email, \"on\") VALUES ('bad', NULL)", "!23502"),
                ("INSERT INTO users (email, since) VALUES ('bad', NULL)", "!23502"),
                ("INSERT INTO users (email, token) VALUES ('bad', NULL)", "!23502"),
            ],
        },
        Case {
            name: "add_column with unique, check and foreign key",
            expectation: "add_column",
            before: TEAMS,
            seed: "INSERT INTO teams SELECT generate_series(0, 89); INSERT INTO users (email, name, age) SELECT 'u' || n, 'First' || n, n % 90 FROM generate_series(1, 500) AS n",
            change: "operations:
  - add_column: {table: users, column: {name: handle, type: text, unique: true}, up: \"'@' || email\"}
  - add_column: {table: users, column: {name: score, type: integer, default: '0', check: {name: score_positive, constraint: score >= 0}}}
  - add_column: {table: users, column: {name: team, type: integer, nullable: true, references: {name: users_team_fk, table: teams, column: id, on_delete: SET NULL}}, up: age}
",
            account: Account { up: &[("handle", "concat('@', email)"), ("score", "0"), ("team", "age")], notes: false, ..SAME },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email, age) VALUES ('old', 33)", ""),
                (New, "SELECT handle, score, team FROM users WHERE email = 'old'", "@old|0|33"),
                (New, "INSERT INTO users (email, handle, score, team) VALUES ('new', '@n', 5, 44)", ""),
                (New, "SELECT handle, score, team FROM users WHERE email = 'new'", "@n|5|44"),
                (New, "INSERT INTO users (email, handle) VALUES ('bad', '@u1')", "!23505"),
                (New, "INSERT INTO users (email) VALUES ('bad')", "!23502"),
                (New, "INSERT INTO users (email, handle, score) VALUES ('bad', '@b', -1)", "!23514"),
                (New, "INSERT INTO users (email, handle, team) VALUES ('bad', '@b', 99)", "!23503"),
                (Old, "UPDATE users SET age = 3 WHERE age IN (33, 44)", ""),
                (New, "UPDATE users SET team = 33 WHERE email = 'old'", ""),
                (Old, "DELETE FROM teams WHERE id = 44", ""),
                (New, "SELECT team FROM users WHERE email = 'new'", "NULL"),
                (New, "DELETE FROM teams WHERE id = 33", ""),
                (New, "SELECT team FROM users WHERE email = 'old'", "NULL"),
            ],
            completed: &[
                ("SELECT handle, score, team FROM users WHERE email = 'u7'", "@u7|0|7"),
                ("INSERT INTO users (email, handle) VALUES ('bad', '@u1')", "!23505"),
                ("INSERT INTO users (email, handle, score) VALUES ('bad', '@b', -1)", "!23514"),
                ("INSERT INTO users (email, handle, team) VALUES ('bad', '@b', 99)", "!23503"),
                ("DELETE FROM teams WHERE id = 7", ""),
                ("SELECT team FROM users WHERE email = 'u7'", "NULL"),
            ],
        },
        Case {
            name: "add_column to a table that the migration creates or renames",
            expectation: "add_column",
            before: USERS,
            seed: SEED,
            change: "operations:
  - rename_table: {from: users, to: people}
  - add_column: {table: people, column: {name: tag, type: text, nullable: true}, up: \"people.name || '?'\"}
  - add_column: {table: people, column: {name: rank, type: integer, default: '3'}}
  - create_table: {name: pets, columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}]}
  - add_column: {table: pets, column: {name: owner, type: bigint, references: {name: pets_owner_fk, table: people, column: id, on_delete: CASCADE}}, up: '1'}
  - add_column: {table: pets, column: {name: kind, type: text, default: \"'dog'\", check: {name: pets_kind, constraint: kind <> ''}}}
  - add_column: {table: pets, column: {name: chip, type: uuid, unique: true, default: gen_random_uuid()}}
",
            account: Account { table: ("users", "people"), up: &[("tag", "CASE WHEN name IS NOT NULL THEN concat(name, '?') END"), ("rank", "3")], ..SAME },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email, name) VALUES ('old', 'O')", ""),
                (New, "SELECT tag, rank FROM people WHERE email = 'old'", "O?|3"),
                (New, "SELECT count(*) FROM people WHERE email LIKE 'u%' AND tag = name || '?' AND rank = 3", "500"),
                (New, "INSERT INTO people (email, tag, rank) VALUES ('new', 'own', 4)", ""),
                (New, "SELECT tag, rank FROM people WHERE email = 'new'", "own|4"),
                (New, "INSERT INTO pets (owner) VALUES (9) RETURNING kind, chip IS NULL", "dog|f"),
                (New, "INSERT INTO pets DEFAULT VALUES", "!23502"),
                (New, "INSERT INTO pets (owner) VALUES (0)", "!23503"),
                (New, "INSERT INTO pets (owner, kind) VALUES (1, '')", "!23514"),
                (New, "INSERT INTO pets (owner, chip) SELECT 1, chip FROM pets", "!23505"),
                (Old, "DELETE FROM users WHERE id = 9", ""),
                (New, "SELECT count(*) FROM pets", "0"),
            ],
            completed: &[
                ("SELECT tag, rank FROM people WHERE email = 'u7'", "First7 Last7?|3"),
                ("INSERT INTO pets (owner) VALUES (1) RETURNING kind", "dog"),
                ("INSERT INTO pets (owner) VALUES (0)", "!23503"),
            ],
        },
        Case {
            name: "add_column to a table without a key",
            expectation: "add_column",
            before: "operations:
  - create_table:
      name: users
      columns: [{name: id, type: bigint}, {name: email, type: text}, {name: name, type: text, nullable: true}]
",
            seed: "INSERT INTO users SELECT n, 'u' || n FROM generate_series(1, 500) AS n; INSERT INTO users VALUES (1, 'u1')",
            change: "operations:
  - add_column: {table: users, column: {name: shout, type: text}, up: upper(email)}
  - add_column: {table: users, column: {name: active, type: boolean, default: 'true'}}
",
            account: Account { up: &[("shout", "upper(email)"), ("active", "true")], upserts: false, notes: false, ..SAME },
            work: "INSERT INTO users VALUES ({n}, 'w{n}'); UPDATE users SET name = 'x' WHERE id = {n}",
            started: &[
                (New, "SELECT count(*) FROM users WHERE email LIKE 'u%' AND shout = upper(email) AND active", "501"),
                (Old, "INSERT INTO users VALUES (1, 'old')", ""),
                (New, "SELECT count(*), min(shout), max(shout) FROM users WHERE id = 1", "3|OLD|U1"),
                (New, "INSERT INTO users VALUES (1, 'new', NULL, 'own', false)", ""),
                (New, "SELECT shout, active FROM users WHERE email = 'new'", "own|f"),
                (New, "INSERT INTO users (id, email, shout) VALUES (2, 'bad', NULL)", "!23502"),
            ],
            completed: &[
                ("SELECT count(*) FROM users WHERE email LIKE 'u%' AND shout = upper(email) AND active", "501"),
                ("INSERT INTO users (id, email) VALUES (2, 'bad')", "!23502"),
            ],
        },
        Case {
            name: "drop_column with a reserved word for a name, and added and dropped in one",
            expectation: "drop_column",
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: order, type: integer}
        - {name: select, type: text, nullable: true}
        - {name: end, type: text, default: \"'none'\"}
  - create_index: {name: users_order, table: users, columns: [{column: order}, {column: select}]}
",
            seed: "INSERT INTO users (email, \"order\", \"select\", \"end\") SELECT 'u' || n, n, 's', 'end' || n FROM generate_series(1, 300) AS n",
            change: "operations:
  - drop_column: {table: users, column: order, down: id * 10}
  - drop_column: {table: users, column: select}
  - add_column: {table: users, column: {name: table, type: text}, up: upper(\"end\")}
  - drop_column: {table: users, column: end, down: lower(\"table\")}
  - add_column: {table: users, column: {name: from, type: integer}, up: length(email)}
  - drop_column: {table: users, column: from, down: '1'}
",
            account: Account {
                up: &[("table", "upper(\"end\")")],
                down: &[("order", "(id || '0')::int"), ("select", "NULL"), ("end", "lower(\"table\")")],
                // words that the conversions do not fold into one another, so that contended rows can be told
                values: &[(Old, "end", "word{n}"), (New, "table", "WORD{n}")],
                notes: false,
                ..SAME
            },
            work: "INSERT INTO users (email, \"order\") VALUES ('w{n}', 1); UPDATE users SET \"end\" = 'x' WHERE email = 'w{n}'",
            started: &[
                (New, "SELECT \"order\" FROM users", "!42703"),
                (New, "SELECT \"select\" FROM users", "!42703"),
                (New, "SELECT \"from\" FROM users", "!42703"),
                (Old, "SELECT \"from\" FROM users", "!42703"),
                (Old, "INSERT INTO users (email, \"order\", \"end\") VALUES ('old', 5, 'abc')", ""),
                (New, "SELECT \"table\" FROM users WHERE email = 'old'", "ABC"),
                (New, "INSERT INTO users (id, email, \"table\") VALUES (777777, 'new', 'XYZ')", ""),
                (Old, "SELECT \"order\", \"select\", \"end\" FROM users WHERE email = 'new'", "7777770|NULL|xyz"),
                (Old, "SELECT \"order\", \"select\" FROM users WHERE email = 'u7'", "7|s"),
            ],
            completed: &[
                ("SELECT \"table\" FROM users WHERE email = 'u7'", "END7"),
                ("SELECT \"order\" FROM users", "!42703"),
                ("INSERT INTO users (email, \"table\") VALUES ('c', NULL)", "!23502"),
            ],
        },
        Case {
            name: "rename_column and rename_table chained",
            expectation: "rename",
            before: USERS,
            seed: SEED,
            change: "operations:
  - rename_column: {table: users, from: name, to: label}
  - rename_table: {from: users, to: people}
  - rename_column: {table: people, from: label, to: title}
  - rename_column: {table: people, from: email, to: name}
  - add_column: {table: people, column: {name: shout, type: text, nullable: true}, up: upper(people.title)}
  - rename_table: {from: people, to: members}
  - rename_column: {table: members, from: shout, to: loud}
  - create_index: {name: members_title, table: members, columns: [{column: title}, {column: name}]}
",
            account: Account {
                table: ("users", "members"),
                renamed: &[("name", "title"), ("email", "name")],
                up: &[("loud", "upper(name)")],
                ..SAME
            },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email, name) VALUES ('old', 'Ada')", ""),
                (New, "SELECT name, title, loud FROM members WHERE name = 'old'", "old|Ada|ADA"),
                (New, "INSERT INTO members (name, title, loud) VALUES ('new', 'Eva', 'own')", ""),
                (Old, "SELECT email, name FROM users WHERE email = 'new'", "new|Eva"),
                (New, "SELECT loud FROM members WHERE name = 'new'", "own"),
                (New, "SELECT * FROM users", "!42P01"),
                (New, "SELECT * FROM people", "!42P01"),
                (Old, "SELECT * FROM members", "!42P01"),
                (New, "INSERT INTO members (name) VALUES ('u1')", "!23505"),
                (New, "INSERT INTO notes (user_id, body) SELECT id, 'n' FROM members WHERE name = 'new'", ""),
                (New, "DELETE FROM members WHERE name = 'new'", ""),
                (Old, "SELECT count(*) FROM notes", "0"),
            ],
            completed: &[
                ("SELECT title, loud FROM members WHERE name = 'u1'", "First1 Last1|FIRST1 LAST1"),
                ("SELECT * FROM people", "!42P01"),
            ],
        },
    ]
}

//! Constraints that come, go and are renamed.

use super::Side::{New, Old};
use super::{Account, BEYOND, Case, REGIONS, SAME, SEED, USERS, WORK};

/// Tables with constraints that the rows which were there were not held to.
const HELD: &str = concat!(
    users!(),
    "  - create_table:
      name: notes
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: user_id, type: bigint}
        - {name: body, type: text}
  - create_constraint: {name: users_ripe, table: users, type: check, columns: [age], check: age < 100000, not_valid: true}
  - create_constraint: {name: notes_user_fk, table: notes, type: foreign_key, columns: [user_id], references: {table: users, columns: [id], on_delete: CASCADE}, not_valid: true}
"
);
const VALID: &str = "SELECT string_agg(conname || '|' || convalidated, ';' ORDER BY conname) FROM pg_constraint WHERE conname IN ('users_ripe', 'users_aged', 'users_kept_out', 'notes_user_fk')";

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
            name: "not_valid and validate_constraint",
            expectation: BEYOND,
            before: HELD,
            seed: SEED,
            change: "operations:
  - create_constraint: {name: users_kept_out, table: users, type: check, columns: [email], check: \"email <> 'u499'\", not_valid: true}
  - rename_constraint: {table: users, from: users_ripe, to: users_aged}
  - validate_constraint: {table: users, name: users_aged}
  - validate_constraint: {table: notes, name: notes_user_fk}
",
            account: SAME,
            work: WORK,
            started: &[
                (Old, "SELECT count(*) FROM users WHERE email = 'u499'", "1"),
                (Old, "UPDATE users SET age = 5 WHERE email = 'u499'", "!23514"),
                (New, "UPDATE users SET age = 5 WHERE email = 'u499'", "!23514"),
                (Old, "UPDATE users SET email = 'u501' WHERE email = 'u499'", ""),
                (New, "UPDATE users SET email = 'u499' WHERE email = 'u501'", "!23514"),
                (Old, VALID, "notes_user_fk|false;users_kept_out|false;users_ripe|false"),
            ],
            completed: &[("UPDATE users SET age = 200000", "!23514"), (VALID, "notes_user_fk|true;users_aged|true;users_kept_out|false")],
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
        Case {
            name: "create_constraint on one and many columns, with up",
            expectation: "constraints",
            before: USERS,
            seed: "INSERT INTO users (email, name, age) SELECT 'u' || n, nullif('First' || n, 'First7'), n - 3 FROM generate_series(1, 300) AS n",
            change: "operations:
  - create_constraint: {name: users_mail, table: users, type: check, columns: [email], check: \"email LIKE '%@%'\", up: {email: \"CASE WHEN email LIKE '%@%' THEN email ELSE email || '@here' END\"}, down: {email: email}}
  - create_constraint: {name: users_named, table: users, type: check, columns: [name, age], check: \"name <> '' AND age > 0\", up: {name: \"coalesce(name, 'nobody')\", age: 'greatest(age, 1)'}, down: {name: name, age: age}}
  - create_constraint: {name: users_name_mail, table: users, type: unique, columns: [name, email]}
",
            account: Account {
                up: &[
                    ("email", "concat(email, CASE WHEN position('@' IN email) = 0 THEN '@here' END)"),
                    ("name", "CASE WHEN name IS NULL THEN 'nobody' ELSE name END"),
                    ("age", "CASE WHEN age > 1 THEN age ELSE 1 END"),
                ],
                down: &[("email", "email"), ("name", "name"), ("age", "age")],
                values: &[(New, "email", "m{u}@x"), (New, "age", "1{n}")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT email, name, age FROM users WHERE id IN (1, 7) ORDER BY id", "u1@here|First1|1;u7@here|nobody|4"),
                (New, "INSERT INTO users (email) VALUES ('bad')", "!23514"),
                (New, "INSERT INTO users (email, name) VALUES ('b@d', '')", "!23514"),
                (New, "INSERT INTO users (email, age) VALUES ('b@d', 0)", "!23514"),
                (New, "INSERT INTO users (email, name) VALUES ('u1@here', 'First1')", "!23505"),
                (New, "INSERT INTO users (email, name) VALUES ('n@w', 'First1')", ""),
                (Old, "SELECT email, name, age FROM users WHERE email = 'n@w'", "n@w|First1|18"),
                (Old, "INSERT INTO users (email, age) VALUES ('old', -9)", ""),
                (New, "SELECT name, age FROM users WHERE email = 'old@here'", "nobody|1"),
                (Old, "SELECT name, age FROM users WHERE email = 'old'", "NULL|-9"),
            ],
            completed: &[
                ("INSERT INTO users (email) VALUES ('bad')", "!23514"),
                ("INSERT INTO users (email, age) VALUES ('b@d', 0)", "!23514"),
                ("INSERT INTO users (email, name) VALUES ('u1@here', 'First1')", "!23505"),
            ],
        },
        Case {
            name: "create_constraint primary_key",
            expectation: "constraints",
            before: "operations:
  - create_table: {name: users, columns: [{name: id, type: bigint}, {name: email, type: text}, {name: name, type: text, nullable: true}]}
  - create_table: {name: tags, columns: [{name: tag, type: text}, {name: user_id, type: bigint}]}
",
            seed: "INSERT INTO users SELECT n, 'u' || n FROM generate_series(1, 300) AS n; INSERT INTO tags SELECT 'a', id FROM users",
            change: "operations:
  - create_constraint: {name: users_pkey, table: users, type: primary_key, columns: [id]}
  - create_constraint: {name: tags_key, table: tags, type: primary_key, columns: [user_id, tag]}
",
            account: Account { upserts: false, notes: false, ..SAME },
            work: "INSERT INTO users VALUES ({n}, 'w{n}'); INSERT INTO tags VALUES ('w', {n}); UPDATE users SET name = 'x' WHERE id = {n}",
            started: &[
                (New, "INSERT INTO users VALUES (1, 'bad')", "!23505"),
                (New, "INSERT INTO tags VALUES ('a', 1)", "!23505"),
                (New, "INSERT INTO tags VALUES ('b', 1)", ""),
                (Old, "SELECT count(*) FROM tags WHERE user_id = 1", "2"),
                (New, "INSERT INTO users VALUES (1, 'bad') ON CONFLICT (id) DO UPDATE SET email = 'upserted'", ""),
                (Old, "SELECT email FROM users WHERE id = 1", "upserted"),
            ],
            completed: &[
                ("INSERT INTO users VALUES (1, 'bad')", "!23505"),
                ("INSERT INTO users VALUES (NULL, 'bad')", "!23502"),
                ("SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE contype = 'p' AND conname IN ('users_pkey', 'tags_key')", "tags_key,users_pkey"),
            ],
        },
        Case {
            name: "create_constraint foreign_key",
            expectation: "constraints",
            before: REGIONS,
            seed: "INSERT INTO teams SELECT 'north', n FROM generate_series(0, 9) AS n; INSERT INTO users (email, code) SELECT 'u' || n, n FROM generate_series(1, 300) AS n; UPDATE users SET boss = 2",
            change: "operations:
  - create_constraint: {name: users_team_fk, table: users, type: foreign_key, columns: [region, code], references: {table: teams, columns: [region, code], on_delete: CASCADE, on_update: CASCADE}, up: {code: CASE WHEN code < 10 THEN code END}, down: {code: code}}
  - create_constraint: {name: users_boss_fk, table: users, type: foreign_key, columns: [boss], references: {table: users, columns: [id], on_delete: SET NULL}}
",
            account: Account {
                up: &[("code", "CASE WHEN code IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) THEN code END")],
                down: &[("code", "code")],
                values: &[(Old, "region", "north"), (New, "region", "north"), (New, "code", "7"), (Old, "boss", "2"), (New, "boss", "3")],
                notes: false,
                ..SAME
            },
            work: "INSERT INTO users (email, code, boss) VALUES ('w{n}', 77, 1); UPDATE users SET code = 5 WHERE email = 'w{n}'",
            started: &[
                (New, "SELECT code FROM users WHERE id IN (7, 70) ORDER BY id", "7;NULL"),
                (Old, "SELECT code FROM users WHERE id IN (7, 70) ORDER BY id", "7;70"),
                (New, "INSERT INTO users (email, code) VALUES ('bad', 10)", "!23503"),
                (New, "INSERT INTO users (email, region, code) VALUES ('bad', 'south', 1)", "!23503"),
                (New, "INSERT INTO users (email, boss) VALUES ('bad', 0)", "!23503"),
                (Old, "INSERT INTO users (email, code) VALUES ('old', 500)", ""),
                (New, "SELECT code FROM users WHERE email = 'old'", "NULL"),
                (New, "UPDATE users SET code = 6 WHERE email = 'old'", ""),
                (Old, "SELECT code FROM users WHERE email = 'old'", "6"),
                (Old, "DELETE FROM teams WHERE code = 6", ""),
                (New, "SELECT count(*) FROM users WHERE email = 'old'", "0"),
                (New, "DELETE FROM users WHERE id = 2", ""),
                (Old, "SELECT boss FROM users WHERE id = 3", "NULL"),
            ],
            completed: &[
                ("INSERT INTO users (email, code) VALUES ('bad', 10)", "!23503"),
                ("UPDATE teams SET code = 99 WHERE code = 7", ""),
                ("SELECT code FROM users WHERE id = 7", "99"),
                ("INSERT INTO users (email, boss) VALUES ('bad', 0)", "!23503"),
                ("SELECT count(*) FROM pg_constraint WHERE conname IN ('users_team_fk', 'users_boss_fk') AND convalidated", "2"),
            ],
        },
        Case {
            name: "drop_constraint with down",
            expectation: "constraints",
            before: "operations:
  - create_table: {name: teams, columns: [{name: id, type: integer, pk: true}]}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true, check: {name: users_named, constraint: \"name <> 'nobody'\"}}
        - {name: team, type: integer, references: {name: users_team_fk, table: teams, column: id}}
",
            seed: "INSERT INTO teams SELECT generate_series(0, 89); INSERT INTO users (email, name, team) SELECT 'u' || n, 'First' || n, n % 90 FROM generate_series(1, 300) AS n",
            change: "operations:
  - drop_constraint: {table: users, name: users_email_key, up: email, down: \"email || '#' || id\"}
  - drop_constraint: {table: users, name: users_named, up: name, down: \"CASE name WHEN 'nobody' THEN 'somebody' ELSE name END\"}
  - drop_constraint: {table: users, name: users_team_fk, up: team, down: CASE WHEN team < 90 THEN team ELSE 0 END}
",
            account: Account {
                up: &[("email", "email"), ("name", "name"), ("team", "team")],
                down: &[("email", "concat(email, '#', id)"), ("name", "replace(name, 'nobody', 'somebody')"), ("team", "CASE WHEN team > 89 THEN 0 ELSE team END")],
                values: &[(New, "team", "1{n}")],
                notes: false,
                ..SAME
            },
            work: "INSERT INTO users (email, team) VALUES ('w{n}', 1); UPDATE users SET name = 'x' WHERE email = 'w{n}'",
            started: &[
                (New, "INSERT INTO users (id, email, name, team) VALUES (7777777, 'u1', 'nobody', 500)", ""),
                (New, "SELECT email, name, team FROM users WHERE id = 7777777", "u1|nobody|500"),
                (Old, "SELECT email, name, team FROM users WHERE id = 7777777", "u1#7777777|somebody|0"),
                (Old, "INSERT INTO users (email, team) VALUES ('u1', 1)", "!23505"),
                (Old, "INSERT INTO users (email, name, team) VALUES ('old', 'nobody', 1)", "!23514"),
                (Old, "INSERT INTO users (email, team) VALUES ('old', 500)", "!23503"),
                (New, "INSERT INTO users (email, team) VALUES (NULL, 1)", "!23502"),
                (Old, "UPDATE users SET team = 5 WHERE id = 7777777", ""),
                (New, "SELECT email, name, team FROM users WHERE id = 7777777", "u1|nobody|5"),
            ],
            completed: &[
                ("INSERT INTO users (email, name, team) VALUES ('u1', 'nobody', 500)", ""),
                ("SELECT count(*) FROM pg_constraint WHERE conname IN ('users_email_key', 'users_named', 'users_team_fk')", "0"),
                ("INSERT INTO users (email, team) VALUES ('c', NULL)", "!23502"),
            ],
        },
        Case {
            name: "drop_multicolumn_constraint of a key and a foreign key",
            expectation: "constraints",
            before: concat!(
                regions!(),
                "  - create_constraint: {name: users_team_fk, table: users, type: foreign_key, columns: [region, code], references: {table: teams, columns: [region, code]}}
  - create_constraint: {name: users_name_region, table: users, type: unique, columns: [name, region]}
"
            ),
            seed: "INSERT INTO teams SELECT 'north', n FROM generate_series(0, 9) AS n; INSERT INTO users (email, name, code) SELECT 'u' || n, 'First' || n, n % 10 FROM generate_series(1, 300) AS n",
            change: "operations:
  - drop_multicolumn_constraint: {table: users, name: users_name_region, down: {name: \"name || '#' || id\"}}
  - drop_multicolumn_constraint: {table: users, name: users_team_fk, up: {code: code}, down: {code: CASE WHEN code < 10 THEN code END}}
",
            account: Account {
                up: &[("name", "name"), ("code", "code")],
                down: &[("name", "CASE WHEN name IS NOT NULL THEN concat(name, '#', id) END"), ("code", "CASE WHEN code BETWEEN 0 AND 9 THEN code END")],
                values: &[
                    (Old, "region", "north"),
                    (New, "region", "north"),
                    (New, "name", "First{n}"),
                    (Old, "code", "7"),
                ],
                unaccounted: &["boss"],
                notes: false,
                ..SAME
            },
            work: "INSERT INTO users (email, code) VALUES ('w{n}', 7); UPDATE users SET code = 5 WHERE email = 'w{n}'",
            started: &[
                (New, "INSERT INTO users (id, email, name, code) VALUES (7777777, 'new', 'First1', 77)", ""),
                (New, "SELECT name, code FROM users WHERE email = 'new'", "First1|77"),
                (Old, "SELECT name, code FROM users WHERE email = 'new'", "First1#7777777|NULL"),
                (Old, "INSERT INTO users (email, name) VALUES ('old', 'First1')", "!23505"),
                (Old, "INSERT INTO users (email, code) VALUES ('old', 10)", "!23503"),
                (New, "UPDATE users SET region = NULL WHERE email = 'new'", "!23502"),
                (Old, "UPDATE users SET code = 5 WHERE email = 'new'", ""),
                (New, "SELECT name, code FROM users WHERE email = 'new'", "First1|5"),
            ],
            completed: &[
                ("INSERT INTO users (email, name, code) VALUES ('c', 'First1', 77)", ""),
                ("SELECT count(*) FROM pg_constraint WHERE conname IN ('users_team_fk', 'users_name_region')", "0"),
            ],
        },
        Case {
            name: "columns called like words of a constraint and an index",
            expectation: BEYOND,
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text}
        - {name: name, type: text, nullable: true}
      constraints:
        - {name: users_apart, type: exclude, exclude: {elements: email WITH =, predicate: email IS NOT NULL}}
        - {name: users_mail, type: check, check: email IS NOT NULL}
  - create_index: {name: users_mails, table: users, columns: [{column: name}], predicate: email IS NOT NULL}
",
            seed: "INSERT INTO users (email) SELECT 'u' || n FROM generate_series(1, 300) AS n",
            change: "operations: [{add_column: {table: users, column: {name: 'null', type: text, nullable: true}, up: upper(email)}}, {rename_column: {table: users, from: name, to: 'is'}}]",
            account: Account { up: &[("null", "upper(email)")], renamed: &[("name", "is")], values: &[(Old, "email", "x{u}"), (New, "email", "x{u}")], notes: false, ..SAME },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email) VALUES ('u1')", "!23P01"),
                (New, "INSERT INTO users (email) VALUES ('u1')", "!23P01"),
                (New, "SELECT \"null\" FROM users WHERE email = 'u1'", "U1"),
            ],
            completed: &[("INSERT INTO users (email) VALUES ('u1')", "!23P01"), ("SELECT \"null\" FROM users WHERE email = 'u1'", "U1")],
        },
    ]
}

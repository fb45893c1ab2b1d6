//! Domains that come, change and go, and columns of them.

use super::Side::{New, Old};
use super::{ALONE, Account, BEYOND, Case, SAME, SEED, WORK};

/// The users, with columns of domains.
const MEASURED: &str = "operations:
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_domain: {name: felt, type: mood, checks: {not_sad: \"VALUE <> 'sad'\"}}
  - create_domain: {name: years, type: integer, not_null: true, default: '18', checks: {grown: VALUE >= 0, mortal: VALUE < 150}, comment: an age}
  - create_domain: {name: Short Text, type: text, collate: C, checks: {short: length(VALUE) < 200}}
  - create_domain: {name: nickname, type: '\"Short Text\"', default: \"'nobody'\", checks: {no_blank: \"VALUE !~ ' '\"}}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: '\"Short Text\"', nullable: true, comment: the whole name}
        - {name: age, type: years, nullable: true}
        - {name: nick, type: nickname, nullable: true}
        - {name: other, type: nickname, nullable: true, default: \"'other'\"}
        - {name: nicks, type: 'nickname[]', nullable: true}
        - {name: feels, type: felt, nullable: true}
  - create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
";

/// Values that the domains take.
const TAKEN: &[(super::Side, &str, &str)] = &[
    (Old, "name", "Ada|Bob"),
    (New, "name", "Ada|Bob"),
    (Old, "age", "7|30"),
    (New, "age", "7|30"),
    (Old, "nick", "a|b"),
    (New, "nick", "a|b"),
    (Old, "other", "a|b"),
    (New, "other", "a|b"),
    (Old, "nicks", "{a,b}|{}"),
    (New, "nicks", "{a,b}|{}"),
    (Old, "feels", "happy"),
    (New, "feels", "happy"),
];

/// The domains of the base schema, each with its rules.
macro_rules! found {
    () => {
        "SELECT string_agg(typname || coalesce(' ' || (SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE contypid = pg_type.oid AND contype = 'c'), '') \
         || CASE WHEN typnotnull THEN ' NOT NULL' ELSE '' END || coalesce(' ' || typdefault, ''), '; ' ORDER BY typname COLLATE \"C\") FROM pg_type WHERE typtype = 'd' AND typnamespace = (SELECT relnamespace FROM pg_class \
         WHERE relname = 'users' AND relkind = 'r')"
    };
}

/// The ways of the operations on domains.
pub(super) fn cases() -> Vec<Case> {
    vec![created(), altered(), dropped()]
}

fn created() -> Case {
    Case {
        name: "create_domain",
        expectation: BEYOND,
        before: ALONE,
        seed: SEED,
        change: "operations:
  - create_domain: {name: nickname, type: text, collate: C, default: \"'nobody'\", comment: how one is called}
  - create_domain: {name: close, type: nickname}
  - create_domain: {name: closer, type: close, checks: {no_blank: \"VALUE !~ ' '\", short: length(VALUE) < 100}}
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_domain: {name: felt, type: mood, not_null: true, checks: {not_sad: \"VALUE <> 'sad'\"}}
  - create_domain: {name: Years, type: integer}
  - alter_column: {table: users, column: name, type: close, up: \"replace(name, ' ', '')\", down: name}
  - alter_column: {table: users, column: age, type: '\"Years\"', up: \"abs(age)\", down: age}
  - add_column: {table: users, column: {name: nick, type: nickname, nullable: true}, up: \"split_part(email, ' ', 1)\"}
  - add_column: {table: users, column: {name: nicks, type: 'nickname[]', default: \"'{}'\"}}
  - create_index: {name: users_nick, table: users, columns: [{column: nick}, {expression: \"lower(nick)\"}]}
  - create_constraint: {table: users, name: users_grown, type: check, check: \"age < 1000::\\\"Years\\\"\", columns: [age], up: {age: abs(age)}, down: {age: age}}
  - create_table:
      name: pets
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: name, type: closer, default: \"'Rex'::closer\"}
        - {name: feels, type: felt, default: \"'happy'\"}
        - {name: felt, type: 'felt[]', nullable: true}
",
        account: Account {
            up: &[
                ("name", "replace(name, ' ', '')::text COLLATE \"C\""),
                ("age", "abs(age)"),
                ("nick", "split_part(email, ' ', 1)"),
                ("nicks", "'{}'"),
            ],
            down: &[("name", "name::text COLLATE \"default\""), ("age", "age::integer")],
            values: &[(New, "name", "Ada|Bob"), (New, "age", "7|30"), (New, "nick", "a|b"), (New, "nicks", "{a,b}|{}")],
            notes: false,
            ..SAME
        },
        work: WORK,
        started: &[
            (New, "SELECT name, age, nick, nicks FROM users WHERE email = 'u7'", "First7Last7|7|u7|{}"),
            (Old, "UPDATE users SET name = 'a b', age = -1 WHERE email = 'u7'", ""),
            (New, "SELECT name, age FROM users WHERE email = 'u7'", "ab|1"),
            (New, "INSERT INTO pets (name) VALUES ('Kim')", ""),
            (New, "INSERT INTO pets (feels) VALUES ('sad')", "!23514"),
            (New, "INSERT INTO pets (name) VALUES ('a b')", "!23514"),
            (New, "INSERT INTO users (email, name) VALUES ('none', 'x')", ""),
            (New, "SELECT age, nick FROM users WHERE email = 'none'", "18|nobody"),
            (Old, "INSERT INTO users (email) VALUES ('older')", ""),
            (New, "SELECT name, nick, pg_typeof(nick)::text ~ 'nickname' FROM users WHERE email = 'older'", "NULL|older|t"),
            (New, "SELECT name, feels, pg_typeof(feels)::text ~ 'felt' FROM pets", "Kim|happy|t"),
        ],
        completed: &[
            (
                found!(),
                "Years; close 'nobody'::text; closer no_blank,short 'nobody'::text; felt not_sad NOT NULL; nickname 'nobody'::text",
            ),
            ("INSERT INTO users (email, age) VALUES ('last', -3)", ""),
            ("SELECT name, nick FROM users WHERE email = 'last'", "nobody|nobody"),
        ],
    }
}

fn altered() -> Case {
    Case {
        name: "alter_domain",
        expectation: BEYOND,
        before: MEASURED,
        seed: SEED,
        change: "operations:
  - alter_domain: {name: years, not_null: false, default: '21', checks: {grown: VALUE >= 0}, comment: null}
  - alter_domain: {name: nickname, default: null, checks: {}, comment: how one is called}
  - alter_domain: {name: felt, default: \"'happy'\"}
  - alter_column: {table: users, column: other, default: null}
",
        account: Account { values: TAKEN, notes: false, ..SAME },
        work: WORK,
        started: &[
            (Old, "INSERT INTO users (email) VALUES ('old')", ""),
            (New, "INSERT INTO users (email) VALUES ('new')", ""),
            (
                Old,
                "SELECT email, age, nick, other, feels FROM users WHERE email IN ('old', 'new') ORDER BY email",
                "new|21|NULL|NULL|happy;old|18|nobody|other|NULL",
            ),
            // what goes holds until complete
            (New, "UPDATE users SET age = 150 WHERE email = 'u7'", "!23514"),
            (New, "UPDATE users SET age = NULL WHERE email = 'u7'", "!23502"),
            (New, "UPDATE users SET nick = 'a b' WHERE email = 'u7'", "!23514"),
        ],
        completed: &[
            (found!(), "Short Text short; felt not_sad 'happy'::mood; nickname; years grown 21"),
            ("UPDATE users SET age = 150, nick = 'a b' WHERE email = 'u7'", ""),
            ("UPDATE users SET age = NULL, nicks = '{a b}' WHERE email = 'u7'", ""),
            ("UPDATE users SET age = -1 WHERE email = 'u7'", "!23514"),
            ("INSERT INTO users (email) VALUES ('last')", ""),
            ("SELECT age, nick, other, feels FROM users WHERE email = 'last'", "21|NULL|NULL|happy"),
        ],
    }
}

fn dropped() -> Case {
    Case {
        name: "drop_domain",
        expectation: BEYOND,
        before: MEASURED,
        seed: SEED,
        change: "operations:
  - alter_column: {table: users, column: age, type: integer, up: age, down: \"coalesce(age, 18)\"}
  - alter_column: {table: users, column: nick, type: text, up: nick, down: \"replace(nick, ' ', '')\"}
  - alter_column: {table: users, column: nicks, type: 'text[]', up: nicks, down: \"'{}'\"}
  - drop_column: {table: users, column: other, down: \"'was'\"}
  - drop_column: {table: users, column: feels}
  - drop_domain: {name: nickname}
  - drop_domain: {name: felt}
  - drop_enum: {name: mood}
  - drop_domain: {name: years}
",
        account: Account {
            up: &[
                ("age", "age::integer"),
                ("nick", "nick::text COLLATE \"default\""),
                ("nicks", "nicks::text[] COLLATE \"default\""),
            ],
            down: &[
                ("age", "coalesce(age, 18)"),
                ("nick", "replace(nick, ' ', '') COLLATE \"C\""),
                ("nicks", "'{}'"),
                ("other", "'was'"),
                ("feels", "NULL"),
            ],
            values: TAKEN,
            notes: false,
            ..SAME
        },
        work: WORK,
        started: &[
            (Old, "UPDATE users SET age = 150 WHERE email = 'u7'", "!23514"),
            (New, "UPDATE users SET age = NULL, nick = 'a b' WHERE email = 'u7'", ""),
            (Old, "SELECT age, nick FROM users WHERE email = 'u7'", "18|ab"),
        ],
        completed: &[
            (found!(), "Short Text short"),
            ("SELECT pg_typeof(age)::text, pg_typeof(nicks)::text FROM users LIMIT 1", "integer|text[]"),
        ],
    }
}

//! Enum types and their columns.

use super::Side::{New, Old};
use super::{Account, BEYOND, Case};

/// Rows are the same in both versions.
const SAME: Account = Account {
    table: ("users", "users"),
    renamed: &[],
    up: &[],
    down: &[],
    values: &[(Old, "mood", "sad|meh|happy"), (New, "mood", "sad|meh|happy")],
    unaccounted: &[],
    reads: &[],
    upserts: true,
    notes: false,
};

pub(crate) const MOODS: &str = "operations:
  - create_enum: {name: mood, labels: [sad, meh, happy], comment: how one feels}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: mood, type: mood, default: \"'meh'::mood\", comment: now}
  - create_index: {name: users_mood_idx, table: users, columns: [{column: mood}]}
";

const SEED: &str = "INSERT INTO users (email, mood) SELECT 'u' || n, (ARRAY['sad', 'meh', 'happy'])[1 + n % 3]::mood FROM generate_series(1, 500) AS n";
const WORK: &str = "INSERT INTO users (email) VALUES ('w{n}'); UPDATE users SET mood = 'happy'::mood WHERE email = 'w{n}'; SELECT * FROM users WHERE id = 1";

/// The ways of the operations on enums.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "create_enum",
            expectation: BEYOND,
            before: MOODS,
            seed: SEED,
            change: "operations:
  - create_enum: {name: Pet Kind, labels: [cat, dog, \"it's\"], comment: kinds}
  - create_table:
      name: pets
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: kind, type: '\"Pet Kind\"', default: \"'cat'\", check: {name: pets_kind, constraint: \"kind <> 'it''s'::\\\"Pet Kind\\\"\"}}
        - {name: kinds, type: '\"Pet Kind\"[]', nullable: true}
        - {name: mood, type: mood, nullable: true}
  - add_column: {table: users, column: {name: pet, type: '\"Pet Kind\"', nullable: true, default: \"'dog'::\\\"Pet Kind\\\"\"}}
  - add_column: {table: users, column: {name: says, type: text, nullable: true}, up: \"pet::text || '!'\"}
  - add_column: {table: users, column: {name: other, type: '\"Pet Kind\"'}, up: \"CASE WHEN mood > 'meh' THEN 'cat' ELSE 'dog' END\"}
  - create_index: {name: users_cats, table: users, columns: [{column: email}], predicate: \"other = 'cat'::\\\"Pet Kind\\\"\"}
  - create_index: {name: users_dogs, table: users, columns: [{column: email}], predicate: \"'dog' <= 'cat'::\\\"Pet Kind\\\"\"}
",
            account: Account {
                up: &[("pet", "'dog'"), ("says", "'dog!'"), ("other", "CASE mood WHEN 'happy' THEN 'cat' ELSE 'dog' END")],
                values: &[(Old, "mood", "sad|meh|happy"), (New, "mood", "sad|meh|happy"), (New, "pet", "cat|dog|it's"), (New, "other", "cat|dog")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "INSERT INTO pets (mood) VALUES ('sad')", ""),
                (New, "INSERT INTO pets (kind) VALUES ('it''s')", "!23514"),
                (New, "UPDATE pets SET kinds = ARRAY['dog', 'cat']::\"Pet Kind\"[]", ""),
                (New, "SELECT kind, kinds, pg_typeof(kind)::text FROM pets WHERE kind = 'cat'::\"Pet Kind\"", "cat|{dog,cat}|\"Pet Kind\""),
                (New, "SELECT pet, says, other FROM users WHERE email = 'u2'", "dog|dog!|cat"),
                (Old, "INSERT INTO users (email, mood) VALUES ('old', 'happy')", ""),
                (New, "SELECT pet, other FROM users WHERE email = 'old'", "dog|cat"),
                (Old, "SELECT 'cat'::\"Pet Kind\"", "!42704"),
            ],
            completed: &[
                ("INSERT INTO pets (kind) VALUES ('bird')", "!22P02"),
                ("INSERT INTO pets (kind) VALUES ('dog')", ""),
                ("SELECT DISTINCT pg_typeof(kind)::text FROM pets", "\"Pet Kind\""),
            ],
        },
        Case {
            name: "alter_enum: a label added, with down",
            expectation: BEYOND,
            before: MOODS,
            seed: SEED,
            change: "operations: [{alter_enum: {name: mood, labels: [sad, meh, happy, ecstatic], down: {ecstatic: happy}}}]",
            account: Account {
                up: &[("mood", "mood")],
                down: &[("mood", "CASE mood WHEN 'ecstatic' THEN 'happy' ELSE mood END")],
                values: &[(Old, "mood", "sad|meh|happy"), (New, "mood", "sad|meh|happy|ecstatic")],
                ..SAME
            },
            work: WORK,
            started: &[
                (Old, "SELECT 'ecstatic'::mood", "!22P02"),
                (New, "SELECT 'ecstatic'::mood, pg_typeof('ecstatic'::mood)::text", "ecstatic|mood"),
                (New, "INSERT INTO users (email, mood) VALUES ('new', 'ecstatic'::mood)", ""),
                (Old, "SELECT mood FROM users WHERE email = 'new'", "happy"),
                (New, "SELECT mood FROM users WHERE email = 'new' AND mood > 'happy'::mood", "ecstatic"),
                (Old, "UPDATE users SET email = 'newer' WHERE email = 'new'", ""),
                (New, "SELECT mood FROM users WHERE email = 'newer'", "ecstatic"),
                (New, "INSERT INTO users (email) VALUES ('default')", ""),
                (Old, "SELECT mood FROM users WHERE email = 'default' AND mood = 'meh'::mood", "meh"),
            ],
            completed: &[
                ("UPDATE users SET mood = 'ecstatic' WHERE email = 'u1'", ""),
                ("SELECT count(*) FROM users WHERE mood = 'ecstatic'::mood AND email LIKE 'u%'", "1"),
                ("SELECT enum_range(NULL::mood)::text", "{sad,meh,happy,ecstatic}"),
            ],
        },
        Case {
            name: "alter_enum: a label added, which the old release may read",
            expectation: BEYOND,
            before: MOODS,
            seed: SEED,
            change: "operations: [{alter_enum: {name: mood, labels: [sad, bored, meh, happy], allow: old_reads_new_labels, comment: null}}]",
            account: Account {
                up: &[("mood", "mood")],
                down: &[("mood", "CASE mood WHEN 'bored' THEN 'meh' ELSE mood END")],
                values: &[(Old, "mood", "sad|meh|happy"), (New, "mood", "sad|bored|meh|happy")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "INSERT INTO users (email, mood) VALUES ('new', 'bored')", ""),
                (Old, "SELECT mood FROM users WHERE email = 'new'", "meh"),
                (Old, "UPDATE users SET mood = 'sad' WHERE email = 'new'", ""),
                (New, "SELECT mood FROM users WHERE email = 'new'", "sad"),
            ],
            completed: &[("SELECT 'bored'::mood < 'meh'", "t")],
        },
        Case {
            name: "alter_enum: a label renamed",
            expectation: BEYOND,
            before: MOODS,
            seed: SEED,
            change: "operations: [{alter_enum: {name: mood, labels: [sad, ok, happy], rename: {meh: ok}, comment: felt}}]",
            account: Account {
                up: &[("mood", "CASE mood WHEN 'meh' THEN 'ok' ELSE mood END")],
                down: &[("mood", "CASE mood WHEN 'ok' THEN 'meh' ELSE mood END")],
                values: &[(Old, "mood", "sad|meh|happy"), (New, "mood", "sad|ok|happy")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "INSERT INTO users (email) VALUES ('new')", ""),
                (New, "SELECT mood FROM users WHERE email = 'new'", "ok"),
                (Old, "SELECT mood FROM users WHERE email = 'new'", "meh"),
                (New, "SELECT count(*) FROM users WHERE mood = 'ok' AND email LIKE 'u%'", "167"),
                (New, "UPDATE users SET mood = 'meh' WHERE email = 'u1'", "!22P02"),
            ],
            completed: &[("INSERT INTO users (email) VALUES ('c')", ""), ("SELECT mood FROM users WHERE email = 'c'", "ok")],
        },
        Case {
            name: "alter_enum: a label gone, others in another order, in arrays and keys",
            expectation: BEYOND,
            before: "operations:
  - create_enum: {name: mood, labels: [sad, meh, happy]}
  - create_table: {name: moods, columns: [{name: mood, type: mood, pk: true}]}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: mood, type: mood, default: \"'happy'::mood\", references: {name: users_mood_fk, table: moods, column: mood}}
        - {name: history, type: 'mood[]', default: \"'{}'::mood[]\"}
  - create_index: {name: users_sad, table: users, columns: [{column: email}], predicate: \"mood = 'sad'::mood\"}
",
            seed: "INSERT INTO moods SELECT unnest(enum_range(NULL::mood)); INSERT INTO users (email, mood, history) SELECT 'u' || n, (ARRAY['sad', 'meh', 'happy'])[1 + n % 3]::mood, ARRAY['meh', 'happy', NULL]::mood[] FROM generate_series(1, 500) AS n",
            change: "operations:
  - drop_constraint: {table: users, name: users_mood_fk}
  - drop_constraint: {table: moods, name: moods_pkey}
  - alter_enum: {name: mood, labels: [happy, sad], up: {meh: sad}}
",
            account: Account {
                up: &[
                    ("mood", "CASE mood WHEN 'meh' THEN 'sad' ELSE mood END"),
                    ("history", "array_replace(history, 'meh', 'sad')"),
                ],
                down: &[("mood", "mood"), ("history", "history")],
                values: &[(Old, "mood", "sad|meh|happy"), (New, "mood", "sad|happy"), (Old, "history", "{}|{meh,NULL}|{sad}|{{meh},{sad}}"), (New, "history", "{}|{sad,happy}")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT mood, history FROM users WHERE email = 'u1'", "sad|{sad,happy,NULL}"),
                (New, "INSERT INTO users (email, history) VALUES ('new', '{sad,happy}')", ""),
                (Old, "SELECT mood, history FROM users WHERE email = 'new'", "happy|{sad,happy}"),
                (Old, "UPDATE users SET history = history || 'meh'::mood WHERE email = 'new'", ""),
                (New, "SELECT history FROM users WHERE email = 'new'", "{sad,happy,sad}"),
                (New, "SELECT 'happy'::mood < 'sad'::mood", "t"),
                (Old, "SELECT 'happy'::mood < 'sad'::mood", "f"),
            ],
            completed: &[("INSERT INTO users (email) VALUES ('c')", ""), ("SELECT mood, history FROM users WHERE email = 'c'", "happy|{}"), ("SELECT 'meh'::mood", "!22P02")],
        },
        Case {
            name: "alter_enum twice, rename_column and drop_enum",
            expectation: BEYOND,
            before: "operations:
  - create_enum: {name: mood, labels: [sad, meh, happy]}
  - create_enum: {name: kind, labels: [cat, dog]}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: mood, type: mood, default: \"'meh'\"}
        - {name: kind, type: kind, nullable: true}
  - create_table: {name: pets, columns: [{name: id, type: bigint, pk: true}, {name: kind, type: kind}]}
",
            seed: SEED,
            change: "operations:
  - alter_enum: {name: mood, labels: [sad, ok, happy], rename: {meh: ok}}
  - rename_column: {table: users, from: mood, to: feeling}
  - alter_enum: {name: mood, labels: [sad, ok, happy, glad], down: {glad: happy}}
  - alter_column: {table: users, column: kind, type: text, up: \"kind::text || '!'\", down: \"rtrim(kind, '!')\"}
  - drop_table: {name: pets}
  - drop_enum: {name: kind}
",
            account: Account {
                up: &[("feeling", "CASE mood WHEN 'meh' THEN 'ok' ELSE mood END"), ("kind", "kind || '!'")],
                down: &[("mood", "CASE feeling WHEN 'ok' THEN 'meh' WHEN 'glad' THEN 'happy' ELSE feeling END"), ("kind", "rtrim(kind, '!')")],
                values: &[(Old, "mood", "sad|meh|happy"), (New, "feeling", "sad|ok|happy|glad"), (Old, "kind", "cat|dog"), (New, "kind", "cat!|dog!")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "INSERT INTO users (email, feeling, kind) VALUES ('new', 'glad', 'cat!')", ""),
                (Old, "SELECT mood, kind FROM users WHERE email = 'new' AND kind = 'cat'::kind", "happy|cat"),
                (Old, "UPDATE users SET mood = 'meh', kind = 'dog' WHERE email = 'new'", ""),
                (New, "SELECT feeling, kind FROM users WHERE email = 'new'", "ok|dog!"),
            ],
            completed: &[("SELECT 'cat'::kind", "!42704"), ("SELECT feeling FROM users WHERE email = 'u1'", "ok")],
        },
    ]
}

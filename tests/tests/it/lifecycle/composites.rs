//! Composite types that come, change and go, and columns of them.

use super::Side::{New, Old};
use super::{ALONE, Account, BEYOND, Case, SAME, SEED, WORK};

/// The users, with columns of a composite type that is made of a domain and of a type without an equality.
const HOUSED: &str = "operations:
  - create_domain: {name: zip_code, type: text, checks: {digits: \"VALUE ~ '^[0-9]*$'\"}}
  - create_composite_type: {name: address, attributes: [{name: street, type: text, collate: C}, {name: Zip, type: zip_code}, {name: more, type: json}]}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true, comment: the whole name}
        - {name: age, type: integer, nullable: true}
        - {name: home, type: address, nullable: true}
        - {name: second, type: address, nullable: true, default: \"ROW('none', '0', NULL)::address\"}
        - {name: homes, type: 'address[]', nullable: true}
  - create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
";

/// Values of the type: a row of NULLs is one.
const ROWS: &str = "(a,1,)|(b,,)|(,,)|(,,{})";
const LISTS: &str = "{\"(a,1,)\",\"(,,)\"}|{}";
const TAKEN: &[(super::Side, &str, &str)] = &[
    (Old, "home", ROWS),
    (New, "home", ROWS),
    (Old, "second", ROWS),
    (New, "second", ROWS),
    (Old, "homes", LISTS),
    (New, "homes", LISTS),
];

/// The composite types of the base schema, each with its attributes and comment.
macro_rules! found {
    () => {
        "SELECT string_agg(class.relname || '(' || (SELECT coalesce(string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum), '') FROM pg_attribute WHERE attrelid = class.oid AND attnum > 0) || ')' \
         || coalesce(' ' || obj_description(class.reltype, 'pg_type'), ''), '; ' ORDER BY class.relname COLLATE \"C\") FROM pg_class AS class \
         WHERE class.relkind = 'c' AND class.relnamespace = (SELECT relnamespace FROM pg_class WHERE relname = 'users' AND relkind = 'r')"
    };
}

/// The ways of the operations on composite types.
pub(super) fn cases() -> Vec<Case> {
    vec![created(), commented(), converted(), dropped(), tightened()]
}

fn created() -> Case {
    Case {
        name: "create_composite_type",
        expectation: BEYOND,
        before: ALONE,
        seed: SEED,
        // the first is made of the second, and of an enum and a domain of the same migration
        change: "operations:
  - create_composite_type: {name: address, attributes: [{name: at, type: street}, {name: Feels, type: mood}, {name: zip, type: zip_code}], comment: where one lives}
  - create_composite_type: {name: street, attributes: [{name: name, type: text, collate: C}, {name: number, type: integer}]}
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_domain: {name: zip_code, type: text, checks: {digits: \"VALUE ~ '^[0-9]*$'\"}}
  - create_domain: {name: known, type: address, checks: {named: \"((VALUE).at).name <> 'x'\"}}
  - add_column: {table: users, column: {name: home, type: address, nullable: true}, up: \"CASE WHEN age > 5 THEN ROW(ROW(name, age), 'happy', '1')::address END\"}
  - add_column: {table: users, column: {name: homes, type: 'street[]', default: \"'{}'\"}}
  - create_table:
      name: pets
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: home, type: street, default: \"ROW('Rex', 1)::street\"}
        - {name: known, type: known, nullable: true}
",
        account: Account {
            up: &[
                ("home", "CASE WHEN age > 5 THEN ROW(ROW(name, age), 'happy', '1')::address END"),
                ("homes", "'{}'"),
            ],
            values: &[(New, "home", "(\"(a,1)\",sad,1)|(,,)|(\"(,)\",,)"), (New, "homes", "{\"(a,1)\",\"(,)\"}|{}")],
            notes: false,
            ..SAME
        },
        work: WORK,
        started: &[
            (New, "SELECT ((home).at).name, ((home).at).number, (home).\"Feels\"::text, (home).zip FROM users WHERE email = 'u7'", "First7 Last7|7|happy|1"),
            (New, "SELECT home IS DISTINCT FROM NULL FROM users WHERE email = 'u1'", "f"),
            (Old, "UPDATE users SET age = 1 WHERE email = 'u7'", ""),
            (New, "SELECT home IS DISTINCT FROM NULL FROM users WHERE email = 'u7'", "f"),
            (New, "UPDATE users SET home = '(\"(Elm,3)\",sad,7)' WHERE email = 'u7'", ""),
            (New, "UPDATE users SET home.zip = 'x' WHERE email = 'u7'", "!23514"),
            (New, "INSERT INTO pets DEFAULT VALUES", ""),
            (New, "INSERT INTO pets (known) VALUES (ROW(ROW('x', 1), 'sad', '1'))", "!23514"),
            (New, "SELECT home::text, known::text FROM pets", "(Rex,1)|NULL"),
        ],
        completed: &[
            (found!(), "address(at street, Feels mood, zip zip_code) where one lives; street(name text, number integer)"),
            ("SELECT home::text, homes::text FROM users WHERE email = 'u8'", "(\"(\"\"First8 Last8\"\",8)\",happy,1)|{}"),
        ],
    }
}

fn commented() -> Case {
    Case {
        name: "alter_composite_type",
        expectation: BEYOND,
        before: HOUSED,
        seed: SEED,
        change: "operations:
  - alter_composite_type: {name: address, comment: where mail goes}
  - alter_column: {table: users, column: second, default: null}
",
        account: Account { values: TAKEN, notes: false, ..SAME },
        work: WORK,
        started: &[
            (Old, "INSERT INTO users (email) VALUES ('old')", ""),
            (New, "INSERT INTO users (email) VALUES ('new')", ""),
            (Old, "SELECT email, second::text FROM users WHERE email IN ('old', 'new') ORDER BY email", "new|NULL;old|(none,0,)"),
        ],
        completed: &[(found!(), "address(street text, Zip zip_code, more json) where mail goes")],
    }
}

/// The way out where a composite type cannot change: another one, and the columns converted.
fn converted() -> Case {
    Case {
        name: "alter_column from one composite type to another",
        expectation: BEYOND,
        before: HOUSED,
        seed: "INSERT INTO users (email, name, age, home, homes) SELECT 'u' || n, 'First' || n, n % 90, CASE WHEN n % 5 > 0 THEN ROW(CASE WHEN n % 4 > 0 THEN 'S' || n END, CASE WHEN n % 3 > 0 THEN n END, NULL)::address END, \
               ARRAY[ROW('H' || n, n, '{}')::address, ROW(NULL, NULL, NULL)::address] FROM generate_series(1, 500) AS n",
        change: "operations:
  - create_composite_type: {name: address_2, attributes: [{name: street, type: text}, {name: Zip, type: zip_code}, {name: more, type: json}, {name: country, type: text}]}
  - alter_column: {table: users, column: home, type: address_2, up: \"CASE WHEN home IS DISTINCT FROM NULL THEN ROW((home).street, (home).\\\"Zip\\\", (home).more, NULL)::address_2 END\", down: \"CASE WHEN home IS DISTINCT FROM NULL THEN ROW((home).street, (home).\\\"Zip\\\", (home).more)::address END\"}
  - alter_column: {table: users, column: second, type: address_2, default: \"'(none,0,,DE)'\", up: \"'(older,,,)'\", down: \"'(newer,,)'\"}
  - alter_column:
      table: users
      column: homes
      type: 'address_2[]'
      up: \"CASE WHEN homes IS NOT NULL THEN ARRAY(SELECT ROW(there.street, there.zip, there.more, 'DE')::address_2 FROM unnest(homes) WITH ORDINALITY AS there (street, zip, more, number) ORDER BY there.number) END\"
      down: \"CASE WHEN homes IS NOT NULL THEN ARRAY(SELECT ROW(there.street, there.zip, there.more)::address FROM unnest(homes) WITH ORDINALITY AS there (street, zip, more, country, number) ORDER BY there.number) END\"
  - drop_composite_type: {name: address}
",
        account: Account {
            up: &[
                ("home", "CASE WHEN home IS DISTINCT FROM NULL THEN ROW((home).street, (home).\"Zip\", (home).more, NULL)::address_2 END"),
                ("second", "'(older,,,)'"),
                ("homes", "CASE WHEN homes IS NOT NULL THEN ARRAY(SELECT ROW(there.street, there.zip, there.more, 'DE')::address_2 FROM unnest(homes) WITH ORDINALITY AS there (street, zip, more, number) ORDER BY there.number) END"),
            ],
            down: &[
                ("home", "CASE WHEN home IS DISTINCT FROM NULL THEN ROW((home).street, (home).\"Zip\", (home).more)::address END"),
                ("second", "'(newer,,)'"),
                ("homes", "CASE WHEN homes IS NOT NULL THEN ARRAY(SELECT ROW(there.street, there.zip, there.more)::address FROM unnest(homes) WITH ORDINALITY AS there (street, zip, more, country, number) ORDER BY there.number) END"),
            ],
            values: &[
                (Old, "home", ROWS),
                (Old, "second", ROWS),
                (Old, "homes", LISTS),
                (New, "home", "(a,1,,DE)|(b,,,)|(,,,)|(,,{},FR)"),
                (New, "second", "(a,1,,DE)|(,,,)"),
                (New, "homes", "{\"(a,1,,DE)\",\"(,,,)\"}|{}"),
            ],
            notes: false,
            ..SAME
        },
        work: WORK,
        started: &[
            (Old, "UPDATE users SET home = ROW('Elm', '7', NULL), homes = ARRAY[ROW('Oak', '8', '{}')::address] WHERE email = 'u7'", ""),
            (New, "SELECT home::text, homes::text FROM users WHERE email = 'u7'", "(Elm,7,,)|{\"(Oak,8,{},DE)\"}"),
            (New, "UPDATE users SET home.country = 'FR' WHERE email = 'u7'", ""),
            (New, "UPDATE users SET home.street = 'Ash' WHERE email = 'u7'", ""),
            (Old, "SELECT home::text FROM users WHERE email = 'u7'", "(Ash,7,)"),
            // a row of NULLs is a value, and goes back and forth as one
            (New, "UPDATE users SET home = ROW(NULL, NULL, NULL, NULL) WHERE email = 'u7'", ""),
            (Old, "SELECT home IS NULL, home IS DISTINCT FROM NULL FROM users WHERE email = 'u7'", "t|t"),
            (New, "UPDATE users SET home = NULL WHERE email = 'u7'", ""),
            (Old, "SELECT home IS NULL, home IS DISTINCT FROM NULL FROM users WHERE email = 'u7'", "t|f"),
            (Old, "INSERT INTO users (email, home) VALUES ('old', '(,,)')", ""),
            (New, "INSERT INTO users (email, home) VALUES ('new', '(,,,)')", ""),
            (Old, "SELECT home::text, second::text FROM users WHERE email IN ('old', 'new') ORDER BY email", "(,,)|(newer,,);(,,)|(none,0,)"),
            (New, "SELECT home::text, second::text FROM users WHERE email IN ('old', 'new') ORDER BY email", "(,,,)|(none,0,,DE);(,,,)|(older,,,)"),
        ],
        completed: &[
            (found!(), "address_2(street text, Zip zip_code, more json, country text)"),
            ("SELECT home::text, homes::text FROM users WHERE email = 'u8'", "(,8,,)|{\"(H8,8,{},DE)\",\"(,,,DE)\"}"),
            ("SELECT home IS DISTINCT FROM NULL FROM users WHERE email = 'u5'", "f"),
        ],
    }
}

fn dropped() -> Case {
    Case {
        name: "drop_composite_type",
        expectation: BEYOND,
        before: HOUSED,
        seed: SEED,
        // an index takes the name that the type has until complete
        change: "operations:
  - alter_column: {table: users, column: home, type: text, up: \"(home).street\", down: \"ROW(home, NULL, NULL)::address\"}
  - drop_column: {table: users, column: second, down: \"ROW('was', NULL, '{}')::address\"}
  - drop_column: {table: users, column: homes}
  - drop_composite_type: {name: address}
  - drop_domain: {name: zip_code}
  - create_index: {name: address, table: users, columns: [{column: home}]}
",
        account: Account {
            up: &[("home", "(home).street COLLATE \"default\"")],
            down: &[("home", "ROW(home, NULL, NULL)::address"), ("second", "ROW('was', NULL, '{}')::address"), ("homes", "NULL")],
            values: TAKEN,
            notes: false,
            ..SAME
        },
        work: WORK,
        started: &[
            (New, "UPDATE users SET home = 'Oak' WHERE email = 'u7'", ""),
            (Old, "SELECT home::text, second::text FROM users WHERE email = 'u7'", "(Oak,,)|(none,0,)"),
            (New, "INSERT INTO users (email, home) VALUES ('new', 'Elm')", ""),
            (Old, "SELECT home::text, second::text FROM users WHERE email = 'new'", "(Elm,,)|(was,,{})"),
        ],
        completed: &[(found!(), "NULL"), ("SELECT count(*) FROM pg_class WHERE relname = 'address' AND relkind = 'i'", "1")],
    }
}

fn tightened() -> Case {
    Case {
        name: "alter_column of a composite type: NOT NULL, with rows of NULLs",
        expectation: BEYOND,
        before: HOUSED,
        seed: "INSERT INTO users (email, name, home, second) SELECT 'u' || n, 'First' || n, (ARRAY[NULL, '(,,)', '(a,,)', '(a,1,{})']::address[])[1 + n % 4], (ARRAY['(,,)', '(a,,)', '(a,1,{})']::address[])[1 + n % 3] \
               FROM generate_series(1, 500) AS n",
        change: "operations:
  - alter_column: {table: users, column: home, nullable: false, up: \"coalesce(home, ROW('x', NULL, NULL)::address)\", down: home}
  - alter_column: {table: users, column: second, nullable: false, up: second, down: second}
",
        account: Account {
            up: &[("home", "coalesce(home, ROW('x', NULL, NULL)::address)")],
            down: &[("home", "home")],
            values: TAKEN,
            notes: false,
            ..SAME
        },
        work: "INSERT INTO users (email, name, second) VALUES ('w{n}', 'Work Er', ROW(NULL, NULL, NULL)); UPDATE users SET name = name || 'x', second = '(a,,)' WHERE email = 'w{n}'; SELECT * FROM users WHERE id = 1",
        started: &[
            (
                New,
                "SELECT DISTINCT home::text FROM users WHERE email IN ('u1', 'u2', 'u3', 'u4') ORDER BY 1",
                "(,,);(a,,);(a,1,{});(x,,)",
            ),
            (New, "UPDATE users SET home = NULL WHERE email = 'u1'", "!23502"),
            (New, "UPDATE users SET home = ROW(NULL, NULL, NULL), second = ROW(NULL, NULL, NULL) WHERE email = 'u1'", ""),
            (Old, "SELECT home::text, second::text FROM users WHERE email = 'u1'", "(,,)|(,,)"),
            (Old, "UPDATE users SET second = NULL WHERE email = 'u1'", "!23502"),
            (Old, "UPDATE users SET home = NULL WHERE email = 'u1'", ""),
            (New, "SELECT home::text FROM users WHERE email = 'u1'", "(x,,)"),
        ],
        completed: &[
            ("UPDATE users SET home = NULL WHERE email = 'u1'", "!23502"),
            ("UPDATE users SET home = ROW(NULL, NULL, NULL), second = '(,,)' WHERE email = 'u1'", ""),
        ],
    }
}

//! Functions and views of a version.

use super::Side::{New, Old};
use super::{Account, BEYOND, Case, SAME, SEED, Side};

/// The table of the others, with code that reads it.
const CODED: &str = concat!(
    users!(),
    "  - set_code: {name: adults, sql: \"CREATE VIEW adults AS SELECT id, name, age FROM users WHERE age >= 18\"}
  - set_code: {name: called, sql: \"CREATE FUNCTION called(of text) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT name FROM users WHERE email = of); END $$; COMMENT ON FUNCTION called(text) IS 'by mail'\"}
  - set_code: {name: registered, sql: \"CREATE FUNCTION registered(mail text, name text) RETURNS void LANGUAGE sql AS 'INSERT INTO users (email, name) VALUES (mail, name)'\"}
"
);
const WORK: &str = "SELECT registered('w{n}', 'Work Er'); UPDATE users SET name = called('w{n}') || 'x' WHERE email = 'w{n}'; SELECT count(*) FROM adults; SELECT called('u7')";

/// The same table with a trigger that writes a log, from a file of code.
const LOGGED: &str = concat!(
    users!(),
    "  - create_table: {name: log, columns: [{name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}, {name: what, type: text, nullable: true}]}
  - set_code: {name: logged, sql: \"CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (what) VALUES (lower(NEW.name)); RETURN NULL; END $$; CREATE TRIGGER logged AFTER INSERT OR UPDATE OF name ON users FOR EACH ROW EXECUTE FUNCTION logged()\"}
"
);
const LOGGING: &str = "INSERT INTO users (email, name) VALUES ('w{n}', 'Work Er'); UPDATE users SET name = 'x{n}' WHERE email = 'w{n}'; SELECT count(*) FROM log";

/// What clients of either version read of its code, under load.
const BOTH: &[(Side, &str)] = &[
    (Old, "SELECT count(name) FROM adults"),
    (Old, "SELECT called('u7')"),
    (New, "SELECT count(label) FROM adults"),
    (New, "SELECT called('u7')"),
    (New, "SELECT max(age) FROM ages"),
];
const BOTH_MAILED: &[(Side, &str)] = &[
    (Old, "SELECT called('u7')"),
    (New, "SELECT mailed(7)"),
    (Old, "SELECT count(*) FROM adults"),
    (New, "SELECT count(*) FROM adults"),
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "set_code where its table changes under it",
            expectation: BEYOND,
            before: CODED,
            seed: SEED,
            change: "operations:
  - rename_table: {from: users, to: people}
  - rename_column: {table: people, from: name, to: label}
  - alter_column: {table: people, column: age, type: bigint, up: age, down: age::integer}
  - set_code: {name: adults, sql: \"CREATE VIEW adults AS SELECT id, label, age FROM people WHERE age >= 21\"}
  - set_code: {name: called, sql: \"CREATE FUNCTION called(of text) RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT upper(label) FROM people WHERE email = of; END\"}
  - set_code: {name: registered, sql: \"CREATE FUNCTION registered(mail text, name text) RETURNS void LANGUAGE sql AS 'INSERT INTO people (email, label) VALUES (mail, name)'\"}
  - set_code: {name: ages, sql: CREATE MATERIALIZED VIEW ages AS SELECT age FROM adults; CREATE INDEX ON ages (age)}
",
            account: Account { table: ("users", "people"), renamed: &[("name", "label")], up: &[("age", "age")], down: &[("age", "age")], reads: BOTH, notes: false, ..SAME },
            work: WORK,
            started: &[
                (Old, "SELECT called('u7'), min(age) FROM adults", "First7 Last7|18"),
                (New, "SELECT called('u7'), min(age) FROM adults", "FIRST7 LAST7|21"),
                (New, "SELECT registered('new', 'New')", "NULL"),
                (New, "SELECT called('new')", "NEW"),
                (Old, "SELECT called('new')", "New"),
                (Old, "SELECT registered('old', 'Old')", "NULL"),
                (Old, "SELECT called('old')", "Old"),
                (New, "SELECT called('old')", "OLD"),
                (New, "SELECT min(age) FROM ages", "21"),
            ],
            completed: &[("SELECT called('u7'), min(age) FROM adults", "FIRST7 LAST7|21"), ("SELECT min(age) FROM ages", "21")],
        },
        Case {
            name: "drop_code and set_code beside other code",
            expectation: BEYOND,
            before: CODED,
            seed: SEED,
            change: "operations:
  - drop_code: {name: called}
  - set_code: {name: mailed, sql: \"CREATE FUNCTION mailed(of bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM users WHERE id = of'\"}
  - add_column: {table: users, column: {name: note, type: text, nullable: true}}
",
            account: Account { up: &[("note", "NULL")], reads: BOTH_MAILED, notes: false, ..SAME },
            work: WORK,
            started: &[
                (Old, "SELECT called('u7')", "First7 Last7"),
                (New, "SELECT called('u7')", "!42883"),
                (New, "SELECT mailed(id) FROM users WHERE email = 'u7'", "u7"),
            ],
            completed: &[("SELECT called('u7')", "!42883"), ("SELECT count(*) > 0 FROM adults", "t")],
        },
        Case {
            name: "set_code with a trigger where its table changes under it",
            expectation: BEYOND,
            before: LOGGED,
            seed: SEED,
            change: "operations:
  - rename_table: {from: users, to: people}
  - rename_column: {table: people, from: name, to: label}
  - alter_column: {table: people, column: age, type: bigint, up: age, down: age::integer}
  - set_code: {name: logged, sql: \"CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (what) VALUES (upper(NEW.label)); RETURN NULL; END $$; CREATE TRIGGER logged AFTER INSERT OR UPDATE OF label ON people FOR EACH ROW EXECUTE FUNCTION logged(); COMMENT ON TRIGGER logged ON people IS 'aloud'\"}
",
            account: Account { table: ("users", "people"), renamed: &[("name", "label")], up: &[("age", "age")], down: &[("age", "age")], notes: false, ..SAME },
            work: LOGGING,
            started: &[
                (Old, "UPDATE users SET name = 'Old' WHERE email = 'u7'", ""),
                (New, "SELECT count(*) > 0 FROM log WHERE what = 'old'", "t"),
                (New, "UPDATE people SET label = 'New' WHERE email = 'u7'", ""),
                (Old, "SELECT count(*) > 0 FROM log WHERE what = 'new'", "t"),
            ],
            completed: &[("UPDATE people SET label = 'Last' WHERE email = 'u7'", ""), ("SELECT count(*) FROM log WHERE what = 'LAST'", "1")],
        },
        Case {
            name: "drop_code of a trigger beside one of a new table",
            expectation: BEYOND,
            before: LOGGED,
            seed: SEED,
            change: "operations:
  - drop_code: {name: logged}
  - add_column: {table: users, column: {name: note, type: text, nullable: true}}
  - create_table: {name: stamps, columns: [{name: id, type: bigint, pk: true}, {name: what, type: text, nullable: true}]}
  - set_code: {name: stamped, sql: \"CREATE FUNCTION stamped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.what := 'stamped'; RETURN NEW; END $$; CREATE TRIGGER stamped BEFORE INSERT ON stamps FOR EACH ROW EXECUTE FUNCTION stamped()\"}
",
            account: Account { up: &[("note", "NULL")], notes: false, ..SAME },
            work: LOGGING,
            started: &[
                (Old, "UPDATE users SET name = 'Old' WHERE email = 'u7'", ""),
                (New, "SELECT count(*) > 0 FROM log WHERE what = 'old'", "t"),
                (New, "INSERT INTO stamps VALUES (1) RETURNING what", "stamped"),
            ],
            completed: &[
                ("UPDATE users SET name = 'Last' WHERE email = 'u7'; SELECT count(*) FROM log WHERE what = 'last'", "0"),
                ("SELECT count(*) FROM pg_proc WHERE proname = 'logged'", "0"),
                ("INSERT INTO stamps VALUES (2) RETURNING what", "stamped"),
            ],
        },
    ]
}

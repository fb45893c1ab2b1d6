//! Every operation through start → look → rollback → look → start → complete → look, old and new clients at work.

use diptych::Quiet;
use diptych_tests::{Database, Work, ask, difference, major, migration, schema};

/// One operation's way. Statements are given with what they must answer: rows as `a|b;c|d`, or `!SQLSTATE`.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Migrations before the one that is tried.
    pub(crate) before: &'static str,
    /// Run through the older version first.
    pub(crate) seed: &'static str,
    /// The migration that is tried.
    pub(crate) change: &'static str,
    /// What the load test holds every row against.
    pub(crate) account: Account,
    /// Run on the older version all the while, until it is retired; `{n}` is a fresh number.
    pub(crate) work: &'static str,
    /// After start.
    pub(crate) started: &'static [(Side, &'static str, &'static str)],
    /// After complete, through the newer version.
    pub(crate) completed: &'static [(&'static str, &'static str)],
}

/// The change as plain SQL, said once more in other words: how a row of one version looks in the other.
pub(crate) struct Account {
    /// The table that is written, under its older and its newer name; empty where the newer version has none.
    pub(crate) table: (&'static str, &'static str),
    /// Columns that only change their name.
    pub(crate) renamed: &'static [(&'static str, &'static str)],
    /// Columns of the newer version, and their value over the older one's columns.
    pub(crate) up: &'static [(&'static str, &'static str)],
    /// Columns of the older version, and their value over the newer one's columns.
    pub(crate) down: &'static [(&'static str, &'static str)],
    /// Values that clients write, where their type alone does not tell: `{n}` is a small number, `{u}` a unique one.
    pub(crate) values: &'static [(Side, &'static str, &'static str)],
    /// Columns whose values nobody can foretell.
    pub(crate) unaccounted: &'static [&'static str],
    /// Whether there is a table `notes` that references it with ON DELETE CASCADE.
    pub(crate) notes: bool,
}

/// Rows are the same in both versions.
const SAME: Account =
    Account { table: ("users", "users"), renamed: &[], up: &[], down: &[], values: &[], unaccounted: &[], notes: true };

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    Old,
    New,
}
use Side::{New, Old};

const ALONE: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true, comment: the whole name}
        - {name: age, type: integer, nullable: true, default: '18'}
  - create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
";

/// The same, and a table that references it.
const USERS: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true, comment: the whole name}
        - {name: age, type: integer, nullable: true, default: '18'}
  - create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
  - create_table:
      name: notes
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: user_id, type: bigint, references: {name: notes_user_fk, table: users, column: id, on_delete: CASCADE}}
        - {name: body, type: text}
  - create_index: {name: notes_user_idx, table: notes, columns: [{column: user_id}]}
";

const SEED: &str = "INSERT INTO users (email, name, age) SELECT 'u' || n, 'First' || n || ' Last' || n, n % 90 FROM generate_series(1, 500) AS n";
const WORK: &str = "INSERT INTO users (email, name) VALUES ('w{n}', 'Work Er'); UPDATE users SET name = name || 'x' WHERE email = 'w{n}'; SELECT * FROM users WHERE id = 1";

/// Every operation's ways; on PostgreSQL 14 without those that need NULLS NOT DISTINCT or a list of columns to set.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = all_cases();
    cases.extend(crate::enums::cases());
    let newer = |text: &str| text.contains("nulls_not_distinct") || text.contains("on_delete_set_columns");
    cases.retain(|case| major() >= 15 || !(newer(case.before) || newer(case.change)));
    cases
}

fn all_cases() -> Vec<Case> {
    vec![
        Case {
            name: "create_table",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_table:
      name: orders
      comment: what was bought
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: ALWAYS}}}
        - {name: user_id, type: bigint, references: {name: orders_user_fk, table: users, column: id, on_delete: CASCADE}}
        - {name: total, type: 'numeric(10,2)', default: '0', check: {name: orders_total_positive, constraint: total >= 0}}
        - {name: n, type: text, nullable: true}
      constraints:
        - {name: orders_user_n, type: unique, columns: [user_id, n]}
",
            account: SAME,
            work: WORK,
            started: &[
                (New, "INSERT INTO orders (user_id, total, n) VALUES (1, 5, 'a')", ""),
                (New, "INSERT INTO orders (user_id, total, n) VALUES (1, -5, 'b')", "!23514"),
                (New, "INSERT INTO orders (user_id, total, n) VALUES (1, 5, 'a')", "!23505"),
                (New, "INSERT INTO orders (user_id, total, n) VALUES (0, 5, 'a')", "!23503"),
                (New, "SELECT user_id, total, n FROM orders", "1|5.00|a"),
            ],
            completed: &[("INSERT INTO orders (user_id, n) VALUES (1, 'c')", ""), ("SELECT total FROM orders WHERE n = 'c'", "0.00")],
        },
        Case {
            name: "create_table with everything",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_table:
      name: bookings
      columns:
        - {name: number, type: bigint, generated: {identity: {user_specified_values: BY DEFAULT, sequence_options: START WITH 100 INCREMENT BY 5 MAXVALUE 900 CACHE 3 CYCLE}}}
        - {name: room, type: text, collate: C}
        - {name: during, type: int4range}
        - {name: nights, type: integer, generated: {expression: upper(during) - lower(during)}}
        - {name: guest, type: bigint, nullable: true}
        - {name: mail, type: text, nullable: true, check: {name: bookings_mail, constraint: mail LIKE '%@%', no_inherit: true}}
      constraints:
        - {name: bookings_pkey, type: primary_key, columns: [room, number], deferrable: true, index_parameters: {include_columns: [guest], storage_parameters: fillfactor=60, tablespace: pg_default}}
        - {name: bookings_mail_key, type: unique, columns: [mail, room], nulls_not_distinct: true, index_parameters: {storage_parameters: fillfactor=70}}
        - {name: bookings_apart, type: exclude, initially_deferred: true, index_parameters: {storage_parameters: fillfactor=80}, exclude: {index_method: gist, elements: during WITH &&, predicate: room = 'suite'}}
        - {name: bookings_guest, type: foreign_key, columns: [guest], deferrable: true, initially_deferred: true, references: {table: users, columns: [id], match_type: FULL, on_update: CASCADE, on_delete: SET NULL, on_delete_set_columns: [guest]}}
  - create_index: {name: bookings_lower, table: bookings, columns: [{expression: lower(mail), collate: C, sort: DESC}, {column: room, opclass: {name: text_pattern_ops}}], unique: true, predicate: nights > 1, include: [guest]}
",
            account: SAME,
            work: WORK,
            started: &[
                (New, "INSERT INTO bookings (room, during, guest, mail) VALUES ('suite', '[1,4)', 1, 'a@b') RETURNING number, nights", "100|3"),
                (New, "INSERT INTO bookings (room, during) VALUES ('suite', '[3,5)')", "!23P01"),
                (New, "INSERT INTO bookings (room, during, mail) VALUES ('x', '[3,5)', 'none')", "!23514"),
                (New, "INSERT INTO bookings (room, during, mail) VALUES ('suite', '[8,9)', 'a@b')", "!23505"),
                (New, "INSERT INTO bookings (room, during, guest) VALUES ('y', '[3,5)', 0)", "!23503"),
                (New, "INSERT INTO bookings (room, during, nights) VALUES ('y', '[3,5)', 2)", "!428C9"),
                (New, "DELETE FROM users WHERE id = 1", ""),
                (New, "SELECT guest FROM bookings", "NULL"),
            ],
            completed: &[
                ("INSERT INTO bookings (room, during, mail) VALUES ('suite', '[1,4)', 'a@b') RETURNING number, nights", "100|3"),
                ("INSERT INTO bookings (room, during) VALUES ('suite', '[3,5)')", "!23P01"),
                ("INSERT INTO bookings (room, during, mail) VALUES ('x', '[3,5)', 'A@B')", ""),
                ("INSERT INTO bookings (room, during, mail) VALUES ('x', '[3,5)', 'A@B')", "!23505"),
                ("INSERT INTO bookings (room, during, guest) VALUES ('y', '[3,5)', 0)", "!23503"),
            ],
        },
        Case {
            name: "drop_table",
            before: "operations:
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true}, {name: email, type: text}, {name: name, type: text, nullable: true}]
  - create_table:
      name: notes
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: user_id, type: bigint, references: {name: notes_user_fk, table: users, column: id}}
",
            seed: "INSERT INTO users VALUES (1, 'a', 'b'); INSERT INTO notes VALUES (1, 1)",
            change: "operations: [{drop_table: {name: notes}}]",
            account: Account { notes: false, ..SAME },
            work: "INSERT INTO notes VALUES ({n}, 1); SELECT count(*) FROM notes",
            started: &[
                (Old, "INSERT INTO notes VALUES (2, 1)", ""),
                (New, "SELECT * FROM notes", "!42P01"),
                (New, "INSERT INTO notes VALUES (3, 1)", "!42P01"),
            ],
            completed: &[("SELECT * FROM notes", "!42P01"), ("SELECT id FROM users", "1")],
        },
        Case {
            name: "rename_table",
            before: USERS,
            seed: SEED,
            change: "operations: [{rename_table: {from: users, to: people}}]",
            account: Account { table: ("users", "people"), ..SAME },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email) VALUES ('old')", ""),
                (New, "SELECT age FROM people WHERE email = 'old'", "18"),
                (New, "INSERT INTO people (email) VALUES ('new')", ""),
                (Old, "SELECT age FROM users WHERE email = 'new'", "18"),
            ],
            completed: &[("SELECT age FROM people WHERE email = 'u1'", "1")],
        },
        Case {
            name: "alter_table",
            before: USERS,
            seed: SEED,
            change: "operations: [{alter_table: {table: users, comment: 'who ''they'' are'}}]",
            account: SAME,
            work: WORK,
            started: &[
                (New, "SELECT obj_description('users'::regclass)", "who 'they' are"),
                (Old, "SELECT obj_description('users'::regclass)", "NULL"),
            ],
            completed: &[("SELECT obj_description('users'::regclass)", "who 'they' are")],
        },
        Case {
            name: "add_column",
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
            name: "alter_column type",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: age, type: text, up: \"age::text || ' years'\", down: \"nullif(split_part(age, ' ', 1), '')::integer\", default: \"'0 years'\"}
",
            account: Account {
                up: &[("age", "age || ' years'")],
                down: &[("age", "CASE WHEN age LIKE '% %' THEN substr(age, 1, position(' ' IN age) - 1)::int END")],
                values: &[(New, "age", "{n} springs")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT age FROM users WHERE email = 'u7'", "7 years"),
                (Old, "INSERT INTO users (email, age) VALUES ('old', 33)", ""),
                (New, "SELECT age FROM users WHERE email = 'old'", "33 years"),
                (New, "INSERT INTO users (email) VALUES ('new')", ""),
                (Old, "SELECT age FROM users WHERE email = 'new'", "0"),
                (New, "UPDATE users SET age = '44 springs' WHERE email = 'new'", ""),
                (Old, "SELECT age FROM users WHERE email = 'new'", "44"),
                (New, "UPDATE users SET name = 'unrelated' WHERE email = 'new'", ""),
                (New, "SELECT age FROM users WHERE email = 'new'", "44 springs"),
                (Old, "UPDATE users SET age = 45 WHERE email = 'new'", ""),
                (New, "SELECT age FROM users WHERE email = 'new'", "45 years"),
                (New, "INSERT INTO users (email, age) VALUES ('null', NULL)", ""),
                (New, "SELECT age FROM users WHERE email = 'null'", "NULL"),
                (Old, "SELECT age FROM users WHERE email = 'null'", "NULL"),
            ],
            completed: &[
                ("SELECT age FROM users WHERE email = 'u7'", "7 years"),
                ("INSERT INTO users (email) VALUES ('c') RETURNING age", "0 years"),
            ],
        },
        Case {
            name: "alter_column of a key, indexed and unique",
            before: "operations:
  - create_table:
      name: users
      columns: [{name: id, type: integer, pk: true}, {name: email, type: text, unique: true}, {name: name, type: text, nullable: true}]
  - create_index: {name: users_email_name, table: users, columns: [{column: email, sort: DESC}, {column: name}]}
",
            seed: "INSERT INTO users SELECT n, 'u' || n FROM generate_series(1, 300) AS n",
            change: "operations:
  - alter_column: {table: users, column: id, type: bigint, up: id, down: id}
  - alter_column: {table: users, column: email, type: 'varchar(100)', up: email, down: email}
",
            account: Account {
                up: &[("id", "id"), ("email", "email")],
                down: &[("id", "id"), ("email", "email")],
                notes: false,
                ..SAME
            },
            work: "INSERT INTO users VALUES ({n}, 'w{n}'); UPDATE users SET email = 'y{n}' WHERE id = {n}",
            started: &[
                (New, "INSERT INTO users VALUES (5000000000, 'big')", "!22003"),
                (New, "INSERT INTO users VALUES (1, 'x')", "!23505"),
                (New, "INSERT INTO users VALUES (1000, 'u1')", "!23505"),
                (New, "INSERT INTO users VALUES (1000, 'thousand')", ""),
                (Old, "SELECT email FROM users WHERE id = 1000", "thousand"),
            ],
            completed: &[
                ("INSERT INTO users VALUES (5000000000, 'big')", ""),
                ("INSERT INTO users VALUES (5000000000, 'big2')", "!23505"),
                ("INSERT INTO users VALUES (7777, 'big')", "!23505"),
            ],
        },
        Case {
            name: "alter_column of a key that others reference",
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: integer, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}, comment: the key}
        - {name: email, type: text, unique: true}
        - {name: boss, type: integer, nullable: true, references: {name: users_boss_fk, table: users, column: id, on_delete: SET NULL}}
  - create_table:
      name: notes
      columns:
        - {name: id, type: integer, pk: true, generated: {identity: {user_specified_values: ALWAYS, sequence_options: START WITH 7 CACHE 3}}}
        - {name: user_id, type: integer, references: {name: notes_user_fk, table: users, column: id, on_delete: CASCADE, on_update: CASCADE}}
        - {name: body, type: text}
  - create_index: {name: notes_user_idx, table: notes, columns: [{column: user_id}]}
  - create_table:
      name: badges
      columns: [{name: user_id, type: integer, pk: true, references: {name: badges_user_fk, table: users, column: id, on_delete: CASCADE}}]
",
            seed: "INSERT INTO users (email) SELECT 'u' || n FROM generate_series(1, 300) AS n; UPDATE users SET boss = id - 1 WHERE id > 1; INSERT INTO badges SELECT id FROM users WHERE id > 250",
            change: "operations:
  - alter_column: {table: users, column: id, type: bigint, up: id, down: id}
  - alter_column: {table: users, column: boss, type: bigint, up: boss, down: boss}
  - alter_column: {table: notes, column: id, type: bigint, up: id, down: id}
  - alter_column: {table: notes, column: user_id, type: bigint, up: user_id, down: user_id}
",
            account: Account { up: &[("id", "id")], down: &[("id", "id")], unaccounted: &["boss"], ..SAME },
            work: "INSERT INTO users (email) VALUES ('w{n}'); INSERT INTO notes (user_id, body) SELECT id, 'n' FROM users WHERE email = 'w{n}'; UPDATE users SET boss = 1 WHERE email = 'w{n}'; DELETE FROM users WHERE email = 'w{n}' AND id % 2 = 0",
            started: &[
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING id IS NOT NULL", "t"),
                (Old, "SELECT count(*) FROM users WHERE email = 'new' AND id > 300", "1"),
                (Old, "INSERT INTO users (email) VALUES ('old') RETURNING id > 300", "t"),
                (New, "INSERT INTO notes (user_id, body) SELECT id, 'one' FROM users WHERE email IN ('old', 'new')", ""),
                (Old, "INSERT INTO notes (user_id, body) SELECT id, 'two' FROM users WHERE email IN ('old', 'new')", ""),
                (New, "SELECT count(*) FROM notes JOIN users ON users.id = user_id WHERE email IN ('old', 'new')", "4"),
                (New, "INSERT INTO notes (user_id, body) VALUES (0, 'x')", "!23503"),
                (Old, "INSERT INTO notes (user_id, body) VALUES (0, 'x')", "!23503"),
                (New, "INSERT INTO users (id, email) VALUES (5000000000, 'big')", "!22003"),
                (New, "INSERT INTO users (id, email) VALUES (1, 'x')", "!23505"),
                (Old, "UPDATE users SET id = 100000 WHERE email = 'old'", ""),
                (New, "SELECT count(*) FROM notes WHERE user_id = 100000", "2"),
                (New, "UPDATE users SET id = 200000 WHERE email = 'new'", ""),
                (Old, "SELECT count(*) FROM notes WHERE user_id = 200000", "2"),
                (New, "DELETE FROM users WHERE id = 200000", ""),
                (Old, "SELECT count(*) FROM notes WHERE user_id = 200000", "0"),
                (Old, "DELETE FROM users WHERE id = 299", ""),
                (New, "SELECT boss FROM users WHERE email = 'u300'", "NULL"),
                (New, "SELECT count(*) FROM badges WHERE user_id = 299", "0"),
            ],
            completed: &[
                ("INSERT INTO users (id, email) VALUES (5000000000, 'big')", ""),
                ("INSERT INTO notes (user_id, body) VALUES (5000000000, 'x') RETURNING id > 6", "t"),
                ("INSERT INTO badges VALUES (200)", ""),
                ("INSERT INTO users (email) VALUES ('next') RETURNING id > 300", "t"),
                ("INSERT INTO users (id, email) VALUES (5000000000, 'big2')", "!23505"),
                ("DELETE FROM users WHERE id = 5000000000", ""),
                ("SELECT count(*) FROM notes WHERE user_id = 5000000000", "0"),
            ],
        },
        Case {
            name: "alter_column set not null",
            before: USERS,
            seed: "INSERT INTO users (email) VALUES ('u1'), ('u2')",
            change: "operations:
  - alter_column: {table: users, column: name, nullable: false, up: \"coalesce(name, 'nobody')\"}
",
            account: Account { up: &[("name", "coalesce(name, 'nobody')")], down: &[("name", "name")], ..SAME },
            work: "INSERT INTO users (email) VALUES ('w{n}')",
            started: &[
                (New, "INSERT INTO users (email, name) VALUES ('new', NULL)", "!23502"),
                (Old, "INSERT INTO users (email, name) VALUES ('old', NULL)", ""),
                (New, "SELECT name FROM users WHERE email = 'old'", "nobody"),
                (Old, "SELECT name FROM users WHERE email = 'u1'", "NULL"),
                (New, "INSERT INTO users (email, name) VALUES ('new', 'N')", ""),
                (Old, "SELECT name FROM users WHERE email = 'new'", "N"),
            ],
            completed: &[("INSERT INTO users (email) VALUES ('c')", "!23502"), ("SELECT name FROM users WHERE email = 'u1'", "nobody")],
        },
        Case {
            name: "alter_column drop not null",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: email, nullable: true, down: \"coalesce(email, 'none' || id)\"}
",
            account: Account {
                up: &[("email", "email")],
                down: &[("email", "coalesce(email, 'none' || id)")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "INSERT INTO users (id, email, name) VALUES (9999999, NULL, 'new')", ""),
                (New, "SELECT email FROM users WHERE name = 'new'", "NULL"),
                (Old, "SELECT email FROM users WHERE name = 'new'", "none9999999"),
                (New, "UPDATE users SET age = 5 WHERE name = 'new'", ""),
                (New, "SELECT email FROM users WHERE name = 'new'", "NULL"),
                (Old, "INSERT INTO users (email) VALUES (NULL)", "!23502"),
            ],
            completed: &[("INSERT INTO users (email) VALUES (NULL)", ""), ("SELECT email FROM users WHERE name = 'First1 Last1'", "u1")],
        },
        Case {
            name: "alter_column default and comment",
            before: USERS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: age, default: null, comment: in years}
  - alter_column: {table: users, column: name, default: \"'anonymous'\", comment: null}
",
            account: SAME,
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email) VALUES ('old') RETURNING name, age", "NULL|18"),
                (New, "INSERT INTO users (email) VALUES ('new') RETURNING name, age", "anonymous|NULL"),
            ],
            completed: &[("INSERT INTO users (email) VALUES ('c') RETURNING name, age", "anonymous|NULL")],
        },
        Case {
            name: "create_index",
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
            name: "drop_index",
            before: USERS,
            seed: SEED,
            change: "operations: [{drop_index: {name: users_name_idx}}]",
            account: SAME,
            work: WORK,
            started: &[(Old, "SELECT count(*) FROM pg_class WHERE relname = 'users_name_idx'", "1")],
            completed: &[("SELECT count(*) FROM pg_class WHERE relname = 'users_name_idx'", "0")],
        },
        Case {
            name: "sql",
            before: USERS,
            seed: SEED,
            change: "operations:
  - sql: {up: CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2', down: DROP FUNCTION twice}
  - sql: {up: COMMENT ON FUNCTION twice IS 'times two', onComplete: true}
",
            account: SAME,
            work: WORK,
            started: &[(New, "SELECT twice(4)", "8"), (Old, "SELECT twice(4)", "8")],
            completed: &[("SELECT obj_description('twice'::regproc)", "times two")],
        },
        Case {
            name: "split of a column",
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
            name: "create_constraint and drop_constraint",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_constraint: {name: users_age_check, table: users, type: check, columns: [age], check: age < 150}
  - create_constraint: {name: users_email_age, table: users, type: unique, columns: [email, age]}
  - drop_constraint: {table: users, name: users_email_key}
",
            account: SAME,
            work: WORK,
            started: &[(New, "INSERT INTO users (email, age) VALUES ('x', 200)", "!23514"), (Old, "INSERT INTO users (email) VALUES ('u1')", "!23505")],
            completed: &[("INSERT INTO users (email, age) VALUES ('u1', 99)", ""), ("INSERT INTO users (email, age) VALUES ('u1', 99)", "!23505")],
        },
        Case {
            name: "rename_constraint",
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
                (Old, "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relname ~ '^(users_email_key|Users Email|notes_pkey)$'", "notes_pkey,users_email_key"),
            ],
            completed: &[
                ("INSERT INTO users (email) VALUES ('u1')", "!23505"),
                ("INSERT INTO users (email, age) VALUES ('c', 150)", "!23514"),
                ("SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE conname ~ '^(users_email_key|Users Email|notes_of_users)$'", "Users Email,notes_of_users,users_email_key"),
                ("SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relname ~ '^(users_email_key|Users Email|notes_user_idx|notes_pkey)$'", "Users Email,notes_user_idx"),
            ],
        },
        Case {
            name: "drop_multicolumn_constraint",
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
                down: &[("age", "CASE WHEN age > 149 THEN 149 ELSE age END"), ("name", "CASE name WHEN 'nobody' THEN 'somebody' ELSE name END")],
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
            name: "set_replica_identity",
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true, default: '18'}
  - create_table: {name: tags, columns: [{name: id, type: bigint, pk: true}, {name: tag, type: text}]}
  - create_table: {name: words, columns: [{name: id, type: bigint, pk: true}, {name: word, type: text}]}
  - create_index: {name: tags_tag, table: tags, columns: [{column: tag}], unique: true}
  - create_index: {name: words_word, table: words, columns: [{column: word}], unique: true}
  - set_replica_identity: {table: users, identity: {type: INDEX, index: users_email_key}}
  - set_replica_identity: {table: words, identity: {type: INDEX, index: words_word}}
",
            seed: SEED,
            change: "operations:
  - set_replica_identity: {table: users, identity: {type: full}}
  - set_replica_identity: {table: tags, identity: {type: INDEX, index: tags_tag}}
  - alter_column: {table: words, column: word, type: 'varchar(80)', up: word, down: word}
  - create_table: {name: more, columns: [{name: id, type: bigint, pk: true}]}
  - set_replica_identity: {table: more, identity: {type: NOTHING}}
",
            account: Account { notes: false, ..SAME },
            work: WORK,
            started: &[
                (Old, "SELECT relname, relreplident FROM pg_class WHERE relkind = 'r' AND relname IN ('users', 'tags', 'words', 'more') ORDER BY 1", "more|n;tags|d;users|i;words|i"),
                (New, "UPDATE users SET age = 3 WHERE email = 'u3'", ""),
            ],
            completed: &[
                ("SELECT relname, relreplident FROM pg_class WHERE relkind = 'r' AND relname IN ('users', 'tags', 'words', 'more') ORDER BY 1", "more|n;tags|i;users|f;words|i"),
                ("SELECT indexrelid::regclass::text FROM pg_index WHERE indisreplident ORDER BY 1", "tags_tag;words_word"),
            ],
        },
        Case {
            name: "rename then alter, alter twice, add then drop",
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
        Case {
            name: "drop then create the same name",
            before: ALONE,
            seed: SEED,
            change: "operations:
  - drop_table: {name: users}
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}, {name: nick, type: text, unique: true}]
",
            account: Account { table: ("users", ""), notes: false, ..SAME },
            work: WORK,
            started: &[(New, "INSERT INTO users (nick) VALUES ('n')", ""), (New, "SELECT nick FROM users", "n"), (Old, "SELECT count(*) FROM users WHERE email LIKE 'u%'", "500")],
            completed: &[("INSERT INTO users (nick) VALUES ('m')", ""), ("SELECT email FROM users", "!42703")],
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lifecycle_in_public() {
    run_all("public").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lifecycle_in_another_schema() {
    run_all("app data").await;
}

async fn run_all(base: &'static str) {
    let cases: &'static [Case] = cases().leak();
    let only = std::env::var("CASE").ok();
    let mut failed = Vec::new();
    for case in cases.iter().filter(|case| only.as_deref().is_none_or(|only| case.name.contains(only))) {
        // each in a task of its own, so that one failure does not hide the next
        if tokio::spawn(run(case, base)).await.is_err() {
            failed.push(case.name);
        }
    }
    println!("lifecycle in `{base}`: {} cases, {} failed", cases.len(), failed.len());
    assert!(failed.is_empty(), "failed in `{base}`: {failed:?}");
}

async fn run(case: &Case, base: &'static str) {
    let place = format!("{} in {base}", case.name);
    let database = Database::with_base(base).await;
    let before = [migration("0001_before", case.before)];
    let all = [before[0].clone(), migration("0002_change", case.change)];
    database.migrate(&before).await;
    let old = database.on("0001_before").await;
    for statement in case.seed.split("; ") {
        assert_eq!(ask(&old, statement).await, "", "{place}: {statement}");
    }
    let catalog = database.catalog().await;
    let mut migrator = database.migrator().await;
    let failed = |what: &str, error: diptych::Error| -> diptych::Outcome { panic!("{place}: {what}: {error}") };

    let statements: Vec<&str> = case.work.split("; ").collect();
    let work = Work::start(&database, "0001_before", 2, &statements).await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| failed("start", error));
    look(&database, case, &place).await;
    migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| failed("rollback", error));
    let rolled_back = database.catalog().await;
    assert_eq!(catalog, rolled_back, "{place}: rollback\n{}", difference(&catalog, &rolled_back));
    let new = database.on("0002_change").await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| failed("second start", error));
    let report = work.stop().await;
    assert!(
        report.failed.is_empty(),
        "{place}: {} of {} statements failed: {:?}",
        report.failed.len(),
        report.statements,
        &report.failed[..1]
    );
    assert!(report.statements > 0, "{place}: nobody worked");
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| failed("complete", error));
    for (statement, answer) in case.completed {
        assert_eq!(ask(&new, statement).await, *answer, "{place}: after complete: {statement}");
    }
    assert_eq!(ask(&old, "SELECT * FROM users").await, "!42P01", "{place}: the retired version");
    let (completed, fresh) = (database.catalog().await, database.fresh_catalog(&schema(&all)).await);
    let known: Vec<String> = completed.iter().filter(|line| !line.starts_with("function ")).cloned().collect();
    assert_eq!(known, fresh, "{place}: complete\n{}", difference(&fresh, &known));
}

async fn look(database: &Database, case: &Case, place: &str) {
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    for (side, statement, answer) in case.started {
        let client = if *side == Old { &old } else { &new };
        assert_eq!(ask(client, statement).await, *answer, "{place}: after start, {side:?}: {statement}");
    }
}

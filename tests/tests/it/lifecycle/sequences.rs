//! Sequences that no column owns: those that come, change and go.

use super::Side::{New, Old};
use super::{ALONE, Account, BEYOND, Case, SAME, SEED, WORK};

/// The users, with numbers from sequences of the schema.
const NUMBERED: &str = "operations:
  - create_sequence: {name: invoice_number, start: 1000, increment: 5, comment: of all invoices}
  - create_sequence: {name: Short Ones, type: smallint, increment: -1, min: -500, max: 500, start: 0, cycle: true}
  - create_sequence: {name: blocks, increment: 50, cache: 2}
  - create_sequence: {name: spare}
  - create_domain: {name: ticket, type: bigint, default: \"nextval('spare')\"}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true, comment: the whole name}
        - {name: age, type: integer, nullable: true}
        - {name: invoice, type: bigint, default: \"nextval('invoice_number')\"}
        - {name: short, type: integer, nullable: true, default: \"nextval('\\\"Short Ones\\\"')\"}
        - {name: ticket, type: ticket, nullable: true}
";
/// The same work, with numbers that the application draws itself.
const DRAWS: &str = "INSERT INTO users (email, name) VALUES ('w{n}', 'Work Er'); UPDATE users SET name = name || 'x' WHERE email = 'w{n}'; SELECT nextval('invoice_number'), nextval('blocks')";

/// The sequences of the base schema that no column owns, each with its options.
macro_rules! found {
    () => {
        "SELECT string_agg(concat_ws(' ', class.relname, format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax, seqcache, CASE WHEN seqcycle THEN 'cycle' END, obj_description(class.oid, 'pg_class')), ';' \
         ORDER BY class.relname COLLATE \"C\") FROM pg_sequence JOIN pg_class AS class ON class.oid = seqrelid \
         WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE relname = 'users' AND relkind = 'r') \
         AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = seqrelid AND deptype IN ('a', 'i'))"
    };
}

/// The ways of the operations on sequences.
pub(super) fn cases() -> Vec<Case> {
    vec![created(), altered(), dropped(), replaced()]
}

fn created() -> Case {
    Case {
        name: "create_sequence",
        expectation: BEYOND,
        before: ALONE,
        seed: SEED,
        change: "operations:
  - create_sequence: {name: invoice_number, start: 1000, increment: 5, comment: of all invoices}
  - create_sequence: {name: Short Ones, type: smallint, increment: -1, min: -5, max: 100, cache: 3, cycle: true}
  - create_sequence: {name: tickets, type: int4, min: 1, max: 2147483647, start: 1, increment: 1, cache: 1, cycle: false}
  - create_domain: {name: ticket, type: integer, default: \"nextval('tickets')\"}
  - add_column: {table: users, column: {name: invoice, type: bigint, unique: true}, up: \"nextval('invoice_number')\"}
  - alter_column: {table: users, column: invoice, default: \"nextval('invoice_number')\"}
  - create_table:
      name: pets
      columns:
        - {name: id, type: bigint, pk: true, default: \"nextval('invoice_number')\"}
        - {name: short, type: smallint, default: \"nextval('\\\"Short Ones\\\"'::regclass)\"}
        - {name: ticket, type: ticket, nullable: true}
",
        account: Account { unaccounted: &["invoice"], notes: false, ..SAME },
        work: WORK,
        started: &[
            (
                New,
                "SELECT count(DISTINCT invoice) = count(*) AND min(invoice) >= 1000 AND bool_and(invoice % 5 = 0) FROM users",
                "t",
            ),
            (New, "SELECT nextval('invoice_number') > 1000", "t"),
            (New, "INSERT INTO pets DEFAULT VALUES RETURNING id > 1000, short, ticket", "t|100|1"),
            (New, "SELECT nextval('tickets'), currval('tickets'), nextval('\"Short Ones\"')", "2|2|99"),
            (Old, "INSERT INTO users (email) VALUES ('old')", ""),
            (New, "INSERT INTO users (email) VALUES ('new')", ""),
            (New, "SELECT count(DISTINCT invoice) = 2 AND min(invoice) > 3000 FROM users WHERE email IN ('old', 'new')", "t"),
        ],
        completed: &[
            (
                found!(),
                "Short Ones smallint 100 -1 -5 100 3 cycle;invoice_number bigint 1000 5 1 9223372036854775807 1 of all invoices;tickets integer 1 1 1 2147483647 1",
            ),
            ("INSERT INTO users (email) VALUES ('last')", ""),
            ("SELECT count(DISTINCT invoice) = count(*) FROM users", "t"),
            ("INSERT INTO pets DEFAULT VALUES RETURNING ticket", "1"),
        ],
    }
}

fn altered() -> Case {
    Case {
        name: "alter_sequence",
        expectation: BEYOND,
        before: NUMBERED,
        seed: SEED,
        change: "operations:
  - alter_sequence: {name: invoice_number, increment: 10, start: 5000, max: 99999999, cache: 4, comment: null}
  - alter_sequence: {name: Short Ones, type: integer, min: null, start: 100, cycle: false}
  - alter_sequence: {name: blocks, increment: 1, cache: 1, comment: taken at once}
  - alter_sequence: {name: spare, comment: to spare}
",
        account: Account { unaccounted: &["invoice", "short", "ticket"], notes: false, ..SAME },
        work: DRAWS,
        started: &[
            // the longer step is there, for both
            (Old, "SELECT nextval('invoice_number') - nextval('invoice_number')", "-10"),
            (New, "SELECT nextval('invoice_number') - nextval('invoice_number')", "-10"),
            (New, "SELECT nextval('blocks') - nextval('blocks')", "-50"),
            // the rest is as it was
            (
                New,
                found!(),
                "Short Ones smallint 0 -1 -500 500 1 cycle;blocks bigint 1 50 1 9223372036854775807 2;invoice_number bigint 1000 10 1 9223372036854775807 1 of all invoices;\
                 spare bigint 1 1 1 9223372036854775807 1",
            ),
            (New, "INSERT INTO users (email) VALUES ('new')", ""),
            (Old, "INSERT INTO users (email) VALUES ('old')", ""),
            (Old, "SELECT count(DISTINCT invoice) = count(*) FROM users", "t"),
        ],
        completed: &[
            (
                found!(),
                "Short Ones integer 100 -1 -2147483648 500 1;blocks bigint 1 1 1 9223372036854775807 1 taken at once;invoice_number bigint 5000 10 1 99999999 4;\
                 spare bigint 1 1 1 9223372036854775807 1 to spare",
            ),
            // the counter goes on
            ("SELECT nextval('invoice_number') > (SELECT max(invoice) FROM users)", "t"),
            ("INSERT INTO users (email) VALUES ('last')", ""),
            ("SELECT count(DISTINCT invoice) = count(*), count(DISTINCT ticket) = count(*) FROM users", "t|t"),
            ("SELECT nextval('blocks') - nextval('blocks')", "-1"),
        ],
    }
}

fn dropped() -> Case {
    Case {
        name: "drop_sequence",
        expectation: BEYOND,
        before: NUMBERED,
        seed: SEED,
        change: "operations:
  - alter_column: {table: users, column: invoice, default: null}
  - alter_column: {table: users, column: invoice, type: text, nullable: true, up: invoice, down: \"coalesce(invoice::bigint, 0)\"}
  - alter_column: {table: users, column: short, default: '7'}
  - alter_domain: {name: ticket, default: null}
  - drop_sequence: {name: spare}
  - drop_sequence: {name: invoice_number}
  - drop_sequence: {name: Short Ones}
",
        account: Account {
            values: &[(New, "invoice", "1|23")],
            unaccounted: &["invoice", "short", "ticket"],
            notes: false,
            ..SAME
        },
        work: DRAWS,
        started: &[
            (Old, "INSERT INTO users (email) VALUES ('old')", ""),
            (New, "INSERT INTO users (email) VALUES ('new')", ""),
            (New, "SELECT invoice::bigint > 1000, short BETWEEN -500 AND 500 FROM users WHERE email = 'old'", "t|t"),
            (Old, "SELECT invoice, short, ticket FROM users WHERE email = 'new'", "0|7|NULL"),
            (Old, "SELECT nextval('spare') > 500", "t"),
        ],
        completed: &[
            (found!(), "blocks bigint 1 50 1 9223372036854775807 2"),
            ("SELECT nextval('invoice_number')", "!42P01"),
            ("INSERT INTO users (email) VALUES ('last')", ""),
            ("SELECT invoice, short, ticket FROM users WHERE email = 'last'", "NULL|7|NULL"),
        ],
    }
}

fn replaced() -> Case {
    Case {
        name: "drop_sequence and create_sequence",
        expectation: BEYOND,
        before: NUMBERED,
        seed: SEED,
        change: "operations:
  - create_sequence: {name: order_number, start: 1000000, increment: 5}
  - alter_column: {table: users, column: invoice, default: \"nextval('order_number')\"}
  - drop_sequence: {name: invoice_number}
",
        account: Account { unaccounted: &["invoice", "short", "ticket"], notes: false, ..SAME },
        work: DRAWS,
        started: &[
            (Old, "INSERT INTO users (email) VALUES ('old')", ""),
            (New, "INSERT INTO users (email) VALUES ('new')", ""),
            (New, "SELECT invoice FROM users WHERE email = 'new'", "1000000"),
            (Old, "SELECT invoice < 1000000 FROM users WHERE email = 'old'", "t"),
        ],
        completed: &[
            ("INSERT INTO users (email) VALUES ('last')", ""),
            // the second start has made it anew, as the rollback has told
            ("SELECT invoice FROM users WHERE email = 'last'", "1000000"),
        ],
    }
}

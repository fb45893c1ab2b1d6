//! Rows that a migration brings along.

use super::Side::{New, Old};
use super::{Account, BEYOND, Case, SAME, SEED, USERS, WORK};

/// The same, and a table of plans with a row.
const PLANS: &str = concat!(
    users!(),
    "  - create_table:
      name: plans
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {}}}
        - {name: name, type: text, unique: true}
        - {name: price, type: integer, default: '5'}
        - {name: tags, type: 'text[]', nullable: true}
        - {name: rules, type: jsonb, default: \"'{}'\"}
  - insert: {table: plans, rows: [{id: 7, name: Free, price: 0}]}
"
);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "insert into a new table that what follows references",
            expectation: BEYOND,
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_table: {name: plans, columns: [{name: id, type: int, pk: true}, {name: name, type: text}, {name: since, type: timestamptz}]}
  - insert: {table: plans, rows: [{id: 1, name: Free, since: {sql: now()}}, {id: 2, name: \"it's -- \\\\ all\", since: '2020-01-01 00:00+00'}]}
  - insert: {table: plans, rows: [{id: {sql: (SELECT max(id) + 1 FROM plans)}, name: third, since: {sql: now()}}]}
  - add_column: {table: users, column: {name: plan, type: int, references: {name: users_plan_fkey, table: plans, column: id}}, up: \"(SELECT id FROM plans WHERE name = 'Free')\"}
",
            account: Account { up: &[("plan", "1")], values: &[(New, "plan", "2")], notes: false, ..SAME },
            work: WORK,
            started: &[
                (New, "SELECT id, name, since > '2020-01-01 00:00+00' FROM plans ORDER BY id", "1|Free|t;2|it's -- \\ all|f;3|third|t"),
                (New, "SELECT count(*) FROM users WHERE email LIKE 'u%' AND plan = 1", "500"),
                (Old, "INSERT INTO users (email, name) VALUES ('old', 'Ada')", ""),
                (New, "SELECT plan FROM users WHERE email = 'old'", "1"),
            ],
            completed: &[("SELECT count(*) FROM users WHERE email LIKE 'u%' AND plan = 1", "500"), ("SELECT count(*) FROM plans", "3")],
        },
        Case {
            name: "insert into a table of both versions",
            expectation: BEYOND,
            before: PLANS,
            seed: SEED,
            change: "operations:
  - alter_column: {table: users, column: age, type: text, up: age::text, down: age::int}
  - rename_column: {table: plans, from: name, to: title}
  - alter_column: {table: plans, column: price, type: 'numeric(10,2)', up: price / 100.0, down: (price * 100)::int, default: '0.05'}
  - add_column: {table: plans, column: {name: seats, type: int, default: '3'}}
  - insert:
      table: plans
      rows:
        - {id: 20, title: Team, price: '12.50', tags: [a, 'b \"c\"'], rules: {max: [1, null], 'on': true}}
        - {title: Solo, seats: 1}
        - {id: 7, title: Free}
      on_conflict: nothing
  - insert: {table: users, rows: [{id: -1, email: seed@example.org, name: Seed, age: '44'}]}
",
            account: Account { up: &[("age", "age::text")], down: &[("age", "age::int")], values: &[(New, "age", "{n}")], notes: false, ..SAME },
            work: WORK,
            started: &[
                (New, "SELECT id, title, price, seats, tags[2], rules::text FROM plans ORDER BY title", "7|Free|0.00|3|NULL|{};21|Solo|0.05|1|NULL|{};20|Team|12.50|3|b \"c\"|{\"on\": true, \"max\": [1, null]}"),
                (Old, "SELECT id, name, price FROM plans ORDER BY name", "7|Free|0;21|Solo|5;20|Team|1250"),
                (Old, "SELECT name, age FROM users WHERE email = 'seed@example.org'", "Seed|44"),
                (Old, "INSERT INTO plans (name) VALUES ('next') RETURNING id", "22"),
            ],
            completed: &[
                ("SELECT title, price FROM plans WHERE id = 20", "Team|12.50"),
                ("SELECT count(*) FROM users WHERE email = 'seed@example.org'", "1"),
            ],
        },
        Case {
            name: "update of some rows",
            expectation: BEYOND,
            before: USERS,
            seed: SEED,
            change: "operations:
  - update:
      table: users
      set: {age: age + 1, name: \"upper(name) || ' ' || age -- as it was\"}
      where: \"age % 2 = 0 -- the even ones\"
      down: {age: age - 1}
",
            account: Account {
                up: &[
                    ("age", "CASE mod(age, 2) WHEN 0 THEN 1 + age ELSE age END"),
                    ("name", "CASE WHEN mod(age, 2) = 0 THEN upper(name) || ' ' || CAST(age AS text) ELSE name END"),
                ],
                down: &[("age", "age - 1"), ("name", "name")],
                ..SAME
            },
            work: WORK,
            started: &[
                (New, "SELECT age, name FROM users WHERE email IN ('u7', 'u8') ORDER BY email", "7|First7 Last7;9|FIRST8 LAST8 8"),
                (Old, "SELECT age, name FROM users WHERE email IN ('u7', 'u8') ORDER BY email", "7|First7 Last7;8|First8 Last8"),
                (Old, "INSERT INTO users (email, name, age) VALUES ('old', 'Ada', 4)", ""),
                (New, "SELECT age, name FROM users WHERE email = 'old'", "5|ADA 4"),
                (New, "INSERT INTO users (email, name, age) VALUES ('new', 'Eva', 4)", ""),
                (New, "SELECT age, name FROM users WHERE email = 'new'", "4|Eva"),
                (Old, "SELECT age, name FROM users WHERE email = 'new'", "3|Eva"),
            ],
            completed: &[
                ("SELECT age, name FROM users WHERE email IN ('u7', 'u8') ORDER BY email", "7|First7 Last7;9|FIRST8 LAST8 8"),
                ("SELECT count(*) FROM users WHERE email LIKE 'u%' AND age % 2 = 0", "0"),
            ],
        },
        Case {
            name: "delete at complete",
            expectation: BEYOND,
            before: PLANS,
            seed: "INSERT INTO users (email, name, age) SELECT 'u' || n, 'First' || n || ' Last' || n, n % 90 FROM generate_series(1, 500) AS n; INSERT INTO users (id, email, name, age) SELECT -n, 'm' || n, 'Minus', 7 FROM generate_series(1, 6) AS n; INSERT INTO plans (name, price) SELECT 'p' || n, n FROM generate_series(1, 3000) AS n",
            change: "operations:
  - rename_table: {from: plans, to: offers}
  - alter_column: {table: offers, column: price, type: bigint, up: price * 100, down: price / 100}
  - rename_column: {table: offers, from: name, to: title}
  - alter_column: {table: users, column: age, type: text, up: age::text, down: age::int}
  - delete: {table: offers, where: \"offers.price > 50000 AND title LIKE 'p%' -- dear\"}
  - delete: {table: users, where: \"id < 0 AND age = '7'\"}
",
            account: Account { up: &[("age", "age::text")], down: &[("age", "age::int")], values: &[(New, "age", "{n}")], notes: false, ..SAME },
            work: WORK,
            started: &[
                (New, "SELECT count(*) FROM offers", "3001"),
                (Old, "SELECT count(*) FROM plans", "3001"),
                (Old, "SELECT count(*) FROM users WHERE id < 0", "6"),
            ],
            completed: &[
                ("SELECT count(*), max(price) FROM offers", "501|50000"),
                ("SELECT count(*) FROM users WHERE id < 0", "0"),
            ],
        },
    ]
}

//! HOLES b14 and b16: every name that a migration gives is free, and nothing that stands in the catalog is lost.

use diptych::core::{Migration, names};
use diptych::{Error, Quiet};
use diptych_tests::{Database, ask, difference, migration, must};
use tokio_postgres::Client;

const BEFORE: &str = "operations:
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true}
  - create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
  - create_table:
      name: events
      partition_by: RANGE (id)
      columns: [{name: id, type: bigint, pk: true}, {name: user_id, type: bigint, nullable: true}, {name: amount, type: integer, nullable: true}]
";

fn both(change: &str) -> [Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", &format!("operations: [{change}]"))]
}

async fn database() -> (Database, Client) {
    let database = Database::new().await;
    database.migrate(&both("{sql: {up: SELECT 1}}")[..1]).await;
    let admin = database.client().await;
    must(&admin, "CREATE TABLE piece_1 PARTITION OF events FOR VALUES FROM (0) TO (1000); INSERT INTO users VALUES (1, 'a', 'Ann', 30), (2, 'b', 'Bob', 31); INSERT INTO events VALUES (1, 1, 5)").await;
    (database, admin)
}

/// Runs the statements that a hint ends with.
async fn follow(admin: &Client, error: &Error, case: &str) {
    let hint = error.hint_text().unwrap_or_else(|| panic!("{case}: no hint: {error}"));
    let (_, statements) = hint.split_once(": ").unwrap_or_else(|| panic!("{case}: no statement: {hint}"));
    must(admin, statements).await;
}

/// What somebody made by hand; the change whose name it has; what the refusal says.
const TAKEN: &[(&str, &str, &[&str])] = &[
    (
        "CREATE UNIQUE INDEX users_age ON users (id)",
        "{create_index: {name: users_age, table: users, unique: true, columns: [{column: age}]}}",
        &["index public.users_age", "index `users_age` of table `users`"],
    ),
    (
        "CREATE VIEW users_age AS SELECT 1 AS one",
        "{create_index: {name: users_age, table: users, columns: [{column: age}]}}",
        &["view public.users_age"],
    ),
    (
        "ALTER TABLE users ADD nick text",
        "{add_column: {table: users, column: {name: nick, type: text, nullable: true}}}",
        &["column nick of table public.users", "column `nick` of table `users`"],
    ),
    (
        "ALTER TABLE users ADD \"nick'' \"\"name\" text",
        "{add_column: {table: users, column: {name: \"nick'' \\\"name\", type: text, nullable: true}, up: name}}",
        &["public.users"],
    ),
    (
        "ALTER TABLE users ADD nick text",
        "{rename_column: {table: users, from: name, to: nick}}",
        &["column nick of table public.users"],
    ),
    (
        "ALTER TABLE events ADD kind text",
        "{rename_column: {table: events, from: amount, to: kind}}",
        &["column kind of table public.events"],
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT adult CHECK (id > 0)",
        "{create_constraint: {table: users, name: adult, type: check, check: age > 17}}",
        &["constraint adult on table public.users", "constraint `adult` of table `users`"],
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT users_one_name CHECK (id > 0)",
        "{create_constraint: {table: users, name: users_one_name, type: unique, columns: [name]}}",
        &["constraint users_one_name on table public.users"],
    ),
    (
        "CREATE SEQUENCE users_one_name",
        "{create_constraint: {table: users, name: users_one_name, type: unique, columns: [name]}}",
        &["sequence public.users_one_name"],
    ),
    (
        "ALTER TABLE piece_1 ADD CONSTRAINT small CHECK (amount < 1000)",
        "{create_constraint: {table: events, name: small, type: check, check: amount < 100}}",
        &["constraint small on table public.piece_1"],
    ),
    (
        "ALTER TABLE piece_1 ADD CONSTRAINT events_user CHECK (true)",
        "{create_constraint: {table: events, name: events_user, type: foreign_key, columns: [user_id], references: {table: users, columns: [id]}}}",
        &["constraint events_user on table public.piece_1"],
    ),
    (
        "CREATE MATERIALIZED VIEW people AS SELECT 1 AS one",
        "{rename_table: {from: users, to: people}}",
        &["materialized view public.people"],
    ),
    ("CREATE DOMAIN people AS text", "{rename_table: {from: users, to: people}}", &["type public.people", "table `people`"]),
    (
        "CREATE TYPE people AS (one integer)",
        "{create_table: {name: people, columns: [{name: id, type: bigint, pk: true}]}}",
        &["composite type public.people"],
    ),
    (
        "CREATE DOMAIN people AS text",
        "{create_table: {name: people, columns: [{name: id, type: bigint, pk: true}]}}",
        &["type public.people"],
    ),
    (
        "CREATE TABLE people (id integer)",
        "{create_table: {name: people, columns: [{name: id, type: bigint, pk: true}]}}",
        &["table public.people"],
    ),
    (
        "CREATE INDEX people_pkey ON users (id)",
        "{create_table: {name: people, columns: [{name: id, type: bigint, pk: true}]}}",
        &["index public.people_pkey", "constraint `people_pkey` of table `people`"],
    ),
    (
        "CREATE SEQUENCE people_id_seq",
        "{create_table: {name: people, columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}]}}",
        &["sequence public.people_id_seq", "sequence `people_id_seq` of table `people`"],
    ),
    (
        "CREATE SEQUENCE users_number_seq",
        "{add_column: {table: users, column: {name: number, type: bigint, generated: {identity: {}}}}}",
        &["sequence public.users_number_seq"],
    ),
    (
        "CREATE INDEX one_mail ON users (id)",
        "{rename_constraint: {table: users, from: users_email_key, to: one_mail}}",
        &["index public.one_mail", "constraint `users_email_key` of table `users`"],
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT one_mail CHECK (true)",
        "{rename_constraint: {table: users, from: users_email_key, to: one_mail}}",
        &["constraint one_mail on table public.users"],
    ),
    ("CREATE DOMAIN size AS text", "{create_enum: {name: size, labels: [s, m]}}", &["type public.size", "enum `size`"]),
    ("CREATE DOMAIN _size AS text", "{create_enum: {name: size, labels: [s, m]}}", &["type public._size", "enum `size`"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn b14_a_name_that_is_taken_is_told_before_anything_is_changed() {
    for (by_hand, change, words) in TAKEN {
        let (database, admin) = database().await;
        let case = format!("{by_hand}; {change}");
        must(&admin, by_hand).await;
        let catalog = database.catalog().await;
        let all = both(change);
        let Err(error) = database.migrator().await.start(&all, None, &mut Quiet).await else { panic!("{case}: started") };
        assert!(error.is_refused(), "{case}: {error}");
        for word in *words {
            assert!(error.message().contains(word), "{case}: `{word}` is not in: {error}");
        }
        assert_eq!(catalog, database.catalog().await, "{case}");
        assert_eq!(database.migrator().await.status(&all).await.unwrap().pending, None, "{case}");
        follow(&admin, &error, &case).await;
        let catalog = database.catalog().await;
        let mut migrator = database.migrator().await;
        migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{case}: start: {error}"));
        migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{case}: rollback: {error}"));
        let after = database.catalog().await;
        assert_eq!(catalog, after, "{case}: {}", difference(&catalog, &after));
        database.migrate_on(&all).await;
        drop(admin);
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b14_names_of_ours_and_of_the_system_are_no_exception() {
    let (database, admin) = database().await;
    // a column of the system
    let xmin = both("{add_column: {table: users, column: {name: xmin, type: text, nullable: true}}}");
    let error = database.migrator().await.start(&xmin, None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("column xmin of table public.users"), "{error}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("choose other names in the migration")), "{error}");
    // names of our own
    let change = both("{alter_column: {table: users, column: age, type: bigint, up: age, down: age, nullable: false}}");
    let name = names::generated("new", &["users", "age", "0002_change"]);
    must(&admin, &format!("ALTER TABLE users ADD \"{name}\" text")).await;
    let error = database.migrator().await.start(&change, None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains(&name), "{error}");
    follow(&admin, &error, "a column of ours").await;
    database.migrate_on(&change).await;
}

/// Makes an index as soon as everything was looked at.
struct Meanwhile<'a> {
    admin: &'a Client,
    sql: &'a str,
    is_done: bool,
}

impl diptych::Progress for Meanwhile<'_> {
    fn step(&mut self, _: usize, _: usize, _: &diptych::core::plan::Step) {
        if !std::mem::replace(&mut self.is_done, true) {
            let made =
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(self.admin.simple_query(self.sql)));
            made.expect("an index");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b14_an_index_that_comes_meanwhile_is_not_taken_for_ours() {
    let change = "{create_index: {name: users_age, table: users, unique: true, columns: [{column: age}, {column: name}]}}";
    for sql in [
        "CREATE UNIQUE INDEX users_age ON users (age)",
        "CREATE UNIQUE INDEX users_age ON users (name, age)",
        "CREATE UNIQUE INDEX users_age ON users (age, lower(name))",
        "CREATE UNIQUE INDEX users_age ON users (age, name) WHERE age > 5",
        "CREATE INDEX users_age ON users (age, name)",
        "CREATE UNIQUE INDEX users_age ON events (amount, id)",
    ] {
        let (database, admin) = database().await;
        let all = both(change);
        let mut meanwhile = Meanwhile { admin: &admin, sql, is_done: false };
        let Err(error) = database.migrator().await.start(&all, None, &mut meanwhile).await else { panic!("{sql}: started") };
        assert!(error.is_refused() && error.message().contains("`users_age`"), "{sql}: {error}");
        follow(&admin, &error, sql).await;
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let unique = "INSERT INTO users (id, email, name, age) VALUES (7, 'c', 'Ann', 30)";
        assert_eq!(ask(&admin, unique).await, "!23505", "{sql}");
        database.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        drop(admin);
        database.remove().await;
    }
}

/// What somebody makes by hand while two versions are live.
const SINCE: &[(&str, &str)] = &[
    ("ALTER TABLE users ADD nick text", "{add_column: {table: users, column: {name: nick, type: text, nullable: true}}}"),
    ("ALTER TABLE users ADD nick text", "{rename_column: {table: users, from: name, to: nick}}"),
    ("CREATE VIEW people AS SELECT 1 AS one", "{rename_table: {from: users, to: people}}"),
    ("CREATE DOMAIN people AS text", "{rename_table: {from: users, to: people}}"),
    ("CREATE INDEX one_mail ON users (id)", "{rename_constraint: {table: users, from: users_email_key, to: one_mail}}"),
    (
        "ALTER TABLE users ADD CONSTRAINT users_one_name CHECK (id > 0)",
        "{create_constraint: {table: users, name: users_one_name, type: unique, columns: [name]}}",
    ),
    ("CREATE DOMAIN size AS text", "{create_enum: {name: size, labels: [s, m]}}"),
    ("CREATE DOMAIN _size AS text", "{create_enum: {name: size, labels: [s, m]}}"),
    (
        "CREATE SEQUENCE users_number_seq",
        "{add_column: {table: users, column: {name: number, type: bigint, generated: {identity: {}}}}}",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn b14_complete_refuses_with_nothing_changed_when_a_name_was_taken_since() {
    for (by_hand, change) in SINCE {
        let (database, admin) = database().await;
        let case = format!("{by_hand}; {change}");
        let all = both(change);
        let before = database.catalog().await;
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        must(&admin, by_hand).await;
        let catalog = database.catalog().await;
        let Err(error) = database.migrator().await.complete(&mut Quiet).await else { panic!("{case}: completed") };
        assert!(error.is_refused(), "{case}: {error}");
        assert_eq!(catalog, database.catalog().await, "{case}");
        // the other way is open
        let copy = {
            drop(admin);
            database.copy().await
        };
        copy.migrator().await.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{case}: rollback: {error}"));
        let after = copy.catalog().await;
        let by_hand = difference(&before, &after);
        assert!(!by_hand.lines().any(|line| line.starts_with("- ")), "{case}: {by_hand}");
        let admin = database.client().await;
        follow(&admin, &error, &case).await;
        database.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{case}: complete: {error}"));
        drop(admin);
        copy.remove().await;
        database.remove().await;
    }
}

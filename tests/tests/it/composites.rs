//! Composite types as a user meets them: refused before anything is changed, left where somebody else uses them, brought along and taken over.

use diptych::Quiet;
use diptych_core::plan::{Action, start::start};
use diptych_core::{Chain, Migration, Schema, Version};
use diptych_tests::{Database, Told, ask, difference, migration, must, refused, stands_in_the_way};

use crate::cli::text;
use crate::existing::Existing;

const USERS: &str = "operations:
  - create_composite_type: {name: address, attributes: [{name: street, type: text}, {name: zip, type: text}]}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: home, type: address, nullable: true}
";

/// A database with users, and the migrations up to a change.
async fn with_users(change: &str) -> (Database, [Migration; 2]) {
    let database = Database::new().await;
    let all = [migration("0001_before", USERS), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    (database, all)
}

/// Of a row of NULLs `IS NULL` is true, and of one with a NULL in it `IS NOT NULL` is false: neither is NULL.
#[tokio::test(flavor = "multi_thread")]
async fn h17_a_row_with_nulls_in_it_is_a_value_of_a_column_that_becomes_not_null() {
    let change = "operations: [{alter_column: {table: users, column: home, nullable: false, up: home, down: home}}]";
    let (database, all) = with_users(change).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users (email, home) VALUES ('a', ROW(NULL, NULL)), ('b', ROW('x', NULL)), ('c', ROW('x', 'y'))")
        .await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("no row is NULL");
    must(&old, "INSERT INTO users (email, home) VALUES ('d', ROW(NULL, NULL)), ('e', ROW(NULL, 'y'))").await;
    assert_eq!(ask(&old, "INSERT INTO users (email) VALUES ('f')").await, "!23502");
    migrator.complete(&mut Quiet).await.expect("completed");
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "INSERT INTO users (email) VALUES ('f')").await, "!23502");
    assert_eq!(ask(&new, "SELECT string_agg(home::text, ' ' ORDER BY id) FROM users").await, "(,) (x,) (x,y) (,) (,y)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_is_found_where_the_column_becomes_not_null() {
    let change = "operations: [{alter_column: {table: users, column: home, nullable: false, up: home, down: home}}]";
    let (database, all) = with_users(change).await;
    must(&database.on("0001_before").await, "INSERT INTO users (email, home) VALUES ('a', ROW(NULL, NULL)), ('b', NULL)").await;
    let mut migrator = database.migrator().await;
    let text = refused(&database, &mut migrator, &all).await;
    assert!(text.contains("rows of table `users` hold NULL in column `home`") && text.contains("id = 2"), "{text}");
    assert!(!text.contains("id = 1"), "{text}");
}

/// What a conversion gives is a value, too, whatever is in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_may_give_rows_with_nulls_in_them() {
    let change = "operations:
  - create_composite_type: {name: address_2, attributes: [{name: street, type: text}, {name: zip, type: text}, {name: country, type: text}]}
  - alter_column: {table: users, column: home, type: address_2, nullable: false, up: \"ROW((home).street, (home).zip, NULL)::address_2\", down: \"ROW((home).street, (home).zip)::address\"}
";
    let (database, all) = with_users(change).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users (email, home) VALUES ('a', ROW(NULL, NULL)), ('b', ROW('x', NULL)), ('c', NULL)").await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("each row has a value");
    must(&old, "INSERT INTO users (email, home) VALUES ('d', ROW(NULL, NULL))").await;
    let new = database.on("0002_change").await;
    must(&new, "INSERT INTO users (email, home) VALUES ('e', ROW(NULL, NULL, NULL))").await;
    assert_eq!(ask(&new, "SELECT string_agg(home::text, ' ' ORDER BY id) FROM users").await, "(,,) (x,,) (,,) (,,) (,,)");
    assert_eq!(ask(&old, "SELECT string_agg(home::text, ' ' ORDER BY id) FROM users").await, "(,) (x,) (,) (,)");
    migrator.complete(&mut Quiet).await.expect("completed");
}

/// The scan after the backfill, by hand on a row that was missed.
#[tokio::test(flavor = "multi_thread")]
async fn the_scan_after_the_backfill_finds_a_row_whatever_its_conversion_gives() {
    let change = "operations:
  - create_composite_type: {name: pair, attributes: [{name: a, type: text}, {name: b, type: text}]}
  - add_column: {table: users, column: {name: pair, type: pair, nullable: true}, up: \"CASE email WHEN 'none' THEN NULL WHEN 'empty' THEN ROW(NULL, NULL)::pair ELSE ROW(email, NULL)::pair END\"}
";
    let (database, all) = with_users(change).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users (email) VALUES ('none'), ('empty'), ('half')").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.expect("started");
    let stage = all[0].stage(&Schema::default()).expect("a stage");
    let older = Version::new("public", &all[0], &stage);
    let stage = all[1].stage(&older.schema).expect("a stage");
    let newer = Version::new("public", &all[1], &stage);
    let chain = Chain { base: "public".to_owned(), older: Some(older), newer, stage, server: diptych_tests::major() };
    let verify = start(&chain).steps.into_iter().find_map(|step| match step.action {
        Action::Backfill { verify, .. } => Some(verify),
        _ => None,
    });
    let verify = format!("SELECT * FROM ({}) AS missed", verify.expect("a backfill").as_str());
    let client = database.client().await;
    must(&client, "SET search_path = public").await;
    assert_eq!(ask(&client, &verify).await, "", "all are there");
    let shadow =
        ask(&client, "SELECT attname::text FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname LIKE '\\_diptych%'")
            .await;
    must(&client, "ALTER TABLE users DISABLE TRIGGER ALL").await;
    for missed in ["empty", "half"] {
        must(&client, &format!("UPDATE users SET {shadow} = NULL WHERE email = '{missed}'")).await;
        let found = ask(&client, &format!("SELECT email FROM users WHERE ctid = ({verify})::tid")).await;
        assert_eq!(found, missed);
        must(&client, &format!("UPDATE users SET {shadow} = ROW(NULL, NULL) WHERE email = '{missed}'")).await;
    }
    assert_eq!(ask(&client, &verify).await, "", "a row of NULLs is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_read_as_a_row_where_it_is_a_default_or_a_conversion() {
    let change = "operations:
  - add_column: {table: users, column: {name: work, type: address, default: \"'(office,1)'\"}}
  - alter_column: {table: users, column: home, type: address, nullable: false, default: \"'(new,2)'\", up: \"'(was,3)'\", down: \"'(is,4)'\"}
";
    let (database, all) = with_users(change).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users (email) VALUES ('a')").await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&old, "INSERT INTO users (email, home) VALUES ('b', '(old,5)'); UPDATE users SET home = '(other,6)' WHERE email = 'a'")
        .await;
    let new = database.on("0002_change").await;
    must(&new, "INSERT INTO users (email) VALUES ('c'); INSERT INTO users (email, home, work) VALUES ('d', '(mine,7)', '(,)')")
        .await;
    let all_of = |columns: &str| format!("SELECT {columns} FROM users ORDER BY email");
    assert_eq!(
        ask(&new, &all_of("home::text, work::text")).await,
        "(was,3)|(office,1);(was,3)|(office,1);(new,2)|(office,1);(mine,7)|(,)"
    );
    assert_eq!(ask(&old, &all_of("home::text")).await, "(other,6);(old,5);(is,4);(is,4)");
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(
        ask(&new, &all_of("home::text, work::text")).await,
        "(was,3)|(office,1);(was,3)|(office,1);(new,2)|(office,1);(mine,7)|(,)"
    );
}

/// Why no operation changes the attributes of a composite type.
#[tokio::test(flavor = "multi_thread")]
async fn h18_an_attribute_more_or_less_is_there_for_everybody_at_once() {
    let database = Database::new().await;
    database.migrate(&[migration("0001_before", USERS)]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users (email, home) VALUES ('a', ROW('x', 'y'))").await;
    let client = database.client().await;
    must(&client, "ALTER TYPE address ADD ATTRIBUTE country text").await;
    assert_eq!(ask(&old, "INSERT INTO users (email, home) VALUES ('b', ROW('x', 'y')::address)").await, "!42846");
    assert_eq!(ask(&old, "INSERT INTO users (email, home) VALUES ('b', '(x,y)')").await, "!22P02");
    assert_eq!(ask(&old, "SELECT home::text FROM users").await, "(x,y,)");
    must(&client, "ALTER TYPE address DROP ATTRIBUTE country; ALTER TYPE address RENAME ATTRIBUTE zip TO code").await;
    assert_eq!(ask(&old, "SELECT (home).zip FROM users").await, "!42703");
    assert_eq!(ask(&client, "ALTER TYPE address ALTER ATTRIBUTE street TYPE varchar").await, "!0A000");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_named_with_the_way_out() {
    let gone = "{alter_column: {table: users, column: home, type: text, up: (home).street, down: \"ROW(home, NULL)::address\"}}, {drop_composite_type: {name: address}}";
    for (change, before, after, said) in [
        (
            "{create_composite_type: {name: place, attributes: []}}",
            "CREATE TYPE place AS (a text)",
            "DROP TYPE place",
            "the name is needed for composite type `place`",
        ),
        (
            "{create_composite_type: {name: place, attributes: []}}",
            "CREATE TYPE place AS ENUM ()",
            "DROP TYPE place",
            "the name is needed for composite type `place`",
        ),
        (
            "{create_composite_type: {name: place, attributes: []}}",
            "CREATE SEQUENCE place",
            "DROP SEQUENCE place",
            "the name is needed for composite type `place`",
        ),
        (
            "{alter_composite_type: {name: address, comment: a}}",
            "ALTER TYPE address RENAME ATTRIBUTE zip TO code",
            "ALTER TYPE address RENAME ATTRIBUTE code TO zip",
            "has them with other attributes: address",
        ),
        (
            gone,
            "CREATE FUNCTION shown(address) RETURNS text LANGUAGE sql AS 'SELECT $1.street'",
            "DROP FUNCTION shown",
            "function public.shown(public.address)",
        ),
        (
            gone,
            "CREATE TYPE public.both_of_them AS (one address, two address[])",
            "DROP TYPE both_of_them",
            "column one of composite type public.both_of_them",
        ),
        (
            gone,
            "CREATE SCHEMA aside; CREATE VIEW aside.streets AS SELECT (ROW('a', 'b')::public.address).street",
            "DROP SCHEMA aside CASCADE",
            "view aside.streets",
        ),
    ] {
        let (database, all) = with_users(&format!("operations: [{change}]")).await;
        stands_in_the_way(&database, &all, (before, after, said)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_uses_stays_at_rollback_and_holds_complete_up() {
    let change = "operations:
  - create_composite_type: {name: place, attributes: [{name: name, type: text}]}
  - create_composite_type: {name: places, attributes: [{name: all, type: 'place[]'}]}
  - alter_column: {table: users, column: home, type: text, up: (home).street, down: \"ROW(home, NULL)::address\"}
  - drop_composite_type: {name: address}
";
    let (database, all) = with_users(change).await;
    let client = database.client().await;
    let untouched = database.catalog().await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&client, "CREATE SCHEMA aside; CREATE TABLE aside.notes (at places, home address)").await;
    let error = migrator.complete(&mut Quiet).await.expect_err("somebody uses it").to_string();
    assert!(error.contains("column home of table aside.notes") && error.contains("run `complete` again"), "{error}");
    let mut told = Told::default();
    migrator.rollback(&mut told).await.expect("rolled back");
    let warned = told.warnings.join("\n");
    assert!(warned.contains("column at of table aside.notes") && warned.contains("DROP TYPE public.places"), "{warned}");
    must(&client, "ALTER TABLE aside.notes DROP COLUMN home").await;
    let text = refused(&database, &mut migrator, &all).await;
    assert!(text.contains("the name is needed for composite type `places`"), "{text}");
    must(&client, "DROP SCHEMA aside CASCADE; DROP TYPE places; DROP TYPE place").await;
    let now = database.catalog().await;
    assert_eq!(untouched, now, "{}", difference(&untouched, &now));
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    migrator.complete(&mut Quiet).await.expect("completed");
}

/// A function of the newer version that takes a type which goes would be in the way half-way through.
#[tokio::test(flavor = "multi_thread")]
async fn code_of_the_newer_version_that_uses_a_type_which_goes_is_named_before_complete_changes_anything() {
    let change = "operations:
  - alter_column: {table: users, column: home, type: text, up: (home).street, down: \"ROW(home, NULL)::address\"}
  - drop_composite_type: {name: address}
  - set_code: {name: shown, sql: \"CREATE FUNCTION shown(one address) RETURNS text LANGUAGE sql AS 'SELECT one.street'\"}
";
    let (database, all) = with_users(change).await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    let during = database.catalog().await;
    let error = migrator.complete(&mut Quiet).await.expect_err("the version's own code uses it").to_string();
    assert!(error.contains("shown(public.address)"), "{error}");
    assert_eq!(during, database.catalog().await, "nothing has changed");
    migrator.rollback(&mut Quiet).await.expect("rolled back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_exists_brings_its_composite_types_along() {
    let made_by = "CREATE SCHEMA aside; CREATE TYPE aside.word AS (letters text); CREATE DOMAIN zip AS text CHECK (VALUE <> ''); CREATE TYPE mood AS ENUM ('sad'); \
         CREATE TYPE place AS (zip zip, feels mood, \"Short Text\" text COLLATE \"C\", words aside.word[]); COMMENT ON TYPE place IS 'where'; \
         CREATE TYPE address AS (one place, more place[], price numeric(5,2)); \
         CREATE TABLE words (id bigint PRIMARY KEY, word aside.word, home address NOT NULL, places place[])";
    let Some(existing) = Existing::new(made_by).await else { return };
    let seen = existing.run(&["baseline"]);
    assert!(seen.contains("2 composite types") && seen.contains("1 composite type of another schema: aside.word"), "{seen}");
    let pulled = existing.run(&["pull", "--stdout"]);
    for line in [
        "address(one: \"place\", more: \"place[]\", price: \"numeric(5,2)\")",
        "place(zip: \"zip\", feels: \"mood\", \"Short Text\"(type = \"text\", collate = r#\"\"C\"\"#), words: \"aside.word[]\", comment = \"where\")",
        "#[schema(type = \"address\")]\n    pub home: String,",
        "#[schema(type = \"place[]\")]\n    pub places: Option<String>,",
    ] {
        assert!(pulled.contains(line), "{line}: {pulled}");
    }
    let fresh = existing.completed().await;
    existing.is_as(&fresh);
    // by hand, and taken over
    must(
        &existing.client,
        "COMMENT ON TYPE address IS 'it'; CREATE TYPE tag AS (at address); ALTER TABLE words ADD COLUMN tag tag",
    )
    .await;
    let status = existing.status();
    assert!(
        status.contains("composite type `tag` is only in the database") && status.contains("composite type `address` is "),
        "{status}"
    );
    assert_eq!(existing.take_over("tags", &fresh), ["alter_composite_type", "create_composite_type", "add_column"]);
    existing.is_as(&fresh);
    // what no operation can say stands in the way, with its words
    must(&existing.client, "ALTER TYPE tag ADD ATTRIBUTE more text").await;
    let output = existing.folder.run(Some(&existing.url), &["record", "--from-database", "more"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("composite type `tag` would get attribute `more`") && told.contains("ROW((tag).at, NULL)::tag_2"),
        "{told}"
    );
}

/// PostgreSQL casts no row to another one: the hint has what does, both ways.
#[test]
fn a_conversion_that_is_not_given_is_in_the_hint() {
    let before = migration("0001_before", USERS).stage(&Schema::default()).expect("a schema").to;
    let change = |ways: &str| {
        let text = format!(
            "operations: [{{create_composite_type: {{name: place, attributes: [{{name: street, type: text}}, {{name: Country, type: text}}]}}}}, \
             {{alter_column: {{table: users, column: home, type: place{ways}}}}}]"
        );
        migration("0002_change", &text).stage(&before).expect_err("no way is given").to_string()
    };
    let up = "CASE WHEN home IS DISTINCT FROM NULL THEN ROW((home).street, NULL)::place END";
    assert!(change("").contains(up), "{}", change(""));
    let down = "CASE WHEN home IS DISTINCT FROM NULL THEN ROW((home).street, NULL)::address END";
    let told = change(&format!(", up: \"{up}\""));
    assert!(told.contains(down), "{told}");
}

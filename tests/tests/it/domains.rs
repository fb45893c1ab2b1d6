//! Domains as a user meets them: refused before anything is changed, left where somebody else uses them, brought along and taken over.

use diptych::Quiet;
use diptych_core::Migration;
use diptych_tests::{Database, Told, ask, difference, migration, must, refused, stands_in_the_way};

use crate::existing::Existing;

const USERS: &str = "operations:
  - create_domain: {name: years, type: integer, not_null: true, default: '18', checks: {grown: VALUE >= 0}}
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: age, type: years, nullable: true}
";
const SHARES: &str = "operations:
  - create_domain: {name: share, type: 'numeric(5,2)', checks: {whole: VALUE <= 100}}
  - create_table: {name: parts, columns: [{name: id, type: bigint, pk: true}, {name: of_all, type: share}, {name: all, type: 'share[]'}]}
";

/// A database with users, and the migrations up to a change.
async fn with_users(change: &str) -> (Database, [Migration; 2]) {
    let database = Database::new().await;
    let all = [migration("0001_before", USERS), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    (database, all)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_a_domain_with_rules_takes_the_form_of_either_version() {
    let change = "operations:
  - create_domain: {name: address, type: text, default: \"'none@'\", checks: {has_at: \"VALUE ~ '@'\"}}
  - alter_column: {table: users, column: email, type: address, up: \"email || '@'\", down: \"split_part(email, '@', 1)\"}
  - alter_column: {table: users, column: age, type: integer, nullable: true, up: age, down: \"coalesce(age, 1)\"}
";
    let (database, all) = with_users(change).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users (email, age) VALUES ('a', 7), ('b', 8)").await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "SELECT email, age FROM users ORDER BY id").await, "a@|7;b@|8");
    must(&old, "INSERT INTO users (email) VALUES ('c')").await;
    must(&new, "INSERT INTO users (email, age) VALUES ('d@e', NULL)").await;
    assert_eq!(ask(&new, "INSERT INTO users (email) VALUES ('d')").await, "!23514");
    assert_eq!(ask(&new, "SELECT email, age FROM users ORDER BY id").await, "a@|7;b@|8;c@|18;d@e|NULL");
    assert_eq!(ask(&old, "SELECT email, age FROM users ORDER BY id").await, "a|7;b|8;c|18;d|1");
    migrator.complete(&mut Quiet).await.expect("completed");
    let (completed, fresh) = (database.catalog().await, database.fresh_catalog(&diptych_tests::schema(&all)).await);
    assert_eq!(completed, fresh, "{}", difference(&fresh, &completed));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_new_domain_cannot_take_are_found_before_anything_is_changed() {
    let change = "operations:
  - create_domain: {name: address, type: text, checks: {has_at: \"VALUE ~ '@'\"}}
  - alter_column: {table: users, column: email, type: address, up: email, down: email}
";
    let (database, all) = with_users(change).await;
    must(&database.on("0001_before").await, "INSERT INTO users (email) VALUES ('a@b'), ('nobody')").await;
    let mut migrator = database.migrator().await;
    let text = refused(&database, &mut migrator, &all).await;
    assert!(text.contains("has_at") && text.contains("hint: "), "{text}");
    must(&database.on("0001_before").await, "UPDATE users SET email = 'b@c' WHERE email = 'nobody'").await;
    migrator.start(&all, None, &mut Quiet).await.expect("each row fits");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_named_with_the_way_out() {
    for (change, before, after, said) in [
        (
            "{create_domain: {name: share, type: numeric}}",
            "CREATE TYPE share AS (a text)",
            "DROP TYPE share",
            "the name is needed for domain `share`",
        ),
        (
            "{create_domain: {name: share, type: numeric}}",
            "CREATE TYPE _share AS (a text)",
            "DROP TYPE _share",
            "the name is needed for domain `share`",
        ),
        (
            "{alter_domain: {name: years, not_null: false}}",
            "ALTER DOMAIN years DROP CONSTRAINT grown",
            "ALTER DOMAIN years ADD CONSTRAINT grown CHECK (VALUE >= 0)",
            "has them with other rules: years",
        ),
        (
            "{alter_column: {table: users, column: age, type: integer, up: age, down: age}}, {drop_domain: {name: years}}",
            "CREATE FUNCTION aged(years) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION aged",
            "function public.aged(public.years)",
        ),
        (
            "{alter_column: {table: users, column: age, type: integer, up: age, down: age}}, {drop_domain: {name: years}}",
            "CREATE DOMAIN public.old AS years CHECK (VALUE > 70)",
            "DROP DOMAIN old",
            "type public.old",
        ),
    ] {
        let (database, all) = with_users(&format!("operations: [{change}]")).await;
        stands_in_the_way(&database, &all, (before, after, said)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_uses_stays_at_rollback_and_holds_complete_up() {
    let change = "operations:
  - create_domain: {name: share, type: numeric}
  - create_domain: {name: half, type: share, checks: {half: VALUE <= 50}}
  - alter_column: {table: users, column: age, type: integer, up: age, down: age}
  - drop_domain: {name: years}
";
    let (database, all) = with_users(change).await;
    let client = database.client().await;
    let untouched = database.catalog().await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&client, "CREATE SCHEMA aside; CREATE TABLE aside.notes (part half, age years)").await;
    let error = migrator.complete(&mut Quiet).await.expect_err("somebody uses it").to_string();
    assert!(error.contains("column age of table aside.notes") && error.contains("run `complete` again"), "{error}");
    let mut told = Told::default();
    migrator.rollback(&mut told).await.expect("rolled back");
    let warned = told.warnings.join("\n");
    assert!(warned.contains("column part of table aside.notes") && warned.contains("DROP DOMAIN public.half"), "{warned}");
    must(&client, "ALTER TABLE aside.notes DROP COLUMN age").await;
    let text = refused(&database, &mut migrator, &all).await;
    assert!(text.contains("the name is needed for domain `half`"), "{text}");
    must(&client, "DROP SCHEMA aside CASCADE; DROP DOMAIN half; DROP DOMAIN share").await;
    let now = database.catalog().await;
    assert_eq!(untouched, now, "{}", difference(&untouched, &now));
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    migrator.complete(&mut Quiet).await.expect("completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_exists_brings_its_domains_along() {
    let made_by = "CREATE SCHEMA aside; CREATE DOMAIN aside.word AS text; CREATE DOMAIN percent AS numeric(5,2) DEFAULT 0 CHECK (VALUE >= 0 AND VALUE <= 100); \
         COMMENT ON DOMAIN percent IS 'of the whole'; CREATE DOMAIN \"Short Text\" AS text COLLATE \"C\" NOT NULL; \
         CREATE TABLE words (id bigint PRIMARY KEY, word aside.word, part percent NOT NULL, line \"Short Text\", parts percent[])";
    let Some(existing) = Existing::new(made_by).await else { return };
    let seen = existing.run(&["baseline"]);
    assert!(seen.contains("2 domains") && seen.contains("1 domain of another schema: aside.word"), "{seen}");
    let pulled = existing.run(&["pull", "--stdout"]);
    for line in [
        "percent(type = \"numeric(5,2)\", default = \"0\", check(name = \"percent_check\", expr = \"((VALUE >= (0)::numeric) AND (VALUE <= (100)::numeric))\"), comment = \"of the whole\")",
        "\"Short Text\"(type = \"text\", collate = r#\"\"C\"\"#, not_null)",
        "#[schema(type = \"percent\")]\n    pub part: rust_decimal::Decimal,",
        "pub parts: Option<Vec<rust_decimal::Decimal>>,",
    ] {
        assert!(pulled.contains(line), "{line}: {pulled}");
    }
    let fresh = existing.completed().await;
    existing.is_as(&fresh);
    // by hand, and taken over
    must(
        &existing.client,
        "ALTER DOMAIN percent DROP CONSTRAINT percent_check; CREATE DOMAIN tag AS percent; ALTER TABLE words ADD COLUMN tag tag",
    )
    .await;
    let status = existing.status();
    assert!(status.contains("domain `tag` is only in the database") && status.contains("domain `percent` is "), "{status}");
    assert_eq!(existing.take_over("tags", &fresh), ["alter_domain", "create_domain", "add_column"]);
    existing.is_as(&fresh);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_makes_a_fresh_database_with_its_domains() {
    let database = Database::new().await;
    let all = [migration("0001_shares", SHARES)];
    database.migrate(&all).await;
    let new = database.on("0001_shares").await;
    must(&new, "INSERT INTO parts VALUES (1, 12.345, '{1,2}')").await;
    assert_eq!(ask(&new, "SELECT of_all, \"all\" FROM parts").await, "12.35|{1.00,2.00}");
    assert_eq!(ask(&new, "INSERT INTO parts VALUES (2, 1, '{101}')").await, "!23514");
    // as a client whose library does not know the domain sends a value
    let sent = new.execute("INSERT INTO parts VALUES ($1, $2::text::numeric, '{}')", &[&3_i64, &"7"]).await.expect("a row");
    assert_eq!(sent, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_takes_no_null_stands_where_either_version_leaves_its_column_out() {
    let table = |of: &str| {
        format!(
            "operations:\n{of}  - create_table: {{name: t, columns: [{{name: id, type: bigint, pk: true}}, {{name: a, type: TYPE}}]}}\n"
        )
    };
    let rules = ["not_null: true", "checks: {given: VALUE IS NOT NULL}"];
    for rule in rules {
        let domain = format!("  - create_domain: {{name: amount, type: integer, {rule}}}\n");
        // the column stays: an expression may read it, in a variable that is NULL at first
        let database = Database::new().await;
        let all = [
            migration("0001_a", &table(&domain).replace("TYPE", "amount")),
            migration("0002_b", "operations: [{add_column: {table: t, column: {name: b, type: bigint}, up: a * 100}}]"),
        ];
        database.migrate(&all[..1]).await;
        let old = database.on("0001_a").await;
        must(&old, "INSERT INTO t VALUES (1, 1)").await;
        let mut migrator = database.migrator().await;
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        must(&old, "INSERT INTO t VALUES (2, 2); UPDATE t SET a = 3 WHERE id = 1").await;
        assert_eq!(ask(&database.on("0002_b").await, "SELECT a, b FROM t ORDER BY id").await, "3|300;2|200", "{rule}");
        migrator.complete(&mut Quiet).await.expect("completed");

        // the older column goes: the newer version does not give it
        let wide = migration("0002_b", "operations: [{alter_column: {table: t, column: a, type: bigint, up: a, down: a}}]");
        let loose = if rule.starts_with("not_null") { "not_null: false" } else { "checks: {}" };
        let loose = migration("0002_loose", &format!("operations: [{{alter_domain: {{name: amount, {loose}}}}}]"));
        let after = Migration { name: "0003_b".to_owned(), ..wide.clone() };
        let database = Database::new().await;
        database.migrate(&all[..1]).await;
        let mut migrator = database.migrator().await;
        let error = refused(&database, &mut migrator, &[all[0].clone(), wide.clone()]).await;
        assert!(
            error.contains("every INSERT of the newer version into table `t` would fail, since it does not give `a`"),
            "{error}"
        );
        // the hint leads out
        let way = [all[0].clone(), loose, after];
        migrator.start(&way[..2], None, &mut Quiet).await.unwrap_or_else(|error| panic!("{rule}: {error}"));
        migrator.complete(&mut Quiet).await.expect("completed");
        migrator.start(&way, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{rule}: {error}"));
        must(&database.on("0003_b").await, "INSERT INTO t VALUES (3, 3)").await;
        must(&database.on("0002_loose").await, "INSERT INTO t VALUES (4, 4)").await;
        migrator.complete(&mut Quiet).await.expect("completed");

        // the column comes: the older version does not give it, also where the table has no rows yet
        let all = [
            migration("0001_a", &table(&domain).replace("TYPE", "integer")),
            migration("0002_b", "operations: [{alter_column: {table: t, column: a, type: amount, up: a, down: a}}]"),
        ];
        let database = Database::new().await;
        database.migrate(&all[..1]).await;
        let error = refused(&database, &mut database.migrator().await, &all).await;
        assert!(
            error.contains("every INSERT of the older version into table `t` would fail, since it does not give `a`"),
            "{error}"
        );
    }
}

/// What `down` gives is compared with the column of a domain with rules, whose variables are of the type behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_column_of_a_domain_with_rules_is_given_by_down() {
    let before = "operations:
  - create_domain: {name: short, type: text, checks: {short_check: length(VALUE) < 9}}
  - create_table: {name: t, columns: [{name: id, type: int, pk: true}, {name: own, type: short, nullable: true}, {name: n, type: bigint, nullable: true}]}
";
    let change = "operations:
  - update: {table: t, set: {n: n + 1}, where: id < 0, down: {n: n}}
  - drop_column: {table: t, column: own, down: \"'n' || id\"}
";
    let database = Database::new().await;
    let all = [migration("0001_before", before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO t VALUES (1, 'one', 1)").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.expect("started");
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    must(&new, "INSERT INTO t (id, n) VALUES (2, 2); UPDATE t SET n = 5 WHERE id = 1").await;
    must(&old, "INSERT INTO t VALUES (3, 'three', 3); UPDATE t SET own = 'two' WHERE id = 2").await;
    assert_eq!(ask(&old, "SELECT * FROM t ORDER BY id").await, "1|one|5;2|two|2;3|three|3");
    database.migrator().await.complete(&mut Quiet).await.expect("completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn h14_a_view_has_the_default_of_the_domain_and_not_the_tables() {
    let client = Database::new().await.client().await;
    must(&client, "CREATE DOMAIN share AS integer DEFAULT 5; CREATE TABLE parts (id integer, part share DEFAULT 7)").await;
    must(&client, "CREATE VIEW shown AS SELECT * FROM parts; INSERT INTO shown (id) VALUES (1)").await;
    must(&client, "ALTER VIEW shown ALTER COLUMN part SET DEFAULT 7; INSERT INTO shown (id) VALUES (2)").await;
    must(&client, "ALTER TABLE parts ALTER COLUMN part SET DEFAULT NULL; INSERT INTO parts (id) VALUES (3)").await;
    assert_eq!(ask(&client, "SELECT id, part FROM parts ORDER BY id").await, "1|5;2|7;3|NULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn h15_a_variable_of_a_domain_that_is_not_null_fails_before_it_has_a_value() {
    let client = Database::new().await.client().await;
    must(&client, "CREATE DOMAIN share AS integer NOT NULL").await;
    assert_eq!(ask(&client, "DO 'DECLARE part share; BEGIN part := 1; END'").await, "!23502");
    must(&client, "DO 'DECLARE part integer; BEGIN part := 1; END'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h16_a_domain_takes_over_the_default_of_the_other_one_once() {
    let client = Database::new().await.client().await;
    must(&client, "CREATE DOMAIN share AS integer DEFAULT 1; CREATE DOMAIN half AS share; ALTER DOMAIN share SET DEFAULT 2")
        .await;
    must(&client, "CREATE TABLE parts (whole share, half half); INSERT INTO parts DEFAULT VALUES").await;
    assert_eq!(ask(&client, "SELECT * FROM parts").await, "2|1");
}

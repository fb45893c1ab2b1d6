//! docs/traps.md: the smaller ones, each a test by its name; h3 is in `race`, h9 in `leases`, h14 to h16 in `domains`,
//! h17 and h18 in `composites`, h19 to h22 in `sequences`.

use std::time::Duration;

use diptych::{Options, Quiet};
use diptych_core::hazard::Hazard;
use diptych_core::plan::{Action, Command};
use diptych_tests::{Database, Told, ask, client, migration, must};
use tokio_postgres::Client;

const BEFORE: &str = "operations:
  - create_table: {name: countries, columns: [{name: code, type: text, pk: true}, {name: title, type: text}]}
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true}, {name: country, type: text, nullable: true}, {name: age, type: integer, nullable: true}]
";
const LOOK_UP: &str = "operations:
  - alter_column:
      table: users
      column: country
      type: varchar(80)
      up: \"(SELECT title FROM countries WHERE code = users.country)\"
      down: \"(SELECT code FROM countries WHERE title = users.country)\"
";

fn both(change: &str) -> [diptych_core::Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", change)]
}

const WIDER: &str = "operations: [{alter_column: {table: users, column: age, type: bigint, up: age, down: age}}]";

/// Starts and gives the warnings, or the refusal.
async fn start(database: &Database) -> Result<Vec<String>, diptych::Error> {
    let mut told = Told::default();
    database.migrator().await.start(&both(WIDER), None, &mut told).await.map(|_| told.warnings)
}

async fn ready() -> (Database, Client) {
    let database = Database::new().await;
    database.migrate(&both(WIDER)[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO users VALUES (1, 'at', 30)").await;
    (database, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_a_published_table_is_told() {
    let (database, admin) = ready().await;
    assert_eq!(start(&database).await.unwrap(), Vec::<String>::new(), "nothing to tell");
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    must(&admin, "CREATE PUBLICATION news FOR TABLE users").await;
    let told = start(&database).await.unwrap();
    assert!(told.iter().any(|text| text.contains("news (users)") && text.contains("hint: ")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_sync_fires_where_a_subscription_applies_changes() {
    let (database, admin) = ready().await;
    start(&database).await.unwrap();
    let modes = "SELECT DISTINCT tgenabled FROM pg_trigger WHERE tgrelid = 'public.users'::regclass AND (tgname LIKE '~diptych%' OR tgname LIKE '!diptych%')";
    assert_eq!(ask(&admin, modes).await, "A");
    // as an apply worker does: on the base table, as a replica, without a search path
    let worker = client(&database.config()).await;
    must(&worker, "SET search_path = ''; SET session_replication_role = replica").await;
    must(&worker, "INSERT INTO public.users VALUES (2, 'ch', 40)").await;
    must(&worker, "UPDATE public.users SET age = 31 WHERE id = 1").await;
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "SELECT age FROM users ORDER BY id").await, "31;40");
}

#[tokio::test(flavor = "multi_thread")]
async fn h4_a_history_trigger_that_writes_whole_rows_is_refused() {
    let (database, admin) = ready().await;
    must(&admin, "CREATE TABLE history AS SELECT * FROM users").await;
    must(&admin, "CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.history SELECT NEW.*; RETURN NEW; END'").await;
    must(&admin, "CREATE TRIGGER keep AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION keep()").await;
    let before = database.catalog().await;
    let error = start(&database).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("keep on users"), "{error}");
    assert_eq!(before, database.catalog().await);
    // one that names its columns, or makes a document of the row, goes on
    for body in ["INSERT INTO public.history VALUES (NEW.id, NEW.country, NEW.age)", "PERFORM to_jsonb(NEW.*)"] {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body}; RETURN NEW; END'"
        );
        must(&admin, &sql).await;
        start(&database).await.unwrap_or_else(|error| panic!("{error}"));
        must(&database.on("0001_before").await, "UPDATE users SET age = age + 1").await;
        database.migrator().await.rollback(&mut Quiet).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h6_an_index_that_could_not_be_built_refuses_nobody() {
    let change = "operations: [{create_constraint: {name: users_age_key, table: users, type: unique, columns: [age]}}]";
    let database = Database::new().await;
    let all = both(change);
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO users VALUES (1, 'at', 30), (2, 'at', 30)").await;
    let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err();
    assert!(error.to_string().contains("30"), "{error}");
    assert_eq!(ask(&admin, "SELECT count(*) FROM pg_index WHERE NOT indisvalid").await, "0");
    must(&database.on("0001_before").await, "INSERT INTO users VALUES (3, 'at', 30)").await;
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn h7_a_trigger_that_changes_a_source_column_is_told() {
    let (database, admin) = ready().await;
    for sql in [
        "CREATE FUNCTION public.clamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.age := least(NEW.age, 99); RETURN NEW; END'",
        "CREATE FUNCTION public.shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.country := upper(NEW.country); RETURN NEW; END'",
        "CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION shout()",
    ] {
        must(&admin, sql).await;
    }
    assert_eq!(start(&database).await.unwrap(), Vec::<String>::new(), "one that leaves the column alone is no news");
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    must(&admin, "CREATE TRIGGER clamp BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION clamp()").await;
    let told = start(&database).await.unwrap();
    assert!(told.iter().any(|text| text.contains("clamp on users") && !text.contains("shout on users")), "{told:?}");
    // what the older version writes is carried as the trigger left it
    must(&database.on("0001_before").await, "UPDATE users SET age = 500").await;
    assert_eq!(ask(&database.on("0002_change").await, "SELECT age FROM users").await, "99");
}

#[tokio::test(flavor = "multi_thread")]
async fn h5_a_writer_needs_no_right_on_what_a_conversion_reads_and_keeps_those_on_its_columns() {
    let database = Database::new().await;
    let all = both(LOOK_UP);
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    let role = format!("app_{}", database.name);
    must(&admin, &format!("CREATE ROLE {role} LOGIN")).await;
    must(&admin, "INSERT INTO countries VALUES ('at', 'Austria'), ('ch', 'Switzerland')").await;
    must(&admin, "INSERT INTO users VALUES (1, 'at', 30)").await;
    // rights on columns alone, and none on the other table
    for place in ["public.users", "public_0001_before.users"] {
        must(&admin, &format!("GRANT SELECT, INSERT ON {place} TO {role}; GRANT UPDATE (country) ON {place} TO {role}")).await;
    }
    must(&admin, &format!("GRANT USAGE ON SCHEMA public_0001_before TO {role}")).await;
    must(&admin, "ALTER TABLE users ALTER COLUMN country SET STATISTICS 321").await;
    let mut migrator = database.migrator().await;
    let plan = migrator.plan(Command::Start, &all, None).await.unwrap().unwrap();
    assert!(plan.steps.iter().any(|step| step.hazards.contains(&Hazard::SubSelect)), "the plan does not name it");
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let session = async |version: &str| {
        let mut config = database.config();
        config.user(&role);
        diptych::connect::put_on(&mut config, &diptych::internal::search_path("public", &format!("public_{version}")));
        client(&config).await
    };
    let (old, new) = (session("0001_before").await, session("0002_change").await);
    must(&old, "INSERT INTO users VALUES (2, 'ch', 40)").await;
    assert_eq!(ask(&new, "SELECT country FROM users ORDER BY id").await, "Austria;Switzerland");
    must(&new, "UPDATE users SET country = 'Austria' WHERE id = 2").await;
    assert_eq!(ask(&old, "SELECT country FROM users WHERE id = 2").await, "at");
    for client in [&old, &new] {
        assert_eq!(ask(client, "UPDATE users SET age = 1").await, "!42501");
        assert_eq!(ask(client, "SELECT * FROM public.countries").await, "!42501");
    }
    migrator.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "UPDATE users SET country = 'Austria' RETURNING id").await, "1;2");
    assert_eq!(ask(&new, "UPDATE users SET age = 1").await, "!42501");
    let kept = "SELECT attacl::text LIKE '%w/%', attstattarget FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attname = 'country'";
    assert_eq!(ask(&admin, kept).await, "t|321");
}

#[tokio::test(flavor = "multi_thread")]
async fn h8_a_sub_select_is_not_run_again_when_the_other_table_changes_and_the_plan_says_so() {
    let database = Database::new().await;
    let all = both(LOOK_UP);
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO countries VALUES ('at', 'Austria'); INSERT INTO users VALUES (1, 'at', 30)").await;
    let mut migrator = database.migrator().await;
    let plan = migrator.plan(Command::Start, &all, None).await.unwrap().unwrap();
    let printed = serde_json::to_string(&plan).unwrap();
    assert!(printed.contains("sub_select") && Hazard::SubSelect.meaning().contains("not run again"), "{printed}");
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    must(&admin, "UPDATE countries SET title = 'Österreich'").await;
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "SELECT country FROM users").await, "Austria");
    // a plan without a sub-select does not cry wolf
    let plain = both("operations: [{alter_column: {table: users, column: age, type: bigint, up: age, down: age}}]");
    let other = Database::new().await;
    other.migrate(&plain[..1]).await;
    let plan = other.migrator().await.plan(Command::Start, &plain, None).await.unwrap().unwrap();
    assert!(!serde_json::to_string(&plan).unwrap().contains("sub_select"));
}

#[tokio::test(flavor = "multi_thread")]
async fn h10_every_row_is_in_just_one_stripe() {
    let database = Database::new().await;
    let all = both("operations: [{alter_column: {table: users, column: age, type: bigint, up: age, down: age}}]");
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO users SELECT n, 'at', n FROM generate_series(1, 60000) AS n").await;
    let plan = database.migrator().await.plan(Command::Start, &all, None).await.unwrap().unwrap();
    let update = plan.steps.iter().find_map(|step| match &step.action {
        Action::Backfill { update, .. } => Some(update.as_str().to_owned()),
        _ => None,
    });
    let update = update.expect("a backfill");
    // the stripe's condition as it stands in the plan, asked of rows whose hash is negative as well
    let condition =
        update.split(" AND ").find(|part| part.contains("hashtid")).expect("a condition").replace("\"diptych row\".", "");
    let count = async |stripe: i32| {
        let condition = condition.replace("$4::pg_catalog.int4", "4").replace("$3::pg_catalog.int4", &stripe.to_string());
        ask(&admin, &format!("SELECT count(*) FROM users WHERE {condition}")).await.parse::<i64>().expect("a number")
    };
    let counts = [count(0).await, count(1).await, count(2).await, count(3).await];
    assert_ne!(ask(&admin, "SELECT count(*) FROM users WHERE hashtid(ctid) < 0").await, "0");
    assert_eq!(counts.iter().sum::<i64>(), 60_000, "{counts:?}");
    assert!(counts.iter().all(|count| *count > 10_000), "{counts:?}");
    // the least integer has no absolute value, which is why there is none in it
    assert!(!condition.contains("abs"), "{condition}");
    assert_eq!(ask(&admin, "SELECT (((-2147483648)::int4) & 2147483647) % 4").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn h11_settings_of_database_and_role_do_not_reach_the_tool() {
    let database = Database::new().await;
    let all = both("operations: [{alter_column: {table: users, column: age, type: bigint, up: age, down: age}}]");
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO users SELECT n, 'at', n FROM generate_series(1, 50000) AS n").await;
    for setting in [
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
        "default_transaction_deferrable = on",
        "statement_timeout = 150",
        "lock_timeout = 1",
        "idle_in_transaction_session_timeout = 5",
        "search_path = nowhere",
        "session_replication_role = replica",
        "row_security = on",
        "synchronous_commit = off",
        "client_min_messages = debug1",
    ] {
        must(&admin, &format!("ALTER DATABASE {} SET {setting}", database.name)).await;
    }
    let mut migrator = database.migrator().await;
    for _ in 0..2 {
        migrator.start(&all, None, &mut Quiet).await.unwrap();
        if ask(&admin, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%diptych%'").await == "0" {
            panic!("no sync");
        }
        migrator.rollback(&mut Quiet).await.unwrap();
    }
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    migrator.complete(&mut Quiet).await.unwrap();
    let kind =
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attname = 'age'";
    assert_eq!(ask(&admin, kind).await, "bigint");
}

#[tokio::test(flavor = "multi_thread")]
async fn h12_discard_all_leaves_an_app_on_its_version_and_a_run_locked() {
    let database = Database::new().await;
    let all = both("operations: [{rename_column: {table: users, from: age, to: years}}]");
    database.migrate(&all[..1]).await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let app = database.on("0002_change").await;
    must(&app, "DISCARD ALL").await;
    assert_eq!(ask(&app, "SELECT count(years) FROM users").await, "0");
    // the advisory lock of a run is its session's, which nobody else can reset; whoever comes next waits for it
    let holder = client(&database.config()).await;
    let key = i64::from_ne_bytes(diptych_core::names::hash("diptych run public").to_ne_bytes());
    must(&holder, &format!("SELECT pg_advisory_lock({key})")).await;
    let options = Options { timeout: Duration::from_millis(500), ..Options::default() };
    let mut second = diptych::Migrator::connect(&database.config(), options).await.unwrap();
    let error = second.complete(&mut Quiet).await.unwrap_err();
    assert!(error.is_timeout() && error.message().contains("another run"), "{error}");
    must(&holder, "DISCARD ALL").await;
    second.complete(&mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn h13_statistics_do_not_go_beside_those_who_may_plan_with_them() {
    let database = Database::new().await;
    let before = format!("{BEFORE}  - create_statistics: {{name: users_both, table: users, columns: [country, age]}}\n");
    let all =
        [migration("0001_before", &before), migration("0002_change", "operations: [{drop_statistics: {name: users_both}}]")];
    database.migrate(&all[..1]).await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let reader = database.client().await;
    must(&reader, "BEGIN; SELECT count(*) FROM users").await;
    let options = Options { timeout: Duration::from_millis(500), ..Options::default() };
    let mut migrator = diptych::Migrator::connect(&database.config(), options).await.unwrap();
    let error = migrator.complete(&mut Quiet).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let there = "SELECT count(*) FROM pg_statistic_ext WHERE stxname = 'users_both'";
    assert_eq!(ask(&database.client().await, there).await, "1");
    must(&reader, "COMMIT").await;
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&reader, there).await, "0");
}

//! What somebody found who knew the promises alone, with the rights of an application or of nobody.

use std::time::{Duration, Instant};

use diptych::migrator::Guard;
use diptych::{Migrator, Options, Outcome, Quiet};
use diptych_tests::{Database, ask, migration, must};

use crate::rights::stranger;

const BEFORE: &str = "operations:
  - create_table: {name: countries, columns: [{name: code, type: text, pk: true}, {name: title, type: text}]}
  - create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: country, type: varchar(40), nullable: true}, {name: age, type: integer, nullable: true}]}
";

fn both(change: &str) -> [diptych_core::Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", &format!("operations: [{change}]"))]
}

const CONVERSION: &str = "{alter_column: {table: users, column: age, type: bigint, up: age * 2, down: age / 2}}";

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_others_are_not_tried() {
    let database = Database::new().await;
    let all = both("{add_column: {table: countries, column: {name: pop, type: integer, nullable: true}}}");
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    let (role, evil) = stranger(&database, "evil").await;
    must(&admin, &format!("GRANT CREATE ON SCHEMA public TO {role}")).await;
    // what it counts outlives the transaction that is undone
    must(&evil, &format!("CREATE SEQUENCE evil_calls; GRANT ALL ON SEQUENCE evil_calls TO PUBLIC; CREATE FUNCTION evil_check(v text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF current_user <> '{role}' THEN PERFORM nextval('public.evil_calls'); END IF; RETURN true; END $$")).await;
    must(&evil, "CREATE DOMAIN evil_domain AS text CHECK (public.evil_check(value)); CREATE TYPE evil_row AS (a evil_domain)")
        .await;
    must(
        &evil,
        "CREATE FUNCTION evil_one() RETURNS integer LANGUAGE sql AS $$ SELECT 1 FROM (SELECT '(1)'::public.evil_row) AS x $$",
    )
    .await;
    must(&evil, "CREATE FUNCTION evil_two(x evil_row DEFAULT '(1)'::public.evil_row) RETURNS integer LANGUAGE sql AS $$ SELECT 1 FROM countries $$").await;
    for revoked in [false, true] {
        if revoked {
            must(&admin, &format!("REVOKE CREATE ON SCHEMA public FROM {role}")).await;
        }
        database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
        database.migrator().await.status(&all[..]).await.unwrap();
        database.migrator().await.rollback(&mut Quiet).await.unwrap();
        assert_eq!(ask(&admin, "SELECT is_called FROM evil_calls").await, "f", "revoked: {revoked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_put_there_counts_when_their_right_is_gone() {
    let database = Database::new().await;
    let all = both(
        "{add_column: {table: users, column: {name: title, type: text, nullable: true}, up: '(SELECT c.title FROM countries AS c WHERE c.code = country)'}}",
    );
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    let (role, evil) = stranger(&database, "evil").await;
    must(&admin, &format!("GRANT CREATE ON SCHEMA public TO {role}; INSERT INTO countries VALUES ('a', 'A'); INSERT INTO users VALUES (1, 'a', 1)")).await;
    must(&evil, &format!("CREATE FUNCTION evil_eq(a text, b varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF current_user <> '{role}' THEN EXECUTE 'ALTER ROLE {role} SUPERUSER'; END IF; RETURN a OPERATOR(pg_catalog.=) b; END $$; CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = varchar, FUNCTION = evil_eq)")).await;
    let refused = async |part: &str| {
        let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err();
        assert!(error.is_refused() && error.to_string().contains(part), "{error}");
        assert_eq!(ask(&admin, &format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{role}'")).await, "f");
    };
    refused("REVOKE CREATE ON SCHEMA public").await;
    must(&admin, &format!("REVOKE CREATE ON SCHEMA public FROM {role}")).await;
    refused("evil_eq").await;
    must(&admin, "DROP OPERATOR public.= (text, varchar); DROP FUNCTION evil_eq").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    assert_eq!(ask(&database.on("0002_change").await, "SELECT title FROM users").await, "A");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_of_another_role_does_not_run_with_the_owners_rights() {
    let database = Database::of_owner("owner").await;
    let admin = database.superuser().await;
    let role = format!("app_{}", database.name);
    must(&admin, &format!("CREATE ROLE {role} LOGIN")).await;
    let all = both(CONVERSION);
    database.migrate(&all[..1]).await;
    let own = database.client().await;
    must(&own, &format!("CREATE TABLE shop.secret (n integer); GRANT USAGE ON SCHEMA shop TO {role}; GRANT ALL ON shop.users TO {role}; INSERT INTO shop.users VALUES (1, 'a', 1)")).await;
    must(&admin, &format!("CREATE SCHEMA appy AUTHORIZATION {role}; SET ROLE {role}; CREATE FUNCTION appy.steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF current_user <> '{role}' THEN EXECUTE 'GRANT ALL ON shop.secret TO {role}'; END IF; RETURN NEW; END $$; CREATE TRIGGER a_trigger BEFORE UPDATE ON shop.users FOR EACH ROW EXECUTE FUNCTION appy.steal(); RESET ROLE")).await;
    let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("a_trigger on users"), "{error}");
    must(&admin, "DROP TRIGGER a_trigger ON shop.users").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    assert_eq!(ask(&admin, &format!("SELECT has_table_privilege('{role}', 'shop.secret', 'SELECT')")).await, "f");

    // an ordinary owner's repair puts back a view in a schema that is closed
    must(&own, "DROP VIEW shop_0001_before.users").await;
    assert_eq!(
        database.migrator().await.repair().await.unwrap(),
        Outcome::Done(vec!["view `shop_0001_before.users` was dropped".to_owned()])
    );
    assert_eq!(ask(&own, "CREATE VIEW shop_0001_before.v AS SELECT 1").await, "!42501");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_lease_holds_up_no_start_and_a_lost_right_ends_it() {
    let database = Database::new().await;
    let all = both(CONVERSION);
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let (role, app) = stranger(&database, "app").await;
    let take =
        |id: &str, seconds: u32| format!("SELECT diptych.lease('{id}', 'public', '0002_change', 'app', 'host', 1, {seconds})");
    must(&admin, "REVOKE USAGE ON SCHEMA public_0002_change FROM PUBLIC").await;
    // one without a right holds no row
    must(&app, "BEGIN").await;
    assert_eq!(ask(&app, &take("one", 600)).await, "denied");
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    must(&app, "ROLLBACK").await;
    // nor does one with a right keep the next start waiting
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    must(&admin, &format!("GRANT USAGE ON SCHEMA public_0002_change TO {role}")).await;
    must(&app, "BEGIN").await;
    assert_eq!(ask(&app, &take("two", 600)).await, "held");
    let options = Options { guard: Guard::Force, timeout: Duration::from_secs(4), ..Options::default() };
    let since = Instant::now();
    let mut migrator = Migrator::connect(&database.config(), options).await.unwrap();
    migrator.rollback(&mut Quiet).await.unwrap();
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(8), "waited for {:?}", since.elapsed());
    must(&app, "ROLLBACK").await;
    // a lease of the version that was rolled back is none of the one that came after it
    must(&admin, &format!("GRANT USAGE ON SCHEMA public_0002_change TO {role}")).await;
    assert_eq!(ask(&app, &take("three", 600)).await, "held");
    migrator.rollback(&mut Quiet).await.unwrap();
    assert_eq!(ask(&admin, "SELECT count(*) FROM diptych.leases").await, "0");
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    // who loses the right loses the lease
    must(&admin, &format!("GRANT USAGE ON SCHEMA public_0002_change TO {role}")).await;
    assert_eq!(ask(&app, &take("four", 2)).await, "held");
    must(&admin, &format!("REVOKE USAGE ON SCHEMA public_0002_change FROM {role}, PUBLIC")).await;
    assert_eq!(ask(&app, &take("four", 2)).await, "denied");
    tokio::time::sleep(Duration::from_millis(2200)).await;
    assert_eq!(ask(&app, &take("four", 2)).await, "denied");
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_a_session_stops_nothing_half_way() {
    let database = Database::new().await;
    let all = both(
        "{alter_column: {table: users, column: age, type: bigint, up: age, down: age}}, {drop_column: {table: countries, column: title, down: code}}",
    );
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let pending =
        async || database.migrator().await.status(&all[..]).await.unwrap().pending.map(|pending| pending.state.to_string());
    for (make, command) in [
        ("CREATE TEMP VIEW tv AS SELECT age FROM public.users", "complete"),
        ("CREATE TEMP VIEW tv AS SELECT * FROM public_0001_before.users", "complete"),
        ("CREATE TEMP TABLE tv (r public_0001_before.users)", "complete"),
        ("CREATE VIEW tv AS SELECT * FROM public_0002_change.users", "rollback"),
        ("CREATE FUNCTION tf(public_0002_change.users) RETURNS integer LANGUAGE sql AS 'SELECT 1'", "rollback"),
    ] {
        let session = database.client().await;
        must(&session, make).await;
        let mut migrator = database.migrator().await;
        let error = if command == "complete" { migrator.complete(&mut Quiet).await } else { migrator.rollback(&mut Quiet).await }
            .unwrap_err();
        assert!(
            error.is_refused() && error.message().contains(if make.contains("tf(") { "tf(" } else { "tv" }),
            "{make}: {error}"
        );
        assert_eq!(pending().await.as_deref(), Some("started"), "{make}");
        drop(session);
        must(&admin, "DROP VIEW IF EXISTS tv; DROP FUNCTION IF EXISTS tf").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    database.migrator().await.complete(&mut Quiet).await.unwrap();
}

/// A repair that cannot put back all puts back nothing: a table without half of its triggers takes writes that the other version never sees.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_that_cannot_be_finished_changes_nothing() {
    let database = Database::new().await;
    let all = [
        migration(
            "0001_before",
            "operations: [{create_table: {name: t, columns: [{name: id, type: bigint, pk: true}, {name: a, type: integer}]}}]",
        ),
        migration("0002_change", "operations: [{alter_column: {table: t, column: a, type: bigint, up: a * 100, down: a / 100}}]"),
    ];
    database.migrate(&all[..1]).await;
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    must(&client, "ALTER TABLE t RENAME TO tt").await;
    let text = migrator.repair().await.expect_err("refused").to_string();
    assert!(text.contains("hint: put back by hand what is named above"), "{text}");
    // it is as loud as before, and whole once its name is back
    assert_ne!(ask(&database.on("0001_before").await, "INSERT INTO t VALUES (1, 7)").await, "");
    must(&client, "ALTER TABLE tt RENAME TO t").await;
    must(&database.on("0001_before").await, "INSERT INTO t VALUES (1, 7)").await;
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(ask(&client, "SELECT a FROM t").await, "700");
}

//! Whoever stands in the way of a run is known, and the run ends in its time; an app's lease is had or refused.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use diptych::{Error, Migrator, Options, Outcome, Quiet};
use diptych_core::{Migration, names};
use diptych_tests::{Database, Told, ask, client, major, migration, must, release, server};
use diptych_xtask::server::{self as own, Server};

release!(One, "0001_before");

const BEFORE: &str = "operations:
  - create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: name, type: text, nullable: true}, {name: age, type: integer, nullable: true}]}
";
const CONVERSION: &str = "{alter_column: {table: users, column: age, type: bigint, up: age * 2, down: age / 2}}";
const INDEX: &str = "{create_index: {name: users_name_idx, table: users, columns: [name]}}";

fn both(change: &str) -> [Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", &format!("operations: [{change}]"))]
}

async fn started(database: &Database, all: &[Migration], timeout: u64) -> (diptych::Result<Outcome>, Told, Duration) {
    let options = Options { base: database.base.clone(), timeout: Duration::from_secs(timeout), ..Options::default() };
    let mut migrator = Migrator::connect(&database.config(), options).await.unwrap();
    let (since, mut told) = (Instant::now(), Told::default());
    let outcome = migrator.start(all, None, &mut told).await;
    (outcome, told, since.elapsed())
}

/// A start that gives up after three seconds, or soon after.
async fn given_up(database: &Database, all: &[Migration]) -> (Error, Told) {
    let (outcome, told, took) = started(database, all, 3).await;
    let error = outcome.expect_err("it cannot get through");
    assert!(error.is_timeout(), "{error}");
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(15), "it took {took:?}: {error}");
    (error, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn b23_a_lease_is_had_or_connect_says_why_not() {
    let database = Database::new().await;
    let admin = database.client().await;
    let role = format!("shop_{}", database.name);
    must(&admin, "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC").await;
    must(&admin, &format!("CREATE ROLE {role} LOGIN; ALTER ROLE {role} SET default_transaction_read_only = on; ALTER ROLE {role} SET default_transaction_isolation = 'serializable'; ALTER ROLE {role} SET lock_timeout = 1; ALTER ROLE {role} SET statement_timeout = '2s'")).await;
    database.migrate(&both(INDEX)[..1]).await;
    must(&admin, &format!("GRANT SELECT ON users TO {role}; GRANT USAGE ON SCHEMA public_0001_before TO {role}")).await;
    let mut url = server().url(&database.name);
    url.push_str(&format!("&user={role}"));
    let count = format!("SELECT count(*) FROM diptych.leases WHERE role = '{role}'");
    let client = diptych::connect::connect::<One>(&url).await.unwrap();
    let lease = diptych::connect::lease::<One>(&url).await.unwrap();
    assert_eq!(ask(&admin, &count).await, "2");
    // given back at once, too
    drop((client, lease));
    let since = Instant::now();
    while ask(&admin, &count).await != "0" {
        assert!(since.elapsed() < Duration::from_secs(10), "a lease was not given back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // what cannot be had is told, and by no means passed over
    for (in_the_way, words) in [
        ("REVOKE EXECUTE ON FUNCTION diptych.lease FROM PUBLIC", "permission denied for function lease"),
        ("REVOKE USAGE ON SCHEMA diptych FROM PUBLIC", "permission denied for schema diptych"),
    ] {
        must(&admin, in_the_way).await;
        for error in [
            diptych::connect::connect::<One>(&url).await.map(drop).unwrap_err(),
            diptych::connect::lease::<One>(&url).await.map(drop).unwrap_err(),
        ] {
            assert!(error.to_string().contains(words) && error.hint_text().is_some(), "{error}");
        }
    }
    // the next command puts it right
    database.migrator().await.start(&both(INDEX), None, &mut Quiet).await.unwrap();
    let client = diptych::connect::connect::<One>(&url).await.unwrap();
    drop(client);
    must(&admin, &format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b24_a_prepared_transaction_is_named_and_the_clock_runs() {
    let settings = [("max_prepared_transactions".to_owned(), "4".to_owned())].to_vec();
    let own = Server::start(&own::Options { settings, ..own::Options::default() }).expect("a private server");
    for change in [CONVERSION, INDEX] {
        let database = Database::at(&own.config("postgres"), "public").await;
        let all = both(change);
        database.migrate(&all[..1]).await;
        let before = database.catalog().await;
        let admin = database.client().await;
        must(&admin, "BEGIN; INSERT INTO users VALUES (1, 'a', 1); PREPARE TRANSACTION 'it''s left'").await;
        let (error, told) = given_up(&database, &all).await;
        let named = format!("prepared transaction `it's left` of role `{}`", ask(&admin, "SELECT current_user").await);
        assert!(error.to_string().contains(&named) && error.to_string().contains("ROLLBACK PREPARED"), "{error}");
        assert!(
            change == CONVERSION || told.blockers.iter().any(|blocker| blocker.to_string().contains(&named)),
            "{:?}",
            told.blockers
        );
        must(&admin, "ROLLBACK PREPARED 'it''s left'").await;
        database.migrator().await.rollback(&mut Quiet).await.unwrap();
        assert_eq!(database.catalog().await, before);
        let (outcome, ..) = started(&database, &all, 60).await;
        outcome.unwrap();
    }
    // the run's own lock, which has no table
    let database = Database::at(&own.config("postgres"), "public").await;
    let all = both(INDEX);
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    for place in ["public", "prepare"] {
        let key = i64::from_ne_bytes(names::hash(&format!("diptych run {place}")).to_ne_bytes());
        must(&admin, &format!("BEGIN; SELECT pg_advisory_xact_lock({key}); PREPARE TRANSACTION 'advised'")).await;
        if place == "prepare" {
            // another release's functions are to be brought up to date
            must(&admin, "UPDATE diptych.format SET tool = 'another'").await;
        }
        let (outcome, ..) = started(&database, &all, 1).await;
        let error = outcome.unwrap_err();
        assert!(error.is_timeout() && error.to_string().contains("prepared transaction `advised`"), "{place}: {error}");
        must(&admin, "ROLLBACK PREPARED 'advised'").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b27_settings_of_the_role_or_database_stop_no_run() {
    let database = Database::new().await;
    let all = both(
        "{alter_column: {table: users, column: age, type: bigint, up: 'CASE WHEN pg_sleep(0.02) IS NULL THEN 0 ELSE age END', down: age}}",
    );
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO users SELECT n, 'n', n FROM generate_series(1, 15) AS n").await;
    let mut settings = [
        ("idle_session_timeout", "'300ms'"),
        ("idle_in_transaction_session_timeout", "'100ms'"),
        ("statement_timeout", "'100ms'"),
        ("lock_timeout", "'1ms'"),
        ("default_transaction_isolation", "'serializable'"),
        ("default_transaction_read_only", "on"),
        ("default_transaction_deferrable", "on"),
        ("client_min_messages", "error"),
        ("row_security", "off"),
        ("search_path", "information_schema"),
        ("standard_conforming_strings", "off"),
        ("session_replication_role", "replica"),
        ("synchronous_commit", "off"),
        ("check_function_bodies", "off"),
        ("DateStyle", "'German'"),
        ("bytea_output", "'escape'"),
        ("enable_seqscan", "off"),
        ("plpgsql.variable_conflict", "'error'"),
        ("plpgsql.extra_errors", "'all'"),
        ("exit_on_error", "on"),
    ]
    .to_vec();
    if major() >= 17 {
        settings.push(("transaction_timeout", "'300ms'"));
    }
    // all at once: what fails says which it was
    for (name, value) in &settings {
        must(&admin, &format!("ALTER DATABASE {} SET {name} = {value}", database.name)).await;
    }
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    migrator.rollback(&mut Quiet).await.unwrap();
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    migrator.complete(&mut Quiet).await.unwrap();
    println!("b27: {} settings", settings.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn b30_one_session_looks_on_for_a_whole_run() {
    let database = Database::new().await;
    let all = both(INDEX);
    database.migrate(&all[..1]).await;
    let session = database.client().await;
    must(&session, "BEGIN; INSERT INTO users VALUES (1, 'a', 1)").await;
    let admin = database.client().await;
    let sessions = async || -> BTreeSet<i32> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'diptych'";
        admin.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    // what the run before has closed may not be gone yet
    let before = sessions().await;
    let run = {
        let (database, all) = (database.clone(), all.clone());
        tokio::spawn(async move { started(&database, &all, 6).await })
    };
    let mut seen: BTreeSet<i32> = BTreeSet::new();
    while !run.is_finished() {
        seen.extend(sessions().await.difference(&before));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (outcome, told, _) = run.await.unwrap();
    assert!(outcome.is_err_and(|error| error.is_timeout()) && told.blockers.len() > 3, "{:?}", told.blockers);
    println!("b30: {} sessions of a run that was held up for 6 s", seen.len());
    assert_eq!(seen.len(), 2);
    must(&session, "ROLLBACK").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b40_the_time_holds_when_something_fails_and_without_a_second_session() {
    // the leftover of an index build is held up by what held up the build
    let database = Database::new().await;
    let all = both(INDEX);
    database.migrate(&all[..1]).await;
    let session = database.client().await;
    must(&session, "BEGIN; INSERT INTO users VALUES (1, 'a', 1)").await;
    let (error, told) = given_up(&database, &all).await;
    assert!(told.warnings.is_empty(), "{:?}", told.warnings);
    println!("b40: {error}");
    must(&session, "ROLLBACK").await;
    started(&database, &all, 60).await.0.unwrap();
    let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    assert_eq!(ask(&session, invalid).await, "0");

    // nobody to look on: whatever waits for a lock has an end all the same
    for (change, lock) in [
        (INDEX, "BEGIN; INSERT INTO users VALUES (1, 'a', 1)"),
        (CONVERSION, "BEGIN; INSERT INTO users VALUES (1, 'a', 1)"),
        // preflight reads the rows
        (CONVERSION, "BEGIN; LOCK TABLE users"),
    ] {
        let database = Database::of_owner("lonely").await;
        let all = both(change);
        database.migrate(&all[..1]).await;
        let admin = database.superuser().await;
        let role = ask(&admin, "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'shop'").await;
        must(&admin, "SET search_path = shop").await;
        must(&admin, lock).await;
        let other = client(&{
            let mut config = server().config(&database.name);
            config.application_name("other");
            config
        })
        .await;
        must(&other, &format!("ALTER ROLE {role} CONNECTION LIMIT 1")).await;
        // the sessions of the command before may take a moment to end
        let gone = async || {
            let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'");
            while ask(&other, &sessions).await != "0" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        gone().await;
        let (error, told) = given_up(&database, &all).await;
        assert!(told.warnings.iter().any(|warning| warning.contains("no second connection")), "{error}: {:?}", told.warnings);
        must(&admin, "ROLLBACK").await;
        gone().await;
        started(&database, &all, 60).await.0.unwrap();
        must(&other, &format!("ALTER ROLE {role} CONNECTION LIMIT -1")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_hundred_columns_of_which_forty_are_converted() {
    let columns: Vec<String> = (0..800).map(|n| format!("{{name: c{n}, type: integer, nullable: true}}")).collect();
    let before = format!(
        "operations: [{{create_table: {{name: wide, columns: [{{name: id, type: bigint, pk: true}}, {}]}}}}]",
        columns.join(", ")
    );
    let change: Vec<String> = (0..40)
        .map(|n| format!("{{alter_column: {{table: wide, column: c{n}, type: bigint, up: c{n} * 2, down: c{n} / 2}}}}"))
        .collect();
    let all = [migration("0001_before", &before), migration("0002_change", &format!("operations: [{}]", change.join(", ")))];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO wide (id, c0, c39, c799) SELECT n, n, n, n FROM generate_series(1, 2000) AS n").await;
    let since = Instant::now();
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let started = since.elapsed();
    let new = database.on("0002_change").await;
    must(&new, "INSERT INTO wide (id, c0, c39, c799) VALUES (9000, 8, 8, 8)").await;
    must(&old, "UPDATE wide SET c39 = 5 WHERE id = 1").await;
    assert_eq!(ask(&new, "SELECT c0, c39, c799 FROM wide WHERE id = 1").await, "2|10|1");
    assert_eq!(ask(&old, "SELECT c0, c39, c799 FROM wide WHERE id = 9000").await, "4|4|8");
    let since = Instant::now();
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    println!("800 columns, 40 converted: start {} ms, complete {} ms", started.as_millis(), since.elapsed().as_millis());
    assert_eq!(ask(&new, "SELECT sum(c0), sum(c39) FROM wide").await, "4002008|4002016");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_connections_stops_no_run() {
    let settings = [("max_connections".to_owned(), "20".to_owned())].to_vec();
    let own = Server::start(&own::Options { settings, ..own::Options::default() }).expect("a private server");
    let database = Database::at(&own.config("postgres"), "public").await;
    let all = both(
        "{alter_column: {table: users, column: age, type: bigint, up: 'CASE WHEN pg_sleep(0.001) IS NULL THEN 0 ELSE age END', down: age}}",
    );
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO users SELECT n, 'n', n FROM generate_series(1, 2000) AS n").await;
    let run = {
        let (database, all) = (database.clone(), all.clone());
        tokio::spawn(async move { started(&database, &all, 60).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (mut sessions, mut refused) = (Vec::new(), 0);
    while !run.is_finished() {
        match database.config().connect(diptych::tokio_postgres::NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                sessions.push(client);
            }
            Err(_) => {
                refused += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
                // one leaves, so that the tool finds a place when it comes again
                if refused % 10 == 0 {
                    sessions.pop();
                }
            }
        }
    }
    println!("storm: {} sessions of applications, {refused} refused", sessions.len());
    drop(sessions);
    let (outcome, told, _) = run.await.unwrap();
    outcome.unwrap();
    assert!(told.warnings.is_empty() && refused > 0, "{refused}: {:?}", told.warnings);
    // the server takes a moment to see that they are gone
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while ask(&admin, others).await != "0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    database.migrator().await.complete(&mut Quiet).await.unwrap();
}

//! Leases: who is on which version, and `complete` and `rollback`, which cut nobody off unasked.

use std::time::{Duration, Instant};

use diptych::migrator::Guard;
use diptych::{Migrator, Options, Outcome, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, ask, client, migration, must, release, server};

release!(One, "0001_before");
release!(Two, "0002_change");

fn both() -> [Migration; 2] {
    [
        migration(
            "0001_before",
            "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: name, type: text, nullable: true}]}}]",
        ),
        migration("0002_change", "operations: [{rename_column: {table: users, from: name, to: called}}]"),
    ]
}

async fn started() -> Database {
    let database = Database::new().await;
    database.migrate(&both()[..1]).await;
    database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap();
    database
}

async fn migrator(database: &Database, guard: Guard) -> Migrator {
    Migrator::connect(&database.config(), Options { guard, ..Options::default() }).await.unwrap()
}

fn url(database: &Database) -> String {
    format!("{}&application_name=shop", server().url(&database.name))
}

/// Until what was dropped has said farewell.
async fn nobody_on(database: &Database) {
    let since = Instant::now();
    let admin = database.client().await;
    while ask(&admin, "SELECT count(*) FROM diptych.leases").await != "0" {
        assert!(since.elapsed() < Duration::from_secs(10), "a lease outlived its client");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn complete_refuses_while_the_old_release_runs() {
    let database = started().await;
    let app = diptych::connect::connect::<One>(&url(&database)).await.unwrap();
    let second = diptych::connect::connect::<One>(&url(&database)).await.unwrap();
    let status = database.migrator().await.status(&both()).await.unwrap();
    assert_eq!(status.leases.len(), 1, "one process, one lease: {:?}", status.leases);
    let lease = &status.leases[0];
    assert_eq!((lease.version.as_str(), lease.application.as_str()), ("0001_before", "shop"));
    assert_eq!(lease.process, i64::from(std::process::id()));
    let error = database.migrator().await.complete(&mut Quiet).await.unwrap_err();
    assert!(error.is_in_use() && error.message().contains("`shop`") && error.to_string().contains("--wait"), "{error}");
    must(&app, "INSERT INTO users VALUES (1, 'a')").await;
    // waiting: the last of its clients goes
    drop(app);
    let waiting = {
        let mut migrator = migrator(&database, Guard::Wait(Duration::from_secs(30))).await;
        tokio::spawn(async move { migrator.complete(&mut Quiet).await })
    };
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(!waiting.is_finished());
    drop(second);
    assert!(matches!(waiting.await.unwrap().unwrap(), Outcome::Done(_)));
    // a release that comes too late is told so
    let late = diptych::connect::connect::<One>(&url(&database)).await.unwrap_err();
    assert!(late.is_not_published() && late.message().contains("0001_before"), "{late}");
    diptych::connect::connect::<Two>(&url(&database)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h9_rollback_refuses_while_the_new_release_runs() {
    let database = started().await;
    let old = diptych::connect::connect::<One>(&url(&database)).await.unwrap();
    let new = diptych::connect::connect::<Two>(&url(&database)).await.unwrap();
    let error = database.migrator().await.rollback(&mut Quiet).await.unwrap_err();
    assert!(error.is_in_use() && error.message().contains("`0002_change`"), "{error}");
    must(&new, "INSERT INTO users VALUES (1, 'a')").await;
    migrator(&database, Guard::Force).await.rollback(&mut Quiet).await.unwrap();
    assert_eq!(ask(&new, "SELECT called FROM users").await, "!42P01");
    assert_eq!(ask(&old, "SELECT name FROM users").await, "a");
    let late = diptych::connect::connect::<Two>(&url(&database)).await.unwrap_err();
    assert!(late.is_not_published(), "{late}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_holds_nobody_up_for_long() {
    let database = started().await;
    let app = client(&database.config()).await;
    must(&app, "BEGIN; SELECT diptych.lease('gone/1', 'public', '0001_before', 'killed', 'gone', 1, 2); COMMIT").await;
    assert!(database.migrator().await.complete(&mut Quiet).await.unwrap_err().is_in_use());
    migrator(&database, Guard::Wait(Duration::from_secs(10))).await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&app, "SELECT count(*) FROM diptych.leases").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_outlives_the_session_that_renewed_it() {
    let database = started().await;
    let admin = database.client().await;
    let guard = diptych::connect::lease::<One>(&url(&database)).await.unwrap();
    let seen = "SELECT extract(epoch FROM clock_timestamp() - seen) < 3 FROM diptych.leases";
    // as behind a pooler: every renewal may come on another session, and any of them may end
    for _ in 0..2 {
        tokio::time::sleep(diptych::lease::RENEWED_EVERY + Duration::from_secs(1)).await;
        assert_eq!(ask(&admin, seen).await, "t");
        must(
            &admin,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shop lease' AND datname = current_database()",
        )
        .await;
    }
    drop(guard);
    nobody_on(&database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_role_needs_no_right_on_the_state() {
    let database = Database::new().await;
    database.migrate(&both()[..1]).await;
    let admin = database.client().await;
    let role = format!("app_{}", database.name);
    must(&admin, &format!("CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT ON users TO {role}")).await;
    database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap();
    let url = url(&database).replacen("user=postgres", &format!("user={role}"), 1);
    let app = diptych::connect::connect::<Two>(&url).await.unwrap();
    must(&app, "INSERT INTO users VALUES (1, 'a')").await;
    let status = database.migrator().await.status(&both()).await.unwrap();
    assert_eq!(status.leases[0].role, role);
    for statement in [
        "SELECT * FROM diptych.leases",
        "DELETE FROM diptych.leases",
        "SELECT * FROM diptych.plans",
        "UPDATE diptych.versions SET state = 'live'",
    ] {
        assert_eq!(ask(&app, statement).await, "!42501", "{statement}");
    }
    // nobody ends or renews the lease of another role
    let other = format!("other_{}", database.name);
    must(&admin, &format!("CREATE ROLE {other} LOGIN")).await;
    let mut config = database.config();
    config.user(&other);
    let other = client(&config).await;
    let id = ask(&admin, "SELECT id FROM diptych.leases").await;
    must(&other, &format!("SELECT diptych.lease_end('{id}')")).await;
    assert_eq!(ask(&admin, "SELECT count(*) FROM diptych.leases").await, "1");
    drop(app);
    nobody_on(&database).await;
}

/// An app that is deployed before `start` waits, one that comes too late for its version does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_waits_until_its_version_is_published() {
    let wait =
        |url: String, seconds| async move { diptych::connect::wait_published::<Two>(&url, Duration::from_secs(seconds)).await };
    let database = Database::new().await;
    let since = Instant::now();
    let error = wait(url(&database), 1).await.unwrap_err();
    assert!(error.is_not_published() && !error.is_retired() && since.elapsed() >= Duration::from_secs(1), "{error}");
    assert!(error.message().starts_with("after 1s of waiting: version `0002_change` is not published"), "{error}");
    database.migrate(&both()[..1]).await;
    let waits = tokio::spawn(wait(url(&database), 60));
    // the older release is no reason to go on
    let older = diptych::connect::connect::<One>(&url(&database)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!waits.is_finished(), "its version is not there yet");
    database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap();
    waits.await.expect("the app").unwrap();
    drop(diptych::connect::connect::<Two>(&url(&database)).await.unwrap());
    drop(older);
    nobody_on(&database).await;
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    wait(url(&database), 0).await.unwrap();
    let since = Instant::now();
    let error = diptych::connect::wait_published::<One>(&url(&database), Duration::from_secs(600)).await.unwrap_err();
    assert!(error.is_retired() && error.to_string().contains("deploy the release"), "{error}");
    assert!(since.elapsed() < Duration::from_secs(300), "waited for what never comes");
}

/// A server that is not there yet is waited for; what no time mends is told at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_waits_for_the_server_and_not_for_a_mistake() {
    let nobody = "postgresql://postgres@127.0.0.1:1/shop";
    let error = diptych::connect::wait_published::<One>(nobody, Duration::from_millis(300)).await.unwrap_err();
    assert!(error.is_connection() && error.message().starts_with("after 300ms of waiting: "), "{error}");
    let error = diptych::connect::wait_published::<One>("postgresql://[", Duration::from_secs(600)).await.unwrap_err();
    assert!(!error.message().contains("waiting"), "{error}");
}

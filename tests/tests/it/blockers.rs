//! Whoever holds the tool up is named; after `--timeout` it gives up with everything as it was, and nobody else queues behind it.

use std::time::{Duration, Instant};

use diptych::migrator::VersionState;
use diptych::{Blocker, Error, Migrator, Options, Progress};
use diptych_tests::{Database, Work, ask, client, difference, migration, must};
use diptych_xtask::server::{self, Server};

const USERS: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true}
";
const UPPER: &str = "operations: [{alter_column: {table: users, column: name, nullable: false, up: \"upper(coalesce(name, ''))\", down: lower(name)}}]";

fn both() -> [diptych_core::Migration; 2] {
    [migration("0001_before", USERS), migration("0002_change", UPPER)]
}

/// Everybody who was named.
#[derive(Default)]
struct Named(Vec<Blocker>);

impl Progress for Named {
    fn waiting(&mut self, blockers: &[Blocker]) {
        self.0.extend_from_slice(blockers);
    }
}

async fn ready(database: Database) -> Database {
    database.migrate(&both()[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO users (name) SELECT 'n' || n FROM generate_series(1, 2000) AS n").await;
    database
}

async fn start(database: &Database, timeout: Duration) -> (Result<diptych::Outcome, Error>, Vec<Blocker>) {
    let mut migrator = Migrator::connect(&database.config(), Options { timeout, ..Options::default() }).await.unwrap();
    let mut named = Named::default();
    let outcome = migrator.start(&both(), None, &mut named).await;
    (outcome, named.0)
}

/// Holds the tool up with a session's statements, and sees that it is named and nothing is changed; then lets it through.
async fn held_up(what: &str, statements: &[&str], beside: &[&str]) {
    let database = ready(Database::new().await).await;
    let before = database.catalog().await;
    let mut config = database.config();
    config.application_name(what);
    let session = client(&config).await;
    let pid: i32 = ask(&session, "SELECT pg_backend_pid()").await.parse().expect("a number");
    // a transaction that is in nobody's way
    let mut config = database.config();
    config.application_name("innocent");
    let innocent = client(&config).await;
    must(&innocent, "BEGIN").await;
    must(&innocent, "SELECT 1").await;
    let (last, first) = statements.split_last().expect("statements");
    for statement in first {
        must(&session, statement).await;
    }
    let last = (*last).to_owned();
    let running = tokio::spawn(async move {
        let _ = session.batch_execute(&last).await;
        session
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let work = Work::start(&database, "0001_before", 2, beside).await;
    let (outcome, named) = start(&database, Duration::from_secs(3)).await;
    let report = work.stop().await;
    let error = outcome.expect_err("it cannot get through");
    assert!(error.is_timeout() && error.message().contains(&format!("application `{what}`")), "{what}: {error}");
    assert!(!error.message().contains("innocent"), "{what}: {error}");
    assert!(named.iter().any(|blocker| blocker.pid == pid && blocker.application == what), "{what} was not named: {named:?}");
    assert!(report.failed.is_empty(), "{what}: {:?}", report.failed.first());
    assert!(report.longest < Duration::from_millis(1200), "{what}: others waited {:?}", report.longest);
    let migrator = database.migrator().await;
    let pending = migrator.status(&both()).await.unwrap().pending;
    assert!(pending.as_ref().is_none_or(|pending| pending.state == VersionState::Starting), "{pending:?}");
    must(&database.client().await, &format!("SELECT pg_terminate_backend({pid})")).await;
    drop(running.await);
    let now: Vec<String> = database.catalog().await;
    assert!(pending.is_none_or(|pending| pending.steps_done == 0), "{what}: half of it was done");
    assert_eq!(before, now, "{what}: {}", difference(&before, &now));
    let (outcome, _) = start(&database, Duration::from_secs(30)).await;
    outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
    println!("blockers: {what}: named, given up after 3 s, longest wait of others {} ms", report.longest.as_millis());
}

const READ_AND_WRITE: [&str; 2] = ["SELECT count(*) FROM users WHERE id < 10", "INSERT INTO users (name) VALUES ('w{n}')"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_idle_in_its_transaction() {
    held_up("sleeper", &["BEGIN", "INSERT INTO users (name) VALUES ('mine')"], &READ_AND_WRITE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_reader() {
    held_up("reader", &["SELECT pg_sleep(60) FROM users LIMIT 1"], &READ_AND_WRITE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_change_of_the_schema() {
    // whatever the others wait for is not ours: they read another table
    held_up("other ddl", &["BEGIN", "ALTER TABLE users ADD COLUMN theirs integer"], &["SELECT 1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_stay_locked() {
    let database = ready(Database::new().await).await;
    let mut config = database.config();
    config.application_name("row locker");
    let session = client(&config).await;
    // taken when the backfill comes, since the table itself must be free before
    let waiting = {
        let database = database.clone();
        tokio::spawn(async move { start(&database, Duration::from_secs(4)).await })
    };
    let since = Instant::now();
    loop {
        must(&session, "BEGIN; SELECT 1 FROM public.users WHERE id = 1500 FOR UPDATE").await;
        if waiting.is_finished() || since.elapsed() > Duration::from_secs(6) {
            break;
        }
        // let go of the table while it is expanded; hold the row for good once the shadow is there
        let expanded = "SELECT count(*) > 3 FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attnum > 0";
        if ask(&session, expanded).await == "t" {
            break;
        }
        must(&session, "COMMIT").await;
    }
    let (outcome, named) = waiting.await.unwrap();
    if let Err(error) = outcome {
        assert!(error.is_timeout() && error.message().contains("row locker"), "{error}");
        assert!(named.iter().any(|blocker| blocker.application == "row locker"), "{named:?}");
    } else {
        // the row was filled before it was locked: nothing to see this time, and nothing wrong either
        println!("blockers: the backfill had been there before");
    }
    must(&session, "COMMIT").await;
    let (outcome, _) = start(&database, Duration::from_secs(30)).await;
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_autovacuum_to_prevent_wraparound() {
    let settings = [("autovacuum_naptime".to_owned(), "1".to_owned())].to_vec();
    let own = Server::start(&server::Options { settings, ..server::Options::default() }).expect("a private server");
    let database = ready(Database::at(&own.config("postgres"), "public").await).await;
    let admin = database.client().await;
    // switched off, there is none but the one that cannot be: an ordinary one that comes first would be at it for minutes
    must(&admin, "ALTER TABLE users SET (autovacuum_enabled = false, autovacuum_freeze_max_age = 100000, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)").await;
    must(&admin, "INSERT INTO users (name) SELECT repeat('x', 200) FROM generate_series(1, 20000)").await;
    // a transaction id per exception that is caught: old enough after a moment
    must(&admin, "CREATE TABLE burnt (n integer)").await;
    let burn = "DO 'BEGIN FOR n IN 1..110000 LOOP BEGIN INSERT INTO burnt VALUES (n); RAISE EXCEPTION ''x''; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END'";
    must(&admin, burn).await;
    must(&admin, "DROP TABLE burnt").await;
    let running = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND query LIKE '%public.users%wraparound%'";
    let since = Instant::now();
    while ask(&admin, running).await == "0" {
        assert!(since.elapsed() < Duration::from_secs(60), "no such autovacuum came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let before = database.catalog().await;
    let work = Work::start(&database, "0001_before", 2, &READ_AND_WRITE).await;
    let (outcome, named) = start(&database, Duration::from_secs(6)).await;
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    assert!(report.longest < Duration::from_millis(1200), "others waited {:?}", report.longest);
    match outcome {
        Err(error) => {
            assert!(error.is_timeout(), "{error}");
            assert!(named.iter().any(|blocker| blocker.application == "autovacuum worker"), "{named:?}");
            let after = database.catalog().await;
            assert_eq!(before, after, "{}", difference(&before, &after));
        }
        Ok(_) => panic!("it did not yield to anybody before, so it was not there"),
    }
    println!("blockers: to prevent wraparound: named, given up, longest wait of others {} ms", report.longest.as_millis());
}

//! Several sessions fill a table: while nobody else works, each row once, whatever ends (R3).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diptych::{Migrator, Options, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, Work, ask, migration, must, seed};
use diptych_xtask::server::{self, Server};
use tokio_postgres::Config;

const ROWS: u64 = 60_000;

/// A quiet server, a table of 2,700 blocks, and the migration that fills it.
async fn filled() -> (Server, Database, Vec<Migration>) {
    let settings = [("autovacuum".to_owned(), "off".to_owned())].to_vec();
    let server = Server::start(&server::Options { settings, ..server::Options::default() }).expect("a private server");
    let database = Database::at(&server.config("postgres"), "public").await;
    let before = "operations: [{create_table: {name: t, columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer, nullable: true}, {name: body, type: text}]}}]";
    let change = "operations: [{alter_column: {table: t, column: n, type: bigint, up: 'n::bigint * 2', down: n / 2}}]";
    let all = vec![migration("0001_before", before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let admin = database.on("0001_before").await;
    let insert = "INSERT INTO t SELECT i, CASE WHEN i % 5 > 0 THEN i END, repeat('x', 300) FROM generate_series(1, {n}) AS i";
    must(&admin, &insert.replace("{n}", &ROWS.to_string())).await;
    must(&admin, "ANALYZE t").await;
    (server, database, all)
}

async fn migrator(config: &Config, workers: usize) -> Migrator {
    let batch = Duration::from_millis(5);
    Migrator::connect(config, Options { workers, batch, ..Options::default() }).await.expect("a migrator")
}

/// How many sessions of the tool were at an UPDATE of the table at once, at most, until it is told to stop.
async fn watch(database: Database, stop: Arc<AtomicBool>) -> u64 {
    let admin = database.client().await;
    must(&admin, "SET application_name = 'diptych'").await;
    let most = AtomicU64::new(0);
    while !stop.load(Ordering::Relaxed) {
        let count = ask(
            &admin,
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'diptych' AND state <> 'idle' AND query LIKE 'UPDATE %' AND pid <> pg_backend_pid()",
        );
        most.fetch_max(count.await.parse().expect("a number"), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    most.into_inner()
}

async fn is_right(database: &Database) {
    let new = database.on("0002_change").await;
    let wrong = ask(&new, "SELECT count(*) FROM t WHERE n IS DISTINCT FROM CASE WHEN id % 5 > 0 THEN id * 2 END").await;
    assert_eq!((wrong.as_str(), ask(&new, "SELECT count(*) FROM t").await), ("0", ROWS.to_string()));
}

/// Updates of the table by then, when the sessions have told of theirs.
async fn updates(database: &Database) -> u64 {
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let count = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relid = 'public.t'::regclass";
    ask(&database.client().await, count).await.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sessions_update_each_row_once() {
    let (_server, database, all) = filled().await;
    let stop = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn(watch(database.clone(), Arc::clone(&stop)));
    migrator(&database.config(), 2).await.start(&all, None, &mut Quiet).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    assert_eq!(watching.await.unwrap(), 2, "sessions at once");
    is_right(&database).await;
    assert_eq!(updates(&database).await, ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_session_works_while_an_application_does() {
    let (_server, database, all) = filled().await;
    let work = Work::start(&database, "0001_before", 4, &["SELECT count(*) FROM t WHERE id % 7 = {n} % 7"]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn(watch(database.clone(), Arc::clone(&stop)));
    migrator(&database.config(), 2).await.start(&all, None, &mut Quiet).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    assert_eq!(watching.await.unwrap(), 1, "sessions at once");
    is_right(&database).await;
}

/// 50 runs that end in the middle, as a process that is killed does, and sessions that are ended on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_of_two_sessions_is_killed_fifty_times() {
    let mut random = seed("workers");
    let (_server, database, all) = filled().await;
    let admin = database.client().await;
    let (mut killed, mut ended) = (0, 0);
    while killed < 50 {
        let (config, all) = (database.config(), all.clone());
        let run = tokio::spawn(async move { migrator(&config, 2).await.start(&all, None, &mut Quiet).await });
        // from when the backfill is under way
        let since = Instant::now();
        let at_work = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'diptych' AND query LIKE 'UPDATE %'";
        while ask(&admin, at_work).await == "0" && !run.is_finished() {
            assert!(since.elapsed() < Duration::from_secs(60), "no backfill came");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(random.u64(0..15))).await;
        // every other time a session is lost first, of which the run's own may be one
        if killed % 2 == 0 {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'diptych' AND query LIKE 'UPDATE %' ORDER BY random() LIMIT 1";
            ended += u32::from(ask(&admin, end).await == "t");
            tokio::time::sleep(Duration::from_millis(random.u64(0..10))).await;
        }
        run.abort();
        match run.await {
            Ok(Ok(_)) => break,
            // it has lost its own session
            Ok(Err(_)) => {}
            Err(_) => killed += 1,
        }
        while ask(&admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'diptych'").await != "0" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let last = migrator(&database.config(), 2).await.start(&all, None, &mut Quiet).await;
    last.unwrap();
    is_right(&database).await;
    let updates = updates(&database).await;
    println!("workers: {killed} runs killed, {ended} sessions ended, {updates} updates of {ROWS} rows");
    assert!(killed >= 10, "{killed} runs were killed: the table is too small");
    // what was under way, of both sessions, may be done again
    assert!(updates < ROWS * 2, "{updates} updates of {ROWS} rows");
}

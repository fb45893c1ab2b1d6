//! Holes of the backfill and of files: rows that take long or are large, locks that are short, and what must not grow without bound.

use std::time::Duration;

use diptych::core::Migration;
use diptych::core::plan::{Phase, Step};
use diptych::{Error, Migrator, Options, Outcome, Progress, Quiet};
use diptych_tests::{Database, Work, ask, client, migration, must};

const USERS: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: name, type: text}
        - {name: age, type: integer, nullable: true}
";

/// A conversion that takes so many seconds per row, in the backfill alone.
fn slow(seconds: &str) -> [Migration; 2] {
    let nap = format!("pg_sleep(CASE current_setting('diptych.backfill', true) WHEN 'on' THEN {seconds} ELSE 0 END)::text");
    let text = format!(
        "operations: [{{alter_column: {{table: users, column: name, up: \"upper(name) || {nap}\", down: lower(name)}}}}]"
    );
    [migration("0001_before", USERS), migration("0002_change", &text)]
}

async fn users(all: &[Migration], rows: u32) -> Database {
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let insert = format!("INSERT INTO users SELECT n, 'n' || n, n FROM generate_series(1, {rows}) AS n");
    must(&database.on("0001_before").await, &insert).await;
    database
}

async fn start(database: &Database, all: &[Migration], timeout: Duration, progress: &mut dyn Progress) -> Result<Outcome, Error> {
    let mut migrator = Migrator::connect(&database.config(), Options { timeout, ..Options::default() }).await.unwrap();
    migrator.start(all, None, progress).await
}

/// Rows that are not as the conversion makes them.
const UNFILLED: &str = "SELECT count(*) FROM users WHERE name IS DISTINCT FROM 'N' || id";

/// Does something once, when the backfill begins, and counts what it does at a time.
struct AtBackfill<F: FnMut() + Send> {
    act: Option<F>,
    passes: usize,
}

impl<F: FnMut() + Send> Progress for AtBackfill<F> {
    fn step(&mut self, _: usize, _: usize, step: &Step) {
        if step.phase == Phase::Backfill
            && let Some(mut act) = self.act.take()
        {
            act();
        }
    }
    fn backfill(&mut self, _: &str, _: u64, _: u64, _: u64) {
        self.passes += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b25_rows_that_take_long_are_done_one_by_one() {
    // one of them for longer than any statement of the backfill has otherwise
    let all = slow("CASE id WHEN 7 THEN 0.7 ELSE 0.1 END");
    let database = users(&all, 20).await;
    start(&database, &all, Duration::from_secs(20), &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&database.on("0002_change").await, UNFILLED).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b25_a_row_that_takes_too_long_is_named_and_nobody_is_blamed() {
    let all = slow("CASE id WHEN 7 THEN 60 ELSE 0 END");
    let database = users(&all, 20).await;
    let mut config = database.config();
    config.application_name("bystander");
    let bystander = client(&config).await;
    must(&bystander, "BEGIN; SELECT 1").await;
    let error = start(&database, &all, Duration::from_secs(3), &mut Quiet).await.unwrap_err();
    assert!(error.is_timeout() && error.message().contains("row (0,7) takes longer than 3 s"), "{error}");
    assert!(!error.message().contains("lock") && !error.message().contains("bystander"), "{error}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("--timeout") && hint.contains("rollback")), "{error}");
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b25_who_holds_a_row_is_named_and_a_bystander_is_not() {
    let all = slow("0");
    let database = users(&all, 500).await;
    let [mut holder, mut bystander] = [database.config(), database.config()];
    let holder = client(holder.application_name("row locker")).await;
    let bystander = client(bystander.application_name("bystander")).await;
    must(&bystander, "BEGIN; SELECT 1").await;
    let handle = tokio::runtime::Handle::current();
    let lock = "BEGIN; SELECT 1 FROM public.users WHERE id = 300 FOR UPDATE";
    let act = || tokio::task::block_in_place(|| handle.block_on(async { drop(must(&holder, lock).await) }));
    let mut progress = AtBackfill { act: Some(act), passes: 0 };
    let error = start(&database, &all, Duration::from_secs(4), &mut progress).await.unwrap_err();
    let place = ask(
        &database.client().await,
        "SELECT 'row (' || btrim(ctid::text, '()') || ') stays locked' FROM public.users WHERE id = 300",
    )
    .await;
    assert!(error.is_timeout() && error.message().contains(&place), "{place}: {error}");
    assert!(error.message().contains("row locker") && !error.message().contains("bystander"), "{error}");
    must(&holder, "COMMIT").await;
    start(&database, &all, Duration::from_secs(20), &mut Quiet).await.unwrap();
    assert_eq!(ask(&database.on("0002_change").await, UNFILLED).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b25_in_a_deadlock_over_a_row_that_takes_long_the_application_goes_on() {
    let all = slow("CASE id % 8 WHEN 0 THEN 0.4 ELSE 0.01 END");
    let database = users(&all, 40).await;
    let statements = [
        "BEGIN",
        "UPDATE users SET age = 1 WHERE id = 40 - {n} % 10",
        "SELECT pg_sleep(0.01)",
        "UPDATE users SET age = 2 WHERE id = 10 - {n} % 10",
        "COMMIT",
    ];
    let work = Work::start(&database, "0001_before", 3, &statements).await;
    let started = start(&database, &all, Duration::from_secs(60), &mut Quiet).await;
    let report = work.stop().await;
    started.unwrap_or_else(|error| panic!("{error}"));
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    assert_eq!(ask(&database.on("0002_change").await, UNFILLED).await, "0");
    println!("b25: {} statements beside slow rows, the longest {} ms", report.statements, report.longest.as_millis());
}

const DOCUMENTS: &str = "operations:
  - create_table: {name: docs, columns: [{name: id, type: bigint, pk: true}, {name: doc, type: jsonb}]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b38_large_documents_are_filled_and_the_table_grows_by_them_alone() {
    let wrap =
        "operations: [{alter_column: {table: docs, column: doc, up: \"jsonb_build_object('v', doc)\", down: \"doc -> 'v'\"}}]";
    let all = [migration("0001_before", DOCUMENTS), migration("0002_change", wrap)];
    for snapshot in ["a free", "an old"] {
        let database = Database::new().await;
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        let insert = "INSERT INTO docs SELECT n, to_jsonb((SELECT string_agg(md5(n || '-' || i), '') FROM generate_series(1, 10000 + n * 500) AS i)) \
                      FROM generate_series(1, 60) AS n";
        must(&admin, insert).await;
        must(&admin, "VACUUM docs").await;
        let old = database.client().await;
        if snapshot == "an old" {
            must(&old, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await;
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        let size = async || ask(&admin, "SELECT pg_table_size('public.docs') >> 20").await.parse::<i64>().expect("a size");
        let before = size().await;
        let error = start(&database, &all, Duration::from_secs(20), &mut Quiet).await.err();
        let after = size().await;
        println!("b38: under {snapshot} snapshot {before} MB become {after} MB");
        assert!(error.is_none(), "{}", error.map(|error| error.to_string()).unwrap_or_default());
        // every document once more, and what a few tries leave
        assert!(after < before * 5 / 2, "{before} MB became {after} MB");
        let wrong = "SELECT count(*) FROM docs WHERE jsonb_typeof(doc -> 'v') IS DISTINCT FROM 'string'";
        assert_eq!(ask(&database.on("0002_change").await, wrong).await, "0");
        drop(old);
        database.remove().await;
    }
}

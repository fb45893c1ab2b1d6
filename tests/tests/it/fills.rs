//! Holes of the backfill and of files: rows that take long or are large, locks that are short, and what must not grow without bound.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diptych::{Error, Filled, Migrator, Options, Outcome, Progress, Quiet};
use diptych_core::Migration;
use diptych_core::hazard::Hazard;
use diptych_core::layout::chain::Chain;
use diptych_core::model::book::Book;
use diptych_core::plan::{self, Command, Phase, Step};
use diptych_tests::{Database, Told, Work, ask, client, migration, must, server};
use rustix::time::{ClockId, clock_gettime};

use crate::cli::{Folder, GOOD, binary, refused, text};

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
    fn backfill(&mut self, _: &str, _: &Filled) {
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
    }
}

/// What the binary says of a folder where a file is something else, within moments.
fn check_folder(file: &str, put: impl Fn(&Path)) -> String {
    let folder = Folder::new(&[("0001_users.yaml", GOOD), ("snapshot.yaml", "")]);
    let path = folder.path().join(file);
    std::fs::remove_file(&path).unwrap();
    put(&path);
    let dir = folder.path().to_str().unwrap();
    let output = std::process::Command::new("timeout").args(["10", binary().to_str().unwrap(), "--dir", dir, "check"]).output();
    let output = output.expect("the binary runs");
    refused(&output, &[&format!("cannot read `{}`", path.display()), "hint: make it a readable file"]);
    text(&output.stderr)
}

#[test]
fn b29_what_is_no_regular_file_of_bounded_length_is_refused() {
    for file in ["0001_users.yaml", "snapshot.yaml"] {
        let pipe = |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        let device = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap();
        let folder = |path: &Path| std::fs::create_dir(path).unwrap();
        let long = |path: &Path| std::fs::write(path, "#".repeat((16 << 20) + 1)).unwrap();
        for said in [check_folder(file, pipe), check_folder(file, device), check_folder(file, folder)] {
            assert!(said.contains("it is not a regular file"), "{said}");
        }
        assert!(check_folder(file, long).contains("it is longer than 16 MB"));
    }
}

/// A file that makes so many tables, each with an index.
fn many(tables: u32) -> Migration {
    let table = |n| {
        format!(
            "- create_table: {{name: t{n}, columns: [{{name: id, type: bigint, pk: true}}, {{name: a, type: text}}]}}\n\
             - create_index: {{name: t{n}_a, table: t{n}, columns: {{a: {{}}}}}}\n"
        )
    };
    migration("0001_many", &format!("operations:\n{}", (1..=tables).map(table).collect::<String>()))
}

/// What this thread has had of the processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("no negative time")
}

/// How often the second takes as long as the first, the shortest of three times each: time of the processor, since the longer one is
/// sure to be interrupted where others work beside it.
fn ratio(mut first: impl FnMut(), mut second: impl FnMut()) -> f64 {
    let shortest = |run: &mut dyn FnMut()| {
        let times = (0..3).map(|_| {
            let began = processor_time();
            run();
            processor_time() - began
        });
        times.min().unwrap_or_default().as_secs_f64()
    };
    shortest(&mut second) / shortest(&mut first)
}

#[test]
fn b29_planning_takes_a_time_that_grows_with_the_file() {
    let [few, many] = [many(500), many(2000)];
    let plan = |file: &Migration| {
        let chain = Chain::extend("public", None, std::slice::from_ref(file), 15, &mut Book::default()).unwrap().unwrap();
        let steps = [plan::start(&chain), plan::complete(&chain), plan::rollback(&chain)].map(|plan| plan.steps.len());
        // each table with its index in one step
        assert!(steps[0] > file.operations.len() / 2, "{steps:?}");
    };
    let times = ratio(|| plan(&few), || plan(&many));
    println!("b29: four times the tables take {times:.1} times as long to plan");
    // a square would be 16
    assert!(times < 9.0, "{times}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b29_complete_of_many_tables_takes_a_time_that_grows_with_their_number() {
    let mut times = Vec::new();
    for tables in [200, 1000] {
        let database = Database::new().await;
        let mut migrator = database.migrator().await;
        let began = Instant::now();
        migrator.start(&[many(tables)], None, &mut Quiet).await.unwrap();
        let started = began.elapsed();
        let began = Instant::now();
        migrator.complete(&mut Quiet).await.unwrap();
        println!("b29: {tables} tables: start {} ms, complete {} ms", started.as_millis(), began.elapsed().as_millis());
        times.push(began.elapsed());
    }
    // a square would be 25
    assert!(times[1] < 15 * times[0].max(Duration::from_millis(50)), "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b26_a_backfill_holds_its_rows_for_moments_and_the_plan_says_so() {
    let change = "operations: [{alter_column: {table: users, column: name, up: upper(name), down: lower(name)}}]";
    let all = [migration("0001_before", USERS), migration("0002_change", change)];
    let database = users(&all, 150_000).await;
    let admin = database.client().await;
    let plan = database.migrator().await.plan(Command::Start, &all, None).await.unwrap().unwrap();
    assert!(plan.steps.iter().any(|step| step.hazards.contains(&Hazard::RowLocks)), "the plan does not say it");
    let mut passes = Vec::new();
    for batch in [5, 25, 80, 400].map(Duration::from_millis) {
        let stop = Arc::new(AtomicBool::new(false));
        let app = database.on("0001_before").await;
        let working = {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let (mut tries, mut refused, mut longest) = (0u32, 0u32, Duration::ZERO);
                while !stop.load(Ordering::Relaxed) {
                    tries += 1;
                    let id = 1 + tries * 7919 % 150_000;
                    let nowait = format!("SELECT id FROM users WHERE id = {id} FOR UPDATE NOWAIT");
                    match ask(&app, &nowait).await.as_str() {
                        "!55P03" => {
                            refused += 1;
                            let began = Instant::now();
                            must(&app, nowait.trim_end_matches("NOWAIT")).await;
                            longest = longest.max(began.elapsed());
                        }
                        found => assert_eq!(found, id.to_string()),
                    }
                }
                (tries, refused, longest)
            })
        };
        let mut seen = Pace::default();
        let mut migrator = Migrator::connect(&database.config(), Options { batch, ..Options::default() }).await.unwrap();
        migrator.start(&all, None, &mut seen).await.unwrap();
        stop.store(true, Ordering::Relaxed);
        let (tries, refused, longest) = working.await.unwrap();
        println!(
            "b26: batches of {} ms: {} rows/s in {} passes; of {tries} FOR UPDATE NOWAIT {refused} are refused, the longest such lock lasts {} ms",
            batch.as_millis(),
            (150_000.0 / seen.took().as_secs_f64()).round(),
            seen.passes,
            longest.as_millis()
        );
        // of what a statement may take at most, four times
        assert!(longest < Duration::from_secs(1), "{longest:?}");
        passes.push(seen.passes);
        assert_eq!(ask(&database.on("0002_change").await, UNFILLED).await, "0");
        migrator.rollback(&mut Quiet).await.unwrap();
        must(&admin, "VACUUM FULL users").await;
    }
    assert!(passes[0] > passes[3], "{passes:?}");
}

/// How many passes a backfill takes, and how long.
#[derive(Default)]
struct Pace {
    passes: usize,
    times: Option<(Instant, Instant)>,
}

impl Pace {
    fn took(&self) -> Duration {
        self.times.map_or(Duration::ZERO, |(first, last)| last - first)
    }
}

impl Progress for Pace {
    fn step(&mut self, _: usize, _: usize, step: &Step) {
        if step.phase == Phase::Backfill {
            self.times = Some((Instant::now(), Instant::now()));
        }
    }
    fn backfill(&mut self, _: &str, _: &Filled) {
        self.passes += 1;
        if let Some((_, last)) = &mut self.times {
            *last = Instant::now();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b46_a_refusal_names_a_few_of_many_leases() {
    let change = "operations: [{rename_column: {table: users, from: name, to: label}}]";
    let all = [migration("0001_before", USERS), migration("0002_change", change)];
    let database = users(&all, 1).await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let leases = "SELECT diptych.lease('lease ' || n, 'public', '0001_before', 'app ' || n, 'host', n, 60) FROM generate_series(1, 3000) AS n";
    must(&database.client().await, leases).await;
    let error = migrator.complete(&mut Quiet).await.unwrap_err();
    assert!(error.is_in_use() && error.message().contains("and 2990 more") && error.message().len() < 2000, "{error}");
    let folder = Folder::new(&[("0001_before.yaml", USERS), ("0002_change.yaml", &all[1].to_yaml())]);
    let url = server().url(&database.name);
    let output = folder.run(Some(&url), &["status"]);
    let said = text(&output.stdout);
    assert!(said.contains("and by 2990 more") && said.len() < 4000, "{said}{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn b46_a_default_that_stays_is_told_with_its_value() {
    let before = "operations: [{create_table: {name: t, columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer, default: '0'}]}}]";
    let change = |rest: &str| {
        let text = format!("operations: [{{alter_column: {{table: t, column: n, type: {rest}}}}}]");
        [migration("0001_before", before), migration("0002_change", &text)]
    };
    let told = async |all: &[Migration]| {
        let database = Database::new().await;
        database.migrate(&all[..1]).await;
        let plan = database.migrator().await.plan(Command::Start, all, None).await.unwrap().unwrap();
        let hazard = plan.steps.iter().any(|step| step.hazards.contains(&Hazard::DefaultStays));
        (
            hazard,
            plan.notes.iter().any(|note| note.contains("column `t.n`: keeps its default 0, which is not converted with `up`")),
        )
    };
    assert_eq!(told(&change("text, up: \"'v' || n\", down: \"substr(n, 2)::integer\"")).await, (true, true));
    // one that is given, and one that fits since the value is the same
    assert_eq!(told(&change("text, up: \"'v' || n\", down: \"substr(n, 2)::integer\", default: \"'v0'\"")).await, (false, false));
    assert_eq!(told(&change("bigint, up: n, down: n")).await, (false, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b45_what_an_update_beside_large_values_costs_is_told_before() {
    let documents = "operations:
  - create_table: {name: docs, columns: [{name: id, type: bigint, pk: true}, {name: doc, type: jsonb}, {name: n, type: integer, default: '0'}]}
";
    let wrap =
        "operations: [{alter_column: {table: docs, column: doc, up: \"jsonb_build_object('v', doc)\", down: \"doc -> 'v'\"}}]";
    let all = [migration("0001_before", documents), migration("0002_change", wrap)];
    for pieces in [1, 40_000] {
        let database = Database::new().await;
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        let insert = format!(
            "INSERT INTO docs SELECT n, to_jsonb((SELECT string_agg(md5(n || '-' || i), '') FROM generate_series(1, {pieces}) AS i)) FROM generate_series(1, 8) AS n"
        );
        must(&admin, &insert).await;
        must(&admin, "VACUUM ANALYZE docs").await;
        let app = database.on("0001_before").await;
        let each = async || {
            let mut shortest = Duration::MAX;
            for _ in 0..20 {
                let began = Instant::now();
                must(&app, "UPDATE docs SET n = n + 1 WHERE id = 3").await;
                shortest = shortest.min(began.elapsed());
            }
            shortest
        };
        let before = each().await;
        let mut told = Told::default();
        database.migrator().await.start(&all, None, &mut told).await.unwrap();
        println!(
            "b45: an unrelated UPDATE of a row with {} kB takes {} µs before, {} µs while both versions are live",
            pieces * 32 / 1024,
            before.as_micros(),
            each().await.as_micros()
        );
        assert_eq!(
            told.warnings.iter().any(|text| text.contains("docs, with ") && text.contains("of 8 rows out of line")),
            pieces > 1,
            "{:?}",
            told.warnings
        );
    }
}

//! docs/traps.md: what fails when done the obvious way, each a test by its name.

use std::time::{Duration, Instant};

use diptych::{Filled, Progress, Quiet};
use diptych_core::hazard::Hazard;
use diptych_core::plan::Step;
use diptych_tests::{Database, Work, ask, client, migration, must, schema};
use diptych_xtask::server::{self as own, Server};

const USERS: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true, default: '18'}
";
const UPPER: &str = "operations: [{alter_column: {table: users, column: name, nullable: false, up: \"upper(coalesce(name, 'none'))\", down: lower(name)}}]";

fn both() -> [diptych_core::Migration; 2] {
    [migration("0001_before", USERS), migration("0002_change", UPPER)]
}

async fn filled(rows: u32) -> Database {
    fill(Database::new().await, rows).await
}

async fn fill(database: Database, rows: u32) -> Database {
    database.migrate(&both()[..1]).await;
    must(
        &database.on("0001_before").await,
        &format!("INSERT INTO users (name, age) SELECT 'n' || n, n FROM generate_series(1, {rows}) AS n"),
    )
    .await;
    database
}

async fn start(database: &Database) {
    database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_unrelated_updates_during_the_backfill_leave_no_row_unfilled() {
    let database = filled(60_000).await;
    let work = Work::start(&database, "0001_before", 4, &["UPDATE users SET age = age + 1 WHERE id % 977 = {n} % 977"]).await;
    start(&database).await;
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    assert_eq!(
        ask(&database.on("0002_change").await, "SELECT count(*) FROM users WHERE name IS DISTINCT FROM 'N' || id").await,
        "0"
    );
    println!("f1: {} statements, 0 rows missed", report.statements);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_a_long_update_across_the_switch_to_live() {
    let database = filled(5_000).await;
    let old = database.on("0001_before").await;
    // holds its locks and goes on writing in filling mode; live mode has to wait for it
    must(&old, "BEGIN").await;
    let starting = {
        let database = database.clone();
        tokio::spawn(async move { start(&database).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    let sleeper = tokio::spawn(async move {
        let _ =
            old.simple_query("UPDATE users SET age = age + 1 + (SELECT count(*) FROM pg_sleep(0.0004)) WHERE id <= 2000").await;
        let _ = old.simple_query("COMMIT").await;
    });
    sleeper.await.unwrap();
    starting.await.unwrap();
    let new = database.on("0002_change").await;
    must(&new, "UPDATE users SET name = 'Mine' WHERE id <= 2000").await;
    assert_eq!(ask(&new, "SELECT count(*) FROM users WHERE name = 'Mine'").await, "2000");
    assert_eq!(ask(&new, "SELECT count(*) FROM users WHERE id > 2000 AND name IS DISTINCT FROM 'N' || id").await, "0");
    // the functions of the two modes are not one function with two bodies
    let functions = ask(&database.client().await, "SELECT count(*) FROM pg_proc WHERE pronamespace = 'diptych'::regnamespace AND prorettype = 'trigger'::regtype AND proname LIKE '%fill%'").await;
    assert_eq!(functions, "0");
}

/// Does something once, when a backfill has moved on.
struct OnBackfill<F: FnMut() + Send>(Option<F>);

impl<F: FnMut() + Send> Progress for OnBackfill<F> {
    fn backfill(&mut self, _: &str, filled: &Filled) {
        if filled.blocks * 3 > filled.of
            && let Some(mut act) = self.0.take()
        {
            act();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f3_a_rewrite_of_the_table_in_mid_backfill() {
    let database = filled(80_000).await;
    must(&database.client().await, "DELETE FROM users WHERE id % 3 = 0").await;
    let other = database.client().await;
    let handle = tokio::runtime::Handle::current();
    let mut progress = OnBackfill(Some(move || {
        tokio::task::block_in_place(|| handle.block_on(async { must(&other, "VACUUM FULL users").await }));
    }));
    database.migrator().await.start(&both(), None, &mut progress).await.unwrap();
    assert!(progress.0.is_none(), "the rewrite happened");
    assert_eq!(
        ask(&database.on("0002_change").await, "SELECT count(*) FROM users WHERE name IS DISTINCT FROM 'N' || id").await,
        "0"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_in_a_deadlock_with_the_backfill_the_application_goes_on() {
    let database = filled(20_000).await;
    // transactions that lock rows from the end to the beginning, against the backfill's order
    let work = Work::start(
        &database,
        "0001_before",
        3,
        &[
            "BEGIN",
            "UPDATE users SET age = 1 WHERE id = 15000 - {n} % 50",
            "SELECT pg_sleep(0.01)",
            "UPDATE users SET age = 2 WHERE id = 50 - {n} % 50 + 100 * ({n} % 3)",
            "COMMIT",
        ],
    )
    .await;
    start(&database).await;
    let report = work.stop().await;
    let deadlocks: Vec<_> = report.failed.iter().filter(|text| text.contains("40P01")).collect();
    assert!(deadlocks.is_empty(), "{deadlocks:?}");
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f5_several_locks_share_one_budget() {
    // two held tables, one step that locks both: a foreign key's drop at complete
    let before = "operations:
  - create_table: {name: parent, columns: [{name: id, type: bigint, pk: true}]}
  - create_table: {name: child, columns: [{name: id, type: bigint, pk: true}, {name: parent, type: bigint, references: {name: child_fk, table: parent, column: id}}]}
";
    let database = Database::new().await;
    let all = [migration("0001_before", before), migration("0002_change", "operations: [{drop_table: {name: child}}]")];
    database.migrate(&all[..1]).await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let (one, two) = (database.client().await, database.client().await);
    for (client, table) in [(&one, "child"), (&two, "parent")] {
        must(client, "BEGIN").await;
        must(client, &format!("SELECT * FROM public.{table}")).await;
    }
    let work = Work::start(&database, "0002_change", 2, &["SELECT * FROM parent", "INSERT INTO parent VALUES ({n})"]).await;
    let completing = tokio::spawn(async move { migrator.complete(&mut Quiet).await });
    tokio::time::sleep(Duration::from_millis(1200)).await;
    must(&one, "COMMIT").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    must(&two, "COMMIT").await;
    completing.await.unwrap().unwrap();
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    assert!(report.longest < Duration::from_millis(1000), "waited {:?}", report.longest);
    println!("f5: longest wait {} ms", report.longest.as_millis());
}

/// One lock that comes late and one that does not come: who waits behind the first waits for both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f5_locks_one_after_another_share_one_budget() {
    let before = "operations:
  - create_table: {name: parent, columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer, default: '0'}]}
  - create_table: {name: child, columns: [{name: id, type: bigint, pk: true}, {name: parent, type: bigint, references: {name: child_fk, table: parent, column: id}}]}
";
    let database = Database::new().await;
    let all = [
        migration("0001_before", before),
        migration("0002_change", "operations: [{drop_constraint: {table: child, name: child_fk}}]"),
    ];
    database.migrate(&all[..1]).await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let reader = database.client().await;
    must(&reader, "INSERT INTO public.parent VALUES (1), (2)").await;
    must(&reader, "BEGIN; SELECT * FROM public.child").await;
    let update = |id: i32| format!("UPDATE parent SET n = n + 1 WHERE id = {id}");
    let (slow, quick) = (update(1), update(2));
    let slow = Work::start(&database, "0002_change", 1, &["BEGIN", &slow, "SELECT pg_sleep(0.4)", "COMMIT"]).await;
    let quick = Work::start(&database, "0002_change", 1, &[&quick]).await;
    let completing = tokio::spawn(async move { migrator.complete(&mut Quiet).await });
    tokio::time::sleep(Duration::from_secs(6)).await;
    must(&reader, "COMMIT").await;
    completing.await.unwrap().unwrap();
    slow.stop().await;
    let report = quick.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    assert!(report.longest < Duration::from_millis(750), "waited {:?}", report.longest);
    println!("f5: longest wait for several locks {} ms", report.longest.as_millis());
}

/// The user's own statement waits for a table no longer than one of ours: what stands behind it is an application.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f5_a_script_waits_within_the_budget() {
    let database = Database::new().await;
    let before = "operations: [{create_table: {name: parent, columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer, default: '0'}]}}]";
    let change = "operations: [{sql: {up: 'ALTER TABLE parent SET (fillfactor = 90); ALTER TABLE parent ALTER COLUMN n SET STATISTICS 10; ALTER TABLE parent DISABLE TRIGGER USER; LOCK TABLE parent'}}]";
    let all = [migration("0001_before", before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let reader = database.client().await;
    must(&reader, "BEGIN; SELECT * FROM public.parent").await;
    let work = Work::start(&database, "0001_before", 1, &["INSERT INTO parent VALUES ({n})"]).await;
    let mut migrator = database.migrator().await;
    let starting = tokio::spawn(async move { migrator.start(&all, None, &mut Quiet).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    must(&reader, "COMMIT").await;
    starting.await.unwrap().unwrap();
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    assert!(report.longest < Duration::from_millis(1000), "waited {:?}", report.longest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_a_foreign_key_is_dropped_under_load() {
    let before = "operations:
  - create_table: {name: parent, columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer, default: '0'}]}
  - create_table:
      name: child
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: parent, type: bigint, references: {name: child_fk, table: parent, column: id, on_delete: CASCADE}}
        - {name: body, type: text, nullable: true}
";
    let change = "operations:
  - drop_constraint: {table: child, name: child_fk}
  - alter_column: {table: child, column: body, nullable: false, up: \"coalesce(body, '')\", down: body}
  - alter_column: {table: parent, column: n, type: bigint, up: n, down: n}
";
    let database = Database::new().await;
    let all = [migration("0001_before", before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO parent SELECT n FROM generate_series(1, 100) AS n").await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let plan = migrator.plan(diptych_core::plan::Command::Complete, &all, None).await.unwrap().unwrap();
    let named = plan.steps.iter().any(|step| step.hazards.contains(&Hazard::ForeignKeyDrop));
    assert!(named, "the plan does not say what a foreign key's drop needs");
    // transactions over both tables, in the order of most applications and in the other one
    let one = [
        "BEGIN",
        "UPDATE parent SET n = n + 1 WHERE id = 1 + {n} % 50",
        "INSERT INTO child VALUES ({n}, 1 + {n} % 50, 'x')",
        "SELECT count(*) FROM parent WHERE id < 5",
        "COMMIT",
    ];
    let two = [
        "BEGIN",
        "INSERT INTO child VALUES ({n}, 51 + {n} % 50, 'x')",
        "UPDATE parent SET n = n + 1 WHERE id = 51 + {n} % 50",
        "COMMIT",
    ];
    let works = [Work::start(&database, "0002_change", 3, &one).await, Work::start(&database, "0002_change", 3, &two).await];
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    migrator.complete(&mut Quiet).await.unwrap();
    let took = began.elapsed();
    for work in works {
        let report = work.stop().await;
        assert!(report.failed.is_empty(), "{:?}", report.failed.first());
        assert!(report.longest < Duration::from_millis(1200), "waited {:?}", report.longest);
        println!(
            "f6: contract in {took:?} beside {} statements, longest wait {} ms",
            report.statements,
            report.longest.as_millis()
        );
    }
}

/// The app's order decides which order of the tool gets through, and nobody knows it: what has failed is tried the other way round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_two_tables_are_locked_against_either_order_of_an_app() {
    let before = "operations:
  - create_table: {name: parent, columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer, default: '0'}]}
  - create_table: {name: child, columns: [{name: id, type: bigint, pk: true}, {name: parent, type: bigint}, {name: n, type: integer, default: '0'}]}
";
    let key = "operations: [{create_constraint: {table: child, name: child_fk, type: foreign_key, columns: [parent], references: {table: parent, columns: [id]}}}]";
    let all = [
        migration("0001_before", before),
        migration("0002_key", key),
        migration("0003_none", "operations: [{drop_constraint: {table: child, name: child_fk}}]"),
    ];
    for (first, second) in [("parent", "child"), ("child", "parent")] {
        let database = Database::new().await;
        database.migrate(&all[..1]).await;
        let rows = "INSERT INTO parent SELECT n FROM generate_series(1, 100) AS n; INSERT INTO child SELECT id, id FROM parent"
            .split("; ");
        let admin = database.on("0001_before").await;
        for statement in rows {
            must(&admin, statement).await;
        }
        let one = format!("UPDATE {first} SET n = n + 1 WHERE id = 1 + {{n}} % 100");
        let two = format!("UPDATE {second} SET n = n + 1 WHERE id = 1 + {{n}} % 100");
        let busy = ["BEGIN", &one, "SELECT pg_sleep(0.03)", &two, "COMMIT"];
        let mut sent = Sent::default();
        for through in [2, 3] {
            let version = &all[through - 2].name;
            let work = Work::start(&database, version, 6, &busy).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let mut migrator = database.migrator().await;
            let moved = migrator.start(&all[..through], None, &mut sent).await.map(drop);
            moved.unwrap_or_else(|error| panic!("{first} first: {error}"));
            let report = work.stop().await;
            assert!(report.failed.is_empty(), "{:?}", report.failed.first());
            let work = Work::start(&database, &all[through - 1].name, 6, &busy).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            migrator.complete(&mut sent).await.unwrap_or_else(|error| panic!("{first} first: {error}"));
            let report = work.stop().await;
            assert!(report.failed.is_empty(), "{:?}", report.failed.first());
        }
        let retries: Vec<&String> = sent.0.iter().filter(|line| line.starts_with("retry of")).collect();
        println!("f6: an app that locks {first} first: {} retries for four commands", retries.len());
        assert!(retries.len() < 12, "{retries:#?}");
    }
}

/// An insert of a child takes the child and then the parent, a cascade the parent and then the child: under both at once no order of
/// two ACCESS EXCLUSIVE locks gets through, and what has to go is a foreign key of each side.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_a_foreign_key_goes_while_its_tables_are_taken_from_both_ends() {
    let before = "operations:
  - create_table: {name: parent, columns: [{name: id, type: integer, pk: true}]}
  - create_table:
      name: child
      columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}, {name: parent, type: integer}]
      constraints: [{name: child_fk, type: foreign_key, columns: [parent], references: {table: parent, columns: [id], on_update: CASCADE}}]
";
    let change = "operations:
  - alter_column: {table: parent, column: id, type: bigint, up: id, down: id}
  - alter_column: {table: child, column: parent, type: bigint, up: parent, down: parent}
";
    let all = [migration("0001_before", before), migration("0002_change", change)];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let admin = database.on("0001_before").await;
    must(&admin, "INSERT INTO parent SELECT n FROM generate_series(1, 100) AS n").await;
    must(&admin, "INSERT INTO child (parent) SELECT id FROM parent").await;
    let insert = ["BEGIN", "INSERT INTO child (parent) VALUES (1 + {n} % 50)", "SELECT pg_sleep(0.02)", "COMMIT"];
    let key = "UPDATE parent SET id = 10000 - id WHERE id IN (51 + {n} % 50, 10000 - (51 + {n} % 50))";
    let cascade = ["BEGIN", key, "SELECT pg_sleep(0.02)", "COMMIT"];
    let mut sent = Sent::default();
    let mut migrator = database.migrator().await;
    for command in ["start", "rollback", "start", "complete"] {
        let version = if command == "complete" { "0002_change" } else { "0001_before" };
        let work = [Work::start(&database, version, 3, &insert).await, Work::start(&database, version, 3, &cascade).await];
        tokio::time::sleep(Duration::from_millis(200)).await;
        let ran = match command {
            "start" => migrator.start(&all, None, &mut sent).await,
            "rollback" => migrator.rollback(&mut sent).await,
            _ => migrator.complete(&mut sent).await,
        };
        ran.unwrap_or_else(|error| panic!("{command}: {error}"));
        for work in work {
            let report = work.stop().await;
            assert!(report.failed.is_empty(), "{command}: {:?}", report.failed.first());
        }
    }
    let retries: Vec<&String> = sent.0.iter().filter(|line| line.starts_with("retry of")).collect();
    println!("f6: tables taken from both ends: {} retries for four commands", retries.len());
    assert!(retries.len() < 12, "{retries:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f7_a_running_autovacuum_yields() {
    // on a server of its own: autovacuum has few databases to go round, and no other test's tables to be busy with
    let settings = [("autovacuum_naptime".to_owned(), "1".to_owned())].to_vec();
    let own = Server::start(&own::Options { settings, ..own::Options::default() }).expect("a private server");
    let database = fill(Database::at(&own.config("postgres"), "public").await, 30_000).await;
    let admin = database.client().await;
    // a slow autovacuum of this table: many dead rows, a long cost delay
    must(&admin, "ALTER TABLE users SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)").await;
    must(&admin, "UPDATE users SET age = 0").await;
    let running =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND query LIKE '%public.users%'";
    let since = Instant::now();
    while ask(&admin, running).await == "0" {
        assert!(since.elapsed() < Duration::from_secs(60), "no autovacuum came");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let began = Instant::now();
    let work =
        Work::start(&database, "0001_before", 1, &["SELECT * FROM users WHERE id = 5", "UPDATE users SET age = 3 WHERE id = 5"])
            .await;
    start(&database).await;
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    println!("f7: start took {:?} beside an autovacuum, longest wait {} ms", began.elapsed(), report.longest.as_millis());
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_the_side_that_carries_values_is_the_source() {
    let database = filled(1).await;
    start(&database).await;
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    // a session of the new version that writes the base table, as COPY has to
    must(&new, "INSERT INTO public.users (id, name) VALUES (100, 'base')").await;
    assert_eq!(ask(&new, "SELECT name FROM users WHERE id = 100").await, "BASE");
    assert_eq!(ask(&old, "SELECT name FROM users WHERE id = 100").await, "base");
    must(&new, "UPDATE public.users SET name = 'base2' WHERE id = 100").await;
    assert_eq!(ask(&new, "SELECT name FROM users WHERE id = 100").await, "BASE2");
    // "$user" first in the path, with a schema of that name
    let admin = database.client().await;
    must(&admin, "CREATE SCHEMA postgres").await;
    let odd = client(&database.config()).await;
    must(&odd, "SET search_path = \"$user\", public_0002_change, public").await;
    must(&odd, "INSERT INTO users (id, name) VALUES (101, 'Odd')").await;
    assert_eq!(ask(&new, "SELECT name FROM users WHERE id = 101").await, "Odd");
    assert_eq!(ask(&old, "SELECT name FROM users WHERE id = 101").await, "odd");
    // the new version's view by its full name, from a session of the old one
    must(&old, "INSERT INTO public_0002_change.users (id, name) VALUES (102, 'Full')").await;
    assert_eq!(ask(&new, "SELECT name FROM users WHERE id = 102").await, "Full");
    assert_eq!(ask(&old, "SELECT name FROM users WHERE id = 102").await, "full");
    // a function with a pinned path
    must(&admin, "CREATE FUNCTION public.pinned(t text) RETURNS void LANGUAGE sql SET search_path = public AS 'INSERT INTO users (id, name) VALUES (103, t)'").await;
    must(&new, "SELECT public.pinned('pin')").await;
    assert_eq!(ask(&new, "SELECT name FROM users WHERE id = 103").await, "PIN");
}

#[tokio::test(flavor = "multi_thread")]
async fn f9_a_dropped_default_is_dropped_for_the_new_version_alone() {
    let database = filled(1).await;
    let all = [
        migration("0001_before", USERS),
        migration("0002_change", "operations: [{alter_column: {table: users, column: age, default: null}}]"),
    ];
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    assert_eq!(ask(&database.on("0002_change").await, "INSERT INTO users (name) VALUES ('a') RETURNING age").await, "NULL");
    assert_eq!(ask(&database.on("0001_before").await, "INSERT INTO users (name) VALUES ('a') RETURNING age").await, "18");
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_nothing_falls_through_to_a_base_table() {
    let database = filled(3).await;
    start(&database).await;
    let old = database.on("0001_before").await;
    let update = old.prepare("UPDATE users SET name = 'old meaning' WHERE id = 1").await.unwrap();
    let select = old.prepare("SELECT name FROM users WHERE id = 1").await.unwrap();
    old.execute(&update, &[]).await.unwrap();
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    for _ in 0..2 {
        let error = old.execute(&update, &[]).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("42P01"), "{error:?}");
        let error = old.query(&select, &[]).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("42P01"), "{error:?}");
    }
    for statement in
        ["SELECT * FROM users", "INSERT INTO users (name) VALUES ('x')", "UPDATE users SET name = 'x'", "DELETE FROM users"]
    {
        assert_eq!(ask(&old, statement).await, "!42P01", "{statement}");
    }
    // the same for a version that was rolled back
    let all = [
        both()[0].clone(),
        both()[1].clone(),
        migration("0003_more", "operations: [{rename_column: {table: users, from: age, to: years}}]"),
    ];
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let newest = database.on("0003_more").await;
    let update = newest.prepare("UPDATE users SET years = 1").await.unwrap();
    migrator.rollback(&mut Quiet).await.unwrap();
    assert_eq!(newest.execute(&update, &[]).await.unwrap_err().code().map(|code| code.code()), Some("42P01"));
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    assert_eq!(newest.execute(&update, &[]).await.unwrap(), 3);
    migrator.complete(&mut Quiet).await.unwrap();
    // nothing is left of a version that is gone
    assert_eq!(ask(&database.client().await, "SELECT to_regnamespace('public_0001_before') IS NULL").await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_upserts_on_a_converted_key_are_named_and_its_index_is_built_last() {
    let before = "operations: [{create_table: {name: users, columns: [{name: id, type: integer, pk: true}, {name: email, type: text, unique: true}, {name: n, type: integer, nullable: true}]}}, {create_index: {name: by_email, table: users, columns: [{column: email}, {column: n}]}}]";
    let change = "operations: [{alter_column: {table: users, column: email, type: 'varchar(90)', up: email, down: email}}]";
    let database = Database::new().await;
    let all = [migration("0001_before", before), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    let mut migrator = database.migrator().await;
    let plan = migrator.plan(diptych_core::plan::Command::Start, &all, None).await.unwrap().unwrap();
    let builds: Vec<_> = plan.steps.iter().filter(|step| step.title.starts_with("build index")).collect();
    let [plain, unique] = builds.as_slice() else { panic!("{} builds", builds.len()) };
    assert!(plain.hazards.is_empty() && unique.hazards.contains(&Hazard::UpsertOnConvertedKey));
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    // one client at a time, nothing is in the way of an upsert, on either version
    for version in ["0001_before", "0002_change"] {
        let client = database.on(version).await;
        for n in 0..3 {
            let upsert =
                format!("INSERT INTO users VALUES (1, 'a', {n}) ON CONFLICT (email) DO UPDATE SET n = EXCLUDED.n RETURNING n");
            assert_eq!(ask(&client, &upsert).await, n.to_string(), "{version}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_a_row_that_moves_to_another_partition_keeps_what_cannot_be_derived() {
    let before = migration(
        "0001_before",
        "operations:
  - create_table:
      name: people
      partition_by: LIST (region)
      columns: [{name: id, type: bigint}, {name: region, type: text}, {name: name, type: text, nullable: true}]
      constraints: [{name: people_pkey, type: primary_key, columns: [region, id]}]
  - sql: {up: \"CREATE TABLE north PARTITION OF people FOR VALUES IN ('n'); CREATE TABLE others PARTITION OF people DEFAULT\"}
",
    );
    let change = "operations:
  - add_column: {table: people, column: {name: first, type: text}, up: \"coalesce(split_part(name, ' ', 1), '')\"}
  - add_column: {table: people, column: {name: last, type: text}, up: \"coalesce(split_part(name, ' ', 2), '')\"}
  - drop_column: {table: people, column: name, down: \"first || ' ' || last\"}
";
    let all = [before, migration("0002_change", change)];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO people VALUES (1, 'n', NULL), (2, 'n', 'Ada'), (3, 'n', 'Jean Luc Picard')").await;
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    let new = database.on("0002_change").await;
    // neither `down` nor `up` gives these back
    must(&new, "INSERT INTO people VALUES (4, 'n', 'Anna Maria', 'de la Cruz')").await;
    let names = "SELECT id, coalesce(name, 'none') FROM people ORDER BY id";
    let parts = "SELECT id, first, last FROM people ORDER BY id";
    let (one, two) = ("1|none;2|Ada;3|Jean Luc Picard;4|Anna Maria de la Cruz", "1||;2|Ada|;3|Jean|Luc;4|Anna Maria|de la Cruz");
    for (client, region) in [(&new, "s"), (&old, "n"), (&new, "w"), (&old, "s")] {
        must(client, &format!("UPDATE people SET region = '{region}'")).await;
        assert_eq!((ask(&old, names).await.as_str(), ask(&new, parts).await.as_str()), (one, two), "moved to {region}");
    }
    // in one transaction with a move, a row that is new is derived as ever
    must(&new, "BEGIN; UPDATE people SET region = 'n' WHERE id = 2; INSERT INTO people VALUES (5, 'n', 'Eva', 'Braun'); COMMIT")
        .await;
    must(&old, "BEGIN; UPDATE people SET region = 's' WHERE id = 2; INSERT INTO people VALUES (6, 'n', 'Max Muster'); COMMIT")
        .await;
    assert_eq!(ask(&old, "SELECT name FROM people WHERE id = 5").await, "Eva Braun");
    assert_eq!(ask(&new, "SELECT first, last FROM people WHERE id = 6").await, "Max|Muster");
    // a move that changes what is converted as well
    must(&new, "UPDATE people SET region = 's', last = 'X' WHERE id = 1").await;
    must(&new, "UPDATE people SET region = 'n', last = 'Y' WHERE id = 1").await;
    assert_eq!(ask(&old, "SELECT name FROM people WHERE id = 1").await, " Y");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_a_partition_key_is_not_converted() {
    let before = migration(
        "0001_before",
        "operations: [{create_table: {name: t, partition_by: RANGE (at), columns: [{name: id, type: bigint}, {name: at, type: date}]}}]",
    );
    for change in [
        "operations: [{alter_column: {table: t, column: at, type: timestamptz, up: at, down: at}}]",
        "operations: [{drop_column: {table: t, column: at, down: current_date}}]",
    ] {
        let error = migration("0002_change", change).stage(&schema(std::slice::from_ref(&before))).unwrap_err();
        assert!(error.to_string().contains("partition key") && error.to_string().contains("`t.at`"), "{change}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_inherited_tables_are_refused_where_columns_change() {
    let database = filled(0).await;
    let admin = database.client().await;
    must(&admin, "CREATE TABLE child () INHERITS (users)").await;
    let error = database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("inherited") && error.message().contains("users"), "{error}");
    // what touches names alone goes on
    let rename = "operations: [{rename_column: {table: users, from: age, to: years}}]";
    let all = [both()[0].clone(), migration("0002_change", rename)];
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_a_generated_column_in_a_conversion_is_refused() {
    let before = migration(
        "0001_before",
        "operations: [{create_table: {name: t, columns: [{name: id, type: bigint, pk: true}, {name: a, type: integer}, {name: twice, type: integer, nullable: true, generated: {expression: id * 2}}]}}]",
    );
    for change in [
        "operations: [{add_column: {table: t, column: {name: b, type: integer}, up: twice + 1}}]",
        "operations: [{alter_column: {table: t, column: a, type: bigint, up: a, down: twice / 2}}]",
        "operations: [{drop_column: {table: t, column: a, down: twice / 2}}]",
    ] {
        let database = Database::new().await;
        let all = [before.clone(), migration("0002_change", change)];
        database.migrate(&all[..1]).await;
        let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err();
        assert!(error.is_refused() && error.to_string().contains("`twice`"), "{change}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_the_applications_triggers_are_neither_run_nor_rearmed() {
    let database = filled(500).await;
    let admin = database.client().await;
    must(&admin, "CREATE TABLE log (what text)").await;
    must(&admin, "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.log VALUES (TG_NAME); RETURN NEW; END'").await;
    for sql in [
        "CREATE TRIGGER armed AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note()",
        "CREATE TRIGGER disarmed AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note()",
        "CREATE CONSTRAINT TRIGGER constrained AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()",
        "ALTER TABLE users DISABLE TRIGGER disarmed",
    ] {
        must(&admin, sql).await;
    }
    let state = "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'public.users'::regclass AND NOT tgisinternal AND tgname NOT LIKE '%diptych%' ORDER BY 1";
    let before = ask(&admin, state).await;
    start(&database).await;
    assert_eq!(ask(&admin, "SELECT count(*) FROM log").await, "0");
    assert_eq!(ask(&admin, state).await, before);
    must(&database.on("0002_change").await, "UPDATE users SET age = 1 WHERE id = 1").await;
    assert_eq!(ask(&admin, "SELECT what FROM log ORDER BY 1").await, "armed;constrained");
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    assert_eq!(ask(&admin, state).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_slots_of_dropped_columns_are_counted() {
    let database = filled(1).await;
    let admin = database.client().await;
    // 1,600 are all that a table can have in its life
    let burn = "DO 'BEGIN FOR n IN 1..1597 LOOP EXECUTE ''ALTER TABLE public.users ADD COLUMN burnt integer''; EXECUTE ''ALTER TABLE public.users DROP COLUMN burnt''; END LOOP; END'";
    must(&admin, burn).await;
    let before = database.catalog().await;
    let error = database.migrator().await.start(&both(), None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("1600") && error.message().contains("users"), "{error}");
    assert_eq!(before, database.catalog().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn f14_what_an_unrelated_update_pays_is_said_and_small() {
    let database = filled(10_000).await;
    let migrator = database.migrator().await;
    let plan = migrator.plan(diptych_core::plan::Command::Start, &both(), None).await.unwrap().unwrap();
    assert!(plan.steps.iter().any(|step| step.hazards.contains(&Hazard::SyncCost)), "the plan does not say it");
    let admin = database.client().await;
    let wal = async |client: &tokio_postgres::Client| -> i64 {
        must(&admin, "VACUUM users").await;
        must(&admin, "CHECKPOINT").await;
        must(client, "UPDATE users SET age = age").await;
        // of the statement alone: other tests write to the same server's log
        let told = ask(client, "EXPLAIN (ANALYZE, WAL, COSTS off, TIMING off) UPDATE users SET age = age").await;
        let bytes = told.split("bytes=").nth(1).and_then(|rest| rest.split([' ', ';']).next()).expect("what it wrote");
        bytes.parse::<i64>().expect("bytes") / 10_000
    };
    let before = wal(&database.on("0001_before").await).await;
    start(&database).await;
    let during = wal(&database.on("0001_before").await).await;
    println!("f14: WAL per unrelated UPDATE: {before} bytes before, {during} bytes while both versions are live");
    // one tuple lock, and a row that is wider by its shadow; a conversion that ran would write far more
    assert!(during < before + 150, "{before} {during}");
    let plain = ask(&database.on("0002_change").await, "SELECT count(*) FROM users WHERE name IS DISTINCT FROM 'N' || id").await;
    assert_eq!(plain, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_what_is_not_promised_is_named() {
    let database = filled(20_000).await;
    let migrator = database.migrator().await;
    let plan = migrator.plan(diptych_core::plan::Command::Start, &both(), None).await.unwrap().unwrap();
    for hazard in [Hazard::RepeatableRead, Hazard::Standby, Hazard::PreparedOnBase] {
        assert!(plan.steps.iter().any(|step| step.hazards.contains(&hazard)), "{hazard}");
    }
    // and these do happen
    let (repeatable, base) = (database.on("0001_before").await, database.client().await);
    must(&repeatable, "CREATE TABLE public.elsewhere AS SELECT 1 AS n").await;
    must(&repeatable, "BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    must(&repeatable, "SELECT * FROM public.elsewhere").await;
    let prepared = base.prepare("SELECT * FROM public.users WHERE id = 1").await.unwrap();
    let viewed = database.on("0001_before").await;
    let through = viewed.prepare("SELECT * FROM users WHERE id = 1").await.unwrap();
    start(&database).await;
    assert_eq!(ask(&repeatable, "UPDATE users SET age = 1 WHERE id = 1").await, "!40001");
    assert!(base.query(&prepared, &[]).await.is_err());
    assert_eq!(viewed.query(&through, &[]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f18_one_stripe_under_an_old_snapshot_and_few_vacuums() {
    let database = filled(250_000).await;
    let admin = database.client().await;
    let mut sent = Sent::default();
    let position = std::fs::metadata(diptych_tests::server().log_path()).unwrap().len();
    // held by a session that has nothing to do with the table
    let old = database.client().await;
    must(&old, "BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    must(&old, "SELECT 1").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    database.migrator().await.start(&both(), None, &mut sent).await.unwrap();
    must(&old, "COMMIT").await;
    let stripes = |position| {
        let (log, end) = diptych_xtask::server::log_since(diptych_tests::server(), position).unwrap();
        let ours = format!("{}|>DETAIL:", database.name);
        let lines = log.lines().filter(|line| line.starts_with(&ours));
        let stripes: Vec<String> = lines
            .filter_map(|line| {
                let (_, value) = line.split_once("$4 = '")?;
                Some(value.split('\'').next()?.to_owned())
            })
            .filter(|value| matches!(value.as_str(), "1" | "4"))
            .collect();
        (stripes, end)
    };
    let (under, position) = stripes(position);
    assert!(!under.is_empty() && under.iter().all(|stripes| stripes == "1"), "{under:?}");
    let vacuums = sent.0.iter().filter(|sql| sql.starts_with("VACUUM")).count();
    assert!((1..=5).contains(&vacuums), "{vacuums} times VACUUM");
    // without one: several, each in the room that the one before has freed
    database.migrator().await.rollback(&mut Quiet).await.unwrap();
    must(&admin, "VACUUM users").await;
    start(&database).await;
    let (free, _) = stripes(position);
    assert!(free.iter().any(|stripes| stripes == "4"), "{free:?}");
    println!(
        "f18: {vacuums} times VACUUM; {} passes of one stripe under the old snapshot, {} of four without",
        under.len(),
        free.len()
    );
}

/// Counts the steps' statements as they are sent.
#[derive(Default)]
struct Sent(Vec<String>);

impl Progress for Sent {
    fn statement(&mut self, sql: &str) {
        self.0.push(sql.to_owned());
    }
    fn retry(&mut self, step: &Step, reason: &str) {
        self.0.push(format!("retry of {}: {reason}", step.title));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f16_thousands_of_views_do_not_exhaust_the_lock_table() {
    let database = Database::new().await;
    let tables: String = (1..=1000)
        .map(|n| format!("  - create_table: {{name: t{n}, columns: [{{name: id, type: bigint, nullable: true}}]}}\n"))
        .collect();
    let all = [
        migration("0001_before", &format!("operations:\n{tables}")),
        migration("0002_change", "operations: [{rename_column: {table: t1, from: id, to: key}}]"),
        migration("0003_change", "operations: [{rename_column: {table: t1, from: key, to: id}}]"),
    ];
    database.migrate(&all[..1]).await;
    let work = Work::start(&database, "0001_before", 1, &["SELECT count(*) FROM t5", "INSERT INTO t6 VALUES (1)"]).await;
    let began = Instant::now();
    let mut migrator = database.migrator().await;
    let mut sent = Sent::default();
    migrator.start(&all[..2], None, &mut sent).await.unwrap();
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    migrator.complete(&mut sent).await.unwrap();
    migrator.start(&all, None, &mut sent).await.unwrap();
    migrator.complete(&mut sent).await.unwrap();
    assert_eq!(ask(&database.client().await, "SELECT to_regnamespace('public_0001_before') IS NULL").await, "t");
    println!(
        "f16: 1,000 tables, start and complete twice in {:?}, longest wait {} ms",
        began.elapsed(),
        report.longest.as_millis()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_is_what_the_server_sees() {
    let database = filled(10).await;
    let migrator = database.migrator().await;
    let plan = migrator.plan(diptych_core::plan::Command::Start, &both(), None).await.unwrap().unwrap();
    let position = std::fs::metadata(diptych_tests::server().log_path()).unwrap().len();
    start(&database).await;
    let (log, _) = diptych_xtask::server::log_since(diptych_tests::server(), position).unwrap();
    let seen = entries(&log, &database.name);
    // tables of a few pages are not worth a VACUUM on the way
    let planned: Vec<&str> = plan.steps.iter().flat_map(|step| step.action.statements()).map(|sql| sql.as_str()).collect();
    let planned: Vec<&str> = planned.into_iter().filter(|sql| !sql.starts_with("VACUUM")).collect();
    // a request may hold several statements
    let (mut rest, mut unplanned) = (seen.join(";\n"), Vec::new());
    for statement in &planned {
        let Some((before, behind)) = rest.split_once(statement) else {
            panic!("the server did not see, in this order:\n{statement}")
        };
        unplanned.push(before.to_owned());
        rest = behind.to_owned();
    }
    unplanned.push(rest);
    // what texts read is asked before there is a plan, and leaves nothing
    for text in &mut unplanned {
        while let Some((before, asked)) = text.split_once("CREATE SCHEMA \"_diptych_asked\"") {
            let (_, behind) = asked.split_once("; ROLLBACK").expect("what was asked is undone");
            *text = format!("{before}{behind}");
        }
    }
    // what is not in the plan is bookkeeping: transactions, settings, questions, and writes to the state
    let own = [
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "START TRANSACTION",
        "SET ",
        "RESET ",
        "SELECT ",
        "WITH asking AS ",
        "-- What of schema `diptych`",
        "-- the extensions of the database",
        "-- the enum types of a schema",
        "-- The domains of a schema",
        "-- The composite types of a schema",
        "-- The sequences of a schema",
        "-- The tables of a schema",
        "-- The tables of a base schema ($1) that a start makes grow",
        "INSERT INTO diptych.",
        "UPDATE diptych.",
        "DELETE FROM diptych.",
    ];
    let pieces = unplanned.iter().flat_map(|text| text.split(";\n")).map(|text| text.trim().trim_end_matches(';'));
    // ranges of a backfill have the same statement
    for statement in pieces.filter(|text| !text.is_empty() && !planned.contains(text)) {
        assert!(own.iter().any(|word| statement.starts_with(word)), "not in the plan: {statement}");
    }
    let count = planned.len();
    println!("plan_is_what_the_server_sees: {count} statements");
}

/// The statements of one database in the server's log, in order.
fn entries(log: &str, database: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    let mut ours = false;
    for line in log.lines() {
        if let Some((name, text)) = line.split_once("|>") {
            let text = text.strip_prefix("LOG:  ").unwrap_or_default();
            let executed = text.strip_prefix("execute ").and_then(|text| text.split_once(": ")).map(|(_, text)| text);
            let statement = executed.or_else(|| text.strip_prefix("statement: ")).filter(|_| name == database);
            ours = statement.is_some();
            entries.extend(statement.map(str::to_owned));
        } else if let (true, Some(entry)) = (ours, entries.last_mut()) {
            entry.push('\n');
            entry.push_str(line.strip_prefix('\t').unwrap_or(line));
        }
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_is_widened_in_place_breaks_what_is_prepared() {
    // why it takes a second column (`plan` says so): the server needs no rewrite, but every view on the column has to be made anew
    let database = Database::new().await;
    let app = database.client().await;
    must(&app, "CREATE TABLE wide (id integer PRIMARY KEY, name varchar(50)); CREATE VIEW seen AS SELECT id, name FROM wide")
        .await;
    let prepared = app.prepare("SELECT name FROM seen WHERE id = $1").await.expect("a statement");
    app.query(&prepared, &[&1]).await.expect("it works");
    assert_eq!(ask(&app, "ALTER TABLE wide ALTER COLUMN name TYPE text").await, "!0A000");
    let anew = "BEGIN; DROP VIEW seen; ALTER TABLE wide ALTER COLUMN name TYPE text; CREATE VIEW seen AS SELECT id, name FROM wide; COMMIT";
    must(&database.client().await, anew).await;
    let error = app.query(&prepared, &[&1]).await.expect_err("another type");
    assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some("0A000"), "{error:?}");
}

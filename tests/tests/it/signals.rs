//! Signals: Ctrl-C and SIGTERM end a command at the next safe point, a second one at once, and the same command goes on.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use diptych::Quiet;
use diptych_tests::{Database, Work, ask, client, difference, migration, must, server};

use crate::cli::{Folder, binary};

const BEFORE: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: age, type: integer, nullable: true}
        - {name: note, type: text, nullable: true}
";
const CHANGE: &str = "operations:
  - alter_column: {table: users, column: age, type: bigint, up: age * 2, down: age / 2}
  - create_index: {name: users_note_idx, table: users, columns: [{column: note}]}
";
const ROWS: u32 = 60_000;
/// Clients of the older version, whose statements must not fail.
const STATEMENTS: [&str; 3] = [
    "INSERT INTO users (id, age, note) VALUES ({n}, {n}, 'new')",
    "UPDATE users SET age = age + 1, note = note WHERE id = {n} % 60000 + 1",
    "SELECT count(*) FROM users WHERE id < 100",
];
const WRONG: &str = "SELECT count(*) FROM public_0002_change.users AS new JOIN public_0001_before.users AS old USING (id) WHERE new.age <> old.age * 2";
/// Sessions of the tool that still hold a lock.
const HOLDERS: &str = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE application_name = 'diptych' AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const INVALID: &str = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";

fn migrations() -> [diptych_core::Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", CHANGE)]
}

async fn filled(rows: u32) -> (Database, Folder) {
    let database = Database::new().await;
    database.migrate(&migrations()[..1]).await;
    let sql = format!("INSERT INTO users (id, age, note) SELECT n, n, 'note ' || n FROM generate_series(1, {rows}) AS n");
    must(&database.on("0001_before").await, &sql).await;
    (database, Folder::new(&[("0001_before.yaml", BEFORE), ("0002_change.yaml", CHANGE)]))
}

fn spawn(database: &Database, folder: &Folder, arguments: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.arg("--dir").arg(folder.path()).args(["--url", &server().url(&database.name)]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs")
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).stderr(Stdio::null()).status();
    sent.expect("kill");
}

/// What the process said until its end.
fn end(mut child: Child) -> (ExitStatus, String) {
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    (child.wait().expect("it ends"), said)
}

/// The process has gone, and with it what its sessions held.
async fn let_go(database: &Database) {
    let (admin, since) = (database.client().await, Instant::now());
    while ask(&admin, HOLDERS).await != "0" {
        assert!(since.elapsed() < Duration::from_secs(60), "sessions of the tool hold locks");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until(database: &Database, condition: &str) {
    let (admin, since) = (database.client().await, Instant::now());
    while ask(&admin, &format!("SELECT EXISTS ({condition})")).await != "t" {
        assert!(since.elapsed() < Duration::from_secs(60), "never: {condition}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What ending one command after another came to.
#[derive(Debug, Default)]
struct Outcomes {
    interrupted: usize,
    finished: usize,
    leftovers: usize,
    longest: Duration,
    /// Where those stopped that were interrupted.
    steps: BTreeMap<String, usize>,
}

impl Outcomes {
    /// Ends a command when the database says so, and notes what it came to.
    async fn try_at(&mut self, database: &Database, folder: &Folder, arguments: &[&str], condition: &str) {
        let (name, child) = (arguments[0], spawn(database, folder, arguments));
        until(database, condition).await;
        send(&child, "TERM");
        let sent = Instant::now();
        let (status, said) = tokio::task::spawn_blocking(move || end(child)).await.expect("it ends");
        self.longest = self.longest.max(sent.elapsed());
        let_go(database).await;
        self.leftovers += ask(&database.client().await, INVALID).await.parse::<usize>().expect("a number");
        match status.code() {
            Some(143) => {
                let told = said.lines().find(|line| line.starts_with("error: ")).expect("an error");
                assert!(told.contains(&format!("`{name}`")) && told.contains("interrupted"), "{said}");
                let hint = said.lines().find(|line| line.starts_with("hint: ")).expect("a hint");
                assert!(hint.contains(&format!("run `{name}` again")), "{said}");
                self.interrupted += 1;
                *self.steps.entry(told.split(": ").last().unwrap_or_default().to_owned()).or_default() += 1;
            }
            // the signal came too late
            Some(0) => self.finished += 1,
            other => panic!("exit {other:?}: {said}"),
        }
    }
}

/// Moments of a start: the steps that are done, how far its backfill is, an index that is being built.
fn moments() -> Vec<String> {
    let begun = "SELECT FROM diptych.versions WHERE name = '0002_change' AND state = 'starting'".to_owned();
    let steps = |count| {
        format!("{begun} AND (SELECT count(*) FROM diptych.journal WHERE version = name AND command = 'start') >= {count}")
    };
    let filled = |percent| {
        format!(
            "{begun} AND EXISTS (SELECT FROM diptych.backfill WHERE version = name AND block * 100 >= total * {percent} AND block > 0)"
        )
    };
    let built = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'CREATE INDEX CONCURRENTLY%'";
    let parts = [0, 15, 30, 45, 60, 75, 90].map(filled);
    [0, 1, 2, 3].map(steps).into_iter().chain(parts).chain([built.to_owned()]).collect()
}

async fn whole(database: &Database, folder: &Folder, name: &str) {
    let (status, said) = end(spawn(database, folder, &[name]));
    assert_eq!(status.code(), Some(0), "{name}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sigterm_at_many_moments_of_a_start() {
    let (database, folder) = filled(ROWS).await;
    let before = database.catalog().await;
    let work = Work::start(&database, "0001_before", 2, &STATEMENTS).await;
    let (mut outcomes, moments) = (Outcomes::default(), moments());
    for moment in &moments {
        outcomes.try_at(&database, &folder, &["start", "--max-rate", "60000"], moment).await;
        whole(&database, &folder, "start").await;
        assert_eq!(ask(&database.client().await, &format!("{INVALID}; {WRONG}")).await, "0;0", "after {moment}");
        whole(&database, &folder, "rollback").await;
    }
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let after = database.catalog().await;
    assert_eq!(before, after, "{}", difference(&before, &after));
    assert_eq!(outcomes.interrupted + outcomes.finished, moments.len());
    // a tenth of a second at least is left of a backfill at each of its moments
    assert!(outcomes.steps.get("backfill table `users`").is_some_and(|count| *count >= 6), "{outcomes:?}");
    println!("signals: {} moments of a start: {outcomes:?}; {} statements beside, 0 failed", moments.len(), report.statements);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sigterm_at_moments_of_a_complete() {
    let mut outcomes = Outcomes::default();
    for steps in 0..3 {
        let (database, folder) = filled(ROWS / 10).await;
        whole(&database, &folder, "start").await;
        let work = Work::start(&database, "0002_change", 2, &["UPDATE users SET age = age + 2 WHERE id = {n} % 6000 + 1"]).await;
        let moment = format!(
            "SELECT FROM diptych.versions WHERE name = '0002_change' AND state <> 'started' AND {steps} <= (SELECT count(*) FROM diptych.journal WHERE version = '0002_change' AND command = 'complete')"
        );
        outcomes.try_at(&database, &folder, &["complete"], &moment).await;
        whole(&database, &folder, "complete").await;
        let report = work.stop().await;
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        let new = database.on("0002_change").await;
        assert_eq!(ask(&new, "SELECT count(*) FROM users WHERE age % 2 <> 0 OR age < id * 2").await, "0");
        let status = database.migrator().await.status(&migrations()).await.expect("a status");
        assert_eq!((status.live.as_deref(), status.pending), (Some("0002_change"), None));
    }
    assert_eq!(outcomes.interrupted + outcomes.finished, 3);
    println!("signals: 3 moments of a complete: {outcomes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_on_the_server_is_cancelled() {
    let share = "BEGIN; LOCK TABLE public.users IN ACCESS SHARE MODE";
    let old = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1";
    for (name, signal, code, hold, query) in [
        ("start", "INT", 130, share, "LOCK TABLE|ALTER TABLE|CREATE TRIGGER"),
        ("start", "TERM", 143, old, "^CREATE INDEX CONCURRENTLY"),
        ("complete", "TERM", 143, share, "LOCK TABLE|ALTER TABLE|DROP TRIGGER"),
    ] {
        let (database, folder) = filled(500).await;
        if name == "complete" {
            whole(&database, &folder, "start").await;
        }
        let other = client(&database.config()).await;
        must(&other, hold).await;
        let child = spawn(&database, &folder, &[name]);
        let waits = format!(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'diptych' AND wait_event_type = 'Lock' AND query ~ '{query}'"
        );
        until(&database, &waits).await;
        send(&child, signal);
        let (status, said) = end(child);
        assert_eq!(status.code(), Some(code), "{said}");
        let told = format!("error: `{name}` of version `0002_change` was interrupted before the end of this step: ");
        assert!(said.contains(&told), "{said}");
        assert!(said.contains(&format!("hint: run `{name}` again, or run `rollback`; nothing is half done")), "{said}");
        let_go(&database).await;
        must(&other, "COMMIT").await;
        whole(&database, &folder, name).await;
        assert_eq!(ask(&database.client().await, INVALID).await, "0");
        let new = database.on("0002_change").await;
        assert_eq!(ask(&new, "SELECT count(*) FROM users WHERE age IS DISTINCT FROM id * 2").await, "0");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_at_once() {
    let (database, folder) = filled(10).await;
    database.migrator().await.start(&migrations(), None, &mut Quiet).await.expect("start");
    let other = database.client().await;
    // the tool asks for no safe point while it becomes the one run
    must(&other, "BEGIN; LOCK TABLE diptych.runs").await;
    let mut child = spawn(&database, &folder, &["complete"]);
    until(&database, "SELECT FROM pg_locks WHERE relation = 'diptych.runs'::regclass AND NOT granted").await;
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    send(&child, "TERM");
    let first = lines.next().expect("a line").expect("text");
    assert!(first.contains("`complete` ends at the next safe point") && first.contains("another signal"), "{first}");
    send(&child, "INT");
    let rest: String = lines.map(|line| line.expect("text") + "\n").collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{rest}");
    assert!(rest.contains("error: `complete` was ended at once") && rest.contains("hint: run `complete` again"), "{rest}");
    must(&other, "COMMIT").await;
    whole(&database, &folder, "complete").await;
}

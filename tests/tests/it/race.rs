//! Many at once: processes that start, complete, roll back and ask at the same time; tools that died; others' index builds.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diptych::{Outcome, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, ask, difference, migration, must, schema, seed, server};

use crate::cli::{Folder, binary};

const BEFORE: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: age, type: integer, nullable: true}
";
const CHANGE: &str = "operations:
  - alter_column: {table: users, column: age, type: bigint, up: age, down: age}
  - create_index: {name: users_age_idx, table: users, columns: [{column: age}]}
";

fn both() -> [Migration; 2] {
    [migration("0001_before", BEFORE), migration("0002_change", CHANGE)]
}

async fn filled(rows: u32) -> (Database, Folder) {
    let database = Database::new().await;
    database.migrate(&both()[..1]).await;
    let sql = format!("INSERT INTO users (email, age) SELECT 'u' || n, n FROM generate_series(1, {rows}) AS n");
    must(&database.on("0001_before").await, &sql).await;
    (database, Folder::new(&[("0001_before.yaml", BEFORE), ("0002_change.yaml", CHANGE)]))
}

fn command(database: &Database, folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.arg("--dir").arg(folder.path()).args(["--url", &server().url(&database.name)]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a process came to, in a word.
fn word(output: &Output) -> &'static str {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    match output.status.code() {
        Some(0) if out.contains("nothing to do") => "nothing",
        Some(0) => "done",
        Some(1) => {
            assert!(error.contains("error: ") && error.contains("hint: "), "{error}");
            assert!(!error.contains("deadlock") && !error.contains("panicked"), "{error}");
            "refused"
        }
        other => panic!("exit {other:?}: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_processes_at_once() {
    let mut random = seed("race");
    let (database, folder) = filled(2_000).await;
    let before = database.catalog().await;
    let fresh = database.fresh_catalog(&schema(&both())).await;
    // somebody else builds indexes concurrently all the while
    let stop = Arc::new(AtomicBool::new(false));
    let builder = {
        let (client, stop) = (database.client().await, Arc::clone(&stop));
        tokio::spawn(async move {
            let (mut built, mut failed) = (0, Vec::new());
            must(&client, "CREATE TABLE other AS SELECT n FROM generate_series(1, 1000) AS n").await;
            while !stop.load(Ordering::Relaxed) {
                for sql in ["CREATE INDEX CONCURRENTLY other_n ON other (n)", "DROP INDEX CONCURRENTLY IF EXISTS other_n"] {
                    if let Err(error) = client.batch_execute(sql).await {
                        failed.push(format!("{error:?}"));
                    }
                }
                built += 1;
            }
            must(&client, "DROP TABLE other").await;
            (built, failed)
        })
    };
    let mut commands: Vec<&str> = [vec!["start"; 20], vec!["rollback"; 18], vec!["status"; 9], vec!["complete"; 3]].concat();
    random.shuffle(&mut commands);
    let children: Vec<_> =
        commands.iter().map(|&name| (name, command(&database, &folder, &[name]).spawn().expect("the binary runs"))).collect();
    let ended = tokio::task::spawn_blocking(move || {
        children.into_iter().map(|(name, child)| (name, child.wait_with_output().expect("it ends"))).collect::<Vec<_>>()
    });
    let ended = tokio::time::timeout(Duration::from_secs(240), ended).await.expect("nobody hangs").expect("they end");
    stop.store(true, Ordering::Relaxed);
    let (built, failed) = builder.await.expect("the builder");
    assert!(failed.is_empty(), "{failed:?}");
    let words: Vec<(&str, &str)> = ended.iter().map(|(name, output)| (*name, word(output))).collect();
    let count = |name: &str, what: &str| words.iter().filter(|pair| **pair == (name, what)).count();
    assert!(words.iter().filter(|(name, _)| *name == "status").all(|(_, what)| *what == "done"), "{words:?}");

    // some order of them: every start was rolled back or completed or is there still, and it was completed at most once
    let (started, completed, undone) = (count("start", "done"), count("complete", "done"), count("rollback", "done"));
    let status = database.migrator().await.status(&both()).await.expect("a status");
    let there = usize::from(status.pending.is_some());
    assert_eq!(started, completed + undone + there, "{words:?} {status:?}");
    assert!(completed <= 1, "{words:?}");
    assert_eq!(status.live.as_deref(), Some(if completed == 1 { "0002_change" } else { "0001_before" }));
    let strip = |catalog: Vec<String>| -> Vec<String> {
        catalog.into_iter().filter(|line| !line.contains("other") && !line.starts_with("function ")).collect()
    };
    if status.pending.is_none() {
        let wanted = if completed == 1 { &fresh } else { &before };
        let now = strip(database.catalog().await);
        assert_eq!(*wanted, now, "{}", difference(wanted, &now));
    }
    database.migrator().await.start(&both(), None, &mut Quiet).await.expect("start");
    database.migrator().await.complete(&mut Quiet).await.expect("complete");
    let now = strip(database.catalog().await);
    assert_eq!(fresh, now, "{}", difference(&fresh, &now));
    println!(
        "race: 50 processes: {started} started, {undone} rolled back, {completed} completed; {built} index builds beside them"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_starts_at_once_one_does_the_work() {
    let (database, folder) = filled(2_000).await;
    let children: Vec<_> = (0..50).map(|_| command(&database, &folder, &["start"]).spawn().expect("the binary runs")).collect();
    let ended = tokio::task::spawn_blocking(move || {
        children.into_iter().map(|child| child.wait_with_output().expect("it ends")).collect::<Vec<_>>()
    });
    let words: Vec<&str> = ended.await.expect("they end").iter().map(word).collect();
    let count = |what: &str| words.iter().filter(|word| **word == what).count();
    assert_eq!((count("done"), count("nothing")), (1, 49), "{words:?}");
    let status = database.migrator().await.status(&both()).await.expect("a status");
    assert_eq!(status.pending.map(|pending| pending.version).as_deref(), Some("0002_change"));
    println!("race: 50 starts: {} did the work, {} had nothing to do", count("done"), count("nothing"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t29_two_at_once_do_not_interleave() {
    for other in ["complete", "rollback"] {
        let (database, folder) = filled(500).await;
        database.migrator().await.start(&both(), None, &mut Quiet).await.expect("start");
        let children: Vec<_> =
            ["complete", other].map(|name| command(&database, &folder, &[name]).spawn().expect("the binary runs")).into();
        let words: Vec<&str> = children.into_iter().map(|child| word(&child.wait_with_output().expect("it ends"))).collect();
        let status = database.migrator().await.status(&both()).await.expect("a status");
        assert_eq!(status.pending, None, "{other}: {words:?}");
        assert_eq!(words.iter().filter(|word| **word == "done").count(), 1, "{other}: {words:?}");
        assert!(!words.contains(&"refused") || other == "rollback", "{words:?}");
        // two completes: whichever came first; complete and rollback: the one that won
        let completed = words[0] == "done" || other == "complete";
        let live = if completed { "0002_change" } else { "0001_before" };
        assert_eq!(status.live.as_deref(), Some(live), "{other}: {words:?}");
    }
}

/// Kills a process of the tool when the database says so; it gets no chance to tidy up.
async fn killed_when(database: &Database, folder: &Folder, condition: &str) {
    let mut child = command(database, folder, &["start"]).spawn().expect("the binary runs");
    let (admin, since) = (database.client().await, Instant::now());
    while ask(&admin, condition).await != "t" {
        assert!(since.elapsed() < Duration::from_secs(60), "never: {condition}");
        assert!(child.try_wait().expect("a child").is_none(), "it ended too early");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    child.kill().expect("killed");
    child.wait().expect("it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t1_killed_in_mid_backfill_then_completed() {
    let (database, folder) = filled(150_000).await;
    killed_when(&database, &folder, "SELECT EXISTS (SELECT FROM diptych.backfill WHERE block > 100)").await;
    let complete = command(&database, &folder, &["complete"]).output().expect("the binary runs");
    assert_eq!(word(&complete), "refused");
    let message = String::from_utf8_lossy(&complete.stderr).into_owned();
    assert!(message.contains("not finished") && message.contains("run `start` again"), "{message}");
    let start = command(&database, &folder, &["start"]).output().expect("the binary runs");
    assert_eq!(word(&start), "done", "{}", String::from_utf8_lossy(&start.stderr));
    assert_eq!(word(&command(&database, &folder, &["complete"]).output().expect("the binary runs")), "done");
    let new = database.on("0002_change").await;
    assert_eq!(ask(&new, "SELECT count(*) FROM users WHERE age IS DISTINCT FROM id").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h3_a_killed_tool_leaves_nothing_that_holds_others_up() {
    let (database, folder) = filled(2_000).await;
    // an old snapshot makes the concurrent build wait, and the tool is killed meanwhile
    let old = database.on("0001_before").await;
    must(&old, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await;
    killed_when(
        &database,
        &folder,
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock')",
    )
    .await;
    // its backend notices, though it waits, and lets go of the run
    let began = Instant::now();
    let outcome = database.migrator().await.complete(&mut Quiet).await;
    let waited = began.elapsed();
    assert!(outcome.is_err_and(|error| error.is_refused()), "the start is not finished");
    assert!(waited < Duration::from_secs(10), "the run was held for {waited:?}");
    // the half-built index is found by definition, dropped and built again
    let admin = database.client().await;
    let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    assert_eq!(ask(&admin, invalid).await, "1");
    must(&old, "COMMIT").await;
    let done = database.migrator().await.start(&both(), None, &mut Quiet).await.expect("start again");
    assert!(matches!(done, Outcome::Done(_)));
    assert_eq!(ask(&admin, invalid).await, "0");
    println!("h3: the run was free {} ms after the tool was killed", waited.as_millis());
}

//! A complete that waits for a sign: a query that gives true, and how long the version has been published.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use diptych_tests::{Database, Work, ask, must, server};

use crate::cli::{Folder, GOOD, binary, refused, text};
use crate::events::events;

const MORE: &str = "operations: [{add_column: {table: users, column: {name: mail, type: text, nullable: true}}}]";
const WHEN: &str = "SELECT done FROM ops.sign";
/// Sessions that look for a sign.
const LOOKING: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'diptych' AND datname = current_database()";

/// Two versions, and a table with the sign.
async fn started() -> (Database, String, Folder) {
    let database = Database::new().await;
    let url = server().url(&database.name);
    let folder = Folder::new(&[("0001_users.yaml", GOOD)]);
    assert!(folder.run(Some(&url), &["start"]).status.success());
    assert!(folder.run(Some(&url), &["complete"]).status.success());
    std::fs::write(folder.path().join("0002_mail.yaml"), MORE).expect("a file");
    assert!(folder.run(Some(&url), &["start"]).status.success());
    let admin = database.client().await;
    must(&admin, "CREATE SCHEMA ops; CREATE TABLE ops.sign (done boolean); INSERT INTO ops.sign VALUES (false)").await;
    (database, url, folder)
}

fn spawn(folder: &Folder, url: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.arg("--dir").arg(folder.path()).args(["--url", url, "complete"]).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
}

async fn end(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output()).await.expect("it ends").expect("it ends")
}

async fn looks(database: &Database) {
    let (admin, since) = (database.client().await, Instant::now());
    while ask(&admin, LOOKING).await == "0" {
        assert!(since.elapsed() < Duration::from_secs(30), "it does not look");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // the first look is over
    tokio::time::sleep(Duration::from_millis(500)).await;
}

async fn state(database: &Database) -> String {
    ask(&database.client().await, "SELECT state FROM diptych.versions WHERE name = '0002_mail'").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_complete_begins_when_its_query_gives_true() {
    let (database, url, folder) = started().await;
    let admin = database.client().await;
    let work = Work::start(&database, "0001_users", 1, &["INSERT INTO users VALUES ({n})"]).await;
    must(&admin, "DELETE FROM ops.sign").await;
    let child = spawn(&folder, &url, &["--when", WHEN, "--json"]);
    looks(&database).await;
    for (change, found) in [("INSERT INTO ops.sign VALUES (NULL)", "NULL"), ("UPDATE ops.sign SET done = false", "false")] {
        must(&admin, change).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(state(&database).await, "started", "{found}");
    }
    // nobody is kept from anything meanwhile, and a session that is lost is opened again
    assert_eq!(ask(&admin, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").await, "0");
    let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'diptych' AND datname = current_database()";
    assert_eq!(ask(&admin, ended).await, "1");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    must(&admin, "UPDATE ops.sign SET done = true").await;
    let output = end(child).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(state(&database).await, "live");
    let told = events(&output);
    let waits: Vec<_> = told.iter().filter(|event| event["event"] == "waiting").collect();
    assert!(waits.iter().all(|wait| wait["for"] == "sign") && waits[0]["message"].to_string().contains("no row"), "{waits:?}");
    println!("sign: {} events, {} statements beside", told.len(), report.statements);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_version_is_published_for_so_long_first() {
    let (database, url, folder) = started().await;
    let admin = database.client().await;
    let file = folder.path().join("ready.sql");
    std::fs::write(&file, format!("-- by the team\n{WHEN};\n")).expect("a file");
    let file = file.display().to_string();
    let over = folder.run(Some(&url), &["complete", "--after", "1h", "--when", &file, "--wait", "1s"]);
    refused(
        &over,
        &["within 1s", "`0002_mail` has been published for 35", "and until the query of --when gives true: it gives false"],
    );
    assert_eq!(state(&database).await, "started");
    must(&admin, "UPDATE diptych.versions SET published_at = clock_timestamp() WHERE name = '0002_mail'").await;
    must(&admin, "UPDATE ops.sign SET done = true").await;
    let output = folder.run(Some(&url), &["complete", "--after", "4s", "--when", &file, "--wait", "1m"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("waits until version `0002_mail` has been published for "), "{}", text(&output.stderr));
    let soaked = "SELECT max(done_at) - published_at BETWEEN '4s' AND '20s' FROM diptych.versions JOIN diptych.journal ON version = name AND command = 'complete' WHERE name = '0002_mail' GROUP BY published_at";
    assert_eq!(ask(&admin, soaked).await, "t");
    // with nothing to complete there is nothing to wait for
    let output = folder.run(Some(&url), &["complete", "--after", "1h", "--when", "SELECT false"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "nothing to do: no version is started\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_cannot_be_asked_ends_with_a_code_of_its_own() {
    let (database, url, folder) = started().await;
    must(
        &database.client().await,
        "CREATE FUNCTION ops.writes() RETURNS boolean LANGUAGE sql AS 'UPDATE ops.sign SET done = true RETURNING done'",
    )
    .await;
    for (query, part) in [
        ("SELECT done FROM sign", "relation \"sign\" does not exist"),
        ("SELECT 1 / 0 = 1", "division by zero"),
        ("SELECT true, false", "2 columns"),
        ("SELECT 1", "a value of type `int4`"),
        ("SELECT true FROM generate_series(1, 3)", "3 rows"),
        ("SELECT true; SELECT true", "multiple commands"),
        ("UPDATE ops.sign SET done = true RETURNING done", "read-only transaction"),
        ("SELECT ops.writes()", "read-only transaction"),
        ("SELECT set_config('transaction_read_only', 'off', false) = 'off' AND ops.writes()", "read-write mode"),
        ("COMMIT", "0 columns"),
        ("", "0 columns"),
        ("/no/such.sql", "`/no/such.sql`"),
    ] {
        let output = folder.run(Some(&url), &["complete", "--json", "--when", query]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{query}: {said}");
        assert!(said.contains(part) && said.contains("--when") && said.contains("\nhint: "), "{query}: {said}");
        let told = events(&output);
        let last = told.last().expect("an event");
        assert!(last["event"] == "failed" && last["code"] == 4, "{query}: {last}");
        assert_eq!(state(&database).await, "started", "{query}");
    }
    assert_eq!(ask(&database.client().await, WHEN).await, "f");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_ends_the_wait_at_once_and_a_rollback_makes_it_needless() {
    let (database, url, folder) = started().await;
    for (signal, code, query) in [("INT", 130, WHEN), ("TERM", 143, "SELECT pg_catalog.pg_sleep(60) IS NULL")] {
        let child = spawn(&folder, &url, &["--when", query]);
        looks(&database).await;
        let (sent, id) = (Instant::now(), child.id().to_string());
        assert!(Command::new("kill").args(["-s", signal, &id]).status().expect("kill").success());
        let output = end(child).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
        assert!(said.contains("error: `complete` was interrupted\nhint: run `complete` again"), "{said}");
        assert_eq!(state(&database).await, "started");
    }
    let child = spawn(&folder, &url, &["--when", WHEN]);
    looks(&database).await;
    assert!(folder.run(Some(&url), &["rollback"]).status.success());
    let output = end(child).await;
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "nothing to do: no version is started\n"));
}

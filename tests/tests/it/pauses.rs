//! A paused start: it stops between two transactions, holds nothing, stays paused whoever runs it, and goes on where it was.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use diptych::{Begin, Migrator, Options, Outcome, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, Work, ask, migration, must, seed, server};
use diptych_xtask::server::{self as private, Server};
use serde_json::Value;
use tokio_postgres::config::Host;

use crate::cli::{Folder, binary, refused, text};

const BEFORE: &str =
    "operations: [{create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: price, type: integer}]}}]";
const WIDER: &str =
    "operations: [{alter_column: {table: items, column: price, type: bigint, up: price::bigint * 100, down: price / 100}}]";
const ROWS: u32 = 200_000;

pub(crate) fn both() -> [Migration; 2] {
    [migration("0001_items", BEFORE), migration("0002_wider", WIDER)]
}

/// A table with rows, the folder that widens its price, and the binary between them.
pub(crate) struct Case {
    pub(crate) database: Database,
    folder: Folder,
}

impl Case {
    async fn new() -> Self {
        Case::of(Database::new().await, ROWS).await
    }

    /// In a database of which nothing is used yet.
    pub(crate) async fn of(database: Database, rows: u32) -> Self {
        database.migrate(&both()[..1]).await;
        let insert = format!("INSERT INTO items SELECT n, n % 1000 FROM generate_series(1, {rows}) AS n");
        must(&database.on("0001_items").await, &insert).await;
        Case { database, folder: Folder::new(&[("0001_items.yaml", BEFORE), ("0002_wider.yaml", WIDER)]) }
    }

    fn url(&self) -> String {
        let server = &self.database.server;
        let [Host::Unix(folder)] = server.get_hosts() else { panic!("a socket") };
        let (user, folder) = (server.get_user().expect("a role"), folder.display());
        format!("postgresql://{user}@/{}?host={folder}", self.database.name)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.folder.run(Some(&self.url()), arguments)
    }

    /// A command that goes: what it says.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout) + &text(&output.stderr)
    }

    pub(crate) fn refused(&self, arguments: &[&str], parts: &[&str]) {
        refused(&self.run(arguments), parts);
    }

    pub(crate) fn status(&self) -> (String, Value) {
        let json = self.done(&["status", "--json"]);
        (self.done(&["status"]), serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}")))
    }

    /// A command in a process of its own.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(binary());
        command.arg("--dir").arg(self.folder.path()).args(["--url", &self.url()]).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
        let (sender, lines) = channel();
        let said = BufReader::new(child.stderr.take().expect("its errors"));
        std::thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Run { child, lines }
    }

    /// A start whose backfill is under way, in small transactions.
    async fn filling(&self) -> Run {
        let run = self.spawn(&["--batch", "1ms", "start"]);
        eventually(&self.database, "SELECT coalesce((SELECT block > 0 FROM diptych.backfill), false)").await;
        run
    }

    pub(crate) async fn position(&self) -> String {
        ask(&self.database.client().await, "SELECT block, total FROM diptych.backfill").await
    }

    pub(crate) async fn is_right(&self) {
        let new = self.database.on("0002_wider").await;
        let wrong = "SELECT count(*) > 0, count(*) = max(id), count(*) FILTER (WHERE price <> id % 1000 * 100) FROM items";
        assert_eq!(ask(&new, wrong).await, "t|t|0");
    }
}

/// A process of the tool, with what it says.
pub(crate) struct Run {
    child: Child,
    lines: Receiver<String>,
}

impl Run {
    /// Waits for a line that has this in it.
    pub(crate) fn says(&self, part: &str) -> String {
        let mut said = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(60)) {
            if line.contains(part) {
                return line;
            }
            said.push(line);
        }
        panic!("it never says `{part}`: {said:#?}")
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn code(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

async fn eventually(database: &Database, sql: &str) {
    let (admin, since) = (database.client().await, Instant::now());
    while ask(&admin, sql).await != "t" {
        assert!(since.elapsed() < Duration::from_secs(60), "never: {sql}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Sessions of the tool in this database that are in a transaction, hold a snapshot, or a lock that anybody else could want.
const HELD: &str = "SELECT count(*) FROM pg_stat_activity AS activity WHERE datname = current_database() AND application_name = 'diptych' \
     AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL OR backend_xid IS NOT NULL OR EXISTS (SELECT FROM pg_locks AS held \
     WHERE held.pid = activity.pid AND held.locktype NOT IN ('advisory', 'virtualxid')))";

/// Nothing is held: no look of many finds a transaction of the tool but its own short questions, and every row can be had at once.
pub(crate) async fn holds_nothing(database: &Database) {
    let admin = database.client().await;
    let mut free = 0;
    for _ in 0..50 {
        free += u32::from(ask(&admin, HELD).await == "0");
        tokio::time::sleep(Duration::from_millis(11)).await;
    }
    assert!(free > 30, "something is held in {} of 50 looks", 50 - free);
    must(&admin, "BEGIN; SELECT FROM items FOR UPDATE NOWAIT; COMMIT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_backfill_holds_nothing_and_goes_on_where_it_was() {
    let case = Case::new().await;
    let run = case.filling().await;
    assert!(case.done(&["pause"]).contains("paused `0002_wider`"));
    let since = Instant::now();
    let said = run.says("paused by");
    assert!(said.starts_with("backfill of `items`: ") && said.contains(" %, "), "{said}");
    println!("pauses: a backfill stood {} ms after it was paused", since.elapsed().as_millis());
    assert!(said.contains("by role `postgres` on ") && said.contains(" s; `resume` lets it go on"), "{said}");
    let there = case.position().await;
    holds_nothing(&case.database).await;
    assert_eq!(case.position().await, there, "it goes on though it is paused");
    // nobody else sees a change, and who asks is told
    let again = case.done(&["pause"]);
    assert!(again.contains("nothing to do: the start of version `0002_wider` is paused by role `postgres`"), "{again}");
    let (lines, json) = case.status();
    let paused = lines.lines().find(|line| line.starts_with("paused   ")).unwrap_or_else(|| panic!("{lines}"));
    assert!(paused.contains("by role `postgres` on ") && paused.contains("`resume` lets it go on"), "{paused}");
    let pause = &json["pending"]["paused"];
    assert!(pause["role"] == "postgres" && pause["host"] == json["run"]["host"] && pause["since"].is_u64(), "{json}");
    assert_eq!(json["run"]["process"].as_u64(), Some(run.child.id().into()));
    assert!(json["pending"]["rows"].as_u64().is_some_and(|rows| rows > 0 && rows < ROWS.into()), "{json}");
    assert!(json["pending"]["rows_per_second"].is_null() && json["run"]["waits_for"].is_null(), "{json}");
    // killed and run again, it is still paused, where it was
    run.kill();
    eventually(&case.database, "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))").await;
    let (lines, _) = case.status();
    assert!(lines.contains("no process is running it: run `start` again") && lines.contains("paused   by role"), "{lines}");
    let run = case.spawn(&["--batch", "1ms", "start"]);
    run.says("paused by");
    holds_nothing(&case.database).await;
    assert_eq!(case.position().await, there);
    case.refused(
        &["--timeout", "500ms", "complete"],
        &["another run holds schema `public`", "hint: run `resume`, for that start is paused"],
    );
    // as the line says
    assert!(case.done(&["resume"]).contains("resumed `0002_wider`"));
    assert_eq!(run.code(), Some(0));
    case.is_right().await;
    assert!(case.done(&["resume"]).contains("nothing to do: no start is paused"));
    assert_eq!(ask(&case.database.client().await, "SELECT count(*) FROM diptych.pauses").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_start_is_paused() {
    let case = Case::new().await;
    case.refused(&["pause"], &["no version is being started", "hint: run `start --pause`"]);
    let nothing = Folder::new(&[]);
    let empty = Database::new().await;
    refused(&nothing.run(Some(&server().url(&empty.name)), &["pause"]), &["no version is being started"]);
    assert!(text(&nothing.run(Some(&server().url(&empty.name)), &["resume"]).stdout).contains("no start is paused"));
    let schema = ask(&empty.client().await, "SELECT to_regnamespace('diptych') IS NULL").await;
    assert_eq!(schema, "t", "who asks makes no state");
    // as the hint says: the tables are ready, and no row is filled
    let run = case.spawn(&["start", "--pause"]);
    run.says("paused by");
    let admin = case.database.client().await;
    assert_eq!(ask(&admin, "SELECT count(*) FROM diptych.backfill").await, "0");
    let filled = "SELECT count(*) FROM items WHERE \"_diptych_new_price\" IS NOT NULL";
    let filled = filled.replace(
        "_diptych_new_price",
        &ask(&admin, "SELECT attname FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname LIKE '\\_diptych%'").await,
    );
    assert_eq!(ask(&admin, &filled).await, "0");
    // the release that runs goes on, and what it writes is in sync
    must(&case.database.on("0001_items").await, "UPDATE items SET price = price WHERE id <= 10").await;
    assert_eq!(ask(&admin, &filled).await, "10");
    run.kill();
    case.refused(
        &["complete"],
        &["the start of version `0002_wider` is not finished", "hint: run `resume`, for it is paused; run `start` again"],
    );
    let resumed = case.done(&["resume"]);
    assert!(resumed.contains("resumed `0002_wider`") && resumed.contains("run `start` again"), "{resumed}");
    assert!(case.done(&["resume"]).contains("nothing to do: the start of version `0002_wider` is not paused"));
    case.done(&["start"]);
    case.is_right().await;
    case.refused(&["pause"], &["the start of version `0002_wider` is done", "hint: run `complete`"]);
    // there is nothing to fill: nothing to wait for
    case.done(&["complete"]);
    std::fs::write(
        case.folder.path().join("0003_notes.yaml"),
        "operations: [{create_table: {name: notes, columns: [{name: id, type: bigint, pk: true}]}}]",
    )
    .expect("a file");
    assert!(case.done(&["start", "--pause"]).contains("started `0003_notes`"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_start_gives_way_to_a_rollback() {
    let case = Case::new().await;
    let before = case.database.catalog().await;
    let run = case.spawn(&["start", "--pause"]);
    run.says("paused by");
    assert!(case.done(&["rollback"]).contains("rolled back `0002_wider`"));
    let said = run.says("error: ");
    assert!(said.contains("the start is paused by role") && said.contains("gives way to the rollback of pid "), "{said}");
    assert!(run.says("hint: ").contains("run `start` again"));
    assert_eq!(run.code(), Some(1));
    assert_eq!(case.database.catalog().await, before);
    // the pause has gone with what was paused
    case.done(&["start"]);
    case.is_right().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_outlasts_the_server() {
    let mut private = Server::start(&private::Options::default()).expect("a private server");
    let case = Case::of(Database::at(&private.config("postgres"), "public").await, ROWS).await;
    let run = case.filling().await;
    case.done(&["pause"]);
    run.says("paused by");
    let there = case.position().await;
    private.crash().expect("it starts again");
    assert_eq!(run.code(), Some(1));
    let run = case.spawn(&["start"]);
    run.says("paused by");
    // what a crash undoes of a backfill is its rows with the position
    let now = case.position().await;
    assert!(block(&now) <= block(&there), "{there}, then {now}");
    case.done(&["resume"]);
    assert_eq!(run.code(), Some(0));
    case.is_right().await;
}

/// The first block that is not done, of a position.
fn block(position: &str) -> i64 {
    position.split('|').next().and_then(|block| block.parse().ok()).expect("a block")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_of_an_earlier_release_knows_of_no_pause() {
    let case = Case::new().await;
    let run = case.spawn(&["start", "--pause"]);
    run.says("paused by");
    run.kill();
    let admin = case.database.client().await;
    must(&admin, "DROP TABLE diptych.pauses; UPDATE diptych.format SET tool = 'of before'").await;
    let (lines, json) = case.status();
    assert!(json["pending"]["paused"].is_null() && !lines.contains("paused"), "{lines}");
    case.done(&["pause"]);
    assert_eq!(case.status().1["pending"]["paused"]["role"], "postgres");
    case.done(&["rollback"]);
}

/// Many pause and resume all the while, starts are killed on the way, and an application writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pauses_and_their_ends_at_any_moment_lose_no_row() {
    let case = Case::new().await;
    let work =
        Work::start(&case.database, "0001_items", 2, &["UPDATE items SET price = price WHERE id = 1 + {n} % 200000"]).await;
    let mut random = seed("pauses");
    let (mut paused, mut killed) = (0, 0);
    let connect = async |begin| {
        let options = Options { begin, batch: Duration::from_millis(2), ..Options::default() };
        Migrator::connect(&case.database.config(), options).await.expect("a migrator")
    };
    loop {
        let begin = if random.bool() { Begin::Paused } else { Begin::AtOnce };
        let mut migrator = connect(begin).await;
        let run = tokio::spawn(async move { migrator.start(&both(), None, &mut Quiet).await });
        let others = [connect(Begin::AtOnce).await, connect(Begin::AtOnce).await];
        for _ in 0..random.u32(2..12) {
            let other = &others[random.usize(0..2)];
            tokio::time::sleep(Duration::from_millis(random.u64(0..60))).await;
            match if random.bool() { other.pause().await } else { other.resume().await } {
                Ok(Outcome::Done(_)) => paused += 1,
                Ok(Outcome::Nothing(_)) => {}
                Err(error) => assert!(error.is_refused(), "{error}"),
            }
        }
        others[0].resume().await.expect("resumed");
        if killed >= 12 {
            run.await.expect("it ends").expect("started");
            break;
        }
        run.abort();
        match run.await {
            Ok(done) => {
                // it was done before: once more from the beginning
                done.expect("started");
                others[1].status(&both()).await.expect("a status");
                case.database.migrator().await.rollback(&mut Quiet).await.expect("rolled back");
            }
            Err(_) => killed += 1,
        }
    }
    let report = work.stop().await;
    assert!(report.failed.is_empty(), "{:?}", report.failed.first());
    case.is_right().await;
    println!("pauses: {paused} pauses and resumes, {killed} starts killed, {} statements beside them", report.statements);
}

//! What a command costs where the schema is large and the change is small: one new column among many tables.
//!
//! ```text
//! cargo build --release -p diptych-xtask && cargo bench -p diptych-tests --bench schema
//! TABLES=100,30000 cargo bench -p diptych-tests --bench schema
//! ```
//!
//! A line for each number of tables: seconds, and the most memory of the program itself, of `plan`, `start`, `status` and `complete`, each a
//! process of its own. At the end, what the server alone takes to create and drop a view of each table, in two statements of one session: a start
//! makes these views for the new version, and complete drops those of the old one.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use diptych_tests::{Database, must};
use diptych_xtask::server::{self, Server};

#[tokio::main]
async fn main() {
    let tables = std::env::var("TABLES").unwrap_or_else(|_| "100,1000,5000".to_owned());
    let own = std::env::current_exe().expect("this program");
    // target/release/deps/schema-…
    let program = own.ancestors().nth(2).expect("a folder").join("diptych");
    assert!(program.exists(), "{}: build it first: cargo build --release -p diptych-xtask", program.display());
    let settings = [("max_locks_per_transaction", "256"), ("fsync", "on")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Server::start(&server::Options { settings, ..server::Options::default() }).expect("a private server");
    println!(
        "| tables | files read and first start | plan | start | status | complete | most memory | views alone: created, dropped |\n|---|---|---|---|---|---|---|---|"
    );
    for tables in tables.split(',') {
        measure(&server, &program, tables.trim().parse().expect("TABLES: numbers")).await;
    }
}

async fn measure(server: &Server, program: &Path, tables: usize) {
    let database = Database::at(&server.config("postgres"), "public").await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = "operations:\n".to_owned();
    for table in 0..tables {
        let _ = writeln!(
            text,
            "  - create_table: {{name: t{table}, columns: [{{name: id, type: bigint, pk: true}}, {{name: a, type: text}}, {{name: b, type: integer, nullable: true}}, {{name: c, type: timestamptz, nullable: true}}]}}"
        );
    }
    std::fs::write(folder.path().join("0001_before.yaml"), text).expect("a file");
    let url = server.url(&database.name);
    let run = |arguments: &[&str]| timed(Command::new(program).args(["--url", &url, "--dir"]).arg(folder.path()).args(arguments));
    let first = run(&["start"]);
    run(&["complete"]);
    // as in a database that has been there for a while
    must(&database.client().await, "VACUUM ANALYZE").await;
    let change = "operations: [{add_column: {table: t7, column: {name: added, type: integer, nullable: true}}}]\n";
    std::fs::write(folder.path().join("0002_change.yaml"), change).expect("a file");
    let steps = [["plan"], ["start"], ["status"], ["complete"]].map(|arguments| run(&arguments));
    let memory = steps.iter().map(|(_, memory)| *memory).max().unwrap_or_default();
    let [plan, start, status, complete] = steps.map(|(took, _)| took.as_secs_f64());
    let (created, dropped) = views_alone(&database, tables).await;
    println!(
        "| {tables} | {:.1} s | {plan:.2} s | {start:.2} s | {status:.2} s | {complete:.2} s | {} MB | {created:.2} s, {dropped:.2} s |",
        first.0.as_secs_f64(),
        memory / 1024
    );
    let admin = diptych_tests::client(&server.config("postgres")).await;
    must(&admin, &format!("DROP DATABASE {} WITH (FORCE)", database.name)).await;
}

/// The seconds that the server takes to create a view of each table, and to drop them again.
async fn views_alone(database: &Database, tables: usize) -> (f64, f64) {
    let client = database.client().await;
    must(&client, "VACUUM ANALYZE").await;
    must(&client, "CREATE SCHEMA alone").await;
    let invoker = if diptych_tests::major() >= 15 { " WITH (security_invoker = true)" } else { "" };
    let create = format!(
        "DO $$ BEGIN FOR number IN 0..{} LOOP EXECUTE format('CREATE VIEW alone.t%s{invoker} AS SELECT id, a, b, c FROM public.t%s', number, number); END LOOP; END $$",
        tables - 1
    );
    let began = Instant::now();
    must(&client, &create).await;
    let created = began.elapsed().as_secs_f64();
    let began = Instant::now();
    must(&client, "DROP SCHEMA alone CASCADE").await;
    (created, began.elapsed().as_secs_f64())
}

/// How long a program takes, and the most memory that it has had, in kB, where the system tells it.
fn timed(command: &mut Command) -> (Duration, u64) {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0));
        if let Some(ended) = child.try_wait().expect("its end") {
            assert!(ended.success(), "{command:?} failed");
            return (began.elapsed(), most);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

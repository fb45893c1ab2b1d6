//! The cases of `tests/verdicts` that compile: each is recorded, started with the running release at work, and completed.

use std::collections::BTreeSet;

use diptych::Quiet;
use diptych_core::{DeclaredSchema, Migration, Snapshot, migration::diff};
use diptych_tests::{Database, difference, must};

#[expect(dead_code, reason = "nobody reads the rows into the structs")]
mod cases {
    include!(env!("DIPTYCH_VERDICTS"));
}

const SNAPSHOT: &str = include_str!("../tests/verdicts/base/snapshot.yaml");
const BASE: &str = include_str!("../tests/verdicts/base/0001_base.yaml");
const ROWS: &str = include_str!("../tests/verdicts/base/rows.sql");
const WRITES: &str = include_str!("../tests/verdicts/base/writes.sql");

/// A case: its name, whether its author says that old writes may fail, and what its structs declare.
type Case = (&'static str, bool, fn() -> DeclaredSchema);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let base = Database::new().await;
    let first = diptych_tests::migration("0001_base", BASE);
    base.migrate(std::slice::from_ref(&first)).await;
    must(&base.on("0001_base").await, ROWS).await;
    let mut waiting = cases::CASES.iter();
    let mut running = tokio::task::JoinSet::new();
    let (mut recorded, mut allowed, mut failed, mut broken) = (0, 0, 0, BTreeSet::new());
    loop {
        while running.len() < 3
            && let Some(&case) = waiting.next()
        {
            let (database, first) = (base.copy().await, first.clone());
            running.spawn(async move { (case.0, lifecycle(case, &database, first).await) });
        }
        let Some(done) = running.join_next().await else { break };
        let (name, outcome) = done.expect("a case to its end");
        match outcome {
            Ok(None) => {}
            Ok(Some(failures)) => {
                recorded += 1;
                allowed += usize::from(case_allows(name));
                failed += usize::from(failures > 0);
            }
            Err(text) => _ = broken.insert(format!("{name}: {text}")),
        }
    }
    println!(
        "{} cases run, {recorded} recorded, {} broken; of {allowed} whose author allows it, {failed} make a statement of the running release fail",
        cases::CASES.len(),
        broken.len()
    );
    for line in &broken {
        println!("broken: {line}");
    }
}

fn case_allows(name: &str) -> bool {
    cases::CASES.iter().any(|case| case.0 == name && case.1)
}

/// How many statements of the running release failed, where their author allows it; nothing where there was nothing to record.
async fn lifecycle((_, may_fail, declared): Case, database: &Database, first: Migration) -> Result<Option<usize>, String> {
    let (before, declared) = (Snapshot::parse(SNAPSHOT).expect("a snapshot"), declared());
    let mut migrator = database.migrator().await;
    let made = migrator.settle(|book| {
        let declared = diff::known(&before, &declared, book);
        let operations = diff::diff_with(&before, &declared, book)?;
        let migration = Migration { name: "0002_case".to_owned(), version_schema: None, operations };
        let after = migration.stage_with(&before.schema, book)?.to;
        Ok((migration, declared.snapshot("0002_case", after)))
    });
    let (migration, after) = made.await.map_err(|error| format!("record: {error}"))?;
    if migration.operations.is_empty() {
        return Ok(None);
    }
    let all = [first, migration];
    migrator.start(&all, None, &mut Quiet).await.map_err(|error| format!("start: {error}"))?;
    let old = database.on("0001_base").await;
    let mut failures = 0;
    for statement in WRITES.lines().filter(|line| !line.starts_with("--")) {
        let Err(error) = old.batch_execute(statement).await else { continue };
        failures += 1;
        if !may_fail {
            let message = error.as_db_error().map_or("", |error| error.message());
            return Err(format!("the running release's `{statement}` fails: {message}"));
        }
    }
    for (version, schema) in [("0001_base", &before.schema), ("0002_case", &after.schema)] {
        let session = database.on(version).await;
        for table in schema.tables.keys() {
            must(&session, &format!("SELECT * FROM {}", diptych_core::sql::ident(table))).await;
        }
    }
    migrator.complete(&mut Quiet).await.map_err(|error| format!("complete: {error}"))?;
    let (found, wanted) = (database.catalog().await, database.fresh_catalog(&after.schema).await);
    if found == wanted {
        Ok(Some(failures))
    } else {
        Err(format!("complete does not give the structs' schema: {}", difference(&wanted, &found)))
    }
}

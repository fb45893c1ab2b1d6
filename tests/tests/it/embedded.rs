//! Apps that migrate themselves: many instances of two releases, which come and go as in a rolling deploy.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use diptych::{Completion, Options, Outcome, connect, embedded};
use diptych_tests::{Database, ask, must, server};
use tokio_postgres::Client;

use crate::cli::binary;

const USERS: &str =
    "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: age, type: integer}]}}]";
const WIDER: &str = "operations: [{alter_column: {table: users, column: age, type: bigint, up: age, down: age}}]";
const MAIL: &str = "operations: [{add_column: {table: users, column: {name: mail, type: text, nullable: true}}}]";
/// Those that every release so far knows of.
const ALL: [(&str, &str); 3] = [("0001_users", USERS), ("0002_wider", WIDER), ("0003_mail", MAIL)];
const SOAK: Duration = Duration::from_secs(1);

macro_rules! release {
    ($name:ident, $count:literal, $schema:literal) => {
        struct $name;

        impl diptych::Database for $name {
            const BASE: &'static str = "public";
            const VERSION: Option<&'static str> = Some(ALL[$count - 1].0);
            const SCHEMA: Option<&'static str> = Some($schema);
            const GUARD: &'static str = "public_diptych_guard";
            const MIGRATIONS: &'static [(&'static str, &'static str)] = ALL.split_at($count).0;
            const SNAPSHOT: &'static str = "";
            const FOLDER: &'static str = "";

            fn declared() -> diptych_core::DeclaredSchema {
                diptych_core::DeclaredSchema::default()
            }
        }
    };
}

release!(One, 1, "public_0001_users");
release!(Two, 2, "public_0002_wider");
release!(Three, 3, "public_0003_mail");

/// An instance that has come up.
struct Instance {
    client: Client,
    completion: Completion,
}

async fn up<D: diptych::Database>(url: String) -> diptych::Result<Instance> {
    let completion = embedded::migrate::<D>(&url, Options::default(), SOAK).await?;
    Ok(Instance { client: connect::connect::<D>(&url).await?, completion })
}

/// So many at once.
async fn all_up<D: diptych::Database>(url: &str, count: usize) -> Vec<Instance> {
    let tasks: Vec<_> = (0..count).map(|_| tokio::spawn(up::<D>(url.to_owned()))).collect();
    let mut instances = Vec::new();
    for task in tasks {
        instances.push(task.await.expect("no panic").unwrap_or_else(|error| panic!("{error}")));
    }
    instances
}

async fn until(admin: &Client, sql: &str, wanted: &str) {
    let since = Instant::now();
    while ask(admin, sql).await != wanted {
        assert!(since.elapsed() < Duration::from_secs(60), "{sql} is not {wanted}, but {}", ask(admin, sql).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const STATES: &str = "SELECT string_agg(state, ' ' ORDER BY number) FROM diptych.versions";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_releases_migrate_themselves() {
    let database = Database::new().await;
    let (url, admin) = (server().url(&database.name), database.client().await);
    let old = all_up::<One>(&url, 12).await;
    until(&admin, STATES, "live").await;
    must(&old[0].client, "INSERT INTO users SELECT n, n FROM generate_series(1, 2000) AS n").await;

    let new = all_up::<Two>(&url, 12).await;
    assert_eq!(ask(&admin, STATES).await, "live started");
    must(&new[3].client, "INSERT INTO users VALUES (3000, 5)").await;
    assert_eq!(ask(&old[5].client, "SELECT age FROM users WHERE id = 3000").await, "5");
    // an instance of the older release that comes up meanwhile, and one that stays: nobody is cut off
    let late = up::<One>(url.clone()).await.expect("the older version is published");
    drop(old);
    tokio::time::sleep(SOAK + Duration::from_secs(8)).await;
    assert_eq!(ask(&admin, STATES).await, "live started");
    assert_eq!(ask(&late.client, "SELECT count(*) FROM users").await, "2001");
    drop(late);
    until(&admin, STATES, "retired live").await;
    let mut outcomes = BTreeSet::new();
    for instance in new {
        outcomes.insert(matches!(instance.completion.done().await.unwrap_or_else(|error| panic!("{error}")), Outcome::Done(_)));
        assert_eq!(ask(&instance.client, "SELECT count(*) FROM users").await, "2001");
    }
    assert!(outcomes.contains(&true), "one has done it");
    let error = up::<One>(url.clone()).await.err().expect("a release that is too old");
    assert!(error.is_retired() && error.hint_text().is_some(), "{error}");
    let ran =
        ask(&admin, "SELECT string_agg(command || ' ' || coalesce(outcome, ''), ', ' ORDER BY token) FROM diptych.log").await;
    assert_eq!(ran, "start done, complete done, start done, complete done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_release_may_be_left_out_and_waits_for_the_one_before() {
    let database = Database::new().await;
    let (url, admin) = (server().url(&database.name), database.client().await);
    let old = up::<One>(url.clone()).await.expect("it comes up");
    until(&admin, STATES, "live").await;
    let middle = up::<Two>(url.clone()).await.expect("it comes up");
    let newest = tokio::spawn(up::<Three>(url.clone()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ask(&admin, STATES).await, "live started");
    drop(old);
    let newest = newest.await.expect("no panic").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ask(&admin, STATES).await, "retired live started");
    assert_eq!(ask(&middle.client, "SELECT count(*) FROM users").await, "0");
    drop(middle);
    assert_eq!(newest.completion.done().await.expect("it completes"), Outcome::Done(vec!["0003_mail".to_owned()]));
    let lasting = Options { timeout: Duration::from_secs(1), ..Options::default() };
    let error = embedded::migrate::<One>("postgresql://nobody@127.0.0.1:1/db", lasting, SOAK).await.unwrap_err();
    assert!(error.is_connection(), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_runs_in_many_processes_at_once() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("a file");
    let page = read("docs/embedded.md");
    let shown = page.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    assert!(read("examples/quickstart/src/bin/embedded.rs").contains(shown), "{shown}");
    let built = Command::new(env!("CARGO")).args(["build", "-q", "-p", "quickstart", "--bin", "embedded"]).status();
    assert!(built.expect("cargo").success());
    let database = Database::new().await;
    let spawn = || {
        let mut command = Command::new(binary().with_file_name("embedded"));
        command.env("DATABASE_URL", server().url(&database.name)).stdout(Stdio::piped()).spawn().expect("it runs")
    };
    let children: Vec<_> = (0..6).map(|_| spawn()).collect();
    let said: BTreeSet<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().expect("it ends");
            assert!(output.status.success());
            crate::cli::text(&output.stdout)
        })
        .collect();
    assert!(said.iter().all(|said| said.ends_with("on version 0001_users\n")) && said.len() > 1, "{said:?}");
    assert_eq!(ask(&database.client().await, "SELECT count(*) FROM public.users").await, "6");
}

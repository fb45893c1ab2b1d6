//! Hooks: each moment, what it is told, and what becomes of the command where it fails.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use diptych_tests::{Database, ask, must, release, server};
use serde_json::Value;

use crate::cli::{Folder, GOOD, binary, refused, text};

release!(Users, "0001_users");

const CHANGE: &str = "operations: [{add_column: {table: users, column: {name: twice, type: bigint}, up: id * 2}}]";
const BAD: &str = "operations: [{create_constraint: {name: small, table: users, type: check, columns: [id], check: id < 5, up: {id: id}, down: {id: id}}}]";

struct Case {
    database: Database,
    folder: Folder,
    url: String,
}

impl Case {
    /// With the first version live and rows in it, and the second one recorded.
    async fn new() -> Self {
        let database = Database::new().await;
        let url = server().url(&database.name).replacen("user=postgres", "user=postgres&password=secret", 1);
        let folder = Folder::new(&[("0001_users.yaml", GOOD)]);
        let case = Case { database, folder, url };
        case.done(&["start"]);
        case.done(&["complete"]);
        must(&case.database.client().await, "INSERT INTO public.users SELECT generate_series(1, 100)").await;
        case.record("0002_change", CHANGE);
        std::fs::create_dir(case.folder.path().join("hooks")).expect("a folder");
        case
    }

    fn record(&self, name: &str, file: &str) {
        std::fs::write(self.folder.path().join(format!("{name}.yaml")), file).expect("a file");
    }

    fn hook(&self, name: &str, body: &str) -> PathBuf {
        let path = self.folder.path().join("hooks").join(name);
        std::fs::write(&path, body).expect("a hook");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("permissions");
        path
    }

    /// Each of these notes what it is told, a line each.
    fn note(&self, names: &[&str]) {
        for name in names {
            self.hook(name, &format!("#!/bin/sh\ncat >> {0}\necho >> {0}\n", self.log().display()));
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What was noted, and no more of it.
    fn noted(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.log()).unwrap_or_default();
        let _ = std::fs::remove_file(self.log());
        lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.folder.run(Some(&self.url), arguments)
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stderr)
    }

    fn pending(&self) -> Value {
        let status = self.run(&["status", "--json"]);
        let mut status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
        status["pending"].take()
    }
}

fn names(noted: &[Value]) -> Vec<String> {
    noted.iter().map(|facts| facts["hook"].as_str().expect("a name").to_owned()).collect()
}

const EACH: [&str; 10] = [
    "before-start",
    "before-backfill",
    "before-publish.sh",
    "after-start",
    "before-complete",
    "after-complete",
    "before-rollback",
    "after-rollback",
    "on-failure",
    "on-waiting",
];

#[tokio::test(flavor = "multi_thread")]
async fn each_moment_has_its_hook_and_its_facts() {
    let case = Case::new().await;
    case.note(&EACH);
    case.done(&["start"]);
    let noted = case.noted();
    assert_eq!(names(&noted), ["before-start", "before-backfill", "before-publish", "after-start"]);
    for facts in &noted {
        assert!(facts["command"] == "start" && facts["schema"] == "public" && facts["error"].is_null(), "{facts}");
        assert!(facts["version"] == "0002_change" && facts["from"] == "0001_users", "{facts}");
        assert!(facts["url"].as_str().is_some_and(|url| url.contains(&case.database.name)), "{facts}");
        assert!(!facts.to_string().contains("secret"), "{facts}");
    }
    case.done(&["rollback"]);
    assert_eq!(names(&case.noted()), ["before-rollback", "after-rollback"]);
    case.done(&["start"]);
    case.noted();
    // nothing to do is no moment
    case.done(&["start"]);
    assert_eq!(case.noted(), Vec::<Value>::new());

    let lease = diptych::connect::lease::<Users>(&case.url).await.expect("a lease");
    let output = case.run(&["complete", "--wait", "1s"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let noted = case.noted();
    assert_eq!(names(&noted), ["before-complete", "on-waiting", "on-failure"]);
    assert!(noted[1]["waiting_for"].as_str().is_some_and(|of| of.starts_with("processes to leave: ")), "{}", noted[1]);
    let error = &noted[2]["error"];
    assert!(error["code"] == 1 && error["hint"].is_string(), "{error}");
    assert!(error["message"].as_str().is_some_and(|told| told.contains("is in use")), "{error}");
    lease.expect("a lease").end().await;
    case.done(&["complete"]);
    assert_eq!(names(&case.noted()), ["before-complete", "after-complete"]);

    // refused before its moment
    case.record("0003_bad", BAD);
    refused(&case.run(&["start"]), &["`small`"]);
    assert_eq!(names(&case.noted()), ["on-failure"]);
    println!("hooks: {} moments, each told", EACH.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_before_a_part_stops_it() {
    let case = Case::new().await;
    let before = case.database.catalog().await;
    let fails = |name: &str| case.hook(name, "#!/bin/sh\necho 'not today' >&2\nexit 7\n");
    let stopped = |command: &str, hook: &PathBuf| {
        let output = case.run(&[command]);
        let again = format!("run `{command}` again");
        refused(&output, &["not today", &hook.display().to_string(), "has failed: exit status: 7", "let it succeed", &again]);
        std::fs::remove_file(hook).expect("removed");
    };
    stopped("start", &fails("before-start"));
    assert_eq!((case.pending(), case.database.catalog().await), (Value::Null, before));
    for name in ["before-backfill", "before-publish"] {
        stopped("start", &fails(name));
        assert_eq!(case.pending()["state"], "starting", "{name}");
    }
    case.done(&["start"]);
    for (name, command) in [("before-complete", "complete"), ("before-rollback", "rollback")] {
        stopped(command, &fails(name));
        assert_eq!(case.pending()["state"], "started", "{name}");
    }
    // those that come too late are warnings
    for name in ["after-rollback", "after-start", "after-complete", "on-failure"] {
        fails(name);
    }
    let told = [&["rollback"][..], &["start"], &["complete"]].map(|command| case.done(command));
    for (told, name) in told.iter().zip(["after-rollback", "after-start", "after-complete"]) {
        assert!(told.contains("warning: the hook `") && told.contains(name) && told.contains("exit status: 7"), "{told}");
    }
    case.record("0003_bad", BAD);
    let output = case.run(&["start"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let warning = told.lines().find(|line| line.starts_with("warning: ")).expect("a warning");
    assert!(warning.contains("on-failure") && warning.contains("exit status: 7"), "{told}");
    assert!(told.contains("\nerror: rows of table `users` break check `small`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_sql_runs_in_a_transaction_of_its_own() {
    let case = Case::new().await;
    let admin = case.database.client().await;
    must(&admin, "CREATE SCHEMA ops; CREATE TABLE ops.told (facts jsonb)").await;
    let sql = "INSERT INTO ops.told SELECT current_setting('diptych.hook')::jsonb || jsonb_build_object('path', current_setting('search_path'));";
    case.hook("after-start.sql", sql);
    case.hook("before-start.1.sql", sql);
    case.hook("before-start.2.sql", &format!("{sql} SELECT 1 / 0;"));
    refused(&case.run(&["start"]), &["before-start.2.sql", "division by zero", "run `start` again"]);
    let told = "SELECT string_agg(concat_ws(' ', facts ->> 'hook', facts ->> 'version'), ', ') FROM ops.told";
    // the first one is done, and nothing of the second stays
    assert_eq!(ask(&admin, told).await, "before-start 0002_change");
    case.hook("before-start.2.sql", "SELECT 1");
    case.done(&["start"]);
    assert_eq!(ask(&admin, told).await, "before-start 0002_change, before-start 0002_change, after-start 0002_change");
    let path = "SELECT DISTINCT facts ->> 'path' FROM ops.told";
    assert_eq!(ask(&admin, path).await, "pg_catalog, pg_temp");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_never_run_is_refused() {
    let case = Case::new().await;
    let hooks = case.folder.path().join("hooks");
    std::fs::create_dir(hooks.join("lib")).expect("a folder");
    for name in ["README.md", ".gitignore", "lib/before-nothing"] {
        std::fs::write(hooks.join(name), "").expect("a file");
    }
    let path = case.hook("before-strat", "#!/bin/sh\n");
    refused(&case.run(&["start"]), &["before-strat", "would never run", "before-start"]);
    std::fs::remove_file(path).expect("removed");
    std::fs::write(hooks.join("before-start"), "#!/bin/sh\n").expect("a file");
    refused(&case.run(&["start"]), &["neither executable nor", "chmod +x"]);
    refused(&case.run(&["--hooks", "/no/such/folder", "start"]), &["/no/such/folder", "--hooks"]);
    assert_eq!(case.pending(), Value::Null);
    // another folder takes its place
    let other = tempfile::tempdir().expect("a folder");
    case.done(&["start", "--hooks", other.path().to_str().expect("a path")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_ends_a_hook_and_a_lock_is_told_beside_the_command() {
    let case = Case::new().await;
    case.note(&["on-waiting", "on-failure"]);
    case.hook(
        "before-publish",
        &format!("#!/bin/sh\necho '{{\"hook\":\"before-publish\"}}' >> {}\nexec sleep 600\n", case.log().display()),
    );
    let admin = case.database.client().await;
    must(&admin, "BEGIN; LOCK TABLE public.users IN ACCESS SHARE MODE").await;
    let child = Command::new(binary())
        .arg("--dir")
        .arg(case.folder.path())
        .args(["--url", &case.url, "start"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let since = Instant::now();
    let said = |word: &str| std::fs::read_to_string(case.log()).unwrap_or_default().contains(word);
    let until = async |word: &str| {
        while !said(word) {
            assert!(since.elapsed() < Duration::from_secs(60), "no `{word}`");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    until("a lock held by pid ").await;
    must(&admin, "COMMIT").await;
    until("before-publish").await;
    Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().expect("kill");
    let output = child.wait_with_output().expect("it ends");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(143), "{told}");
    assert!(told.contains("`start` of version `0002_change` was interrupted"), "{told}");
    let noted = case.noted();
    assert_eq!(names(&noted).last().map(String::as_str), Some("on-failure"));
    assert_eq!(noted.last().map(|facts| &facts["error"]["code"]), Some(&Value::from(143)));
    std::fs::remove_file(case.folder.path().join("hooks/before-publish")).expect("removed");
    case.done(&["start"]);
}

//! b35 and b37: the folder of files is held against what the database has, `status` tells the truth, and every hint leads out.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use diptych::{Options, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, ask, client, must, release, server};
use serde_json::{Value, json};

use crate::cli::{Folder, binary, refused, text};

const ITEMS: (&str, &str) = (
    "0001_items.yaml",
    "operations: [{create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: price, type: integer}]}}]",
);
release!(Notes, "0003_notes");
/// What is wrong when it is run twice.
const CENTS: (&str, &str) = (
    "0002_cents.yaml",
    "operations: [{sql: {up: UPDATE items SET price = price * 100, down: UPDATE items SET price = price / 100}}]",
);
const NOTES: (&str, &str) =
    ("0003_notes.yaml", "operations: [{create_table: {name: notes, columns: [{name: id, type: bigint, pk: true}]}}]");
const ALL: [(&str, &str); 3] = [ITEMS, CENTS, NOTES];

/// A database, a folder, and the binary between them.
struct Case {
    database: Database,
    url: String,
    folder: Folder,
}

impl Case {
    /// With the files, of which so many are started and completed; there is a row if there is a table.
    async fn new(files: &[(&str, &str)], completed: usize) -> Self {
        let database = Database::new().await;
        let case = Case { url: server().url(&database.name), database, folder: Folder::new(&[]) };
        for (at, (name, text)) in files.iter().enumerate() {
            case.put(name, text);
            if at < completed {
                case.done(&["start"]);
                case.done(&["complete"]);
                if at == 0 {
                    must(&case.database.client().await, "INSERT INTO items VALUES (1, 3)").await;
                }
            }
        }
        case
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
    }

    fn take(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).expect("removed");
    }

    fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.folder.path().join(from), self.folder.path().join(to)).expect("renamed");
    }

    /// A command that goes: what it says.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.folder.run(Some(&self.url), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// A command that is refused, with these parts in its message: its hint.
    fn refused(&self, arguments: &[&str], parts: &[&str]) -> String {
        let output = self.folder.run(Some(&self.url), arguments);
        refused(&output, parts);
        let message = text(&output.stderr);
        message.lines().find_map(|line| line.strip_prefix("hint: ")).expect("a hint").to_owned()
    }

    /// The status as lines and as JSON, with the exit code of both.
    fn status(&self) -> (i32, String, Value) {
        let lines = self.folder.run(Some(&self.url), &["status"]);
        let json = self.folder.run(Some(&self.url), &["status", "--json"]);
        assert_eq!(lines.status.code(), json.status.code());
        let value = serde_json::from_slice(&json.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&json.stderr)));
        (lines.status.code().expect("a code"), text(&lines.stdout), value)
    }

    async fn price(&self) -> String {
        ask(&self.database.client().await, "SELECT price FROM items").await
    }
}

/// The migrations of files, for the library.
fn parsed(files: &[(&str, &str)]) -> Vec<Migration> {
    let parse = |(name, text): &(&str, &str)| Migration::parse(name.trim_end_matches(".yaml"), text).expect("a migration");
    files.iter().map(parse).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn b37_an_applied_migration_that_is_missing_refuses_every_command() {
    let case = Case::new(&ALL, 2).await;
    case.done(&["start"]);
    // an older checkout rolls back, or completes, nothing that it does not have
    for (file, name) in [("0003_notes.yaml", "`0003_notes`"), ("0002_cents.yaml", "`0002_cents`")] {
        let kept = std::fs::read_to_string(case.folder.path().join(file)).expect("a file");
        case.take(file);
        for command in ["start", "complete", "rollback"] {
            let hint = case.refused(&[command], &[name, "missing"]);
            assert!(hint.contains("--dir") && hint.contains("--allow-missing"), "{hint}");
        }
        case.refused(&["plan"], &[name, "missing"]);
        let (code, lines, json) = case.status();
        assert_eq!(code, 1);
        assert!(lines.contains("live     0002_cents") && lines.contains("pending  0003_notes"), "{lines}");
        assert!(lines.lines().any(|line| line.starts_with("problem  ") && line.contains(name)), "{lines}");
        assert_eq!((json["live"].as_str(), json["pending"]["state"].as_str()), (Some("0002_cents"), Some("started")));
        let problem = &json["problems"][0];
        assert!(problem["message"].as_str().unwrap().contains(name) && problem["hint"].is_string(), "{json}");
        case.put(file, &kept);
        assert_eq!(case.status().0, 0);
    }
    // who knows better goes on without the file
    case.take("0003_notes.yaml");
    assert!(case.done(&["rollback", "--allow-missing"]).contains("rolled back `0003_notes`"));
    assert_eq!(case.status().0, 0, "what is rolled back is not missed");
    case.put(NOTES.0, NOTES.1);
    case.done(&["start"]);
    case.take("0003_notes.yaml");
    assert!(case.done(&["complete", "--allow-missing"]).contains("completed `0003_notes`"));
    assert!(case.done(&["start", "--allow-missing"]).contains("nothing to do"));
    case.refused(&["start"], &["`0003_notes`"]);
    case.put(NOTES.0, NOTES.1);
    // retired versions may lose their files: nothing reads them any more
    case.take("0001_items.yaml");
    case.take("0002_cents.yaml");
    let (code, lines, json) = case.status();
    assert!(code == 0 && lines.contains("retired  0001_items, 0002_cents (no longer in the folder)"), "{lines}");
    assert_eq!(json["trimmed"], json!(["0001_items", "0002_cents"]));
    case.put("0004_remarks.yaml", &NOTES.1.replace("notes", "remarks"));
    assert!(case.done(&["start"]).contains("started `0004_remarks`"));
    case.done(&["complete"]);
    // but not one in the middle
    case.put(ITEMS.0, ITEMS.1);
    case.refused(&["start"], &["`0002_cents`", "missing"]);
    assert_eq!(case.price().await, "300");
    // many are named by a few
    for file in ["0001_items.yaml", "0003_notes.yaml", "0004_remarks.yaml"] {
        case.take(file);
    }
    case.put("0009_more.yaml", &NOTES.1.replace("notes", "more"));
    case.refused(&["start"], &["`0001_items`, `0002_cents`, `0003_notes` and 1 more"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn b37_a_renamed_file_is_called_a_rename_and_never_runs_twice() {
    let case = Case::new(&[ITEMS, CENTS], 2).await;
    for name in ["0003_cents", "0001_before_cents", "0007_cents_of_items"] {
        case.rename("0002_cents.yaml", &format!("{name}.yaml"));
        for arguments in [&["start"][..], &["complete"], &["rollback"], &["plan"], &["start", "--allow-missing"]] {
            let hint = case.refused(arguments, &["`0002_cents`", &format!("`{name}`"), "renamed"]);
            assert!(hint.contains(&format!("rename `{name}` back to `0002_cents`")), "{hint}");
        }
        let (code, lines, _) = case.status();
        assert!(code == 1 && lines.contains("renamed") && lines.contains("waiting  nothing"), "{lines}");
        // as the hint says
        case.rename(&format!("{name}.yaml"), "0002_cents.yaml");
        assert!(case.done(&["start"]).contains("nothing to do"));
    }
    assert_eq!(case.price().await, "300");
    // a new file of the same words is no rename where the old one is there
    case.put("0003_again.yaml", CENTS.1);
    case.done(&["start"]);
    assert_eq!(case.price().await, "30000");
    // what is not completed may go without its old name
    case.rename("0003_again.yaml", "0004_again.yaml");
    case.refused(&["rollback"], &["renamed"]);
    case.done(&["rollback", "--allow-missing"]);
    case.done(&["start"]);
    assert_eq!(case.price().await, "30000");
}

#[tokio::test(flavor = "multi_thread")]
async fn b37_another_apps_folder_is_refused() {
    let case = Case::new(&[ITEMS, CENTS], 1).await;
    case.done(&["start"]);
    let other = Folder::new(&[(
        "0001_jobs.yaml",
        "operations: [{create_table: {name: jobs, columns: [{name: id, type: bigint, pk: true}]}}]",
    )]);
    for command in ["start", "complete", "rollback"] {
        let output = other.run(Some(&case.url), &[command]);
        refused(&output, &["another app", "`0001_items`", "--dir", "--schema"]);
    }
    let status = other.run(Some(&case.url), &["status"]);
    assert!(status.status.code() == Some(1) && text(&status.stdout).contains("another app"), "{}", text(&status.stdout));
    // an empty folder is none of an app's
    let output = Folder::new(&[]).run(Some(&case.url), &["rollback"]);
    refused(&output, &["`0001_items`", "--dir"]);
    let (code, _, json) = case.status();
    assert_eq!((code, json["live"].as_str(), json["pending"]["version"].as_str()), (0, Some("0001_items"), Some("0002_cents")));
    // as the hint says: a base schema of its own
    must(&case.database.client().await, "CREATE SCHEMA jobs").await;
    let output = other.run(Some(&case.url), &["--schema", "jobs", "start"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn b37_a_file_slipped_in_before_an_applied_one_is_refused() {
    let case = Case::new(&[ITEMS, NOTES], 2).await;
    let hotfix = NOTES.1.replace("notes", "fixes");
    case.put("0002_hotfix.yaml", &hotfix);
    let hint = case.refused(&["start"], &["`0002_hotfix`", "`0003_notes`"]);
    assert!(hint.starts_with("rename `0002_hotfix` to `0004_hotfix`, so that it comes last; "), "{hint}");
    assert!(hint.contains("record --rebase 0002_hotfix"), "{hint}");
    case.refused(&["plan"], &["`0002_hotfix`"]);
    let (code, lines, json) = case.status();
    assert!(code == 1 && lines.contains("live     0003_notes") && lines.contains("`0002_hotfix`"), "{lines}");
    assert_eq!(json["unstarted"], json!(["0002_hotfix"]));
    // it keeps nobody from completing or rolling back
    assert!(case.done(&["complete"]).contains("nothing to do"));
    case.rename("0002_hotfix.yaml", "0004_hotfix.yaml");
    assert!(case.done(&["start"]).contains("started `0004_hotfix`"));
    case.done(&["complete"]);
    // names without numbers
    case.put("0000.yaml", &NOTES.1.replace("notes", "zero"));
    case.put("0005_waits.yaml", &NOTES.1.replace("notes", "waits"));
    let hint = case.refused(&["start"], &["`0000`"]);
    assert_eq!(hint, "rename `0000` to a name that sorts after `0005_waits`, so that it comes last");
}

#[tokio::test(flavor = "multi_thread")]
async fn b37_the_library_compares_what_it_is_given() {
    let database = Database::new().await;
    let all = parsed(&ALL);
    database.migrate(&all[..2]).await;
    let mut migrator = database.migrator().await.recorded(&all[..2]);
    migrator.start(&all, None, &mut Quiet).await.unwrap();
    let error = migrator.start(&all[..1], None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("`0002_cents`"), "{error}");
    for error in [migrator.complete(&mut Quiet).await.unwrap_err(), migrator.rollback(&mut Quiet).await.unwrap_err()] {
        assert!(error.is_refused() && error.message().contains("`0003_notes`"), "{error}");
    }
    assert!(migrator.status(&all[..2]).await.unwrap().problems[0].message.contains("`0003_notes`"));
    let allowed = Options { missing: diptych::Missing::Allow, ..Options::default() };
    let mut allowing = diptych::Migrator::connect(&database.config(), allowed).await.unwrap().recorded(&all[..2]);
    allowing.rollback(&mut Quiet).await.unwrap();
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap();
    // without a list there is nothing to compare
    database.migrator().await.complete(&mut Quiet).await.unwrap();
}

/// A conversion, whose table has a backfill.
const WIDER: (&str, &str) = (
    "0002_wider.yaml",
    "operations: [{alter_column: {table: items, column: price, type: bigint, up: price * 100, down: price / 100}}]",
);

#[tokio::test(flavor = "multi_thread")]
async fn b35_status_tells_the_state_whatever_the_files_are_like() {
    let case = Case::new(&[ITEMS, CENTS, NOTES], 2).await;
    case.done(&["start"]);
    let tells = |folder: &Folder, parts: &[&str]| {
        let lines = folder.run(Some(&case.url), &["status"]);
        let json = folder.run(Some(&case.url), &["status", "--json"]);
        assert_eq!((lines.status.code(), json.status.code()), (Some(1), Some(1)), "{}", text(&lines.stderr));
        let (lines, json): (String, Value) = (text(&lines.stdout), serde_json::from_slice(&json.stdout).expect("JSON"));
        assert!(lines.contains("live     0002_cents") && lines.contains("pending  0003_notes (started, "), "{lines}");
        assert_eq!((json["live"].as_str(), json["pending"]["version"].as_str()), (Some("0002_cents"), Some("0003_notes")));
        let problems = json["problems"].as_array().expect("problems");
        assert_eq!(problems.len(), 1, "{json}");
        for part in parts {
            assert!(lines.contains(part) && problems[0].to_string().contains(part), "no `{part}` in {lines} {json}");
        }
    };
    // a file that is no text, no YAML, no migration, not there, there twice
    for (name, bytes) in [
        ("0004_bad.yaml", &b"\xff\xfe"[..]),
        ("0004_bad.yaml", b"operations: [{create_table: {name"),
        ("0004_bad.yaml", b"operations: [{creat_table: {}}]"),
        ("0003_notes.yaml", b"<<<<<<< HEAD"),
        ("0003_notes.json", b"{\"operations\": []}"),
    ] {
        let kept = std::fs::read(case.folder.path().join(name));
        std::fs::write(case.folder.path().join(name), bytes).expect("a file");
        tells(&case.folder, &[name.split('.').next().expect("a stem")]);
        case.take(name);
        if let Ok(kept) = kept {
            std::fs::write(case.folder.path().join(name), kept).expect("a file");
        }
    }
    std::os::unix::fs::symlink("/no/such/file", case.folder.path().join("0004_link.yaml")).expect("a link");
    tells(&case.folder, &["0004_link.yaml"]);
    case.take("0004_link.yaml");
    // changed; and no folder at all
    case.put(NOTES.0, &NOTES.1.replace("bigint", "integer"));
    tells(&case.folder, &["`0003_notes` is not what was started"]);
    case.put(NOTES.0, NOTES.1);
    let nowhere =
        Command::new(binary()).args(["--dir", "/no/such/folder", "--url", &case.url, "status"]).output().expect("it runs");
    let said = text(&nowhere.stdout);
    assert!(
        nowhere.status.code() == Some(1) && said.contains("live     0002_cents") && said.contains("/no/such/folder"),
        "{said}"
    );
    // a file that nobody can read is there, whatever it says: others are completed and rolled back beside it
    case.put("0004_bad.yaml", "<<<<<<< HEAD");
    case.put("0003_notes.yaml", "<<<<<<< HEAD");
    case.refused(&["complete"], &["`0003_notes`", "cannot be read"]);
    assert!(case.done(&["rollback"]).contains("rolled back `0003_notes`"));
    case.put("0003_notes.yaml", NOTES.1);
    case.take("0004_bad.yaml");
    case.done(&["start"]);
    case.put("0004_bad.yaml", "<<<<<<< HEAD");
    assert!(case.done(&["complete"]).contains("completed `0003_notes`"));
}

/// What stops a command under way and no check sees before.
fn hinder(table: &str) -> String {
    format!(
        "CREATE FUNCTION hinder() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'public.{table}') \
         THEN RAISE EXCEPTION 'hindrance'; END IF; END $$; CREATE EVENT TRIGGER hindrance ON ddl_command_end EXECUTE FUNCTION hinder()"
    )
}

const UNHINDER: &str = "DROP EVENT TRIGGER hindrance; DROP FUNCTION hinder";

#[tokio::test(flavor = "multi_thread")]
async fn b35_steps_are_counted_as_they_are() {
    let case = Case::new(&[ITEMS], 1).await;
    case.put(WIDER.0, WIDER.1);
    let steps =
        |json: &Value| (json["pending"]["steps_done"].as_u64().expect("done"), json["pending"]["steps"].as_u64().expect("steps"));
    let output = case.folder.run(Some(&case.url), &["start"]);
    let said = text(&output.stderr);
    let last = said.lines().rfind(|line| line.starts_with('[')).expect("a step").to_owned();
    let (_, lines, json) = case.status();
    let (done, all) = steps(&json);
    assert!(done == all && lines.contains(&format!("(started, {all} of {all} steps)")), "{lines}");
    assert!(said.starts_with(&format!("[1/{all}]")) && last.starts_with(&format!("[{all}/{all}]")), "{said}");
    // stopped in the middle: what is done is done, of a rollback of what was reached
    let admin = case.database.client().await;
    must(&admin, &hinder("items")).await;
    let output = case.folder.run(Some(&case.url), &["rollback"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let (_, lines, json) = case.status();
    let (done, all) = steps(&json);
    let said = text(&output.stderr);
    let last = said.lines().rfind(|line| line.starts_with('[')).expect("a step");
    assert!(lines.contains(&format!("(rolling_back, {done} of {all} steps")), "{lines}");
    assert!(last.starts_with(&format!("[{}/{all}]", done + 1)), "{done} of {all}: {said}");
    assert!(lines.contains("no process is running it: run `rollback` again"), "{lines}");
    must(&admin, UNHINDER).await;
    case.done(&["rollback"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn b35_a_run_is_shown_with_its_percent_its_host_and_its_process() {
    let case = Case::new(&[ITEMS], 1).await;
    let admin = case.database.client().await;
    must(&admin, "INSERT INTO items SELECT n, n FROM generate_series(2, 300000) AS n").await;
    case.put(WIDER.0, WIDER.1);
    // a row that the backfill meets when it is under way
    let holder = case.database.client().await;
    let mut start = Command::new(binary())
        .arg("--dir")
        .arg(case.folder.path())
        .args(["--url", &case.url, "start"])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let since = Instant::now();
    while ask(&admin, "SELECT count(*) FROM diptych.journal WHERE version = '0002_wider'").await == "0" {
        assert!(since.elapsed() < Duration::from_secs(30), "nothing is expanded");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    must(&holder, "BEGIN; SELECT FROM items WHERE id = 250000 FOR UPDATE").await;
    let (lines, json) = loop {
        let (code, lines, json) = case.status();
        assert_eq!(code, 0);
        if json["pending"]["percent"].as_u64().is_some_and(|percent| percent > 20) {
            break (lines, json);
        }
        assert!(since.elapsed() < Duration::from_secs(30) && start.try_wait().expect("it runs").is_none(), "{lines}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let percent = json["pending"]["percent"].as_u64().expect("a percentage");
    assert!(percent < 100, "{json}");
    let host = ask(&admin, "SELECT host FROM diptych.runs").await;
    let run = &json["run"];
    assert_eq!(
        (run["command"].as_str(), run["process"].as_u64(), run["host"].as_str()),
        (Some("start"), Some(start.id().into()), Some(host.as_str()))
    );
    assert!(!host.is_empty() && run["since"].as_u64().is_some_and(|seconds| seconds < 60), "{json}");
    assert_eq!(ask(&admin, &format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", run["pid"])).await, "1");
    assert!(json["pending"]["step"].as_str().is_some_and(|step| step.contains("items")), "{json}");
    let running = lines.lines().find(|line| line.starts_with("running  start on ")).unwrap_or_else(|| panic!("{lines}"));
    assert!(
        running.contains(&format!("process {}", start.id())) && running.contains(&format!("pid {}", run["pid"])),
        "{running}"
    );
    assert!(lines.contains(" %)") && !lines.contains("no process is running it"), "{lines}");
    // killed: no process is running it, and what is to be done is said
    start.kill().expect("killed");
    start.wait().expect("it ends");
    let since = Instant::now();
    let (lines, json) = loop {
        let (_, lines, json) = case.status();
        if json["run"].is_null() && !lines.contains("running  ") {
            break (lines, json);
        }
        assert!(since.elapsed() < Duration::from_secs(10), "{lines}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(lines.contains("no process is running it: run `start` again, or `rollback`"), "{lines}");
    assert!(json["pending"]["percent"].as_u64().is_some_and(|there| there >= percent), "{json}");
    must(&holder, "ROLLBACK").await;
    case.done(&["start"]);
    let (_, lines, json) = case.status();
    assert!(json["run"].is_null() && json["pending"]["percent"].is_null() && json["pending"]["step"].is_null(), "{json}");
    assert!(!lines.contains("no process is running it"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn b35_a_completion_that_has_changed_nothing_may_be_rolled_back() {
    let case = Case::new(&[ITEMS], 1).await;
    case.put(WIDER.0, WIDER.1);
    let admin = case.database.client().await;
    for out in ["rollback", "complete"] {
        case.done(&["start"]);
        must(&admin, &hinder("items")).await;
        let hint = case.refused(&["complete"], &["hindrance"]);
        assert!(hint.contains("run `complete` again") && hint.contains("`rollback`") && !hint.contains("CASCADE"), "{hint}");
        let (_, lines, json) = case.status();
        assert!(
            json["pending"]["steps_done"] == 0 && lines.contains("no process is running it: run `complete` again, or `rollback`"),
            "{lines}"
        );
        must(&admin, UNHINDER).await;
        assert!(case.done(&[out]).contains("0002_wider"));
        assert_eq!(case.price().await, if out == "rollback" { "3" } else { "300" });
    }
    // one that has changed something goes on to its end
    let other = ("0002_other.yaml", ITEMS.1.replace("name: items", "name: other"));
    let case = Case::new(&[ITEMS, (other.0, &other.1)], 2).await;
    let second = WIDER.1.replace("operations: [", ", ").replace("table: items", "table: other");
    case.put("0003_wider.yaml", &format!("{}{second}", WIDER.1.trim_end_matches(']')));
    case.done(&["start"]);
    let admin = case.database.client().await;
    must(&admin, &hinder("other")).await;
    let hint = case.refused(&["complete"], &["hindrance"]);
    assert!(hint.contains("run `complete` again") && !hint.contains("`rollback`"), "{hint}");
    let hint = case.refused(&["rollback"], &["has begun"]);
    assert!(hint.contains("`complete`"), "{hint}");
    let (_, lines, json) = case.status();
    assert!(json["pending"]["steps_done"] != 0 && lines.contains("no process is running it: run `complete` again"), "{lines}");
    assert!(!lines.contains("`rollback`"), "{lines}");
    must(&admin, UNHINDER).await;
    assert!(case.done(&["complete"]).contains("completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn b35_start_to_what_is_done_says_how_it_stands() {
    let case = Case::new(&ALL, 2).await;
    let says = |to: &str, what: &str| {
        let said = case.done(&["start", "--to", to]);
        assert!(said.contains("nothing to do") && said.contains(what), "{said}");
    };
    says("0001_items", "version `0001_items` is retired");
    says("0002_cents", "version `0002_cents` is live");
    case.refused(&["start", "--to", "0009_nowhere"], &["`0009_nowhere`"]);
    case.put("0004_more.yaml", &NOTES.1.replace("notes", "more"));
    case.done(&["start"]);
    says("0004_more", "version `0004_more` is started");
    says("0003_notes", "migration `0003_notes` is part of version `0004_more`, which is started");
    let hint = case.refused(&["start", "--to", "0009_nowhere"], &["`0009_nowhere`"]);
    assert!(!hint.ends_with("are "), "{hint}");
    let said = case.done(&["start"]);
    assert!(said.contains("every recorded migration is started"), "{said}");
    let empty = Folder::new(&[]).run(Some(&server().url(&Database::new().await.name)), &["start"]);
    assert!(text(&empty.stdout).contains("nothing to do: no migration is recorded"), "{}", text(&empty.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn b35_a_closed_pipe_ends_no_command_with_a_panic() {
    let case = Case::new(&ALL, 1).await;
    let run = |arguments: &[&str], both: Option<()>| {
        let closed = || {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            Stdio::from(writer)
        };
        let mut command = Command::new(binary());
        command.arg("--dir").arg(case.folder.path()).args(["--url", &case.url]).args(arguments).stdout(closed());
        command.stderr(if both.is_some() { closed() } else { Stdio::piped() });
        let output = command.output().expect("it runs");
        let said = text(&output.stderr);
        assert!(!said.contains("panicked") && !said.contains("error:"), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    };
    for both in [None, Some(())] {
        for arguments in [
            &["status"][..],
            &["status", "--json"],
            &["plan"],
            &["plan", "--json"],
            &["check"],
            &["--help"],
            &["start", "--to", "0002_cents"],
            &["start", "--to", "0002_cents"],
            &["rollback"],
            &["rollback"],
        ] {
            run(arguments, both);
        }
    }
    run(&["start", "--to", "0002_cents"], Some(()));
    run(&["complete"], Some(()));
    assert_eq!(case.price().await, "300");
    // a full disk is no closed pipe
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let mut command = Command::new(binary());
    let output =
        command.arg("--dir").arg(case.folder.path()).args(["--url", &case.url, "status"]).stdout(full).output().expect("it runs");
    refused(&output, &["cannot write the output"]);
}

release!(One, "0001_items");

#[tokio::test(flavor = "multi_thread")]
async fn b35_a_lease_ends_with_an_orderly_exit() {
    let case = Case::new(&[ITEMS], 1).await;
    let admin = case.database.client().await;
    let leases = "SELECT count(*) FROM diptych.leases";
    for threads in [0, 2] {
        for kept in [false, true] {
            let url = case.url.clone();
            // an app's main: it drops what it has, or leaves it in a static, and ends its runtime
            let main = std::thread::spawn(move || {
                let mut builder = if threads == 0 {
                    tokio::runtime::Builder::new_current_thread()
                } else {
                    tokio::runtime::Builder::new_multi_thread()
                };
                let runtime = builder.enable_all().build().expect("a runtime");
                let held = runtime.block_on(async {
                    let lease = diptych::connect::lease::<One>(&url).await.expect("a lease");
                    let client = diptych::connect::connect::<One>(&url).await.expect("a client");
                    let admin = client_of(&url).await;
                    assert_eq!(ask(&admin, leases).await, "2");
                    kept.then_some((lease, client))
                });
                drop(runtime);
                drop(held);
            });
            main.join().expect("it ends");
            assert_eq!(ask(&admin, leases).await, "0", "{threads} threads, kept: {kept}");
        }
    }
    // a server that does not answer holds no app up for long
    let since = Instant::now();
    let url = case.url.clone();
    let name = case.database.name.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let blocking = runtime.block_on(async {
            let lease = diptych::connect::lease::<One>(&url).await.expect("a lease");
            let admin = client_of(&url).await;
            must(&admin, "BEGIN; LOCK TABLE diptych.leases").await;
            (admin, lease)
        });
        drop(runtime);
        drop((blocking, name));
    })
    .join()
    .expect("it ends");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    // a lease that is given back by hand
    let before = ask(&admin, leases).await;
    let lease = diptych::connect::lease::<One>(&case.url).await.expect("a lease").expect("a version");
    assert_ne!(ask(&admin, leases).await, before);
    lease.end().await;
    assert_eq!(ask(&admin, leases).await, before);
}

async fn client_of(url: &str) -> tokio_postgres::Client {
    client(&url.parse().expect("a URL")).await
}

/// What mends the cause of a trouble, in whatever words its hint asks for that.
enum Repair {
    Put(&'static str, String),
    Sql(&'static str),
}

/// A case, the command that is refused in it, and what a hint cannot know.
struct Trouble {
    case: Case,
    command: &'static [&'static str],
    repair: Repair,
}

/// A script that fails for the sake of the rows, which no preflight can know.
const FAILS: (&str, &str) = ("0002_fails.yaml", "operations: [{sql: {up: SELECT 1 / (price - 3) FROM items, down: SELECT 1}}]");
const HINDRANCE: &str = "CREATE VIEW hindrance AS SELECT price FROM items";

async fn trouble(number: usize) -> Trouble {
    let wider = || Repair::Put(WIDER.0, WIDER.1.to_owned());
    let changed = WIDER.1.replace("100", "1000");
    let started = async || {
        let case = Case::new(&[ITEMS, WIDER], 1).await;
        case.done(&["start"]);
        case
    };
    let (case, command, repair): (Case, &'static [&'static str], Repair) = match number {
        // an applied file is missing
        0..=2 => {
            let case = started().await;
            case.take(WIDER.0);
            (case, [&["start"][..], &["complete"], &["rollback"]][number], wider())
        }
        // renamed
        3..=5 => {
            let case = started().await;
            case.rename(WIDER.0, "0003_wider.yaml");
            (case, [&["start"][..], &["complete"], &["rollback"]][number - 3], wider())
        }
        // slipped in
        6 => {
            let case = Case::new(&[ITEMS, NOTES], 2).await;
            case.put("0002_hotfix.yaml", &NOTES.1.replace("notes", "fixes"));
            (case, &["start"], wider())
        }
        // changed: when it has failed, is started, is live
        7 => {
            let case = Case::new(&[ITEMS, FAILS], 1).await;
            case.refused(&["start"], &["division by zero"]);
            case.put(FAILS.0, &FAILS.1.replace("1 /", "0 *"));
            must(&case.database.client().await, "UPDATE items SET price = 4").await;
            (case, &["start"], Repair::Put(FAILS.0, FAILS.1.to_owned()))
        }
        8 | 9 => {
            let case = started().await;
            case.put(WIDER.0, &changed);
            (case, [&["start"][..], &["complete"]][number - 8], wider())
        }
        10 => {
            let case = started().await;
            case.done(&["complete"]);
            case.put(WIDER.0, &changed);
            (case, &["start"], wider())
        }
        // a step that fails
        11 => (Case::new(&[ITEMS, FAILS], 1).await, &["start"], Repair::Sql("UPDATE items SET price = 4")),
        12 => {
            let case = started().await;
            must(&case.database.client().await, HINDRANCE).await;
            (case, &["complete"], Repair::Sql("DROP VIEW hindrance"))
        }
        13 => {
            let case = started().await;
            must(&case.database.client().await, "CREATE VIEW hindrance AS SELECT * FROM public_0002_wider.items").await;
            (case, &["rollback"], Repair::Sql("DROP VIEW hindrance"))
        }
        // in the middle of another command
        14 | 15 => {
            let case = started().await;
            must(&case.database.client().await, HINDRANCE).await;
            case.refused(&["complete"], &["hindrance"]);
            case.put(WIDER.0, &changed);
            must(&case.database.client().await, "DROP VIEW hindrance").await;
            (case, [&["start"][..], &["complete"]][number - 14], wider())
        }
        16 => {
            let case = Case::new(&[ITEMS, FAILS], 1).await;
            case.refused(&["start"], &["division by zero"]);
            must(&case.database.client().await, "UPDATE items SET price = 4").await;
            (case, &["complete"], wider())
        }
        // behind another, or several at once
        17 => {
            let case = started().await;
            case.put(NOTES.0, NOTES.1);
            (case, &["start"], wider())
        }
        18 => (Case::new(&ALL, 1).await, &["start"], wider()),
        19 => (Case::new(&[ITEMS, WIDER], 1).await, &["start", "--to", "0009_nowhere"], wider()),
        // no file of a migration
        20 => {
            let case = started().await;
            case.put(WIDER.0, "<<<<<<< HEAD");
            (case, &["complete"], wider())
        }
        _ => unreachable!("there is no trouble {number}"),
    };
    Trouble { case, command, repair }
}

impl Trouble {
    async fn repair(&self) {
        match &self.repair {
            Repair::Put(name, text) => self.case.put(name, text),
            Repair::Sql(sql) => drop(must(&self.case.database.client().await, sql).await),
        }
    }

    /// Does what one way of a hint says, word for word; whether the case is as it should be afterwards.
    async fn follow(&self, way: &str) {
        let case = &self.case;
        let quoted: Vec<&str> = way.split('`').skip(1).step_by(2).collect();
        if way.contains("rename `") {
            case.rename(&format!("{}.yaml", quoted[0]), &format!("{}.yaml", quoted[1]));
        } else if way.contains("--allow-missing") {
            case.done(&[self.command, &["--allow-missing"]].concat());
            return;
        } else if way.contains("--dir") {
            let right = Folder::new(&[ITEMS, WIDER]);
            let output = right.run(Some(&case.url), self.command);
            assert_eq!(output.status.code(), Some(0), "{way}: {}", text(&output.stderr));
            return;
        }
        if way.contains("put the file back") || way.contains("restore it") || asks_for_the_cause(way) {
            self.repair().await;
        }
        if way.starts_with("the migrations that are not started are") {
            case.done(&["start", "--to", quoted[0]]);
            return;
        }
        let is_command = |words: &&str| ["start", "complete", "rollback"].contains(&words.split(' ').next().unwrap_or_default());
        for command in quoted.iter().filter(|words| is_command(words)) {
            case.done(&command.split(' ').collect::<Vec<_>>());
        }
        let (code, lines, _) = case.status();
        assert!(code == 0 && !lines.contains("stopped"), "{way}: {lines}");
    }
}

/// Whether a hint asks for the cause in the database to be mended, in one of the ways this is said.
fn asks_for_the_cause(hint: &str) -> bool {
    ["correct the cause", "change or drop what depends on it", "drop the objects named above"]
        .iter()
        .any(|words| hint.contains(words))
}

/// The ways that a hint leaves.
fn ways(hint: &str) -> Vec<String> {
    hint.replace("; or ", "\n").replace(", or ", "\n").replace("; --", "\n--").lines().map(str::to_owned).collect()
}

async fn follow_every_hint(numbers: std::ops::Range<usize>) {
    for number in numbers {
        let mut way = 0;
        loop {
            let trouble = trouble(number).await;
            let hint = trouble.case.refused(trouble.command, &[]);
            let (_, lines, _) = trouble.case.status();
            let of_status =
                lines.split_once("no process is running it: ").and_then(|(_, rest)| rest.lines().next()).unwrap_or_default();
            let (of_hint, of_status) = (ways(&hint), ways(of_status));
            let Some(words) = of_hint.iter().chain(&of_status).nth(way) else { break };
            println!("{number}: {:?}: {words}", trouble.command);
            // `status` knows no cause: whoever runs the command again has read its hint
            if way >= of_hint.len() && asks_for_the_cause(&hint) {
                trouble.repair().await;
            }
            trouble.follow(words).await;
            way += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b35_every_hint_about_files_leads_out_when_it_is_followed_word_for_word() {
    follow_every_hint(0..11).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b35_every_hint_about_commands_leads_out_when_it_is_followed_word_for_word() {
    follow_every_hint(11..21).await;
}

/// The samples of a text in the format of Prometheus, each with its value; each family is told what it is before.
fn samples(text: &str) -> std::collections::BTreeMap<String, f64> {
    let mut families = std::collections::BTreeSet::new();
    let mut samples = std::collections::BTreeMap::new();
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            assert!(families.insert(family.strip_suffix(" gauge").expect("a gauge").to_owned()), "twice: {line}");
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            assert!(families.contains(sample.split('{').next().expect("a name")), "of no family: {line}");
            assert!(samples.insert(sample.to_owned(), value.parse().expect("a number")).is_none(), "twice: {line}");
        }
    }
    samples
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_what_an_alert_asks_for() {
    let remarks = NOTES.1.replace("notes", "remarks");
    let case = Case::new(&[ITEMS, ("0002_remarks.yaml", &remarks), NOTES], 1).await;
    let of = |name: &str, more: &str| format!("{name}{{schema=\"public\"{more}}}");
    let now = samples(&case.done(&["metrics"]));
    assert_eq!(now[&of("diptych_version", ",version=\"0001_items\",state=\"live\"")], 1.0);
    assert_eq!((now[&of("diptych_pending_migrations", "")], now[&of("diptych_problems", "")]), (2.0, 0.0));
    assert!(!now.keys().any(|sample| sample.starts_with("diptych_steps")), "nothing is on its way: {now:?}");
    case.done(&["start"]);
    let lease = diptych::connect::lease::<Notes>(&case.url).await.expect("a lease").expect("a version");
    case.take("0002_remarks.yaml");
    case.put("0004_wrong.yaml", "operations: [");
    must(&case.database.client().await, "ALTER TABLE items ADD COLUMN \"a \\ b\" integer; DROP VIEW public_0001_items.items")
        .await;
    let now = samples(&case.done(&["metrics"]));
    assert_eq!(now[&of("diptych_version", ",version=\"0003_notes\",state=\"started\"")], 1.0);
    assert_eq!(now[&of("diptych_version", ",version=\"0001_items\",state=\"live\"")], 1.0);
    assert_eq!(now[&of("diptych_leases", ",version=\"0003_notes\"")], 1.0);
    assert_eq!(now[&of("diptych_leases", ",version=\"0001_items\"")], 0.0);
    let done = of("diptych_steps_done", ",version=\"0003_notes\"");
    assert!(now[&done] > 0.0 && now[&done] <= now[&done.replace("_done", "")], "{now:?}");
    // the file that is missing, and the one that cannot be read
    assert_eq!(now[&of("diptych_problems", "")], 2.0);
    assert!(now[&of("diptych_damage", "")] > 0.0, "{now:?}");
    lease.end().await;
    // the page has each of them, and its alerts no other
    let page = include_str!("../../../docs/monitoring.md");
    let printed = case.done(&["metrics"]);
    let families: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge")).collect();
    for family in &families {
        assert!(page.contains(&format!("`{family}`")), "docs/monitoring.md does not tell of {family}");
    }
    let word = |c: char| !(c.is_ascii_lowercase() || c == '_');
    for named in page.split(word).filter(|word| word.starts_with("diptych_")) {
        assert!(families.contains(&named), "there is no metric {named}");
    }
    dashboard_shows(&families, &printed);
}

/// Each query of the dashboard names metrics that there are, with labels that they have; each metric is in it.
fn dashboard_shows(families: &[&str], printed: &str) {
    let dashboard: serde_json::Value =
        serde_json::from_str(include_str!("../../../examples/monitoring/dashboard.json")).expect("JSON");
    let word = |c: char| !(c.is_ascii_lowercase() || c == '_');
    let (mut shown, mut queries) = (std::collections::BTreeSet::new(), 0);
    for target in
        dashboard["panels"].as_array().expect("panels").iter().flat_map(|panel| panel["targets"].as_array().expect("targets"))
    {
        let (query, legend) = (target["expr"].as_str().expect("a query"), target["legendFormat"].as_str().expect("a legend"));
        queries += 1;
        let named: Vec<&str> = query.split(word).filter(|word| word.starts_with("diptych_")).collect();
        assert!(!named.is_empty() && named.iter().all(|named| families.contains(named)), "{query}");
        let has = |metric: &str, label: &str| {
            let mut samples = printed.lines().filter(|line| line.starts_with(&format!("{metric}{{")));
            samples.all(|sample| sample.contains(&format!("{label}=\"")))
        };
        // what stands before a brace is the metric whose labels are in it
        for (before, (labels, _)) in query.split('{').zip(query.split('{').skip(1).filter_map(|rest| rest.split_once('}'))) {
            let metric = before.rsplit(word).next().expect("a metric");
            for label in labels.split(',').filter_map(|label| label.split(['=', '~']).next()) {
                assert!(has(metric, label), "{query}: {metric} has no label {label}");
            }
        }
        for label in legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
            assert!(has(named[0], label), "{query}: no label {label}");
        }
        shown.extend(named);
    }
    assert_eq!(shown.into_iter().collect::<Vec<_>>(), {
        let mut all = families.to_vec();
        all.sort_unstable();
        all
    });
    println!("dashboard: {queries} queries over {} metrics", families.len());
}

/// A monitor asks while pipelines work: nobody has changed anything by hand, and what it reads fits together.
#[tokio::test(flavor = "multi_thread")]
async fn what_status_reads_beside_commands_is_of_one_moment() {
    let table = |name: &str| {
        format!(
            "  - create_table: {{name: {name}, columns: [{{name: id, type: bigint, pk: true}}, {{name: n, type: integer, default: '1'}}]}}\n"
        )
    };
    let before: String = ["a", "b", "c", "d"].map(table).concat();
    let change: String = ["a", "b", "c", "d"]
        .map(|name| format!("  - alter_column: {{table: {name}, column: n, type: bigint, up: n, down: n}}\n"))
        .concat();
    let all = [
        diptych_tests::migration("0001_before", &format!("operations:\n{before}")),
        diptych_tests::migration("0002_change", &format!("operations:\n{change}")),
    ];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let monitors = (0..4).map(|_| {
        let (database, all, ended) = (database.clone(), all.clone(), ended.clone());
        tokio::spawn(async move {
            let (migrator, mut asked) = (database.migrator().await, 0);
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                let status = migrator.status(&all).await.unwrap_or_else(|error| panic!("after {asked}: {error}"));
                assert!(
                    status.problems.is_empty() && status.drift.is_empty() && status.damage.is_empty(),
                    "after {asked}: {status:#?}"
                );
                asked += 1;
            }
            asked
        })
    });
    let monitors: Vec<_> = monitors.collect();
    for _ in 0..6 {
        let mut migrator = database.migrator().await;
        migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
        migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    ended.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut asked = 0;
    for monitor in monitors {
        asked += monitor.await.expect("a monitor");
    }
    println!("status: asked {asked} times beside 14 commands, nothing amiss");
}

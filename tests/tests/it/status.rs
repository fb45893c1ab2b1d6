//! HOLES b35 and b37: the folder of files is held against what the database has, `status` tells the truth, and every hint leads out.

use diptych::core::Migration;
use diptych::{Options, Quiet};
use diptych_tests::{Database, ask, must, server};
use serde_json::Value;

use crate::cli::{Folder, refused, text};

const ITEMS: (&str, &str) = (
    "0001_items.yaml",
    "operations: [{create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: price, type: integer}]}}]",
);
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
    assert_eq!(json["trimmed"], serde_json::json!(["0001_items", "0002_cents"]));
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
    assert_eq!(hint, "rename `0002_hotfix` to `0004_hotfix`, so that it comes last");
    case.refused(&["plan"], &["`0002_hotfix`"]);
    let (code, lines, json) = case.status();
    assert!(code == 1 && lines.contains("live     0003_notes") && lines.contains("`0002_hotfix`"), "{lines}");
    assert_eq!(json["unstarted"], serde_json::json!(["0002_hotfix"]));
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

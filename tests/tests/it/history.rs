//! What was carried out when and by whom: the table of `status`, its exit code, and `history`.

use diptych_tests::{Database, ask, must, server};
use serde_json::Value;

use crate::cli::{Folder, GOOD, binary, refused, text};

const MAIL: &str = "operations: [{add_column: {table: users, column: {name: mail, type: text, nullable: true}}}]";
const BAD: &str = "operations: [{create_constraint: {name: small, table: users, type: check, columns: [id], check: id < 5, up: {id: id}, down: {id: id}}}]";

struct Case {
    database: Database,
    folder: Folder,
    url: String,
}

impl Case {
    async fn new() -> Self {
        let database = Database::new().await;
        let url = server().url(&database.name);
        let folder = Folder::new(&[("0001_users.yaml", GOOD), ("0002_mail.yaml", MAIL)]);
        Case { database, folder, url }
    }

    fn code(&self, arguments: &[&str]) -> Option<i32> {
        self.folder.run(Some(&self.url), arguments).status.code()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.folder.run(Some(&self.url), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(arguments)).expect("JSON")
    }

    /// Command, versions and outcome of each entry, the oldest first.
    fn log(&self) -> Vec<String> {
        let log = self.json(&["history", "--json"]);
        let entries = log.as_array().expect("a list").iter().rev();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = |entry: &Value| {
            assert!(entry["began_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{entry}");
            assert!(!word(&entry["host"]).is_empty() && word(&entry["role"]) == "postgres", "{entry}");
            let known = entry["outcome"] != "lost" && entry["outcome"] != "running";
            assert_eq!(entry["milliseconds"].is_i64(), known, "{entry}");
            let versions: Vec<String> = entry["versions"].as_array().expect("a list").iter().map(word).collect();
            format!("{} {} {}", word(&entry["command"]), versions.join(","), word(&entry["outcome"]))
        };
        entries.map(told).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_logged_with_their_outcome() {
    let case = Case::new().await;
    assert_eq!(case.done(&["history"]), "no command was carried out\n");
    assert_eq!(case.json(&["history", "--json"]), Value::Array(Vec::new()));
    case.done(&["start"]);
    // nothing to do is nothing to log
    case.done(&["start"]);
    case.done(&["complete"]);
    case.done(&["complete"]);
    let admin = case.database.client().await;
    must(&admin, "INSERT INTO public.users (id) VALUES (7)").await;
    std::fs::write(case.folder.path().join("0003_bad.yaml"), BAD).expect("a file");
    refused(&case.folder.run(Some(&case.url), &["start"]), &["`small`"]);
    must(&admin, "DELETE FROM public.users").await;
    case.done(&["start"]);
    must(&admin, "DROP VIEW public_0003_bad.users").await;
    case.done(&["repair"]);
    case.done(&["rollback"]);
    let wanted = [
        "start 0001_users,0002_mail done",
        "complete 0002_mail done",
        "start  refused",
        "start 0003_bad done",
        "repair 0003_bad done",
        "rollback 0003_bad done",
    ];
    assert_eq!(case.log(), wanted);
    let told = case.done(&["history"]);
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("began (UTC)") && lines[0].ends_with("outcome"), "{told}");
    assert!(lines[1].contains("rollback") && lines[1].contains("postgres on ") && lines[1].ends_with("done"), "{told}");
    assert!(lines[4].contains("start") && lines[4].contains("refused: ") && lines.len() == 7, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_killed_is_lost_and_one_that_runs_is_running() {
    let case = Case::new().await;
    case.done(&["start", "--to", "0001_users"]);
    case.done(&["complete"]);
    let admin = case.database.client().await;
    must(&admin, "BEGIN; LOCK TABLE public.users IN ACCESS SHARE MODE").await;
    let mut child = std::process::Command::new(binary())
        .arg("--dir")
        .arg(case.folder.path())
        .args(["--url", &case.url, "start"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary runs");
    let other = case.database.client().await;
    while ask(&other, "SELECT count(*) FROM diptych.versions WHERE name = '0002_mail'").await == "0" || case.log().len() < 3 {
        assert!(child.try_wait().expect("a child").is_none(), "it ended too early");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(case.log()[2], "start 0002_mail running");
    child.kill().expect("killed");
    child.wait().expect("it ends");
    must(&admin, "COMMIT").await;
    while case.json(&["status", "--json"])["run"] != Value::Null {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(case.log()[2], "start 0002_mail lost");
    case.done(&["start"]);
    assert_eq!(case.log()[2..], ["start 0002_mail lost", "start 0002_mail done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_the_last_thousand() {
    let case = Case::new().await;
    case.done(&["start", "--to", "0001_users"]);
    let admin = case.database.client().await;
    must(&admin, "INSERT INTO diptych.log SELECT base, -n, 'start', '[]', role, host, process, began_at, ended_at, 'done' FROM diptych.log, generate_series(1, 1500) AS n").await;
    case.done(&["complete"]);
    assert_eq!(ask(&admin, "SELECT count(*), max(token) > 0 FROM diptych.log").await, "1000|t");
    assert_eq!(case.log().last().map(String::as_str), Some("complete 0001_users done"));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_a_table_and_an_exit_code() {
    let case = Case::new().await;
    let ask_code = |case: &Case| (case.code(&["status"]), case.code(&["status", "--exit-code"]));
    let states = |case: &Case| {
        let status = case.json(&["status", "--json"]);
        let list = status["migrations"].as_array().expect("a list").clone();
        let told = |of: &Value| {
            let known = of["began_at"].is_string() && of["role"] == "postgres" && of["milliseconds"].is_i64();
            assert_eq!(of["state"] != "pending", known, "{of}");
            format!("{} {}", of["migration"].as_str().expect("a name"), of["state"].as_str().expect("a state"))
        };
        list.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(ask_code(&case), (Some(0), Some(3)));
    assert_eq!(states(&case), ["0001_users pending", "0002_mail pending"]);
    case.done(&["start", "--to", "0001_users"]);
    case.done(&["complete"]);
    assert_eq!(ask_code(&case), (Some(0), Some(3)));
    assert_eq!(states(&case), ["0001_users live", "0002_mail pending"]);
    case.done(&["start"]);
    assert_eq!(ask_code(&case), (Some(0), Some(3)));
    let lines = case.done(&["status"]);
    let row = |name: &str| lines.lines().find(|line| line.starts_with(name)).expect("a row").to_owned();
    assert!(lines.starts_with("migration"), "{lines}");
    assert!(row("0002_mail").contains("in transition (started)") && row("0002_mail").contains("postgres on "), "{lines}");
    let status = case.json(&["status", "--json"]);
    let checksum = status["migrations"][1]["checksum"].as_str().expect("a checksum");
    assert!(row("0002_mail").ends_with(&checksum[..8]), "{lines}");
    case.done(&["rollback"]);
    assert_eq!(states(&case), ["0001_users live", "0002_mail pending"]);
    case.done(&["start"]);
    case.done(&["complete"]);
    assert_eq!(ask_code(&case), (Some(0), Some(0)));
    assert_eq!(states(&case), ["0001_users retired", "0002_mail live"]);
    std::fs::remove_file(case.folder.path().join("0001_users.yaml")).expect("removed");
    assert_eq!(states(&case), ["0001_users trimmed", "0002_mail live"]);
    // what does not fit comes first
    std::fs::write(case.folder.path().join("0002_mail.yaml"), MAIL.replace("text", "varchar")).expect("a file");
    assert_eq!(ask_code(&case), (Some(1), Some(1)));
}

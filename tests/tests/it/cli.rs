//! The binary as a pipeline calls it: exit codes, JSON, and one clear message with a hint for every kind of bad input.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use diptych_tests::{Database, ask, must, server};

/// The binary, built beside this test.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let built =
            Command::new(env!("CARGO")).args(["build", "-q", "-p", "diptych-xtask", "--bin", "diptych"]).status().expect("cargo");
        assert!(built.success());
        let profile =
            std::env::current_exe().expect("our own path").parent().and_then(Path::parent).expect("a target folder").to_owned();
        profile.join("diptych")
    })
}

/// A folder of migration files.
pub(crate) struct Folder(pub(crate) tempfile::TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Folder(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn run(&self, url: Option<&str>, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        // where there may be a file of trusted authorities
        command.env("HOME", self.0.path());
        command.arg("--dir").arg(self.0.path()).env_remove("DATABASE_URL");
        if let Some(url) = url {
            command.args(["--url", url]);
        }
        command.args(arguments).output().expect("the binary runs")
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit 1, one `error:` and one `hint:` that hold what they must, no backtrace.
pub(crate) fn refused(output: &Output, parts: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    let starts = |word: &str| message.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((starts("error: "), starts("hint: ")), (1, 1), "{message}");
    assert!(!message.contains("panicked") && !message.contains("RUST_BACKTRACE"), "{message}");
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

pub(crate) const GOOD: &str = "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true}]}}]";

#[tokio::test(flavor = "multi_thread")]
async fn bad_files_are_refused_and_nothing_is_changed() {
    let database = Database::new().await;
    let url = server().url(&database.name);
    for (file, parts) in [
        ("operations: [{create_table: {name: users", vec!["0001_bad", "line 1"]),
        ("operations: [{creat_table: {name: users}}]", vec!["0001_bad", "creat_table", "create_table"]),
        ("operations: [{drop_table: {name: users, cascade: true}}]", vec!["0001_bad", "cascade"]),
        ("operations: [{drop_table: {name: nowhere}}]", vec!["0001_bad", "`nowhere`"]),
        ("operations: [{add_column: {table: nowhere, column: {name: a, type: text}}}]", vec!["operation 1", "`nowhere`"]),
        (
            "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true, references: {name: fk, table: gone, column: id}}]}}]",
            vec!["`gone`"],
        ),
        ("operations: [{create_table: {name: users, columns: [{name: '', type: bigint}]}}]", vec!["no name"]),
        ("operations: [{create_table: {name: users, columns: [{name: id, type: ''}]}}]", vec!["no type"]),
        ("operations: [{create_table: {name: users, columns: [{name: id, type: nosuchtype}]}}]", vec!["nosuchtype"]),
        ("{}", vec!["operations"]),
        ("", vec!["0001_bad"]),
    ] {
        let folder = Folder::new(&[("0001_bad.yaml", file)]);
        refused(&folder.run(Some(&url), &["start"]), &parts);
        assert_eq!(
            ask(&database.client().await, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").await,
            "0",
            "{file}"
        );
        folder.run(Some(&url), &["rollback"]);
    }
    let long = format!("operations: [{{create_table: {{name: {}, columns: [{{name: id, type: bigint}}]}}}}]", "x".repeat(64));
    refused(&Folder::new(&[("0001_bad.yaml", &long)]).run(Some(&url), &["start"]), &["63 bytes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_connections_are_refused_and_no_secret_is_told() {
    let folder = Folder::new(&[("0001_good.yaml", GOOD)]);
    refused(&folder.run(None, &["start"]), &["no database", "DATABASE_URL"]);
    refused(&folder.run(Some("not a url"), &["start"]), &["URL"]);
    let output = folder.run(Some("postgresql://user:secret@127.0.0.1:1/db"), &["status"]);
    refused(&output, &["127.0.0.1:1"]);
    assert!(!text(&output.stderr).contains("secret"));
    let database = Database::new().await;
    let url = server().url(&database.name);
    refused(&folder.run(Some(&server().url("no_such_database")), &["start"]), &["no_such_database"]);
    must(&database.client().await, &format!("CREATE ROLE locked_out_{}", database.name)).await;
    let locked = url.replacen("user=postgres", &format!("user=locked_out_{}&password=secret", database.name), 1);
    let output = folder.run(Some(&locked), &["start"]);
    refused(&output, &["not permitted to log in"]);
    assert!(!text(&output.stderr).contains("secret"));
    refused(&folder.run(Some(&url), &["--schema", "nowhere", "start"]), &["`nowhere`", "CREATE SCHEMA"]);
    let nowhere =
        Command::new(binary()).args(["--dir", "/no/such/folder", "--url", &url, "start"]).output().expect("the binary runs");
    refused(&nowhere, &["/no/such/folder"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_of_a_pipeline() {
    let database = Database::new().await;
    let url = server().url(&database.name);
    let folder = Folder::new(&[
        ("0001_users.yaml", GOOD),
        (
            "0002_mail.json",
            r#"{"operations": [{"add_column": {"table": "users", "column": {"name": "mail", "type": "text", "nullable": true}}}]}"#,
        ),
    ]);
    let done = |arguments: &[&str]| {
        let output = folder.run(Some(&url), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(done(&["check"]).contains("2 migrations"));
    assert!(done(&["start", "--to", "0001_users"]).contains("started `0001_users`"));
    assert!(done(&["complete"]).contains("completed `0001_users`"));
    let plan: serde_json::Value = serde_json::from_str(&done(&["plan", "--json"])).expect("JSON");
    assert_eq!(plan["to"], "0002_mail");
    let printed = done(&["plan"]);
    assert!(printed.contains("ADD COLUMN") && printed.contains("ACCESS EXCLUSIVE"), "{printed}");
    let screen = done(&["plan", "--summary"]);
    for part in [
        "Migration `0002_mail` after `0001_users`",
        "column `users.mail`",
        "ACCESS EXCLUSIVE",
        "reads and writes as before",
        "no data is deleted",
    ] {
        assert!(screen.contains(part) && !screen.contains("ADD COLUMN"), "{part}: {screen}");
    }
    assert!(screen.lines().count() <= 40, "{screen}");
    let comment = done(&["plan", "--markdown"]);
    assert!(comment.starts_with("### Migration `0002_mail`") && comment.matches("<details>").count() == 2, "{comment}");
    let summary: serde_json::Value = serde_json::from_str(&done(&["plan", "--summary", "--json"])).expect("JSON");
    assert_eq!((summary["to"].as_str(), summary["changes"][0].is_string()), (Some("0002_mail"), true), "{summary}");
    assert!(done(&["start"]).contains("started `0002_mail`"));
    assert!(done(&["plan", "--summary"]).contains("`0002_mail`"), "a version on its way is told as well");
    let status: serde_json::Value = serde_json::from_str(&done(&["status", "--json"])).expect("JSON");
    assert_eq!((status["live"].as_str(), status["pending"]["state"].as_str()), (Some("0001_users"), Some("started")));
    assert!(done(&["start"]).contains("nothing to do"));
    assert!(done(&["rollback"]).contains("rolled back `0002_mail`"));
    assert!(done(&["rollback"]).contains("nothing to do"));
    assert!(done(&["start"]).contains("started"));
    assert!(done(&["complete"]).contains("completed"));
    assert!(done(&["complete"]).contains("nothing to do"));
    assert!(done(&["plan", "--markdown"]).contains("nothing to do"));
    assert_eq!(folder.run(Some(&url), &["fly"]).status.code(), Some(2));
    // a table that somebody removed by hand
    let gone = Folder::new(&[
        ("0001_users.yaml", GOOD),
        ("0002_mail.json", &std::fs::read_to_string(folder.0.path().join("0002_mail.json")).expect("a file")),
        ("0003_more.yaml", "operations: [{rename_column: {table: users, from: mail, to: email}}]"),
    ]);
    must(&database.client().await, "DROP TABLE users CASCADE").await;
    refused(&gone.run(Some(&url), &["start"]), &["users.id", "outside Diptych"]);
    // a recorded file that was changed afterwards
    std::fs::write(folder.0.path().join("0001_users.yaml"), GOOD.replace("bigint", "integer")).expect("a file");
    refused(&folder.run(Some(&url), &["start"]), &["`0001_users`", "put the file back"]);
}

#[test]
fn the_example_of_wide_keys_runs() {
    let output = Command::new(env!("CARGO")).args(["run", "-q", "-p", "wide-keys", "--", "5000"]).output().expect("cargo runs");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(said.contains("a user has the key 30000000") && said.contains("0 failed"), "{said}");
}

#[test]
fn a_private_server_without_room_is_one_clear_message() {
    let run = |folder: &str| {
        Command::new(env!("CARGO"))
            .args(["run", "-q", "-p", "shop-xtask", "--", "demo"])
            .env("TMPDIR", folder)
            .env("DIPTYCH_DRIFT", "allow")
            .output()
            .expect("cargo runs")
    };
    refused(&run("/no/such/folder"), &["/no/such/folder", "TMPDIR"]);
    // a full disk, where we may mount one
    let small = tempfile::tempdir().expect("a folder");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
        .arg(small.path())
        .status()
        .is_ok_and(|status| status.success());
    if mounted {
        let output = run(&small.path().display().to_string());
        let left = std::fs::read_dir(small.path()).map_or(0, Iterator::count);
        let _ = Command::new("umount").arg(small.path()).status();
        refused(&output, &["space", "TMPDIR"]);
        assert_eq!(left, 0, "something was left behind");
    } else {
        println!("no tmpfs to be mounted here: the full disk was not tried");
    }
}

#[test]
fn without_a_server_the_demo_names_the_one_command_that_installs_it() {
    let built = Command::new(env!("CARGO")).args(["build", "-q", "-p", "shop-xtask"]).env("DIPTYCH_DRIFT", "allow").status();
    assert!(built.expect("cargo").success());
    // a place where nothing is installed, where we may make one
    let empty = tempfile::tempdir().expect("a folder");
    // with what the machine installs programs with, and without any of that
    for (path, wanted) in [
        ("/bin:/usr/bin".to_owned(), "hint: install them: "),
        (
            empty.path().display().to_string(),
            "hint: install them: see https://www.postgresql.org/download/; or name their folder",
        ),
    ] {
        let hidden = format!("mount -t tmpfs tmpfs /usr/lib/postgresql && PATH={path} exec \"$0\" demo");
        let output = Command::new("unshare")
            .args(["-m", "sh", "-c", &hidden])
            .arg(binary().with_file_name("shop-xtask"))
            .env("PATH", "/bin:/usr/bin")
            .env_remove("DIPTYCH_PG_BIN")
            .output();
        match output {
            Ok(output) if text(&output.stderr).starts_with("error: no PostgreSQL server") => refused(&output, &[wanted]),
            _ => println!("nothing can be hidden here: a machine without a server was not tried"),
        }
    }
}

#[test]
fn a_private_server_goes_with_its_process() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("permissions");
    // built first, so that the process below is the tool and not cargo
    let built = Command::new(env!("CARGO"))
        .args(["build", "-q", "-p", "shop-xtask"])
        .env("DIPTYCH_DRIFT", "allow")
        .status()
        .expect("cargo");
    assert!(built.success());
    for signal in ["-INT", "-KILL"] {
        let mut demo = Command::new(binary().with_file_name("shop-xtask"))
            .args(["demo", "--users", "1000"])
            .env("TMPDIR", folder.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the demo runs");
        let entries = || std::fs::read_dir(folder.path()).map_or(0, Iterator::count);
        let wait = |what: &dyn Fn() -> bool| {
            for _ in 0..600 {
                if what() {
                    return true;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            false
        };
        let running = || {
            std::fs::read_dir(folder.path())
                .into_iter()
                .flatten()
                .flatten()
                .any(|entry| entry.path().join("data/postmaster.pid").exists())
        };
        assert!(wait(&running), "no server came up");
        std::thread::sleep(std::time::Duration::from_millis(500));
        Command::new("kill").arg(signal).arg(demo.id().to_string()).status().expect("kill");
        demo.wait().expect("it ends");
        assert!(wait(&|| entries() == 0), "after {signal} there is something left in {}", folder.path().display());
    }
}

#[test]
fn a_code_of_the_build_is_explained() {
    let folder = Folder::new(&[]);
    let explained = text(&folder.run(None, &["explain", "dip201"]).stdout);
    assert!(explained.starts_with("DIP201: a field is gone\n") && explained.contains("renamed_from"), "{explained}");
    assert!(!explained.contains("DIP202"), "{explained}");
    let list = text(&folder.run(None, &["explain"]).stdout);
    assert!(list.lines().count() > 50 && list.lines().all(|line| line.starts_with("DIP")), "{list}");
    refused(&folder.run(None, &["explain", "DIP999"]), &["there is no code `DIP999`", "explain"]);
}

//! The day after: folder, snapshot and structs that went apart, and the one command that each message names.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Output};

use diptych::{Quiet, Schema, Table};
use diptych_core::{DeclaredSchema, DeclaredTable, Migration, Snapshot};
use diptych_tests::{Database, server};

use crate::cli::{refused, text};

// The first release.
#[derive(Schema)]
#[schema(table = "users")]
#[allow(dead_code)]
struct User {
    #[schema(primary_key)]
    id: i64,
    name: String,
}

// One developer adds a column.
#[derive(Schema)]
#[schema(table = "users")]
#[allow(dead_code)]
struct WithMail {
    #[schema(primary_key)]
    id: i64,
    name: String,
    mail: Option<String>,
}

// Both columns, of two developers.
#[derive(Schema)]
#[schema(table = "users")]
#[allow(dead_code)]
struct WithBoth {
    #[schema(primary_key)]
    id: i64,
    name: String,
    mail: Option<String>,
    phone: Option<String>,
}

// A conversion, at first with an expression that is not right.
#[derive(Schema)]
#[schema(table = "users")]
#[allow(dead_code)]
struct Shouting {
    #[schema(primary_key)]
    id: i64,
    #[schema(renamed_from = "name", up = "lower(name)", down = "shout")]
    shout: String,
}

// The same with the right one.
#[derive(Schema)]
#[schema(table = "users")]
#[allow(dead_code)]
struct ShoutingLoud {
    #[schema(primary_key)]
    id: i64,
    #[schema(renamed_from = "name", up = "upper(name)", down = "shout")]
    shout: String,
}

// A column that may be NULL from now on, and one that may not.
#[derive(Schema)]
#[schema(table = "users")]
#[allow(dead_code)]
struct Nameless {
    #[schema(primary_key)]
    id: i64,
    #[schema(up = "nullif(name, '')", down = "name -- NULL stays NULL")]
    name: Option<String>,
}

// Conversions that some values do not outlive.
#[derive(Schema)]
#[schema(table = "users")]
#[allow(dead_code)]
struct Numbered {
    #[schema(primary_key)]
    id: i64,
    #[schema(up = "CAST(name AS numeric(6,2))", down = "CAST(name AS text)", type = "numeric(6,2)")]
    name: String,
}

struct App;

impl diptych::Database for App {
    const BASE: &'static str = "public";
    const VERSION: Option<&'static str> = None;
    const SCHEMA: Option<&'static str> = None;
    const GUARD: &'static str = "public_diptych_guard";
    const MIGRATIONS: &'static [(&'static str, &'static str)] = &[];
    const SNAPSHOT: &'static str = "";
    const FOLDER: &'static str = "";
    // beside the migrations, where a test makes one
    const CODE: Option<&'static str> = Some("code");

    fn declared() -> DeclaredSchema {
        let release = std::env::var(RELEASE).unwrap_or_default();
        let (_, table) = RELEASES.iter().find(|(name, _)| *name == release).expect("a release");
        DeclaredSchema { tables: vec![table()], ..DeclaredSchema::default() }
    }
}

/// Which release's structs the tool has.
const RELEASE: &str = "DIPTYCH_TEST_RELEASE";
/// The arguments of the tool, a line each.
const ARGUMENTS: &str = "DIPTYCH_TEST_ARGUMENTS";

type Release = (&'static str, fn() -> DeclaredTable);

const RELEASES: [Release; 8] = [
    ("first", User::declared),
    ("mail", WithMail::declared),
    ("both", WithBoth::declared),
    ("shouting", Shouting::declared),
    ("loud", ShoutingLoud::declared),
    ("numbered", Numbered::declared),
    ("nameless", Nameless::declared),
    ("used", used_up::User::declared),
];

/// A struct with what was used up, as the file that `check --fix` edits.
mod used_up;

/// The xtask of such a project: a process of its own, so that its output and its exit code are what people see.
#[test]
fn the_tool_of_the_day_after() {
    if let Ok(arguments) = std::env::var(ARGUMENTS) {
        let code = diptych_xtask::run::<App>(arguments.lines().map(Into::into));
        std::process::exit(i32::from(code != ExitCode::SUCCESS));
    }
}

/// A project's folder of migrations.
pub(crate) struct Project(pub(crate) tempfile::TempDir);

impl Project {
    /// One whose first release is recorded.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("snapshot.yaml"), "").expect("the empty snapshot");
        let project = Project(folder);
        project.done("first", &["record", "users"]);
        project
    }

    pub(crate) fn run(&self, url: Option<&str>, release: &str, arguments: &[&str]) -> Output {
        let dir = self.0.path().to_str().expect("a path");
        let dir: &[&str] = if arguments.contains(&"--dir") { &[] } else { &["--dir", dir] };
        let arguments = [&["xtask", "migrate"], dir, arguments].concat().join("\n");
        let mut command = Command::new(std::env::current_exe().expect("our own path"));
        command.args(["--exact", "dayafter::the_tool_of_the_day_after", "--nocapture", "--quiet"]);
        command.current_dir(self.0.path()).env(RELEASE, release).env(ARGUMENTS, arguments).env_remove("DATABASE_URL");
        if let Some(url) = url {
            command.env("DATABASE_URL", url);
        }
        command.output().expect("the tool runs")
    }

    /// What a command says that is done.
    pub(crate) fn done(&self, release: &str, arguments: &[&str]) -> String {
        let output = self.run(None, release, arguments);
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout) + &text(&output.stderr)
    }

    /// A refusal that says all of this and changes nothing.
    fn refused(&self, release: &str, arguments: &[&str], parts: &[&str]) {
        let before = self.files();
        refused(&self.run(None, release, arguments), parts);
        assert_eq!(before, self.files(), "{arguments:?}");
    }

    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(self.0.path()).expect("a folder").flatten().filter(|entry| entry.path().is_file());
        entries
            .map(|entry| {
                let name = entry.file_name().into_string().expect("a name");
                (name, std::fs::read_to_string(entry.path()).expect("a text"))
            })
            .collect()
    }

    fn names(&self) -> Vec<String> {
        self.files().into_keys().filter(|name| name != "snapshot.yaml").collect()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("a file");
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::parse(&self.files()["snapshot.yaml"]).expect("a snapshot")
    }

    /// Brings what is recorded into a database.
    async fn apply(&self, database: &Database) {
        let files = self.files().into_iter().filter(|(name, _)| name != "snapshot.yaml");
        let all: Vec<Migration> =
            files.map(|(name, text)| Migration::parse(name.trim_end_matches(".yaml"), &text).expect("a migration")).collect();
        for end in 1..=all.len() {
            let mut migrator = database.migrator().await;
            migrator.start(&all[..end], None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
            migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

const MAIL: &str =
    "operations: [{add_column: {table: users, column: {name: mail, type: text, nullable: true}}}]\n# by hand, and kept\n";
const PHONE: &str = "operations: [{add_column: {table: users, column: {name: phone, type: text, nullable: true}}}]\n";

#[test]
fn a_file_written_by_hand_beside_structs_is_taken_up_into_the_snapshot() {
    let project = Project::new();
    project.write("0002_mail.yaml", MAIL);
    project.refused("first", &["check"], &["`0001_users`", "`0002_mail`", "`cargo xtask migrate record` without a name"]);
    // a name is for what the structs change, which nobody can tell before
    project.refused("mail", &["record", "mail"], &["`0002_mail`", "`cargo xtask migrate record` without a name"]);
    let said = project.done("first", &["record"]);
    assert!(said.contains("taken up `0002_mail`") && said.contains("structs"), "{said}");
    assert_eq!(project.snapshot().version.as_deref(), Some("0002_mail"));
    assert_eq!(project.files()["0002_mail.yaml"], MAIL);
    // the structs follow
    project.refused("first", &["check"], &["`users.mail`"]);
    assert!(project.done("mail", &["check"]).contains("2 migrations, all in order"));
    assert!(project.done("mail", &["record"]).contains("nothing to record"));
    project.refused("both", &["record"], &["add_column", "record NAME"]);
}

#[test]
fn a_recorded_file_that_was_edited_is_put_back_or_taken_as_it_is() {
    let project = Project::new();
    project.done("mail", &["record", "mail"]);
    let before = project.files();
    project.write("0002_mail.yaml", &MAIL.replace("text", "varchar(100)"));
    project.refused("mail", &["check"], &["column `users.mail`", "put back", "`cargo xtask migrate record` without a name"]);
    let said = project.done("mail", &["record"]);
    assert!(said.contains("made the snapshot anew") && said.contains("the structs differ from it"), "{said}");
    project.write("0002_mail.yaml", &before["0002_mail.yaml"]);
    project.done("mail", &["record"]);
    assert_eq!(project.files(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn code_is_recorded_with_the_structs_that_it_reads() {
    let project = Project::new();
    std::fs::create_dir(project.0.path().join("code")).unwrap();
    // the names are those of the order in which they are not to be created
    project.write(
        "code/all.sql",
        "CREATE FUNCTION called(of bigint) RETURNS text LANGUAGE sql AS 'SELECT name FROM named WHERE id = of';\n",
    );
    project.write(
        "code/named.sql",
        "CREATE VIEW named AS SELECT id, name FROM users WHERE name <> '';\nCOMMENT ON VIEW named IS 'with a name';\n",
    );
    project.refused("first", &["check"], &["set_code", "record"]);
    project.done("first", &["record", "code"]);
    let recorded = &project.files()["0002_code.yaml"];
    assert!(recorded.contains("set_code") && recorded.contains("CREATE VIEW named"), "{recorded}");
    assert_eq!(project.snapshot().schema.code.len(), 2);
    assert!(project.done("first", &["record"]).contains("nothing to record"));
    assert!(project.done("first", &["check"]).contains("all in order"));
    // a column is renamed under the code: found when it is recorded, not when it is started
    project.refused("loud", &["record", "loud"], &["`named`", "column \"name\" does not exist"]);
    project.write("code/named.sql", "CREATE VIEW named AS SELECT id, shout AS name FROM users;\n");
    project.done("loud", &["record", "loud"]);
    std::fs::remove_file(project.0.path().join("code/all.sql")).unwrap();
    project.refused("loud", &["record", "less"], &["code `all` is in the snapshot, but no file has it", "dropped: [\"all\"]"]);
    let database = Database::new().await;
    project.apply(&database).await;
    let app = database.on("0003_loud").await;
    diptych_tests::must(&app, "INSERT INTO users VALUES (1, 'ADA')").await;
    assert_eq!(diptych_tests::ask(&app, "SELECT called(1)").await, "ADA");
}

#[test]
fn a_file_that_does_not_hold_is_not_taken_up() {
    let project = Project::new();
    project.write(
        "0002_bad.yaml",
        "operations: [{alter_column: {table: users, column: name, type: integer, up: nosuch(name), down: name::text}}]",
    );
    project.refused("first", &["record"], &["`0002_bad`", "nosuch"]);
    project.write("0002_bad.yaml", "operations: [{drop_column: {table: users, column: gone}}]");
    project.refused("first", &["record"], &["`0002_bad`", "`gone`"]);
    project.write("0002_bad.yaml", "operations: [{");
    project.refused("first", &["record"], &["0002_bad.yaml"]);
}

#[test]
fn what_a_conversion_does_to_edge_values_is_told() {
    let project = Project::new();
    // columns of which the newer version makes others, with the values in which the two differ
    let said = project.done("loud", &["record", "loud"]);
    assert!(
        said.contains("note: `up` and `down` of `users.shout` do not give back every value: 'a' comes back as 'A'"),
        "{said}"
    );
    assert!(!said.contains("fails for"), "{said}");
    let project = Project::new();
    let said = project.done("numbered", &["record", "numbered"]);
    let parts = [
        "`up` of `users.name` fails for '', ' ', 'a' and",
        "(invalid input syntax for type numeric: \"\")",
        "'-1' comes back as '-1.00'",
    ];
    for part in parts {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let nameless = Project::new().done("nameless", &["record", "nameless"]);
    assert!(nameless.contains("`down` of `users.name` fails for NULL (null value in column \"name\""), "{nameless}");
    // what a recorded file has been asked once is not asked by those that only read it
    assert!(!project.done("numbered", &["check"]).contains("fails for"));
}

#[test]
fn a_snapshot_that_is_torn_reverted_or_gone_is_made_anew_from_the_files() {
    let project = Project::new();
    let first = project.files()["snapshot.yaml"].clone();
    project.done("shouting", &["record", "shouting"]);
    let whole = project.files()["snapshot.yaml"].clone();
    let torn = format!("<<<<<<< HEAD\n{first}=======\n{whole}>>>>>>> theirs\n");
    for snapshot in [first.as_str(), &torn, ""] {
        project.write("snapshot.yaml", snapshot);
        project.refused("shouting", &["check"], &["`cargo xtask migrate record` without a name"]);
        project.refused("shouting", &["record", "more"], &["`cargo xtask migrate record` without a name"]);
        project.done("shouting", &["record"]);
        // with what the structs have used up, so that nothing is converted a second time
        assert_eq!(project.files()["snapshot.yaml"], whole, "{snapshot}");
        project.done("shouting", &["check"]);
    }
    std::fs::remove_file(project.0.path().join("snapshot.yaml")).expect("removed");
    project.done("shouting", &["record"]);
    assert_eq!(project.files()["snapshot.yaml"], whole);
    // the version's file is gone
    std::fs::remove_file(project.0.path().join("0002_shouting.yaml")).expect("removed");
    project.refused("shouting", &["check"], &["`0002_shouting`", "restore"]);
    project.done("first", &["record"]);
    assert_eq!(project.files()["snapshot.yaml"], first);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_developers_record_one_number_and_one_of_them_takes_the_next() {
    let project = Project::new();
    project.done("mail", &["record", "mail"]);
    // a colleague's, merged
    project.write("0002_phone.yaml", PHONE);
    let both = ["number 0002", "`0002_mail`", "`0002_phone`", "record --rebase 0002_phone", "record --rebase 0002_mail"];
    project.refused("mail", &["check"], &both);
    project.refused("mail", &["record"], &both);
    project.refused("both", &["record", "more"], &both);
    project.refused("mail", &["record", "--rebase", "0002_post"], &["`0002_post`", "`0002_mail`"]);
    let said = project.done("both", &["record", "--rebase", "0002_mail"]);
    assert!(said.contains("renumbered `0002_mail`: it is `0003_mail` now") && said.contains("nobody knows"), "{said}");
    assert_eq!(project.names(), ["0001_users.yaml", "0002_phone.yaml", "0003_mail.yaml"]);
    assert_eq!(project.snapshot().version.as_deref(), Some("0003_mail"));
    assert!(project.done("both", &["check"]).contains("3 migrations, all in order"));
    assert!(project.done("both", &["record", "--rebase", "0003_mail"]).contains("nothing to renumber"));

    // a database has applied it
    let database = Database::new().await;
    project.apply(&database).await;
    project.write("0003_later.yaml", "operations: [{alter_table: {table: users, comment: Who.}}]");
    let url = server().url(&database.name);
    let before = project.files();
    let output = project.run(Some(&url), "both", &["record", "--rebase", "0003_mail"]);
    refused(&output, &["has applied `0003_mail`", "the one that no database has"]);
    let nowhere = project.run(Some("postgresql://nobody@127.0.0.1:1/none"), "both", &["record", "--rebase", "0003_mail"]);
    refused(&nowhere, &["127.0.0.1:1", "--url"]);
    assert_eq!(before, project.files());
    let output = project.run(Some(&url), "both", &["record", "--rebase", "migrations/0003_later.yaml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!text(&output.stdout).contains("note:"), "{}", text(&output.stdout));
    assert_eq!(project.names()[2..], ["0003_mail.yaml", "0004_later.yaml"]);
}

#[test]
fn what_does_not_hold_in_the_new_order_is_not_renumbered() {
    let project = Project::new();
    project.done("shouting", &["record", "shouting"]);
    project.write("0002_alter.yaml", "operations: [{rename_column: {table: users, from: name, to: title}}]");
    project.refused(
        "shouting",
        &["record", "--rebase", "0002_shouting"],
        &["`0003_shouting`", "no column `name`", "correct `0003_shouting`"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_migration_that_is_not_deployed_is_amended() {
    let project = Project::new();
    project.done("shouting", &["record", "shouting"]);
    assert!(project.done("shouting", &["record", "--amend"]).contains("nothing to amend"));
    let said = project.done("loud", &["record", "--amend"]);
    assert!(said.contains("replaced `") && said.contains("0002_shouting.yaml`: it was add_column"), "{said}");
    assert_eq!(project.names(), ["0001_users.yaml", "0002_shouting.yaml"]);
    let file = project.files()["0002_shouting.yaml"].clone();
    assert!(file.contains("upper(name)") && !file.contains("lower(name)"), "{file}");
    project.done("loud", &["check"]);
    // to other columns at all, and back to nothing
    project.done("mail", &["record", "--amend"]);
    project.done("mail", &["check"]);
    project.refused("first", &["record", "--amend"], &["nothing is left of `0002_shouting`", "remove the file"]);

    let database = Database::new().await;
    let url = server().url(&database.name);
    project.apply(&database).await;
    let before = project.files();
    refused(&project.run(Some(&url), "both", &["record", "--amend"]), &["has applied `0002_shouting`", "new migration"]);
    assert_eq!(before, project.files());
    // started only
    project.done("both", &["record", "phone"]);
    let files = project.files().into_iter().filter(|(name, _)| name != "snapshot.yaml");
    let all: Vec<Migration> =
        files.map(|(name, text)| Migration::parse(name.trim_end_matches(".yaml"), &text).expect("a migration")).collect();
    database.migrator().await.start(&all, None, &mut Quiet).await.expect("started");
    refused(&project.run(Some(&url), "loud", &["record", "--amend"]), &["`0003_phone` is started", "rollback"]);
}

#[test]
fn what_was_written_by_hand_is_not_lost_when_a_migration_is_amended() {
    let project = Project::new();
    project.done("mail", &["record", "mail"]);
    project.write("0002_mail.yaml", &MAIL.replace("{table: users,", "{table: users, up: name || '@example.org',"));
    project.refused("both", &["record", "--amend"], &["`name || '@example.org'`", "by hand"]);
    project.write("0002_mail.yaml", &MAIL.replace("}}}]", "}}}, {sql: {up: SELECT 1}}]"));
    project.refused("both", &["record", "--amend"], &["`sql`", "by hand"]);
}

#[test]
fn attributes_that_are_used_up_are_named_and_removed_on_demand() {
    let project = Project::new();
    project.done("used", &["record", "split name"]);
    let said = project.done("used", &["check"]);
    for part in ["`dropped(name)` of table `users`", "`up` of `users.first`", "`up` of `users.last`"] {
        assert!(said.contains(&format!("note: {part} is used up by `0002_split_name` and may be removed\n")), "{part}: {said}");
    }
    assert!(said.contains("check --fix"), "{said}");
    // without sources nothing is changed, the snapshot neither
    project.refused("used", &["check", "--fix"], &["Cargo.toml", "folder of the project"]);
    let source = include_str!("dayafter/used_up.rs");
    let folder = project.0.path();
    for name in ["src", "migrations", "target"] {
        std::fs::create_dir(folder.join(name)).expect("a folder");
    }
    for name in project.files().into_keys() {
        std::fs::rename(folder.join(&name), folder.join("migrations").join(&name)).expect("moved");
    }
    std::fs::write(folder.join("Cargo.toml"), "[package]\nname = \"app\"\nedition = \"2024\"\n").expect("a file");
    std::fs::write(folder.join("src/lib.rs"), source).expect("a file");
    // another database's, and no source
    let other = source.replace("table = \"users\",", "table = \"users\", migrations = \"others\",");
    std::fs::write(folder.join("src/other.rs"), &other).expect("a file");
    std::fs::write(folder.join("target/made.rs"), source).expect("a file");
    let dir = folder.join("migrations");
    let said = project.done("used", &["check", "--fix", "--dir", dir.to_str().expect("a path")]);
    for part in ["`dropped(name, down = \"first || ' ' || last\")`", "`up = \"split_part(name, ' ', 1)\"`"] {
        assert!(said.contains(&format!("src/lib.rs: removed {part}; ")), "{part}: {said}");
    }
    let wanted = source
        .replace(
            ",\n    // the name is in two columns now\n    dropped(name, down = \"first || ' ' || last\")",
            "\n    // the name is in two columns now",
        )
        .replace("    #[schema(up = \"split_part(name, ' ', 1)\")]\n", "")
        .replace("up = \"split_part(name, ' ', 2)\", ", "");
    assert_eq!(std::fs::read_to_string(folder.join("src/lib.rs")).expect("a text"), wanted);
    assert_eq!(std::fs::read_to_string(folder.join("src/other.rs")).expect("a text"), other);
    assert_eq!(std::fs::read_to_string(folder.join("target/made.rs")).expect("a text"), source);
    // the same text is a new one from now on
    let snapshot = std::fs::read_to_string(dir.join("snapshot.yaml")).expect("a text");
    assert!(Snapshot::parse(&snapshot).expect("a snapshot").used.is_empty(), "{snapshot}");
}

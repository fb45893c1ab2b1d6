//! What somebody changes in the tables outside Diptych: it is named, and taken over or refused, never half-seen.

use diptych_tests::{Database, ask, must, server};

use crate::cli::{Folder, refused, text};
use crate::existing::Existing;

const USERS: &str = "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true}, {name: name, type: text, default: \"'x'\"}, {name: age, type: integer, nullable: true, check: {name: users_age, constraint: age > 0}}]}}]";
const MAIL: &str = "operations: [{add_column: {table: users, column: {name: mail, type: text, nullable: true}}}]";

fn done(folder: &Folder, url: &str, arguments: &[&str]) -> String {
    let output = folder.run(Some(url), arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout) + &text(&output.stderr)
}

/// A database at rest on the first version, and the folder of both.
async fn at_rest() -> (Database, String, Folder) {
    let database = Database::new().await;
    let (url, folder) = (server().url(&database.name), Folder::new(&[("0001_users.yaml", USERS)]));
    done(&folder, &url, &["start"]);
    done(&folder, &url, &["complete"]);
    std::fs::write(folder.path().join("0002_mail.yaml"), MAIL).expect("a file");
    (database, url, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_by_hand_is_named_and_stands_against_a_start() {
    let (database, url, folder) = at_rest().await;
    let client = database.client().await;
    for (change, back, named) in [
        (
            "ALTER TABLE users ADD COLUMN extra integer NOT NULL",
            "ALTER TABLE users DROP COLUMN extra",
            "column `users.extra` is only in the database",
        ),
        ("ALTER TABLE users ALTER COLUMN name SET DEFAULT 'y'", "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x'", "'y'"),
        (
            "ALTER TABLE users ALTER COLUMN name DROP NOT NULL",
            "ALTER TABLE users ALTER COLUMN name SET NOT NULL",
            "column `users.name` is",
        ),
        (
            "ALTER TABLE users DROP CONSTRAINT users_age; ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 1)",
            "ALTER TABLE users DROP CONSTRAINT users_age; ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0)",
            "constraint `users.users_age` is",
        ),
    ] {
        must(&client, change).await;
        let status = folder.run(Some(&url), &["status"]);
        assert_eq!(status.status.code(), Some(1), "{change}");
        assert!(text(&status.stdout).contains(named) && text(&status.stdout).contains("drift "), "{}", text(&status.stdout));
        refused(
            &folder.run(Some(&url), &["start"]),
            &["not as version `0001_users` left them", named, "`record --from-database NAME`"],
        );
        must(&client, back).await;
        assert_eq!(folder.run(Some(&url), &["status"]).status.code(), Some(0), "{back}");
    }
    // what comes beside is told, and stays
    must(&client, "ALTER TABLE users ADD COLUMN spare integer; COMMENT ON TABLE users IS 'why'; ALTER TABLE users REPLICA IDENTITY FULL; CREATE INDEX by_name ON users (name); CREATE TABLE jobs (id bigint PRIMARY KEY)").await;
    let differing = folder.run(Some(&url), &["diff"]);
    assert_eq!(differing.status.code(), Some(1));
    let said = text(&differing.stdout);
    assert!(
        said.contains("table `jobs` is only in the database") && said.contains("column `users.mail` is only in the files"),
        "{said}"
    );
    let operations = text(&folder.run(Some(&url), &["diff", "files", "database", "--operations"]).stdout);
    assert!(operations.contains("create_index") && operations.contains("drop_column"), "{operations}");
    let sql = folder.run(Some(&url), &["diff", "files", "database", "--sql"]);
    assert_eq!(sql.status.code(), Some(1), "{}", text(&sql.stderr));
    for part in ["CREATE INDEX CONCURRENTLY", "by_name", "CREATE TABLE \"public\".\"jobs\"", "DROP COLUMN \"mail\""] {
        assert!(text(&sql.stdout).contains(part), "no {part}: {}", text(&sql.stdout));
    }
    assert!(done(&folder, &url, &["diff", "database", &url, "--sql"]).contains("no difference"));
    let json: serde_json::Value = serde_json::from_slice(&folder.run(Some(&url), &["diff", "--json"]).stdout).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(5), "{json}");
    assert!(done(&folder, &url, &["diff", "database", &url]).contains("no difference"));
    refused(&folder.run(Some(&url), &["diff", "structs"]), &["structs", "cargo xtask migrate diff"]);
    refused(&folder.run(Some(&url), &["diff", "fish"]), &["`fish`", "snapshot"]);
    assert!(done(&folder, &url, &["status"]).contains("index `users.by_name` is only in the database"));
    let said = done(&folder, &url, &["start"]);
    assert!(said.contains("changed these outside Diptych") && said.contains("table `jobs`"), "{said}");
    done(&folder, &url, &["complete"]);
    assert!(!done(&folder, &url, &["status"]).contains("drift"));
    assert_eq!(ask(&client, "SELECT count(*) FROM pg_indexes WHERE indexname = 'by_name'").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_by_hand_is_taken_over() {
    let (database, url, folder) = at_rest().await;
    let client = database.client().await;
    std::fs::remove_file(folder.path().join("0002_mail.yaml")).expect("removed");
    // the snapshot of a folder whose structs are elsewhere
    let made = diptych_tests::schema(&[diptych_tests::migration("0001_users", USERS)]);
    let snapshot =
        diptych_core::Snapshot { version: Some("0001_users".into()), schema: made, ..diptych_core::Snapshot::default() };
    std::fs::write(folder.path().join("snapshot.yaml"), snapshot.to_yaml()).expect("a file");
    assert!(done(&folder, &url, &["record", "--from-database", "nothing"]).contains("nothing to record"));
    must(
        &client,
        "ALTER TABLE users ADD COLUMN extra integer DEFAULT 5; ALTER TABLE users ALTER COLUMN name SET DEFAULT 'y'; ALTER TABLE users DROP CONSTRAINT users_age; \
         ALTER TABLE users ALTER COLUMN name DROP NOT NULL; CREATE INDEX by_name ON users (lower(name)); CREATE STATISTICS by_both ON name, id FROM users; CREATE TYPE mood AS ENUM ('sad', 'ok'); ALTER TABLE users ADD COLUMN mood mood",
    )
    .await;
    let old = database.on("0001_users").await;
    must(&old, "INSERT INTO users (id) VALUES (1)").await;
    let said = done(&folder, &url, &["record", "--from-database", "by hand"]);
    assert!(said.contains("0002_by_hand.yaml") && said.contains("proven on a scratch server"), "{said}");
    done(&folder, &url, &["check"]);
    refused(&folder.run(Some(&url), &["start"]), &["column extra of table public.users", "run `baseline`"]);
    done(&folder, &url, &["baseline"]);
    let new = database.on("0002_by_hand").await;
    assert_eq!(ask(&new, "SELECT id, name, extra, mood FROM users").await, "1|y|5|NULL");
    must(&new, "INSERT INTO users (id, mood) VALUES (2, 'ok')").await;
    assert_eq!(ask(&old, "SELECT id, name FROM users ORDER BY id").await, "1|y;2|y");
    assert_eq!(ask(&old, "SELECT extra FROM users").await, "!42703");
    done(&folder, &url, &["rollback"]);
    done(&folder, &url, &["baseline"]);
    done(&folder, &url, &["complete"]);
    assert!(!done(&folder, &url, &["status"]).contains("drift"));
    // elsewhere it is carried out
    let fresh = Database::new().await;
    done(&folder, &server().url(&fresh.name), &["start"]);
    done(&folder, &server().url(&fresh.name), &["complete"]);
    let (there, made) = (database.catalog().await, fresh.catalog().await);
    assert!(there == made, "{}", diptych_tests::difference(&there, &made));
}

/// A label cannot be taken from an enum by hand again: it is taken over.
#[tokio::test(flavor = "multi_thread")]
async fn labels_that_were_added_and_renamed_by_hand_are_taken_over() {
    for (by_hand, label, labels) in [
        ("ALTER TYPE mood ADD VALUE 'glad' BEFORE 'ok'", "glad", "{sad,glad,ok}"),
        ("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "fine", "{sad,fine}"),
    ] {
        let moods = "operations: [{create_enum: {name: mood, labels: [sad, ok]}}, {create_table: {name: t, columns: [{name: id, type: bigint, pk: true}, {name: mood, type: mood, default: \"'sad'\"}]}}]";
        let database = Database::new().await;
        let (url, folder) = (server().url(&database.name), Folder::new(&[("0001_moods.yaml", moods)]));
        done(&folder, &url, &["start"]);
        done(&folder, &url, &["complete"]);
        let made = diptych_tests::schema(&[diptych_tests::migration("0001_moods", moods)]);
        let snapshot =
            diptych_core::Snapshot { version: Some("0001_moods".into()), schema: made, ..diptych_core::Snapshot::default() };
        std::fs::write(folder.path().join("snapshot.yaml"), snapshot.to_yaml()).expect("a file");
        must(&database.client().await, by_hand).await;
        must(&database.client().await, &format!("INSERT INTO t VALUES (1, '{label}'), (2, 'sad')")).await;
        let status = folder.run(Some(&url), &["status"]);
        assert!(
            text(&status.stdout).contains("drift    enum `mood`")
                && text(&status.stdout).contains("`record --from-database NAME`")
        );
        done(&folder, &url, &["record", "--from-database", "by hand"]);
        done(&folder, &url, &["check"]);
        done(&folder, &url, &["baseline"]);
        done(&folder, &url, &["complete"]);
        assert!(!done(&folder, &url, &["status"]).contains("drift"), "{by_hand}");
        let new = database.on("0002_by_hand").await;
        assert_eq!(
            ask(&new, "SELECT mood, enum_range(mood) FROM t WHERE id = 1").await,
            format!("{label}|{labels}"),
            "{by_hand}"
        );
        let fresh = Database::new().await;
        done(&folder, &server().url(&fresh.name), &["start"]);
        done(&folder, &server().url(&fresh.name), &["complete"]);
        assert_eq!(ask(&fresh.client().await, "SELECT enum_range(NULL::mood)").await, labels, "{by_hand}");
    }
}

/// A `serial` that somebody has made, and a sequence that somebody has given to a column: the statements of the hint lead out.
#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_that_a_column_owns_is_named_with_the_statements_that_lead_out() {
    let made_by = "CREATE SEQUENCE \"S\"; CREATE TABLE t (id integer PRIMARY KEY DEFAULT nextval('\"S\"')); INSERT INTO t DEFAULT VALUES; CREATE TABLE u (\"Id\" serial PRIMARY KEY, own serial)";
    let Some(existing) = Existing::new(made_by).await else { return };
    existing.run(&["baseline"]);
    let fresh = existing.completed().await;
    let by_hand = "ALTER SEQUENCE \"S\" OWNED BY t.id; ALTER TABLE t ADD COLUMN \"Own\" serial; CREATE TABLE tt (id serial PRIMARY KEY); ALTER SEQUENCE \"u_Id_seq\" OWNED BY NONE; ALTER SEQUENCE u_own_seq OWNED BY NONE";
    must(&existing.client, by_hand).await;
    let mut seen = Vec::new();
    let record = ["record", "--from-database", "by hand"];
    let told = loop {
        let output = existing.folder.run(Some(&existing.url), &record);
        let told = text(&output.stderr);
        let Some((_, statements)) = told.split_once("; run ") else { break text(&output.stdout) };
        seen.push(told.lines().next().unwrap_or_default().to_owned());
        assert!(seen.len() < 6, "{seen:#?}");
        must(&existing.client, statements).await;
    };
    assert_eq!(seen.len(), 5, "{seen:#?}");
    assert!(told.contains("proven on a scratch server"), "{told}");
    assert_eq!(
        ask(&existing.client, "SELECT to_regclass('\"S\"') IS NOT NULL, pg_get_serial_sequence('u', 'own')").await,
        "t|public.u_own_seq"
    );
    assert_eq!(ask(&existing.client, "INSERT INTO t DEFAULT VALUES RETURNING id, \"Own\"").await, "2|2");
    drop(fresh);
}

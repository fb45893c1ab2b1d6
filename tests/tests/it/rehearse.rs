//! `rehearse`: an app's statements are tried before anybody adopts a version, and every row of the README's "What views cannot do" that is a
//! statement is found.

use diptych_tests::major;

use crate::cli::{Folder, refused, text};

const SHOP: &str = "operations: [{create_table: {name: users, columns: [{name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}, {name: email, type: text}, {name: name, type: text}], constraints: [{name: users_email, type: unique, columns: [email]}]}}]";
const SPLIT: &str = "operations: [{rename_column: {table: users, from: name, to: full_name}}]";

/// Each row, with what tells that it was found.
const CANNOT: [(&str, &str); 10] = [
    ("COPY users FROM STDIN", "cannot copy to view"),
    ("COPY users TO STDOUT", "cannot copy from view"),
    ("TRUNCATE users", "is not a table"),
    ("SELECT id FROM users TABLESAMPLE SYSTEM (1)", "TABLESAMPLE"),
    ("UPDATE users SET email = 'a' WHERE CURRENT OF these", "CURRENT OF"),
    ("INSERT INTO users (email, name) VALUES ($1, $2) ON CONFLICT ON CONSTRAINT users_email DO NOTHING", "users_email"),
    ("SELECT id, email FROM users GROUP BY id", "must appear in the GROUP BY"),
    ("SELECT ctid FROM users", "ctid"),
    ("CREATE TABLE jobs (id bigint)", "permission denied"),
    ("MERGE INTO users USING (SELECT 1 AS id) AS one ON users.id = one.id WHEN MATCHED THEN DELETE", "MERGE"),
];

/// What an app does all day.
const CAN: [&str; 7] = [
    "SELECT id, email FROM users WHERE id = $1",
    "INSERT INTO users (email) VALUES ($1) ON CONFLICT (email) DO UPDATE SET email = EXCLUDED.email RETURNING id",
    "UPDATE users SET email = lower(email) WHERE id = ANY ($1)",
    "WITH gone AS (DELETE FROM users WHERE id = $1 RETURNING *) SELECT count(*) FROM gone",
    "SELECT email, count(*) FROM users GROUP BY email",
    "COPY (SELECT id FROM users) TO STDOUT",
    "SET statement_timeout = 0",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_views_cannot_do_is_found_and_nothing_else() {
    let folder = Folder::new(&[("0001_shop.yaml", SHOP)]);
    let statements = tempfile::tempdir().expect("a folder");
    let rows: Vec<(&str, &str)> =
        CANNOT.into_iter().filter(|(sql, _)| !sql.starts_with("MERGE") || (15..17).contains(&major())).collect();
    for (number, (sql, _)) in rows.iter().enumerate() {
        std::fs::write(statements.path().join(format!("cannot{number}.sql")), format!("-- why\n{sql};")).expect("a file");
    }
    std::fs::write(statements.path().join("can.sql"), CAN.join(";\n")).expect("a file");
    std::fs::create_dir(statements.path().join(".sqlx")).expect("a folder");
    let prepared = r#"{"db_name": "PostgreSQL", "query": "SELECT xmax FROM users", "hash": "x"}"#;
    std::fs::write(statements.path().join(".sqlx/query-1.json"), prepared).expect("a file");
    let place = statements.path().to_str().expect("a path");
    let output = folder.run(None, &["rehearse", place, "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let found: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    for (sql, part) in rows.iter().copied().chain([("SELECT xmax FROM users", "xmax")]) {
        let own: Vec<_> = found.iter().filter(|finding| finding["statement"] == sql).collect();
        assert_eq!(own.len(), 1, "{sql}: {found:#?}");
        assert!(own[0]["error"].as_str().is_some_and(|error| error.contains(part)), "{sql}: {}", own[0]);
        assert!(own[0]["instead"].is_string(), "{sql}: {}", own[0]);
    }
    assert_eq!(found.len(), rows.len() + 1, "{found:#?}");

    // the release that runs goes on, the one to come is told what it lacks
    std::fs::write(folder.path().join("0002_split.yaml"), SPLIT).expect("a file");
    let release = statements.path().join("release");
    std::fs::create_dir(&release).expect("a folder");
    std::fs::write(release.join("old.sql"), "SELECT name FROM users;\nSELECT nothing FROM users;").expect("a file");
    let release = release.to_str().expect("a path");
    let output = folder.run(None, &["rehearse", release]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(said.contains("old.sql:1 fails on `0002_split`: column \"name\" does not exist"), "{said}");
    assert!(
        said.contains("old.sql:2 fails on the tables as well")
            && said.contains("2 statements tried on `0001_shop` and `0002_split`: 1 failures"),
        "{said}"
    );
    // a statement that somebody has left in a log has an app's rights, whatever it says
    std::fs::write(
        statements.path().join("evil.sql"),
        "DO $$ BEGIN RESET ROLE; RESET SESSION AUTHORIZATION; COPY (SELECT 1) TO PROGRAM 'true'; END $$",
    )
    .expect("a file");
    let output = folder.run(None, &["rehearse", statements.path().join("evil.sql").to_str().expect("a path")]);
    assert!(
        text(&output.stdout).contains("permission denied to COPY to or from an external program")
            || text(&output.stdout).contains("must be superuser or have privileges")
            // as 14 has it
            || text(&output.stdout).contains("must be superuser or a member of the pg_execute_server_program role"),
        "{}",
        text(&output.stdout)
    );
    refused(&folder.run(None, &["rehearse", "/no/such/folder"]), &["/no/such/folder"]);
    refused(&Folder::new(&[]).run(None, &["rehearse", release]), &["no migration", "`baseline`"]);
}

//! Programs of whatever language on a version: `latest` and `status` say how, `run` does it and holds the version meanwhile, `scratch` has
//! the tables for their generators.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use diptych::connect::{self, verify, verify_sql};
use diptych_tests::{Database, ask, client, must, release, server};
use serde_json::Value;

use crate::cli::{Folder, GOOD, binary, refused, text};

release!(One, "0001_users");
release!(Two, "0002_number");
release!(Other, "0003_it's \"an\\\\other\" one");

const MAIL: &str = "operations: [{rename_column: {table: users, from: id, to: number}}]";

/// A database with two versions at work, and the folder of both.
async fn started() -> (Database, String, Folder) {
    let database = Database::new().await;
    let url = server().url(&database.name).replacen("user=postgres", "user=postgres&password=secret", 1);
    let folder = Folder::new(&[("0001_users.yaml", GOOD), ("0002_number.yaml", MAIL)]);
    for arguments in [&["start", "--to", "0001_users"][..], &["complete"], &["start"]] {
        let output = folder.run(Some(&url), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }
    must(&database.client().await, "INSERT INTO users VALUES (7)").await;
    (database, url, folder)
}

fn done(folder: &Folder, url: &str, arguments: &[&str]) -> String {
    let output = folder.run(Some(url), arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What a query says over a URL, by the driver.
async fn over(url: &str, query: &str) -> String {
    ask(&client(diptych::connect::parse(url).expect("a URL").config()).await, query).await
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_and_status_say_how_a_session_is_put_on_a_version() {
    let empty = Database::new().await;
    let (database, url, folder) = started().await;
    refused(&folder.run(Some(&server().url(&empty.name)), &["latest"]), &["no version is published", "run `start` first"]);
    let path = "public_0002_number, public_diptych_guard, public";
    let lines = done(&folder, &url, &["latest"]);
    let word = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    assert_eq!((word("version").as_str(), word("schema").as_str()), ("0002_number", "public_0002_number"), "{lines}");
    assert_eq!(word("search_path"), path);
    assert!(!lines.contains("secret"), "{lines}");
    assert_eq!(over(&word("url"), "SELECT number, current_setting('search_path') FROM users").await, format!("7|{path}"));
    let json: Value = serde_json::from_str(&done(&folder, &url, &["latest", "--json", "--with-password"])).expect("JSON");
    assert_eq!((json["version"].as_str(), json["search_path"].as_str()), (Some("0002_number"), Some(path)));
    assert_eq!(json["schema"], "public_0002_number");
    assert_eq!(json["url"].as_str().expect("a URL"), word("url").replacen("user=postgres", "user=postgres&password=secret", 1));

    // options that are there stay; a string of pairs stays one
    let pairs = format!("{} options='-c application_name=\"a\\\\ b\"'", pairs(&database));
    let json: Value = serde_json::from_str(&done(&folder, &pairs, &["latest", "--json"])).expect("JSON");
    assert_eq!(
        over(json["url"].as_str().expect("a string"), "SELECT number, current_setting('application_name') FROM users").await,
        "7|\"a b\""
    );

    let status = done(&folder, &url, &["status"]);
    let older = "public_0001_users, public_diptych_guard, public";
    assert!(status.contains(&format!("path     0001_users: {older}\npath     0002_number: {path}\n")), "{status}");
    let json: Value = serde_json::from_str(&done(&folder, &url, &["status", "--json"])).expect("JSON");
    assert_eq!(
        (json["published"][0]["search_path"].as_str(), json["published"][1]["search_path"].as_str()),
        (Some(older), Some(path))
    );
    done(&folder, &url, &["complete"]);
    let json: Value = serde_json::from_str(&done(&folder, &url, &["status", "--json"])).expect("JSON");
    assert_eq!(json["published"].as_array().map(Vec::len), Some(1), "{json}");
}

/// How to reach a database, as a string of pairs.
fn pairs(database: &Database) -> String {
    let url = server().url(&database.name);
    let host = url.split("host=").nth(1).expect("a host").replace("%2F", "/");
    format!("host={host} user=postgres dbname={}", database.name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_on_its_version_and_holds_it() {
    let (database, url, folder) = started().await;
    // what the driver and libpq's programs find
    let both = "printf '%s\\n%s\\n' \"$DATABASE_URL\" \"$PGOPTIONS\"";
    for (version, column) in [("0001_users", "id"), ("0002_number", "number")] {
        let said = done(&folder, &url, &["run", "--version", version, "--", "sh", "-c", both]);
        let (on, options) = said.trim_end().split_once('\n').expect("two lines");
        assert_eq!(over(on, &format!("SELECT {column} FROM users")).await, "7");
        let mut config = database.config();
        config.options(options);
        assert_eq!(ask(&client(&config).await, &format!("SELECT {column} FROM users")).await, "7");
        let psql = server().bin_dir().join("psql");
        if psql.is_file() {
            let query = format!("SELECT {column} FROM users");
            let psql = psql.display().to_string();
            let said = done(
                &folder,
                &url,
                &["run", "--version", version, "--", "sh", "-c", "exec \"$0\" \"$DATABASE_URL\" -Atc \"$1\"", &psql, &query],
            );
            assert_eq!(said, "7\n");
            let said = done(&folder, &url, &["run", "--version", version, "--", &psql, &pairs(&database), "-Atc", &query]);
            assert_eq!(said, "7\n");
        }
    }
    // while it runs, nobody takes its version away; a signal reaches it, its code comes back, and its lease goes with it
    let script = "trap 'echo told; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let mut running = Command::new(binary())
        .args(["--dir", "/nowhere", "--url", &url, "run", "--version", "0001_users", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut output = BufReader::new(running.stdout.take().expect("its output"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    let leases = "SELECT version, application, process FROM diptych.leases";
    assert_eq!(ask(&database.client().await, leases).await, format!("0001_users|sh|{}", running.id()));
    refused(&folder.run(Some(&url), &["complete"]), &["`0001_users`", "`sh`"]);
    Command::new("kill").args(["-TERM", &running.id().to_string()]).status().expect("kill");
    assert_eq!(running.wait().expect("it ends").code(), Some(9));
    line.clear();
    output.read_to_string(&mut line).expect("its output");
    assert_eq!(line, "told\n");
    assert_eq!(ask(&database.client().await, "SELECT count(*) FROM diptych.leases").await, "0");
    for (script, code) in [("exit 7", 7), ("kill -9 $$", 137)] {
        assert_eq!(folder.run(Some(&url), &["run", "--", "sh", "-c", script]).status.code(), Some(code));
    }
    done(&folder, &url, &["complete"]);
    refused(
        &folder.run(Some(&url), &["run", "--version", "0001_users", "--", "true"]),
        &["`0001_users` is not published", "`0002_number`"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_tells_any_driver_whether_its_session_is_on_its_version() {
    async fn is_refused<D: diptych::Database>(url: &str) -> bool {
        let client = client(connect::parse(url).expect("a URL").config()).await;
        let (wanted, found) = (verify::<D>(&client).await, client.batch_execute(&verify_sql::<D>()).await);
        // prepared as well, where a driver knows nothing else
        assert_eq!(client.execute(&verify_sql::<D>(), &[]).await.is_err(), wanted.is_err());
        let Err(wanted) = wanted else {
            found.expect("the session is on its version");
            return false;
        };
        let found = found.expect_err("the session is not on its version");
        let found = found.as_db_error().expect("the server's error");
        assert_eq!((found.message(), found.hint(), found.code().code()), (wanted.message(), wanted.hint_text(), "3F000"));
        true
    }
    let (_database, url, _folder) = started().await;
    let (one, two) = (connect::url::<One>(&url).expect("a URL"), connect::url::<Two>(&url).expect("a URL"));
    assert!(!is_refused::<One>(&one).await && !is_refused::<Two>(&two).await);
    assert!(is_refused::<Two>(&one).await && is_refused::<One>(&two).await && is_refused::<One>(&url).await);
    // without a schema that is there, and on a version that is not
    assert!(is_refused::<One>(&connect::url_on(&url, "nowhere").expect("a URL")).await);
    assert!(is_refused::<Other>(&connect::url::<Other>(&url).expect("a URL")).await);
    // as a version's role nothing is put in
    assert_eq!(connect::url::<One>(&(url.clone() + "&pooler=true")).expect("a URL"), url);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_on_the_version_that_it_came_with() {
    let (_database, url, folder) = started().await;
    let path = "echo \"$PGOPTIONS\"";
    let anywhere = Command::new(binary())
        .args(["--dir", "/nowhere", "--url", &url, "run", "--", "sh", "-c", path])
        .env("PGOPTIONS", "-c work_mem=1MB")
        .output()
        .expect("the binary runs");
    let options = "-c work_mem=1MB -c search_path=public_0002_number,\\ public_diptych_guard,\\ public\n";
    assert_eq!(text(&anywhere.stdout), options);
    // an older release beside the newer version
    std::fs::remove_file(folder.path().join("0002_number.yaml")).expect("removed");
    assert!(done(&folder, &url, &["run", "--", "sh", "-c", path]).contains("public_0001_users,"));
    // and one that comes before its version
    std::fs::write(folder.path().join("0003_next.yaml"), MAIL).expect("a file");
    let early = folder.run(Some(&url), &["run", "--", "sh", "-c", path]);
    refused(&early, &["`0003_next` is not published", "run `start` first", "`0001_users`, `0002_number`"]);
    refused(&folder.run(Some(&url), &["run", "--version", "0002_number", "--", "/no/program"]), &["`/no/program`"]);
    assert_eq!(folder.run(Some(&url), &["run"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generator_finds_tables_on_a_private_server_of_which_nothing_stays() {
    let folder = Folder::new(&[("0001_users.yaml", GOOD), ("0002_number.yaml", MAIL)]);
    let words = "\"$DATABASE_URL\" \"$PGHOST\" \"$PGPORT\" \"$PGUSER\" \"$PGDATABASE\" \"$PGOPTIONS$PGPASSWORD\"";
    let mut running = Command::new(binary())
        .arg("--dir")
        .arg(folder.path())
        // what is set for the app's own database is not in the way
        .env("DATABASE_URL", "postgresql://nobody@nowhere.invalid/other")
        .env("PGOPTIONS", "-c search_path=public_0001_users")
        .env("PGPASSWORD", "secret")
        .args(["scratch", "--", "sh", "-c", &format!("printf '%s\\n' {words}; read line; exit 7")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut output = BufReader::new(running.stdout.take().expect("its output"));
    let mut word = || {
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let (url, host, port, user, name, rest) = (word(), word(), word(), word(), word(), word());
    assert_eq!((port.as_str(), user.as_str(), name.as_str(), rest.as_str()), ("5432", "postgres", "scratch", ""));
    let tables = "SELECT relkind, relnamespace::regnamespace, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid \
                  WHERE pg_class.oid = 'users'::regclass AND attnum > 0";
    assert_eq!(over(&url, tables).await, "r|public|number");
    let by_words = format!("host={host} port={port} user={user} dbname={name}");
    assert_eq!(over(&by_words, "SELECT current_setting('search_path'), count(number) FROM users").await, "public|0");
    writeln!(running.stdin.take().expect("its input"), "go on").expect("written");
    assert_eq!(running.wait().expect("it ends").code(), Some(7));
    assert!(!host.is_empty() && !Path::new(&host).exists(), "`{host}` is left");

    refused(&folder.run(None, &["scratch", "--", "/no/program"]), &["`/no/program`"]);
    assert_eq!(folder.run(None, &["scratch"]).status.code(), Some(2));
    let bad = Folder::new(&[("0001_bad.yaml", "operations: [{drop_table: {name: nowhere}}]")]);
    refused(&bad.run(None, &["scratch", "--", "touch", "/no/place"]), &["`nowhere`"]);
    // another base schema is where bare names are found
    let psql = server().bin_dir().join("psql");
    if psql.is_file() {
        let psql = psql.display().to_string();
        let query = "SELECT current_schema, count(number) FROM users";
        let output = folder.run(None, &["--schema", "shop", "scratch", "--", &psql, "-Atc", query]);
        assert_eq!(text(&output.stdout), "shop|0\n", "{}", text(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_waits_for_its_version() {
    let database = Database::new().await;
    let url = server().url(&database.name);
    let folder = Folder::new(&[("0001_users.yaml", GOOD)]);
    let output = folder.run(Some(&url), &["run", "--wait", "1s", "--", "true"]);
    refused(&output, &["version `0001_users` is not published", "run `start` first, or wait for it with --wait 5m"]);
    let waits = {
        let (url, folder) = (url.clone(), Folder::new(&[("0001_users.yaml", GOOD)]));
        std::thread::spawn(move || folder.run(Some(&url), &["run", "--wait", "60s", "--", "echo", "there"]))
    };
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert!(!waits.is_finished(), "its version is not there yet");
    done(&folder, &url, &["start"]);
    let output = waits.join().expect("the command");
    assert_eq!((output.status.code(), text(&output.stdout).trim()), (Some(0), "there"), "{}", text(&output.stderr));
}

//! `pg_dump` and what comes back of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use diptych_core::sql;

use crate::{Database, client, major, server};

/// The folder of a `pg_dump` that knows the server: its own, or any on the path.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = [server().bin_dir().to_owned()].into_iter().chain(std::env::split_paths(&path));
    let knows = |place: &PathBuf| {
        let Ok(output) = Command::new(place.join("pg_dump")).arg("--version").output() else { return false };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = text.split_whitespace().find_map(|word| word.split(['.', 'b', 'r']).next()?.parse::<u32>().ok());
        number.is_some_and(|number| number >= major())
    };
    places.filter(|place| place.join("psql").exists()).find(knows)
}

/// A database with nothing in it, on the server of another.
pub async fn empty(beside: &Database) -> Database {
    let database = Database::named(&beside.server, &beside.base);
    let create = format!("CREATE DATABASE {} TEMPLATE template0", database.name);
    client(&beside.server).await.batch_execute(&create).await.expect("a database");
    database
}

/// What `pg_dump` prints, in statements that any client can run; none where there is no `pg_dump` for the server.
pub fn text(database: &Database) -> Option<String> {
    let text = run(&programs()?, "pg_dump", &["--inserts", "--no-owner", "-d", &server().url(&database.name)]);
    let text = String::from_utf8(text).expect("text");
    Some(text.lines().filter(|line| !line.starts_with('\\')).map(|line| format!("{line}\n")).collect())
}

/// The definitions of a database, without Diptych's own and the views of versions; none where there is no `pg_dump` for the server.
pub fn definitions(database: &Database) -> Option<String> {
    let views = format!("--exclude-schema={}*", sql::ident(&format!("{}_", database.base)));
    let own = ["--exclude-schema=diptych", &views];
    let arguments = ["--schema-only", "--no-owner", "--no-privileges", "-d", &server().url(&database.name)];
    let text = run(&programs()?, "pg_dump", &[&own[..], &arguments].concat());
    let text = String::from_utf8(text).expect("text");
    Some(text.lines().filter(|line| !line.starts_with('\\')).map(|line| format!("{line}\n")).collect())
}

/// A database that is restored from a dump of this one; none where there is no `pg_dump` for the server.
pub async fn restored(database: &Database) -> Option<Database> {
    let programs = programs()?;
    let dump = tempfile::NamedTempFile::new().expect("a file");
    let text = String::from_utf8(run(&programs, "pg_dump", &["-d", &server().url(&database.name)])).expect("text");
    // a newer pg_dump names a setting that an older server does not have
    let text: String =
        text.lines().filter(|line| !line.starts_with("SET transaction_timeout")).map(|line| format!("{line}\n")).collect();
    std::fs::write(dump.path(), text).expect("written");
    let copy = empty(database).await;
    let place = dump.path().display().to_string();
    run(&programs, "psql", &["-qX", "-v", "ON_ERROR_STOP=1", "-d", &server().url(&copy.name), "-f", &place]);
    Some(copy)
}

fn run(programs: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(programs.join(program)).args(arguments).stdin(Stdio::null()).output().expect("a program");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

//! `pg_dump` and what comes back of it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Database, major, server};

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

/// A database that is restored from a dump of this one; none where there is no `pg_dump` for the server.
pub fn restored(database: &Database) -> Option<Database> {
    let programs = programs()?;
    let copy = Database::named(&database.server, &database.base);
    let url = |name: &str| server().url(name);
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(programs.join(program)).args(arguments).stdin(Stdio::null()).output().expect("a program");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let create = format!("CREATE DATABASE {} TEMPLATE template0", copy.name);
    run("psql", &["-qX", "-v", "ON_ERROR_STOP=1", "-d", &url("postgres"), "-c", &create]);
    let dump = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(dump.path(), run("pg_dump", &["-d", &url(&database.name)])).expect("written");
    let place = dump.path().display().to_string();
    run("psql", &["-qX", "-v", "ON_ERROR_STOP=1", "-d", &url(&copy.name), "-f", &place]);
    Some(copy)
}

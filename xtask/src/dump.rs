//! What `pg_dump` prints of a database's schema, as statements that a migration can have.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use diptych::{Inventory, connect};
use diptych_core::model::lexer::{self, Kind};
use diptych_core::sql;
use tokio::process::Command;

use crate::config::{Context, Failure};
use crate::server;

/// Statements in one operation: each operation is one transaction, and a server has room for so many locks in one.
const TOGETHER: usize = 1000;

/// What the server's settings are while the statements run: names are written with their schemas, and functions may name what comes later.
const SETTINGS: &str = "SET LOCAL search_path = '';\nSET LOCAL check_function_bodies = false;\n\n";

/// The definitions of a database, as texts for `sql` operations.
///
/// Owners, rights and tablespaces are left out: roles and tablespaces are a server's, not a database's. So are the histories of other tools.
pub(crate) async fn definitions(context: &Context, found: &Inventory) -> Result<Vec<String>, Failure> {
    let program = program(found.server).await?;
    let url = context.url()?;
    let mut command = Command::new(&program);
    command
        .args(["--schema-only", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-publications", "--no-subscriptions"])
        .args(["--no-security-labels", "--exclude-schema=diptych", "--lock-wait-timeout=5s"])
        .args(found.histories.iter().map(|history| format!("--exclude-table={}", history.table)))
        .args(
            found
                .histories
                .iter()
                .flat_map(|history| &history.schemas)
                .map(|name| format!("--exclude-schema={}", sql::ident(name))),
        )
        .arg(format!("--dbname={}", connect::without_password(url)?))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(password) = connect::parse(url)?.config().get_password() {
        command.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
    }
    let output = command.output().await.map_err(|error| Failure::new(format!("cannot run `{}`: {error}", program.display())))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::hinted(
            format!("`{}` cannot read the database: {}", program.display(), said.trim()),
            "give a role that may read every table's definition, such as the owner; then run this again",
        ));
    }
    let text = String::from_utf8(output.stdout)
        .map_err(|_| Failure::hinted("the dump is not UTF-8", "set PGCLIENTENCODING=UTF8 and run this again"))?;
    Ok(statements(&text))
}

/// A `pg_dump` that knows the server's major version.
async fn program(major: u32) -> Result<PathBuf, Failure> {
    let mut older = None;
    for program in server::places().into_iter().map(|place| place.join("pg_dump")).filter(|program| program.is_file()) {
        match version(&program).await {
            Some(found) if found >= major => return Ok(program),
            found => older = older.or(found),
        }
    }
    let what = older.map_or_else(
        || "there is no `pg_dump` here, which reads the database's definitions".to_owned(),
        |older| format!("the newest `pg_dump` here is that of PostgreSQL {older}, and the server is PostgreSQL {major}"),
    );
    Err(Failure::hinted(
        what,
        format!(
            "install the programs of PostgreSQL {major} ({}), or name their folder in DIPTYCH_PG_BIN",
            server::install_command()
        ),
    ))
}

async fn version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().await.ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty())?.parse().ok()
}

/// What becomes of a statement of a dump.
enum Fate {
    /// It stays.
    Kept,
    /// It stays, beginning with other words: so much of it goes.
    Begins(&'static str, usize),
    /// It sets up the session of a restore, or is about something that is not of the database.
    Dropped,
}

/// The statements of a dump, without what sets up a session.
fn statements(dump: &str) -> Vec<String> {
    let meta = |line: &&str| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict ");
    let dump: String = dump.lines().filter(meta).map(|line| format!("{line}\n")).collect();
    let (mut parts, mut part, mut count) = (Vec::new(), String::new(), 0);
    let mut refreshed = String::new();
    let tokens = lexer::tokens(&dump);
    let mut before = 0;
    for statement in tokens.split_inclusive(|token| token.kind == Kind::Symbol(';')) {
        let (Some(first), Some(last)) = (statement.first(), statement.last()) else { continue };
        let words: Vec<&str> = statement.iter().take(8).map(|token| &dump[token.start..token.end]).collect();
        // a statement's own `;` is in front of the comment that introduces the next; within a function's body there is none
        if dump[before..first.start].contains("\n-- Name: ") && count >= TOGETHER {
            parts.push(std::mem::take(&mut part));
            count = 0;
        }
        before = last.end;
        let text = &dump[first.start..last.end];
        match fate(&words) {
            Fate::Kept => part.push_str(text),
            Fate::Begins(beginning, length) => {
                part.push_str(beginning);
                part.push_str(&dump[statement[length].start..last.end]);
            }
            Fate::Dropped => continue,
        }
        part.push_str("\n\n");
        count += 1;
        if let ["CREATE", "MATERIALIZED", "VIEW", name @ ..] = &words[..] {
            let name: String =
                name.iter().take_while(|word| **word != "AS" && **word != "WITH" && **word != "(").copied().collect();
            refreshed.push_str(&format!("REFRESH MATERIALIZED VIEW {name};\n"));
        }
    }
    parts.push(part);
    let made = parts.into_iter().filter(|part| !part.is_empty()).map(|part| format!("{SETTINGS}{}\n", part.trim_end()));
    // a function that they call finds its tables as it does elsewhere, by the path
    made.chain(Some(refreshed).filter(|text| !text.is_empty())).collect()
}

fn fate(words: &[&str]) -> Fate {
    match words {
        ["SET", "default_table_access_method", "=", "heap", ..] => Fate::Dropped,
        ["SET", "default_table_access_method" | "xmloption", ..] => Fate::Begins("SET LOCAL ", 1),
        ["SET", ..]
        | ["SELECT", "pg_catalog", ".", "set_config", ..]
        | ["COMMENT", "ON", "EXTENSION", ..]
        | ["CREATE" | "ALTER", "EVENT", "TRIGGER", ..]
        | ["COMMENT", "ON", "EVENT", ..] => Fate::Dropped,
        // the base schema is there before the first migration
        ["CREATE", "SCHEMA", ..] => Fate::Begins("CREATE SCHEMA IF NOT EXISTS ", 2),
        _ => Fate::Kept,
    }
}

#[cfg(test)]
mod tests {
    use super::{SETTINGS, statements};

    #[test]
    fn what_sets_up_a_session_is_left_out_and_bodies_are_as_they_were() {
        let dump = "\\restrict abc\n--\n-- PostgreSQL database dump\n--\nSET statement_timeout = 0;\nSET check_function_bodies = false;\n\
            SELECT pg_catalog.set_config('search_path', '', false);\n--\n-- Name: app; Type: SCHEMA\n--\n\nCREATE SCHEMA app;\n\n\n\
            COMMENT ON EXTENSION citext IS 'x;y';\nCREATE FUNCTION app.f() RETURNS integer\n    LANGUAGE sql\n    AS $$\n-- why; and how\nSET x = 1;\n$$;\n\
            CREATE FUNCTION app.g() RETURNS integer\n    BEGIN ATOMIC\n SELECT 1;\n SELECT 2;\nEND;\nSET default_table_access_method = heap;\n\
            CREATE MATERIALIZED VIEW app.\"M\" AS\n SELECT 1\n  WITH NO DATA;\n\\unrestrict abc\n";
        let texts = statements(dump);
        let wanted = format!(
            "{SETTINGS}CREATE SCHEMA IF NOT EXISTS app;\n\nCREATE FUNCTION app.f() RETURNS integer\n    LANGUAGE sql\n    AS $$\n-- why; and how\nSET x = 1;\n$$;\n\n\
             CREATE FUNCTION app.g() RETURNS integer\n    BEGIN ATOMIC\n SELECT 1;\n\nSELECT 2;\n\nEND;\n\n\
             CREATE MATERIALIZED VIEW app.\"M\" AS\n SELECT 1\n  WITH NO DATA;\n"
        );
        assert_eq!(texts, [wanted, "REFRESH MATERIALIZED VIEW app.\"M\";\n".to_owned()]);
    }
}

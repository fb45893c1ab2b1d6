//! `rehearse`: which of an app's statements would fail on the version that is live and on the one to come, and why.

use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;

use diptych::Published;
use diptych_core::{DeclaredSchema, Migration, sql};
use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::config::{Context, Failure};
use crate::scratch::{Database, Scratch};
use crate::statements::{self, Statement, Trial};
use crate::{Project, Rehearsing, folder, out, proof};

/// The role as which statements are tried: one with an app's rights.
const ROLE: &str = "diptych_app";

/// A statement that fails on a version and works on the tables.
#[derive(Debug, Serialize)]
struct Finding<'a> {
    statement: &'a str,
    place: &'a str,
    version: &'a str,
    error: String,
    instead: Option<&'static str>,
}

pub(crate) async fn run(context: &Context, project: Option<&Project>, wanted: &Rehearsing) -> Result<ExitCode, Failure> {
    let recorded = folder::migrations(&context.dir)?;
    if recorded.is_empty() {
        return Err(Failure::hinted("the folder has no migration", "run `baseline` or `record` first"));
    }
    let statements = read(context, &wanted.sources).await?;
    let declared = project.map(|project| project.declared.clone()).unwrap_or_default();
    let scratch = Scratch::start(context)?;
    let database = scratch.database("rehearsal").await?;
    let versions = expand(&database, &context.base, &recorded, &declared).await?;
    let grant = format!("GRANT CREATE ON SCHEMA {} TO {ROLE}", sql::ident(&context.base));
    database.client().await?.batch_execute(&grant).await.map_err(refused)?;
    let client = database.client_of(ROLE).await?;
    let tables = sql::ident(&context.base).as_str().to_owned();
    let (mut findings, mut skipped, mut broken) = (Vec::new(), 0, Vec::new());
    for statement in &statements {
        if statement.trial() == Trial::Skip {
            skipped += 1;
            continue;
        }
        let on_tables = attempt(&database, &client, &tables, statement).await?;
        if let Some(error) = on_tables {
            broken.push((statement, error.message));
            continue;
        }
        for on in &versions {
            let Some(error) = attempt(&database, &client, &on.search_path, statement).await? else { continue };
            let instead = instead(&statement.sql, &error);
            let (sql, place) = (statement.sql.as_str(), statement.place.as_str());
            findings.push(Finding { statement: sql, place, version: &on.version, error: error.message, instead });
        }
    }
    if wanted.json {
        out::json(&findings)?;
    } else {
        findings.iter().try_for_each(|finding| out::say(told(finding)))?;
        broken.iter().try_for_each(|(statement, error)| {
            out::say(format!("note: {} fails on the tables as well: {error}\n  {}", statement.place, one_line(&statement.sql)))
        })?;
        let names: Vec<String> = versions.iter().map(|on| format!("`{}`", on.version)).collect();
        out::say(format!(
            "{} statements tried on {}: {} failures; {} fail on the tables as well, {skipped} are about the session and were not tried",
            statements.len() - skipped,
            names.join(" and "),
            findings.len(),
            broken.len()
        ))?;
    }
    // what runs now must go on; the release to come has statements of its own
    let counts = versions.first().map(|on| on.version.as_str());
    let fails = findings.iter().any(|finding| Some(finding.version) == counts);
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn read(context: &Context, sources: &[String]) -> Result<Vec<Statement>, Failure> {
    let mut found = Vec::new();
    for source in sources {
        if source == "pg_stat_statements" {
            found.extend(
                context.migrator().await?.statements().await?.into_iter().map(|sql| Statement { place: source.clone(), sql }),
            );
        } else {
            found.extend(statements::of_path(Path::new(source))?);
        }
    }
    if found.is_empty() {
        return Err(Failure::hinted(
            "there is no statement to rehearse",
            "name a file or folder with .sql files, a folder `.sqlx`, or pg_stat_statements",
        ));
    }
    Ok(found)
}

/// Brings the folder in, its last migration started and not completed: both versions are there, the older one first.
async fn expand(
    database: &Database<'_>,
    base: &str,
    recorded: &[Migration],
    declared: &DeclaredSchema,
) -> Result<Vec<Published>, Failure> {
    let client = database.client().await?;
    let app = format!(
        "CREATE ROLE {ROLE} LOGIN; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {ROLE}; \
         ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO {ROLE}; GRANT USAGE ON SCHEMA {} TO {ROLE}",
        sql::ident(base)
    );
    client.batch_execute(&app).await.map_err(refused)?;
    proof::carry_out(database, &recorded[..recorded.len() - 1], declared).await?;
    let mut migrator = database.migrator().await?;
    database.start(&mut migrator, recorded).await?;
    Ok(migrator.published().await?)
}

/// What the server says against a statement.
struct Refusal {
    code: SqlState,
    message: String,
}

/// Tries a statement as an app would run it, on a path; what it does is undone.
async fn attempt(
    database: &Database<'_>,
    client: &Client,
    path: &str,
    statement: &Statement,
) -> Result<Option<Refusal>, Failure> {
    let own = match statement.trial() {
        Trial::CopyIn => Some(database.client_of(ROLE).await?),
        _ => None,
    };
    let client = own.as_ref().unwrap_or(client);
    client.batch_execute(&format!("BEGIN; SET LOCAL search_path = {path}")).await.map_err(refused)?;
    let text = statement.sql.as_str();
    let tried = match statement.trial() {
        Trial::Prepare => client.prepare(text).await.map(drop),
        Trial::CopyIn => match client.copy_in::<_, &'static [u8]>(text).await {
            Ok(sink) => pin!(sink).finish().await.map(drop),
            Err(error) => Err(error),
        },
        Trial::CopyOut => client.copy_out(text).await.map(drop),
        Trial::Run => client.batch_execute(text).await,
        Trial::Skip => Ok(()),
    };
    // a COPY that is refused leaves its session behind in disorder
    if statement.trial() != Trial::CopyIn {
        client.batch_execute("ROLLBACK").await.map_err(refused)?;
    }
    match tried {
        Ok(()) => Ok(None),
        Err(error) => match error.as_db_error() {
            Some(said) => Ok(Some(Refusal { code: said.code().clone(), message: said.message().to_owned() })),
            None => Err(refused(error)),
        },
    }
}

/// What to write in its place, for what views cannot do.
fn instead(text: &str, refusal: &Refusal) -> Option<&'static str> {
    let text = text.to_lowercase();
    let begins = |word: &str| text.trim_start().starts_with(word);
    match () {
        () if begins("copy") && text.contains("stdin") => {
            Some("COPY into a temporary table, then INSERT … SELECT; or COPY the table by its schema, in the older form")
        }
        () if begins("copy") => Some("COPY (SELECT … FROM …) TO"),
        () if begins("truncate") => Some("DELETE; or TRUNCATE the table by its schema"),
        () if begins("merge") => Some("INSERT … ON CONFLICT, or PostgreSQL 17"),
        () if begins("create") && refusal.code == SqlState::INSUFFICIENT_PRIVILEGE => {
            Some("write the schema of the tables before the name, or give the library a path of its own")
        }
        () if refusal.code == SqlState::GROUPING_ERROR => Some("GROUP BY every column that is selected, or aggregate"),
        () if refusal.message.contains("TABLESAMPLE") => {
            Some("the table by its schema, in the older form; or WHERE random() < 0.01")
        }
        () if refusal.message.contains("CURRENT OF") => Some("WHERE the key that the cursor has read"),
        () if text.contains("on constraint") => Some("ON CONFLICT (column)"),
        () if ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"].iter().any(|word| refusal.message.contains(word)) => {
            Some("a column of your own")
        }
        () => None,
    }
}

fn told(finding: &Finding<'_>) -> String {
    let Finding { statement, place, version, error, instead } = finding;
    let instead = instead.map_or_else(String::new, |instead| format!("\n  instead: {instead}"));
    format!("{place} fails on `{version}`: {error}\n  {}{instead}", one_line(statement))
}

fn one_line(sql: &str) -> String {
    const LONGEST: usize = 160;
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST { line } else { line.chars().take(LONGEST).chain(['…']).collect() }
}

fn refused(error: tokio_postgres::Error) -> Failure {
    Failure::new(format!("the scratch server refused: {error}"))
}

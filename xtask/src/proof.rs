//! The proof of migrations on a scratch server: start, rollback, start, complete, and what the catalogs say of it.

use diptych::{Migrator, Quiet};
use diptych_core::transition::stage::Stage;
use diptych_core::{DeclaredSchema, Migration, Schema};

use crate::config::Failure;
use crate::scratch::{Database, Scratch};

/// Carries the last of these migrations out on a database that is on the one before: start, rollback, start, complete.
pub(crate) async fn prove(database: &Database<'_>, migrator: &mut Migrator, all: &[Migration]) -> Result<(), Failure> {
    // what statements of one's own leave behind is theirs
    if !all.last().is_some_and(is_script) {
        let untouched = database.catalog().await?;
        database.start(migrator, all).await?;
        migrator.rollback(&mut Quiet).await?;
        same("rollback does not restore the schema from before", &untouched, &database.catalog().await?)?;
    }
    database.start(migrator, all).await?;
    migrator.complete(&mut Quiet).await?;
    Ok(())
}

/// Fails where a database, which had those schemas before, is not like a fresh one with this schema.
pub(crate) async fn is_like_fresh(
    scratch: &Scratch<'_>,
    database: &Database<'_>,
    (before, schema): (&[Schema], &Schema),
    declared: &DeclaredSchema,
) -> Result<(), Failure> {
    let fresh = scratch.database("fresh").await?;
    fresh.extend(&[before, std::slice::from_ref(schema)].concat(), declared).await?;
    fresh.create("0000_fresh", schema).await?;
    same("complete does not give the schema that was meant", &fresh.catalog().await?, &database.catalog().await?)
}

/// Proves a folder's migrations one after the other, from an empty database on. Gives the schema that they lead to.
pub(crate) async fn replay(
    scratch: &Scratch<'_>,
    database: &Database<'_>,
    recorded: &[Migration],
    declared: &DeclaredSchema,
) -> Result<Schema, Failure> {
    let has_scripts = recorded.iter().any(is_script);
    // scripts make the extensions themselves
    let stages = if has_scripts { Vec::new() } else { staged(recorded)? };
    if !has_scripts {
        database.extend(&stages, declared).await?;
    }
    let mut migrator = database.migrator().await?;
    for end in 1..=recorded.len() {
        let name = &recorded[end - 1].name;
        prove(database, &mut migrator, &recorded[..end]).await.map_err(|failure| does_not_hold(name, failure))?;
    }
    let schema = database.version().await?.map(|version| version.schema).unwrap_or_default();
    if !has_scripts {
        is_like_fresh(scratch, database, (&stages, &schema), declared).await?;
    }
    Ok(schema)
}

/// Makes a schema on a database, by a folder's files where they have statements of one's own, which make more than the schema has: then
/// these are the migrations given back, and else one that makes the schema.
pub(crate) async fn begin(
    database: &Database<'_>,
    recorded: &[Migration],
    schema: &Schema,
    declared: &DeclaredSchema,
) -> Result<Vec<Migration>, Failure> {
    if recorded.iter().any(is_script) {
        carry_out(database, recorded, declared).await?;
        return Ok(recorded.to_vec());
    }
    database.extend(std::slice::from_ref(schema), declared).await?;
    database.create("0000_before", schema).await
}

/// Carries a folder's migrations out one after the other, on an empty database. Gives the schema that they lead to.
pub(crate) async fn carry_out(
    database: &Database<'_>,
    recorded: &[Migration],
    declared: &DeclaredSchema,
) -> Result<Schema, Failure> {
    let has_scripts = recorded.iter().any(is_script);
    let stages = if has_scripts { Vec::new() } else { staged(recorded)? };
    database.bring_in(recorded, &stages, declared).await?;
    Ok(database.version().await?.map(|version| version.schema).unwrap_or_default())
}

/// The schema that each migration leads to, as far as anybody can tell without a server.
fn staged(recorded: &[Migration]) -> Result<Vec<Schema>, Failure> {
    let mut schema = Schema::default();
    let mut stages = Vec::new();
    for migration in recorded {
        let mut stage = Stage::identity(&schema);
        migration.apply(&mut stage).map_err(|error| does_not_hold(&migration.name, error.into()))?;
        schema = stage.to;
        stages.push(schema.clone());
    }
    Ok(stages)
}

fn does_not_hold(name: &str, failure: Failure) -> Failure {
    let way = format!("correct `{name}` or take it out of the folder, and run this again");
    Failure::hinted(
        format!("`{name}` does not hold after the files before it, and nothing was written: {}", failure.message),
        failure.hint.map_or_else(|| way.clone(), |hint| format!("{hint}; {way}")),
    )
}

/// Whether it has statements of one's own.
pub(crate) fn is_script(migration: &Migration) -> bool {
    migration.operations.iter().any(|operation| operation.name() == "sql")
}

fn same(what: &str, wanted: &[String], found: &[String]) -> Result<(), Failure> {
    if wanted == found {
        return Ok(());
    }
    let missing = wanted.iter().filter(|line| !found.contains(line)).map(|line| format!("\n  - {line}"));
    let extra = found.iter().filter(|line| !wanted.contains(line)).map(|line| format!("\n  + {line}"));
    Err(Failure::hinted(
        format!("{what}; nothing was recorded:{}", missing.chain(extra).collect::<String>()),
        "split the change into smaller ones, and report this",
    ))
}

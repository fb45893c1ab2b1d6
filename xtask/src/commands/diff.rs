//! `diff`: in what two schemas differ, as PostgreSQL prints them.

use std::process::ExitCode;

use diptych::{Inventory, Migrator, connect};
use diptych_core::model::differences::differences;
use diptych_core::{DeclaredSchema, Migration, Schema, Snapshot, migration};

use crate::agreement::evened;
use crate::commands::record::{base, difference};
use crate::config::{Context, Failure};
use crate::scratch::{Database, Scratch};
use crate::{Comparing, Project, folder, out, project_snapshot, proof, render};

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Side {
    Files,
    Snapshot,
    Structs,
    Database(String),
}

pub(crate) async fn run(context: &Context, project: Option<&Project>, wanted: &Comparing) -> Result<ExitCode, Failure> {
    let sides = [side(context, project, &wanted.first)?, side(context, project, &wanted.second)?];
    let is_made = wanted.sql || !sides.iter().all(|side| matches!(side, Side::Database(_)));
    let scratch = if is_made { Some(Scratch::start(context)?) } else { None };
    let mut found = Vec::new();
    for (side, name) in sides.iter().zip(["first", "second"]) {
        found.push(match (side, &scratch) {
            (Side::Database(url), _) => of_database(context, url).await?,
            (side, Some(scratch)) => made(context, project, side, &scratch.database(name).await?).await?,
            (_, None) => Inventory::default(),
        });
    }
    let schemas = evened(&found[0], &found[1]);
    let found = differences(&schemas.0, &schemas.1);
    if wanted.operations {
        out::print(operations(&schemas.0, &schemas.1)?.to_yaml())?;
    } else if wanted.json {
        out::json(&found)?;
    } else if found.is_empty() {
        out::say("no difference")?;
    } else if let Some(scratch) = scratch.filter(|_| wanted.sql) {
        statements(&scratch.database("difference").await?, &schemas.0, &schemas.1).await?;
    } else {
        let [first, second] = sides.each_ref().map(|side| words(side));
        found.iter().try_for_each(|there| out::say(there.told(first, second)))?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn side(context: &Context, project: Option<&Project>, word: &str) -> Result<Side, Failure> {
    Ok(match word {
        "files" => Side::Files,
        "snapshot" => Side::Snapshot,
        "structs" if project.is_some() => Side::Structs,
        "structs" => {
            return Err(Failure::hinted("the binary does not have the structs", "run `cargo xtask migrate diff` in the project"));
        }
        "database" => Side::Database(context.url()?.to_owned()),
        url if url.contains("://") || url.contains('=') => Side::Database(url.to_owned()),
        other => {
            return Err(Failure::hinted(
                format!("`{other}` is nothing that can be compared"),
                "name files, snapshot, structs, database, or give a URL",
            ));
        }
    })
}

fn words(side: &Side) -> &'static str {
    match side {
        Side::Files => "the files",
        Side::Snapshot => "the snapshot",
        Side::Structs => "the structs",
        Side::Database(_) => "the database",
    }
}

async fn of_database(context: &Context, url: &str) -> Result<Inventory, Failure> {
    let mut migrator = Migrator::connect(connect::parse(url)?, context.options()).await?;
    if let Some(pending) = migrator.status(diptych::Files::unknown()).await?.pending {
        return Err(Failure::hinted(
            format!("version `{}` is on its way, and tables have what both versions need", pending.version),
            "run `complete` or `rollback` first",
        ));
    }
    Ok(migrator.inventory().await?)
}

/// What files, snapshot or structs make on a scratch server.
async fn made(context: &Context, project: Option<&Project>, side: &Side, database: &Database<'_>) -> Result<Inventory, Failure> {
    let recorded = folder::migrations(&context.dir)?;
    let declared = project.map(|project| project.declared.clone()).unwrap_or_default();
    if *side == Side::Files {
        proof::carry_out(database, &recorded, &declared).await?;
        return Ok(database.migrator().await?.inventory().await?);
    }
    let before = Snapshot { base: base(context), ..project_snapshot(context)? };
    let mut all = proof::begin(database, &recorded, &before.schema, &declared).await?;
    let mut migrator = database.migrator().await?;
    if *side == Side::Structs {
        let (migration, _) = difference(&migrator, &before, &declared, "9999_structs").await?;
        if !migration.operations.is_empty() {
            all.push(migration);
            database.start(&mut migrator, &all).await?;
            migrator.complete(&mut diptych::Quiet).await?;
        }
    }
    Ok(migrator.inventory().await?)
}

/// The operations that lead from one to the other.
fn operations(first: &Schema, second: &Schema) -> Result<Migration, Failure> {
    let before = Snapshot { schema: first.clone(), ..Snapshot::default() };
    let operations = migration::diff::diff(&before, &DeclaredSchema::of(second, first))?;
    Ok(Migration { name: "difference".to_owned(), version_schema: None, operations })
}

/// What a start and its complete would run to lead from one to the other: asked of a server that has the first.
async fn statements(database: &Database<'_>, first: &Schema, second: &Schema) -> Result<(), Failure> {
    let mut all = database.create("first", first).await?;
    all.push(operations(first, second)?);
    if all.last().is_some_and(|difference| difference.operations.is_empty()) {
        return out::say("no difference");
    }
    let plans = database.migrator().await?.plans(&all, None).await?;
    let carried_out = plans.iter().flat_map(|[start, complete, _]| [start, complete]);
    carried_out.into_iter().try_for_each(|plan| out::print(render::plan(plan, None)))
}

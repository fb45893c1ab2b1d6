//! `check`: nothing unrecorded, every file applies, the files lead to the snapshot.

use diptych_core::transition::stage::Stage;
use diptych_core::{DeclaredSchema, Migration, Operation, Schema, migration::diff};

use crate::config::{Context, Failure};
use crate::scratch::Scratch;
use crate::{Project, folder, out, project_snapshot};

pub(crate) async fn run(context: &Context, project: Option<&Project>) -> Result<(), Failure> {
    let migrations = folder::migrations(&context.dir)?;
    let mut schema = Schema::default();
    for migration in &migrations {
        let mut stage = Stage::identity(&schema);
        if let Err(error) = migration.apply(&mut stage) {
            let opaque = migrations
                .iter()
                .take_while(|there| there.name != migration.name)
                .any(|there| there.operations.iter().any(|operation| operation.name() == "sql"));
            if !opaque {
                return Err(error.into());
            }
            out::say(format!(
                "note: `{}` depends on what an `sql` operation creates; it and the migrations after it were parsed, but not checked",
                migration.name
            ))?;
            break;
        }
        schema = stage.to;
    }
    let snapshot = project_snapshot(context)?;
    if snapshot.version.is_some() || project.is_some() {
        let last = migrations.last().map(|migration| migration.name.clone());
        if snapshot.version != last {
            return Err(Failure::hinted(
                format!(
                    "the snapshot belongs to version `{}`, but the last migration is `{}`",
                    snapshot.version.as_deref().unwrap_or("(none)"),
                    last.as_deref().unwrap_or("(none)")
                ),
                "a file was added, removed or renamed by hand: put it back as it was recorded",
            ));
        }
        // what a text is called after a rename can be known by the server alone
        let leads_there = schema.says_the_same(&snapshot.schema)
            || schema.same_but_for_texts(&snapshot.schema) && leads_there(context, &migrations, &snapshot.schema).await?;
        if !leads_there {
            return Err(Failure::hinted(
                "the migrations do not give the schema of the snapshot",
                "a recorded file or the snapshot was edited since it was recorded: put it back",
            ));
        }
    }
    if let Some(project) = project {
        let pending = diff::diff(&snapshot, &project.declared)?;
        if !pending.is_empty() {
            let names: Vec<&str> = pending.iter().map(Operation::name).collect();
            return Err(Failure::hinted(
                format!("the structs differ from the snapshot: {}", names.join(", ")),
                "record it: cargo xtask migrate record NAME",
            ));
        }
        for (table, columns) in &snapshot.used {
            for column in columns.keys().filter(|column| !column.is_empty() && !column.starts_with('-')) {
                out::say(format!(
                    "note: the conversions on `{table}.{column}` were used by `{}` and may be removed",
                    snapshot.version.as_deref().unwrap_or_default()
                ))?;
            }
        }
    }
    out::say(format!("{} migrations, all in order", migrations.len()))?;
    Ok(())
}

/// Whether the migrations lead to a schema where they are carried out.
async fn leads_there(context: &Context, migrations: &[Migration], schema: &Schema) -> Result<bool, Failure> {
    let scratch = Scratch::start(context)?;
    let database = scratch.database("scratch").await?;
    // scripts make the extensions themselves
    if !migrations.iter().flat_map(|migration| &migration.operations).any(|operation| operation.name() == "sql") {
        database.extend(schema, &DeclaredSchema::default()).await?;
    }
    database.migrate(migrations).await?;
    Ok(database.version().await?.map(|version| version.schema).unwrap_or_default().says_the_same(schema))
}

//! `check`: nothing unrecorded, every file applies, the files lead to the snapshot.

use std::collections::BTreeSet;

use diptych_core::transition::stage::Stage;
use diptych_core::{DeclaredSchema, Migration, Operation, Schema, migration::diff};

use crate::agreement::{ANEW, agree};
use crate::config::{Context, Failure};
use crate::scratch::Scratch;
use crate::{Project, folder, leftover, out, project_snapshot};

/// What becomes of attributes that are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edits {
    /// They are told.
    None,
    /// They are removed.
    Fix,
}

pub(crate) async fn run(context: &Context, project: Option<&Project>, edits: Edits) -> Result<(), Failure> {
    if project.is_none() && edits == Edits::Fix {
        return Err(Failure::hinted(
            "`check --fix` edits the structs, which the binary does not have",
            "run `cargo xtask migrate check --fix` in the project",
        ));
    }
    let migrations = folder::migrations(&context.dir)?;
    let snapshot = project_snapshot(context)?;
    let is_recorded = snapshot.version.is_some() || project.is_some();
    if is_recorded {
        agree(&snapshot, &migrations)?;
    }
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
    if is_recorded {
        // what a text is called after a rename can be known by the server alone
        let leads_there = schema.says_the_same(&snapshot.schema)
            || schema.same_but_for_texts(&snapshot.schema) && leads_there(context, &migrations, &snapshot.schema).await?;
        if !leads_there {
            return Err(Failure::hinted(
                format!("the migrations do not give the schema of the snapshot: {}", differing(&schema, &snapshot.schema)),
                format!("put back what was edited since it was recorded; or, if the files are right, run {ANEW}"),
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
        let leftovers = leftover::find(&snapshot, &project.declared, &migrations);
        match edits {
            Edits::Fix => leftover::remove(context, &snapshot, &leftovers)?,
            Edits::None => {
                leftovers.iter().try_for_each(|leftover| out::say(format!("note: {leftover} and may be removed")))?;
                if !leftovers.is_empty() {
                    out::say("note: `cargo xtask migrate check --fix` removes them from the source files")?;
                }
            }
        }
    }
    out::say(format!("{} migrations, all in order", migrations.len()))?;
    Ok(())
}

/// The tables and enums in which two schemas differ.
fn differing(one: &Schema, other: &Schema) -> String {
    let of_table = |schema: &Schema, name: &String| {
        let tables = schema.tables.get_key_value(name).map(|(name, table)| (name.clone(), table.clone()));
        Schema { tables: tables.into_iter().collect(), ..Schema::default() }
    };
    let tables: BTreeSet<&String> = one.tables.keys().chain(other.tables.keys()).collect();
    let tables = tables.into_iter().filter(|name| !of_table(one, name).says_the_same(&of_table(other, name)));
    let enums: BTreeSet<&String> = one.enums.keys().chain(other.enums.keys()).collect();
    let enums = enums.into_iter().filter(|name| one.enums.get(*name) != other.enums.get(*name));
    let told = tables.map(|name| format!("table `{name}`")).chain(enums.map(|name| format!("enum `{name}`")));
    told.collect::<Vec<_>>().join(", ")
}

/// Whether the migrations lead to a schema where they are carried out.
async fn leads_there(context: &Context, migrations: &[Migration], schema: &Schema) -> Result<bool, Failure> {
    let scratch = Scratch::start(context)?;
    let database = scratch.database("scratch").await?;
    database.bring_in(migrations, schema, &DeclaredSchema::default()).await?;
    Ok(database.version().await?.map(|version| version.schema).unwrap_or_default().says_the_same(schema))
}

//! `check`: nothing unrecorded, every file applies, the files lead to the snapshot.

use diptych_core::model::differences::differences;
use diptych_core::transition::stage::Stage;
use diptych_core::{Migration, Operation, Schema, migration::diff};

use crate::agreement::{ANEW, agree};
use crate::config::{Context, Failure};
use crate::scratch::Scratch;
use crate::{Project, folder, leftover, out, project_snapshot, proof};

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
    let mut leads_to = staged(&migrations, is_recorded)?;
    if is_recorded {
        // what statements of one's own make, and what a text is called after a rename, can be known by the server alone
        let is_for_a_server = migrations.iter().any(proof::is_script)
            || !leads_to.says_the_same(&snapshot.schema) && leads_to.same_but_for_texts(&snapshot.schema);
        if is_for_a_server {
            leads_to = carried_out(context, &migrations, project).await?;
        }
        if !leads_to.says_the_same(&snapshot.schema) {
            let told = differences(&leads_to, &snapshot.schema);
            let told: Vec<String> = told.iter().map(|there| there.told("the files", "the snapshot")).collect();
            return Err(Failure::hinted(
                format!("the migrations do not give the schema of the snapshot: {}", told.join("; ")),
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

/// The schema that migrations lead to, as far as anybody can tell without a server.
fn staged(migrations: &[Migration], is_recorded: bool) -> Result<Schema, Failure> {
    let mut schema = Schema::default();
    for (at, migration) in migrations.iter().enumerate() {
        let mut stage = Stage::identity(&schema);
        if let Err(error) = migration.apply(&mut stage) {
            if !migrations[..at].iter().any(proof::is_script) {
                return Err(error.into());
            }
            if !is_recorded {
                out::say(format!(
                    "note: `{}` depends on what an `sql` operation creates; it and the migrations after it were parsed, but not checked",
                    migration.name
                ))?;
            }
            break;
        }
        schema = stage.to;
    }
    Ok(schema)
}

/// The schema that migrations lead to on a server.
async fn carried_out(context: &Context, migrations: &[Migration], project: Option<&Project>) -> Result<Schema, Failure> {
    let declared = project.map(|project| project.declared.clone()).unwrap_or_default();
    let scratch = Scratch::start(context)?;
    proof::carry_out(&scratch.database("scratch").await?, migrations, &declared).await
}

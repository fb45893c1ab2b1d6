//! `check`: nothing unrecorded, every file applies, the files lead to the snapshot.

use diptych_core::model::differences::differences;
use diptych_core::transition::stage::Stage;
use diptych_core::{Migration, Operation, Schema, Snapshot, migration::diff};

use crate::agreement::{ANEW, agree};
use crate::config::{Context, Failure};
use crate::findings::{Finding, Rule, Subject};
use crate::leftover::Leftover;
use crate::scratch::Scratch;
use crate::{Project, folder, leftover, out, project_snapshot, proof, sarif};

/// How findings are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Sarif,
}

/// What is in order, and what somebody may want to know of it.
struct Order {
    migrations: Vec<Migration>,
    snapshot: Snapshot,
    leftovers: Vec<Leftover>,
    /// The first migration that was not checked.
    unchecked: Option<String>,
}

pub(crate) async fn run(context: &Context, project: Option<&Project>, form: Form) -> Result<(), Failure> {
    let looked = look(context, project).await;
    match form {
        Form::Text => told(&looked?),
        Form::Sarif => {
            let (findings, failure) = match looked {
                Ok(order) => (notes(context, &order), None),
                Err(failure) => (failures(context, &failure), Some(failure)),
            };
            let log = serde_json::to_string_pretty(&sarif::log(&findings, &context.dir));
            out::say(log.map_err(|error| Failure::new(error.to_string()))?)?;
            failure.map_or(Ok(()), Err)
        }
    }
}

/// Removes attributes that are used up.
pub(crate) async fn fix(context: &Context, project: Option<&Project>) -> Result<(), Failure> {
    if project.is_none() {
        return Err(Failure::hinted(
            "`check --fix` edits the structs, which the binary does not have",
            "run `cargo xtask migrate check --fix` in the project",
        ));
    }
    let order = look(context, project).await?;
    leftover::remove(context, &order.snapshot, &order.leftovers)?;
    out::say(format!("{} migrations, all in order", order.migrations.len()))
}

fn told(order: &Order) -> Result<(), Failure> {
    if let Some(name) = &order.unchecked {
        out::say(format!("note: {}", unchecked(name)))?;
    }
    order.leftovers.iter().try_for_each(|leftover| out::say(format!("note: {leftover} and may be removed")))?;
    if !order.leftovers.is_empty() {
        out::say("note: `cargo xtask migrate check --fix` removes them from the source files")?;
    }
    out::say(format!("{} migrations, all in order", order.migrations.len()))
}

fn unchecked(name: &str) -> String {
    format!("`{name}` depends on what an `sql` operation creates; it and the migrations after it were parsed, but not checked")
}

/// The same as findings.
fn notes(context: &Context, order: &Order) -> Vec<Finding> {
    let first = order.unchecked.iter();
    let first = first.map(|name| Finding::new(Rule::NotChecked, Subject::Migration(name.clone()), unchecked(name)));
    let spots = leftover::spots(context, &order.leftovers);
    let used = order.leftovers.iter().zip(spots).map(|(leftover, spot)| {
        let subject = spot.map_or(Subject::Snapshot, |(path, line, column)| Subject::Spot(path, line, column));
        let hint = "`cargo xtask migrate check --fix` removes it".to_owned();
        Finding { hint: Some(hint), ..Finding::new(Rule::UsedUp, subject, format!("{leftover} and may be removed")) }
    });
    first.chain(used).collect()
}

/// What is not in order: every file that cannot be read, or the one failure that there is.
fn failures(context: &Context, failure: &Failure) -> Vec<Finding> {
    let unreadable = folder::survey(&context.dir).failures;
    if unreadable.is_empty() { vec![Finding::of(failure)] } else { unreadable.iter().map(Finding::of).collect() }
}

/// Looks at everything; the first thing that is not in order is a failure.
async fn look(context: &Context, project: Option<&Project>) -> Result<Order, Failure> {
    let migrations = folder::migrations(&context.dir)?;
    let snapshot = project_snapshot(context)?;
    let is_recorded = snapshot.version.is_some() || project.is_some();
    if is_recorded {
        agree(&snapshot, &migrations)?;
    }
    let (staged, unchecked) = staged(&migrations)?;
    if is_recorded {
        leads_to_the_snapshot(context, project, &migrations, &snapshot, staged).await?;
    }
    let mut leftovers = Vec::new();
    if let Some(project) = project {
        let refused = |error| Failure::from(error).found(Rule::NotRecordable, Subject::Snapshot);
        let pending = diff::diff(&snapshot, &project.declared).map_err(refused)?;
        if !pending.is_empty() {
            let names: Vec<&str> = pending.iter().map(Operation::name).collect();
            let failure = Failure::hinted(
                format!("the structs differ from the snapshot: {}", names.join(", ")),
                "record it: cargo xtask migrate record NAME",
            );
            return Err(failure.found(Rule::NotRecorded, Subject::Snapshot));
        }
        leftovers = leftover::find(&snapshot, &project.declared, &migrations);
    }
    Ok(Order { migrations, snapshot, leftovers, unchecked: unchecked.filter(|_| !is_recorded) })
}

/// The files give what the snapshot has.
async fn leads_to_the_snapshot(
    context: &Context,
    project: Option<&Project>,
    migrations: &[Migration],
    snapshot: &Snapshot,
    mut leads_to: Schema,
) -> Result<(), Failure> {
    // what statements of one's own make, and what a text is called after a rename, can be known by the server alone
    let is_for_a_server = migrations.iter().any(proof::is_script)
        || !leads_to.says_the_same(&snapshot.schema) && leads_to.same_but_for_texts(&snapshot.schema);
    if is_for_a_server {
        leads_to = carried_out(context, migrations, project).await?;
    }
    if leads_to.says_the_same(&snapshot.schema) {
        return Ok(());
    }
    let told = differences(&leads_to, &snapshot.schema);
    let told: Vec<String> = told.iter().map(|there| there.told("the files", "the snapshot")).collect();
    let failure = Failure::hinted(
        format!("the migrations do not give the schema of the snapshot: {}", told.join("; ")),
        format!("put back what was edited since it was recorded; or, if the files are right, run {ANEW}"),
    );
    Err(failure.found(Rule::OtherTables, Subject::Snapshot))
}

/// The schema that migrations lead to, as far as anybody can tell without a server, and the first of which that cannot be told.
fn staged(migrations: &[Migration]) -> Result<(Schema, Option<String>), Failure> {
    let mut schema = Schema::default();
    for (at, migration) in migrations.iter().enumerate() {
        let mut stage = Stage::identity(&schema);
        if let Err(error) = migration.apply(&mut stage) {
            if !migrations[..at].iter().any(proof::is_script) {
                return Err(Failure::from(error).found(Rule::NotApplicable, Subject::Migration(migration.name.clone())));
            }
            return Ok((schema, Some(migration.name.clone())));
        }
        schema = stage.to;
    }
    Ok((schema, None))
}

/// The schema that migrations lead to on a server.
async fn carried_out(context: &Context, migrations: &[Migration], project: Option<&Project>) -> Result<Schema, Failure> {
    let declared = project.map(|project| project.declared.clone()).unwrap_or_default();
    let scratch = Scratch::start(context)?;
    proof::carry_out(&scratch.database("scratch").await?, migrations, &declared).await
}

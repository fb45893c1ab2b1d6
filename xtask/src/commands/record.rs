//! `record`: what differs between structs and snapshot, proven on a scratch server, written as a migration.

mod amend;
mod anew;
mod drift;
mod rebase;

use diptych::Migrator;
use diptych_core::{DeclaredSchema, Migration, Operation, Snapshot, migration::diff};

use crate::agreement::{agree, number};
use crate::config::{Context, Failure};
use crate::scratch::Scratch;
use crate::{Project, Recording, edges, folder, out, project_snapshot, proof};

pub(crate) async fn run(context: &Context, project: Option<&Project>, recording: &Recording) -> Result<(), Failure> {
    if let Recording { from_database: true, name: Some(name), .. } = recording {
        return drift::run(context, project, name).await;
    }
    let Some(project) = project else {
        return Err(Failure::hinted(
            "`record` reads the structs, which the binary does not have",
            "run `cargo xtask migrate record NAME` in the project, or write the migration file by hand",
        ));
    };
    match recording {
        Recording { amend: true, .. } => amend::run(context, project).await,
        Recording { rebase, .. } if !rebase.is_empty() => rebase::run(context, project, rebase).await,
        Recording { name: Some(name), .. } => record(context, project, name).await,
        _ => anew::run(context, project).await,
    }
}

async fn record(context: &Context, project: &Project, name: &str) -> Result<(), Failure> {
    let before = Snapshot { base: base(context), ..project_snapshot(context)? };
    let recorded = folder::migrations(&context.dir)?;
    agree(&before, &recorded)?;
    // structs that have the snapshot's words raise no question
    if diff::diff(&before, &project.declared)?.is_empty() {
        out::say("nothing to record: the structs agree with the snapshot")?;
        return Ok(());
    }
    let name = next_name(&recorded, name)?;
    let scratch = Scratch::start(context)?;
    let database = scratch.database("scratch").await?;
    let mut all = proof::begin(&database, &recorded, &before.schema, &project.declared).await?;
    let mut migrator = database.migrator().await?;
    let (migration, after) = difference(&migrator, &before, &project.declared, &name).await?;
    let snapshot = context.dir.join(folder::SNAPSHOT);
    if migration.operations.is_empty() {
        folder::write(&snapshot, &Snapshot { version: before.version, used: before.used, ..after }.to_yaml())?;
        out::say("nothing to record: the structs mean the same as the snapshot, which now has their wording")?;
        return Ok(());
    }
    is_what_is_read(&migration, &after)?;
    all.push(migration.clone());
    // start → rollback → start → complete, and the catalogs: back as before, and like a fresh one (R4)
    proof::prove(&database, &mut migrator, &all).await?;
    if !recorded.iter().any(proof::is_script) {
        let before = std::slice::from_ref(&before.schema);
        proof::is_like_fresh(&scratch, &database, (before, &after.schema), &project.declared).await?;
    }
    let notes = edges::notes(&database, &before.schema, &migration).await?;
    let path = context.dir.join(format!("{}.yaml", migration.name));
    folder::change(&[(path.clone(), Some(migration.to_yaml())), (snapshot, Some(after.to_yaml()))])?;
    out::say(format!("recorded `{}`: {}", path.display(), operations(&migration.operations)))?;
    proven(&notes)
}

/// Says what the proof has shown, and what is next.
fn proven(notes: &[String]) -> Result<(), Failure> {
    notes.iter().try_for_each(out::say)?;
    out::say(
        "proven on a scratch server: start, rollback, start, complete\nnext: review and commit it, then `cargo xtask migrate start`",
    )
}

/// Fails where a file would not say what was recorded, whatever the writer of YAML did to it.
fn is_what_is_read(migration: &Migration, after: &Snapshot) -> Result<(), Failure> {
    if Migration::parse(&migration.name, &migration.to_yaml())? != *migration || Snapshot::parse(&after.to_yaml())? != *after {
        return Err(Failure::new(
            "the migration is not the same after it was written as YAML and read back; this is a bug in Diptych",
        ));
    }
    Ok(())
}

/// The base schema as the snapshot has it.
pub(crate) fn base(context: &Context) -> Option<String> {
    Some(context.base.clone()).filter(|base| base != "public")
}

/// The snapshot so far; none where nobody can read it, so that nothing in it is missed.
fn readable(context: &Context) -> Result<Option<Snapshot>, Failure> {
    folder::snapshot(&context.dir).is_ok().then(|| project_snapshot(context)).transpose()
}

/// The operations' names.
fn operations(of: &[Operation]) -> String {
    of.iter().map(Operation::name).collect::<Vec<_>>().join(", ")
}

/// The migration that leads from the snapshot to the structs, and the snapshot that it leads to, as the server understands their texts.
pub(crate) async fn difference(
    migrator: &Migrator,
    before: &Snapshot,
    declared: &DeclaredSchema,
    name: &str,
) -> Result<(Migration, Snapshot), Failure> {
    let made = migrator.settle(|book| {
        let declared = diff::known(before, declared, book);
        let operations = diff::diff_with(before, &declared, book)?;
        let migration = Migration { name: name.to_owned(), version_schema: None, operations };
        let after = migration.stage_with(&before.schema, book)?.to;
        let after = Snapshot { base: before.base.clone(), ..declared.snapshot(name, after) };
        Ok((migration, after))
    });
    Ok(made.await?)
}

/// The next number and the name in snake case.
pub(crate) fn next_name(recorded: &[Migration], name: &str) -> Result<String, Failure> {
    let words: Vec<String> =
        name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    if words.is_empty() {
        return Err(Failure::hinted(
            format!("`{name}` cannot be the name of a migration"),
            "give it a name of a few words, such as \"split name\"",
        ));
    }
    let last = recorded.iter().filter_map(|migration| number(&migration.name)).max().unwrap_or(0);
    Ok(format!("{:04}_{}", last + 1, words.join("_")))
}

#[cfg(test)]
mod tests {
    use super::next_name;

    #[test]
    fn numbers_go_on() {
        assert_eq!(next_name(&[], "Split Name!").unwrap(), "0001_split_name");
        assert!(next_name(&[], "--").is_err());
    }
}

//! `record`: what differs between structs and snapshot, proven on a scratch server, written as a migration.

use diptych::{Migrator, Quiet};
use diptych_core::{DeclaredSchema, Migration, Operation, Snapshot, migration::diff};

use crate::config::{Context, Failure};
use crate::scratch::Scratch;
use crate::{Project, folder, out, project_snapshot};

pub(crate) async fn run(context: &Context, project: Option<&Project>, name: &str) -> Result<(), Failure> {
    let Some(project) = project else {
        return Err(Failure::hinted(
            "`record` reads the structs, which the binary does not have",
            "run `cargo xtask migrate record NAME` in the project, or write the migration file by hand",
        ));
    };
    let mut before = project_snapshot(context)?;
    before.base = Some(context.base.clone()).filter(|base| base != "public");
    // structs that have the snapshot's words raise no question
    if diff::diff(&before, &project.declared)?.is_empty() {
        out::say("nothing to record: the structs agree with the snapshot")?;
        return Ok(());
    }
    let recorded = folder::migrations(&context.dir)?;
    let name = next_name(&recorded, name)?;
    let scratch = Scratch::start(context)?;
    let database = scratch.database("scratch").await?;
    database.extend(&before.schema, &project.declared).await?;
    let mut all = database.create("0000_before", &before.schema).await?;
    let mut migrator = database.migrator().await?;
    let (migration, after) = difference(&migrator, &before, &project.declared, &name).await?;
    let snapshot = context.dir.join("snapshot.yaml");
    if migration.operations.is_empty() {
        folder::write(&snapshot, &Snapshot { version: before.version, used: before.used, ..after }.to_yaml())?;
        out::say("nothing to record: the structs mean the same as the snapshot, which now has their wording")?;
        return Ok(());
    }
    // what the file says is what was recorded, whatever the writer of YAML did to it
    if Migration::parse(&migration.name, &migration.to_yaml())? != migration || Snapshot::parse(&after.to_yaml())? != after {
        return Err(Failure::new(
            "the migration is not the same after it was written as YAML and read back; this is a bug in Diptych",
        ));
    }
    // start → rollback → start → complete, and the catalogs: back as before, and like a fresh one (R4)
    let untouched = database.catalog().await?;
    all.push(migration.clone());
    migrator.start(&all, None, &mut Quiet).await?;
    migrator.rollback(&mut Quiet).await?;
    same("rollback does not restore the schema from before", &untouched, &database.catalog().await?)?;
    migrator.start(&all, None, &mut Quiet).await?;
    migrator.complete(&mut Quiet).await?;
    let fresh = scratch.database("fresh").await?;
    fresh.extend(&before.schema, &project.declared).await?;
    fresh.create("0000_fresh", &after.schema).await?;
    same("complete does not give the schema of the structs", &fresh.catalog().await?, &database.catalog().await?)?;
    let path = context.dir.join(format!("{}.yaml", migration.name));
    folder::write(&path, &migration.to_yaml())?;
    if let Err(failure) = folder::write(&snapshot, &after.to_yaml()) {
        let _ = std::fs::remove_file(&path);
        return Err(failure);
    }
    out::say(format!(
        "recorded `{}`: {}",
        path.display(),
        migration.operations.iter().map(Operation::name).collect::<Vec<_>>().join(", ")
    ))?;
    out::say(
        "proven on a scratch server: start, rollback, start, complete\nnext: review and commit it, then `cargo xtask migrate start`",
    )?;
    Ok(())
}

/// The migration that leads from the snapshot to the structs, and the snapshot that it leads to, as the server understands their texts.
async fn difference(
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

/// The next number and the name in snake case.
fn next_name(recorded: &[Migration], name: &str) -> Result<String, Failure> {
    let words: Vec<String> =
        name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    if words.is_empty() {
        return Err(Failure::hinted(
            format!("`{name}` cannot be the name of a migration"),
            "give it a name of a few words, such as \"split name\"",
        ));
    }
    let last = recorded.iter().filter_map(|migration| migration.name.split('_').next()?.parse::<u32>().ok()).max().unwrap_or(0);
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

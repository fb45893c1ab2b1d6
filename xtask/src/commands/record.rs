//! `record`: what differs between structs and snapshot, proven on a scratch server, written as a migration.

use diptych::core::{Migration, Operation, Schema, Snapshot, diff};
use diptych::{Migrator, Quiet, introspect};

use crate::config::{Context, Failure};
use crate::server::{Options, Server};
use crate::{Project, folder, project_snapshot};

pub(crate) async fn run(context: &Context, project: Option<&Project>, name: &str) -> Result<(), Failure> {
    let Some(project) = project else {
        return Err(Failure::hinted(
            "`record` reads the structs, which the binary does not have",
            "run `cargo xtask migrate record NAME` in the project, or write the migration file by hand",
        ));
    };
    let before = project_snapshot(context)?;
    let operations = diff::diff(&before, &project.declared)?;
    if operations.is_empty() {
        println!("nothing to record: the structs agree with the snapshot");
        return Ok(());
    }
    let recorded = folder::migrations(&context.dir)?;
    let migration = Migration { name: next_name(&recorded, name)?, version_schema: None, operations };
    let after = project.declared.snapshot(&migration.name, migration.stage(&before.schema)?.to);
    // what the file says is what was recorded, whatever the writer of YAML did to it
    if Migration::parse(&migration.name, &migration.to_yaml())? != migration || Snapshot::parse(&after.to_yaml())? != after {
        return Err(Failure::new("the migration does not survive being written as YAML; this is a fault of diptych"));
    }
    prove(context, &before, &migration, &after).await?;
    let path = context.dir.join(format!("{}.yaml", migration.name));
    folder::write(&path, &migration.to_yaml())?;
    if let Err(failure) = folder::write(&context.dir.join("snapshot.yaml"), &after.to_yaml()) {
        let _ = std::fs::remove_file(&path);
        return Err(failure);
    }
    println!(
        "recorded `{}`: {}",
        path.display(),
        migration.operations.iter().map(Operation::name).collect::<Vec<_>>().join(", ")
    );
    println!(
        "proven on a scratch server: start, rollback, start, complete\nnext: review and commit it, then `cargo xtask migrate start`"
    );
    Ok(())
}

/// Runs start → rollback → start → complete, and compares the catalogs: back as before, and like a fresh one (R4).
async fn prove(context: &Context, before: &Snapshot, migration: &Migration, after: &Snapshot) -> Result<(), Failure> {
    let server = Server::start(&Options::default())?;
    let mut all = Vec::new();
    if before.schema != Schema::default() {
        all.push(Migration {
            name: "0000_before".to_owned(),
            version_schema: None,
            operations: diff::create_all(&before.schema),
        });
    }
    all.push(migration.clone());
    let scratch = Scratch::new(context, &server, "scratch").await?;
    let mut migrator = scratch.migrator().await?;
    if all.len() > 1 {
        migrator.start(&all[..1], None, &mut Quiet).await?;
        migrator.complete(&mut Quiet).await?;
    }
    let untouched = scratch.catalog().await?;
    migrator.start(&all, None, &mut Quiet).await?;
    migrator.rollback(&mut Quiet).await?;
    same("rollback does not lead back", &untouched, &scratch.catalog().await?)?;
    migrator.start(&all, None, &mut Quiet).await?;
    migrator.complete(&mut Quiet).await?;
    let fresh = Scratch::new(context, &server, "fresh").await?;
    fresh.create(&after.schema).await?;
    same("complete does not lead to the structs' schema", &fresh.catalog().await?, &scratch.catalog().await?)
}

/// A database of the scratch server.
struct Scratch<'a> {
    context: &'a Context,
    config: tokio_postgres::Config,
}

impl<'a> Scratch<'a> {
    async fn new(context: &'a Context, server: &Server, name: &str) -> Result<Self, Failure> {
        let refused = |error: tokio_postgres::Error| Failure::new(format!("the scratch server refused: {error}"));
        let (client, connection) = server.config("postgres").connect(tokio_postgres::NoTls).await.map_err(refused)?;
        tokio::spawn(connection);
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.map_err(refused)?;
        let scratch = Scratch { context, config: server.config(name) };
        let base = diptych::core::sql::ident(&context.base);
        scratch.client().await?.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {base}")).await.map_err(refused)?;
        Ok(scratch)
    }

    async fn client(&self) -> Result<tokio_postgres::Client, Failure> {
        let refused = |error: tokio_postgres::Error| Failure::new(format!("the scratch server refused: {error}"));
        let (client, connection) = self.config.connect(tokio_postgres::NoTls).await.map_err(refused)?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn migrator(&self) -> Result<Migrator, Failure> {
        Ok(Migrator::connect(&self.config, self.context.options()).await?)
    }

    async fn create(&self, schema: &Schema) -> Result<(), Failure> {
        let migration = Migration { name: "0000_fresh".to_owned(), version_schema: None, operations: diff::create_all(schema) };
        let mut migrator = self.migrator().await?;
        migrator.start(&[migration], None, &mut Quiet).await?;
        migrator.complete(&mut Quiet).await?;
        Ok(())
    }

    async fn catalog(&self) -> Result<Vec<String>, Failure> {
        Ok(introspect::catalog(&self.client().await?, &self.context.base).await?)
    }
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
            format!("`{name}` is no name for a migration"),
            "give it a few words, such as \"split name\"",
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

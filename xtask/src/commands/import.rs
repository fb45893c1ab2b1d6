//! `import`: what another migration tool has applied becomes the first version.

use std::path::PathBuf;

use diptych::History;

use crate::commands::baseline;
use crate::config::{Context, Failure};
use crate::{Baselining, Importing, Project, history, out};

/// How many files a message holds.
const TOLD: usize = 10;

pub(crate) async fn run(context: &Context, project: Option<&Project>, importing: &Importing) -> Result<(), Failure> {
    let mut migrator = context.migrator().await?;
    let histories = migrator.inventory().await?.histories;
    drop(migrator);
    if histories.is_empty() {
        return Err(Failure::hinted(
            format!("no other migration tool has a history in schema `{}`", context.base),
            "name the schema with --schema; or adopt the database as it is with `baseline`, which needs no history",
        ));
    }
    for history in &histories {
        tell(history, importing)?;
    }
    baseline::run(context, project, &Baselining { name: None, to: None, dry_run: importing.dry_run, json: false }).await
}

/// Says what a tool has applied and what not; fails where one of its migrations did not go through.
fn tell(history: &History, importing: &Importing) -> Result<(), Failure> {
    let History { tool, table, entries, .. } = history;
    let Some(entries) = entries else {
        return out::say(format!(
            "{tool} has its history in `{table}`, which stays as it is; make sure that it has applied everything"
        ));
    };
    if let Some(failed) = entries.iter().find(|entry| !entry.succeeded) {
        return Err(Failure::hinted(
            format!("migration `{}` of {tool} did not go through", failed.version),
            format!("finish or repair it with {tool}, and run this again"),
        ));
    }
    let last = entries.last().map_or_else(|| "nothing".to_owned(), |last| format!("everything up to `{}`", last.version));
    out::say(format!("{tool} has applied {last}; its table `{table}` stays as it is, and is in no version"))?;
    let folder = match &importing.files {
        Some(folder) => Some(folder.clone()),
        None => history::usual(tool).iter().map(PathBuf::from).find(|folder| folder.is_dir()),
    };
    let Some(folder) = folder else {
        return out::say(format!(
            "note: the files of {tool} are not here, so nobody knows what it has not applied: name their folder with --files"
        ));
    };
    let open = history::unapplied(history, &folder).map_err(|error| {
        Failure::hinted(format!("cannot read the folder `{}`: {error}", folder.display()), "name another one with --files")
    })?;
    if open.is_empty() {
        return out::say(format!("it has applied every file of `{}`", folder.display()));
    }
    let shown: Vec<String> = open.iter().take(TOLD).map(|path| format!("`{}`", path.display())).collect();
    let more = open.len().saturating_sub(TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    out::say(format!(
        "note: {tool} has not applied {}{more}: apply what is to come now with {tool} and run this again; or write it as a migration of Diptych afterwards",
        shown.join(", ")
    ))
}

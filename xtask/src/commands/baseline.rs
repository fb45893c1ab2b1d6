//! `baseline`: a database that exists becomes the first version, as it is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;

use diptych::{Inventory, Migrator, Object, Outcome};
use diptych_core::migration::ops::CreateExtension;
use diptych_core::migration::ops::raw_sql::RawSql;
use diptych_core::model::differences::differences;
use diptych_core::{DeclaredSchema, Migration, Operation, Schema, Snapshot};

use crate::agreement::{distinct, evened};
use crate::commands::record::{base, next_name};
use crate::config::{Context, Failure};
use crate::progress::Teller;
use crate::scratch::Scratch;
use crate::{Baselining, Project, dump, folder, out, proof, report};

/// How many differences a message holds.
const TOLD: usize = 20;

pub(crate) async fn run(context: &Context, project: Option<&Project>, wanted: &Baselining) -> Result<(), Failure> {
    let adopted = adopt(context, project, wanted).await;
    if wanted.dry_run {
        return adopted.map(drop);
    }
    let is_done = matches!(adopted, Ok(Outcome::Done(_)));
    report::end("baseline", wanted.json, "started", adopted)?;
    if is_done {
        wanted.say(
            "nothing of the database was changed: only schema `diptych` and the version's views were made\nnext: `pull` writes the structs; `rollback` takes the version back; `complete`, or the next `start`, makes it the one that counts",
        )?;
    }
    Ok(())
}

impl Baselining {
    /// A line for people: beside the JSON, where that is what is printed.
    fn say(&self, line: impl Display) -> Result<(), Failure> {
        if self.json {
            out::tell(line);
            return Ok(());
        }
        out::say(line)
    }

    /// The end of a dry run.
    fn shown(&self, line: &str) -> Result<Outcome, Failure> {
        if !self.json {
            out::say(line)?;
        }
        Ok(Outcome::Nothing(line.to_owned()))
    }
}

async fn adopt(context: &Context, project: Option<&Project>, wanted: &Baselining) -> Result<Outcome, Failure> {
    let recorded = if context.dir.exists() { folder::migrations(&context.dir)? } else { Vec::new() };
    distinct(&recorded)?;
    let mut migrator = context.migrator().await?;
    let found = migrator.inventory().await?;
    if wanted.json && wanted.dry_run {
        out::json(&found)?;
    } else {
        wanted.say(inventory(&context.base, &found))?;
    }
    if found.schema.tables.is_empty() {
        return Err(Failure::hinted(
            format!("schema `{}` has no tables, so there is nothing to adopt", context.base),
            "name the schema of the tables with --schema; for a new database, record the structs and run `start`",
        ));
    }
    let status = migrator.status(&recorded).await?;
    let version = status.live.clone().or(status.pending.as_ref().map(|pending| pending.version.clone()));
    if recorded.is_empty() {
        if let Some(version) = version {
            return Err(Failure::hinted(
                format!("the database has version `{version}` already, and the folder has no migration"),
                "get the folder from the repository of the app that the database belongs to, or name another schema with --schema",
            ));
        }
        return first(context, &mut migrator, &found, wanted).await;
    }
    if let Some(name) = &wanted.name {
        return Err(Failure::hinted(
            format!("the folder has migrations already, so there is no new one to be named `{name}`"),
            "leave the name out: then the database is held against what the files make",
        ));
    }
    let next = status.unstarted.first().unwrap_or(&recorded[0].name);
    let to = wanted.to.as_ref().unwrap_or(next);
    let Some(at) = recorded.iter().position(|there| there.name == *to) else {
        return Err(Failure::hinted(format!("the folder has no migration `{to}`"), names(&recorded)));
    };
    let applied = &recorded[..=at];
    // the database says how it stands, and nothing is tried
    let is_started = !status.unstarted.contains(to) || status.pending.is_some();
    if is_started && !wanted.dry_run {
        return enter(&mut migrator, applied).await;
    }
    let declared = project.map(|project| project.declared.clone()).unwrap_or_default();
    let made = made_by(context, applied, &declared).await?;
    let notes = agree(&found, &made, applied, &recorded[applied.len()..])?;
    notes.iter().try_for_each(|note| wanted.say(note))?;
    if wanted.dry_run {
        return wanted.shown("the database has what these migrations make; nothing was changed");
    }
    enter(&mut migrator, applied).await
}

/// The database's definitions become the first migration.
async fn first(context: &Context, migrator: &mut Migrator, found: &Inventory, wanted: &Baselining) -> Result<Outcome, Failure> {
    if wanted.dry_run {
        return wanted.shown("nothing was written, and nothing was changed");
    }
    let name = next_name(&[], wanted.name.as_deref().unwrap_or("baseline"))?;
    let texts = dump::definitions(context, found).await?;
    // the dump makes those of other schemas, with the schemas
    let own = found.schema.extensions.iter().filter(|name| found.extensions.get(*name) == Some(&context.base));
    let extensions = own.map(|name| CreateExtension { name: name.clone() }.into());
    let scripts = texts.iter().map(|up| RawSql { up: up.clone(), ..RawSql::default() }.into());
    let migration = Migration { name, version_schema: None, operations: extensions.chain(scripts).collect() };
    let text = file(&migration, &texts);
    if Migration::parse(&migration.name, &text)? != migration {
        return Err(Failure::new(
            "the migration is not the same after it was written as YAML and read back; this is a bug in Diptych",
        ));
    }
    let all = [migration];
    let made = made_by(context, &all, &DeclaredSchema::default()).await?;
    let (own, there) = evened(&made, found);
    let differing = differences(&own, &there);
    if !differing.is_empty() {
        let told = differing.iter().map(|difference| difference.told("a database that is made from the dump", "this one"));
        return Err(Failure::hinted(
            format!("the database's definitions do not make the same tables elsewhere, and nothing was written: {}", list(told)),
            "name the programs of the server's own version in DIPTYCH_PG_BIN; if that does not help, report this",
        ));
    }
    beside(found, &made).iter().try_for_each(|note| wanted.say(note))?;
    let [migration] = &all;
    let snapshot =
        Snapshot { version: Some(migration.name.clone()), base: base(context), schema: made.schema, ..Snapshot::default() };
    fs::create_dir_all(&context.dir).map_err(|error| {
        Failure::hinted(format!("cannot make the folder `{}`: {error}", context.dir.display()), "name another one with --dir")
    })?;
    let path = context.dir.join(format!("{}.yaml", migration.name));
    let files = [(path.clone(), Some(text)), (context.dir.join(folder::SNAPSHOT), Some(snapshot.to_yaml()))];
    folder::change(&files)?;
    wanted.say(format!("wrote `{}` and its snapshot; proven on a scratch server: it makes the same tables", path.display()))?;
    enter(migrator, &all).await
}

/// The file of a migration with these statements, line by line as they are where YAML can have them so.
fn file(migration: &Migration, texts: &[String]) -> String {
    let names = migration.operations.iter().filter_map(|operation| match operation {
        Operation::CreateExtension(CreateExtension { name }) => Some(name),
        _ => None,
    });
    let extensions = names.map(|name| format!("- create_extension:\n    name: {name:?}\n"));
    let scripts = texts.iter().map(|text| {
        let lines = text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("      {line}\n") });
        format!("- sql:\n    up: |\n{}", lines.collect::<String>())
    });
    let text = format!(
        "# The database as it was adopted. Where it is there already, `baseline` enters this file; elsewhere `start` runs it.\noperations:\n{}",
        extensions.chain(scripts).collect::<String>()
    );
    match Migration::parse(&migration.name, &text) {
        Ok(read) if read == *migration => text,
        _ => migration.to_yaml(),
    }
}

/// What these migrations make on a scratch server.
async fn made_by(context: &Context, migrations: &[Migration], declared: &DeclaredSchema) -> Result<Inventory, Failure> {
    let scratch = Scratch::start(context)?;
    let database = scratch.database("scratch").await?;
    let schema = proof::carry_out(&database, migrations, declared).await.map_err(|failure| Failure {
        hint: Some(failure.hint.unwrap_or_else(|| {
            "the scratch server needs the extensions of the database, and its major version or a newer one: install them beside its programs, or name other programs in DIPTYCH_PG_BIN".to_owned()
        })),
        ..failure
    })?;
    let made = database.migrator().await?.inventory().await?;
    Ok(Inventory { schema, ..made })
}

/// Fails where a database has other tables than the migrations make; else what is beside them, as [`beside`] has it.
fn agree(found: &Inventory, made: &Inventory, applied: &[Migration], later: &[Migration]) -> Result<Vec<String>, Failure> {
    let (own, there) = evened(made, found);
    let differing = differences(&own, &there);
    if differing.is_empty() {
        return Ok(beside(found, made));
    }
    let last = &applied[applied.len() - 1].name;
    let told = differing.iter().map(|difference| difference.told("the files", "the database"));
    let further = later.last().map_or_else(String::new, |there| {
        format!("; if the database has what later files make as well, name the last of them: --to {}", there.name)
    });
    Err(Failure::hinted(
        format!(
            "the database does not have the tables that the files make up to `{last}`, and nothing was changed: {}",
            list(told)
        ),
        format!("change the database until it is as the files say, and run this again{further}"),
    ))
}

/// What else the database has, or lacks, beside what the files make: it is no part of a version, and later migrations do not meet it.
fn beside(found: &Inventory, made: &Inventory) -> Vec<String> {
    let by_name = |inventory: &Inventory| -> BTreeMap<(String, String), Object> {
        // no file has these: they are a cluster's, or belong to who operates it
        let is_elsewhere = |kind: &str| ["publication", "event trigger"].contains(&kind) || kind.starts_with("history of ");
        let kept = inventory.beside.iter().filter(|object| !is_elsewhere(&object.kind));
        kept.map(|object| ((object.kind.clone(), object.name.clone()), object.clone())).collect()
    };
    let (there, files) = (by_name(found), by_name(made));
    let same_words = found.server == made.server;
    let mut lines = Vec::new();
    for (key, object) in &there {
        match files.get(key) {
            None => lines.push(format!("note: the files do not make {} {}", object.kind, object.name)),
            Some(other) if same_words && other.definition != object.definition => {
                lines.push(format!("note: {} {} is another one in the files", object.kind, object.name));
            }
            Some(_) => {}
        }
    }
    let lacking = files.iter().filter(|(key, _)| !there.contains_key(*key));
    lines.extend(lacking.map(|(_, object)| format!("note: the database lacks {} {}", object.kind, object.name)));
    lines
}

async fn enter(migrator: &mut Migrator, applied: &[Migration]) -> Result<Outcome, Failure> {
    Ok(migrator.baseline(applied, &mut Teller::new()).await?)
}

/// What a database has, in a few lines.
fn inventory(base: &str, found: &Inventory) -> String {
    let Schema { extensions, tables, enums, domains, composites, sequences, .. } = &found.schema;
    let columns = tables.values().map(|table| table.columns.len()).sum();
    let constraints = tables.values().map(|table| table.constraints.len()).sum();
    let indexes = tables.values().map(|table| table.indexes.len()).sum();
    let statistics = tables.values().map(|table| table.statistics.len()).sum();
    let counts = [
        (tables.len(), "table"),
        (columns, "column"),
        (constraints, "constraint"),
        (indexes, "index"),
        (enums.len(), "enum"),
        (domains.len(), "domain"),
        (composites.len(), "composite type"),
        (sequences.len(), "sequence"),
        (extensions.len(), "extension"),
        (statistics, "statistics"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what)).collect::<Vec<_>>();
    let mut lines = vec![format!("in the version, of schema `{base}`: {}", counts.join(", "))];
    let mut beside: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for object in &found.beside {
        beside.entry(&object.kind).or_default().push(&object.name);
    }
    lines.push(format!("beside it, as it is: {}", if beside.is_empty() { "nothing" } else { "" }).trim_end().to_owned());
    for (kind, names) in beside {
        let more = names.len().saturating_sub(TOLD);
        let shown = names.iter().take(TOLD).copied().collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("  {}: {shown}{more}", counted(names.len(), kind)));
    }
    lines.join("\n")
}

/// A number of things.
fn counted(count: usize, what: &str) -> String {
    let plural = || match what {
        "statistics" => what.to_owned(),
        _ if what.ends_with("index") => format!("{what}es"),
        _ => match what.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None => match [" of ", " to ", " with "].iter().find_map(|word| what.split_once(word)) {
                Some((head, _)) => format!("{head}s{}", &what[head.len()..]),
                None => format!("{what}s"),
            },
        },
    };
    format!("{count} {}", if count == 1 { what.to_owned() } else { plural() })
}

fn list(lines: impl ExactSizeIterator<Item = String>) -> String {
    let more = lines.len().saturating_sub(TOLD);
    let mut text: String = lines.take(TOLD).map(|line| format!("\n  {line}")).collect();
    if more > 0 {
        text.push_str(&format!("\n  and {more} more"));
    }
    text
}

fn names(of: &[Migration]) -> String {
    format!("its migrations are {}", of.iter().map(|there| format!("`{}`", there.name)).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn things_are_counted_in_words() {
        let words =
            [(1, "index"), (2, "index"), (2, "policy"), (3, "table of another schema"), (2, "statistics"), (2, "sequence")];
        let said: Vec<String> = words.iter().map(|(count, what)| counted(*count, what)).collect();
        assert_eq!(said, ["1 index", "2 indexes", "2 policies", "3 tables of another schema", "2 statistics", "2 sequences"]);
    }
}

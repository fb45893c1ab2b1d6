//! `record --from-database`: what somebody has changed in a database's tables outside Diptych becomes a migration, which that database has
//! applied by hand.

use std::collections::BTreeMap;

use diptych::internal::introspect::Inventory;
use diptych_core::model::differences::differences;
use diptych_core::model::types;
use diptych_core::sql::{ident, literal};
use diptych_core::{DeclaredSchema, Snapshot};

use super::{base, difference, is_what_is_read, next_name, operations};
use crate::agreement::{agree, evened};
use crate::config::{Context, Failure};
use crate::scratch::Scratch;
use crate::{Project, folder, out, project_snapshot, proof};

pub(super) async fn run(context: &Context, project: Option<&Project>, name: &str) -> Result<(), Failure> {
    let before = Snapshot { base: base(context), ..project_snapshot(context)? };
    let recorded = folder::migrations(&context.dir)?;
    agree(&before, &recorded)?;
    let mut there = context.migrator().await?;
    let status = there.status(&recorded).await?;
    if let Some(waiting) = status.unstarted.first().or(status.pending.as_ref().map(|pending| &pending.version)) {
        return Err(Failure::hinted(
            format!("the database has not completed `{waiting}`, so its tables are not those of the files"),
            "start and complete the folder's migrations there first",
        ));
    }
    let found = there.inventory().await?;
    let scratch = Scratch::start(context)?;
    let database = scratch.database("scratch").await?;
    let known = project.map(|project| project.declared.clone()).unwrap_or_default();
    let mut all = proof::begin(&database, &recorded, &before.schema, &known).await?;
    let mut migrator = database.migrator().await?;
    let then = migrator.inventory().await?;
    let (before_hand, by_hand) = evened(&then, &found);
    if differences(&before_hand, &by_hand).is_empty() {
        return out::say("nothing to record: the database's tables are those of the files");
    }
    owned(&context.base, &then, &found)?;
    let recorded_ones = before.schema.extensions.iter().filter(|name| found.extensions.contains_key(*name));
    let extensions = recorded_ones.chain(by_hand.extensions.difference(&before_hand.extensions)).cloned().collect();
    // what nobody has changed keeps the words of the files
    let domains = by_hand.domains.iter().map(|(name, domain)| match before.schema.domains.get(name) {
        Some(known) if before_hand.domains.get(name) == Some(domain) => (name.clone(), known.clone()),
        _ => (name.clone(), domain.clone()),
    });
    let domains = domains.collect();
    let declared = DeclaredSchema { extensions, domains, ..DeclaredSchema::of(&by_hand, &before_hand) };
    let (migration, after) = difference(&migrator, &before, &declared, &next_name(&recorded, name)?).await?;
    // what is dropped or converted by hand is no attribute of a struct
    let after = Snapshot { used: before.used.clone(), ..after };
    is_what_is_read(&migration, &after)?;
    all.push(migration.clone());
    proof::prove(&database, &mut migrator, &all).await?;
    let (made, there) = evened(&migrator.inventory().await?, &found);
    let rest = differences(&made, &there);
    if !rest.is_empty() {
        let told: Vec<String> =
            rest.iter().map(|there| there.told("what operations make of the files", "the database")).collect();
        return Err(Failure::hinted(
            format!("no operation says this, and nothing was recorded: {}", told.join("; ")),
            "put it back in the database, or write a migration with an `sql` operation by hand, run `record` without a name, and then `baseline`",
        ));
    }
    let path = context.dir.join(format!("{}.yaml", migration.name));
    folder::change(&[(path.clone(), Some(migration.to_yaml())), (context.dir.join(folder::SNAPSHOT), Some(after.to_yaml()))])?;
    out::say(format!("recorded `{}`: {}", path.display(), operations(&migration.operations)))?;
    out::say(
        "proven on a scratch server: start, rollback, start, complete\nnext: `baseline` enters it in this database, which has it already; let the structs follow (`pull` adds what is new), and `start` it elsewhere",
    )
}

/// No operation makes a sequence a column's own, as `serial` does, or takes it from one: an identity is the same to whoever writes.
fn owned(base: &str, then: &Inventory, found: &Inventory) -> Result<(), Failure> {
    let (known, there) = (owners(then), owners(found));
    let is_free = |sequence: &str, of: &Inventory| {
        let mut free = of.schema.sequences.keys().map(|name| format!("{}.{}", types::spelled(base), types::spelled(name)));
        free.any(|free| free == sequence)
    };
    for (sequence, [table, column]) in &there {
        if known.contains_key(sequence) {
            continue;
        }
        let own = ident(column);
        let hint = if is_free(sequence, then) {
            format!("it was nobody's; run ALTER SEQUENCE {sequence} OWNED BY NONE;")
        } else {
            format!(
                "make the column an identity; run ALTER TABLE {table} ALTER COLUMN {own} DROP DEFAULT; DROP SEQUENCE {sequence}; \
                 ALTER TABLE {table} ALTER COLUMN {own} ADD GENERATED BY DEFAULT AS IDENTITY; \
                 SELECT setval(pg_get_serial_sequence({}, {}), max({own})) FROM {table};",
                literal(table),
                literal(column)
            )
        };
        return Err(Failure::hinted(
            format!(
                "sequence {sequence} belongs to column {table}.{column}, as that of a `serial` does, and no operation says that"
            ),
            hint,
        ));
    }
    match known.iter().find(|(sequence, _)| !there.contains_key(*sequence) && is_free(sequence, found)) {
        Some((sequence, [table, column])) => Err(Failure::hinted(
            format!("sequence {sequence} no longer belongs to column {table}.{column}, and no operation says that"),
            format!("give it back; run ALTER SEQUENCE {sequence} OWNED BY {table}.{};", ident(column)),
        )),
        None => Ok(()),
    }
}

/// The sequences that columns own, each with the table and the name of the column.
fn owners(inventory: &Inventory) -> BTreeMap<&str, [&str; 2]> {
    let sequences = inventory.beside.iter().filter(|object| object.kind == "sequence");
    let owned = sequences.filter_map(|object| {
        let (table, column) = object.definition.as_deref()?.split_once("OWNED BY ")?.1.rsplit_once('.')?;
        Some((object.name.as_str(), [table, column]))
    });
    owned.collect()
}

//! `record --amend`: the newest migration is replaced by one that leads from the version before it to the structs.

use diptych_core::model::snapshot::Used;
use diptych_core::{DeclaredSchema, Migration, Operation, Snapshot, sql};

use super::{base, difference, is_what_is_read, operations, proven};
use crate::agreement::agree;
use crate::applied::refuse_applied;
use crate::config::{Context, Failure};
use crate::scratch::Scratch;
use crate::{Project, edges, folder, out, project_snapshot, proof, used};

/// Operations that no struct carries.
const OWN: [&str; 4] = ["delete", "insert", "sql", "update"];

pub(super) async fn run(context: &Context, project: &Project) -> Result<(), Failure> {
    let snapshot = project_snapshot(context)?;
    let recorded = folder::migrations(&context.dir)?;
    agree(&snapshot, &recorded)?;
    let Some((last, earlier)) = recorded.split_last() else {
        return Err(Failure::hinted(
            "there is no migration to amend",
            "record the structs as the first one: cargo xtask migrate record NAME",
        ));
    };
    if let Some(own) = last.operations.iter().map(Operation::name).find(|name| OWN.contains(name)) {
        return Err(lost(&last.name, &format!("its `{own}` operation")));
    }
    refuse_applied(context, &recorded, &[last]).await?;
    let scratch = Scratch::start(context)?;
    let database = scratch.database("scratch").await?;
    let schema = proof::carry_out(&database, earlier, &project.declared).await?;
    let before = Snapshot {
        version: earlier.last().map(|migration| migration.name.clone()),
        base: base(context),
        schema,
        used: used::without(snapshot.used.clone(), last),
    };
    let mut migrator = database.migrator().await?;
    let (migration, after) = difference(&migrator, &before, &project.declared, &last.name).await?;
    let migration = Migration { version_schema: last.version_schema.clone(), ..migration };
    let name = &last.name;
    if migration.operations.is_empty() {
        let there = before.version.as_deref().unwrap_or("the empty schema");
        return Err(Failure::hinted(
            format!("the structs are those of `{there}`: nothing is left of `{name}`"),
            format!("remove the file of `{name}`, then run `cargo xtask migrate record` without a name"),
        ));
    }
    if let Some(text) = by_hand(last, &migration, &snapshot, &project.declared) {
        return Err(lost(name, &format!("`{text}`")));
    }
    if migration == *last && after == snapshot {
        return out::say(format!("nothing to amend: `{name}` leads to the structs"));
    }
    is_what_is_read(&migration, &after)?;
    let all = [earlier, std::slice::from_ref(&migration)].concat();
    proof::prove(&database, &mut migrator, &all).await?;
    if !earlier.iter().any(proof::is_script) {
        let before = std::slice::from_ref(&before.schema);
        proof::is_like_fresh(&scratch, &database, (before, &after.schema), &project.declared).await?;
    }
    let notes = edges::notes(&database, &before.schema, &migration).await?;
    let path = context.dir.join(format!("{name}.yaml"));
    let mut files = vec![(path.clone(), Some(migration.to_yaml())), (context.dir.join(folder::SNAPSHOT), Some(after.to_yaml()))];
    files.extend(folder::file(&context.dir, name).filter(|there| *there != path).map(|there| (there, None)));
    folder::change(&files)?;
    out::say(format!(
        "replaced `{}`: it was {}, and is {}",
        path.display(),
        operations(&last.operations),
        operations(&migration.operations)
    ))?;
    proven(&notes)
}

fn lost(name: &str, what: &str) -> Failure {
    Failure::hinted(
        format!("`{name}` has something that was written by hand and that the structs do not carry: {what}"),
        "write it into the structs (`up`, `down`), or record the change as a new migration: cargo xtask migrate record NAME",
    )
}

/// A text that neither the structs have nor the snapshot says they had: somebody has written it into the file.
fn by_hand(last: &Migration, amended: &Migration, snapshot: &Snapshot, declared: &DeclaredSchema) -> Option<String> {
    let had = |text: &String| {
        let is = |there: &Option<String>| there.as_ref() == Some(text);
        let was = |used: &Used| is(&used.up) || is(&used.down);
        snapshot.used.values().flat_map(|columns| columns.values()).any(was)
    };
    let carried = used::written(amended);
    // what `record` writes where a value stays as it is
    let is_itself = |text: &String| {
        let columns = declared.tables.iter().flat_map(|table| &table.columns).map(|field| &field.column.name);
        let before = snapshot.schema.tables.values().flat_map(|table| &table.columns).map(|column| &column.name);
        columns.chain(before).any(|column| sql::ident(column).as_str() == text)
    };
    used::written(last).into_iter().find(|text| !carried.contains(text) && !had(text) && !is_itself(text))
}

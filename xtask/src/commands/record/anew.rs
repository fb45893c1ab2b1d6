//! `record` without a name: the folder's files are proven, and the snapshot is made anew from them.

use diptych_core::{DeclaredSchema, Migration, Snapshot, migration::diff};

use super::{base, operations, readable};
use crate::agreement::distinct;
use crate::config::{Context, Failure};
use crate::scratch::Scratch;
use crate::{Project, folder, out, proof, used};

pub(super) async fn run(context: &Context, project: &Project) -> Result<(), Failure> {
    let recorded = folder::migrations(&context.dir)?;
    distinct(&recorded)?;
    let so_far = readable(context)?;
    let made = of_files(context, &recorded, &project.declared, so_far.as_ref()).await?;
    if so_far.as_ref() != Some(&made) {
        folder::write(&context.dir.join(folder::SNAPSHOT), &made.to_yaml())?;
    }
    let known =
        so_far.as_ref().and_then(|snapshot| recorded.iter().position(|there| Some(&there.name) == snapshot.version.as_ref()));
    let new = known.map_or(0, |at| at + 1);
    if so_far.as_ref() != Some(&made) && new == recorded.len() {
        out::say("made the snapshot anew: it was not what the files give")?;
    }
    for migration in &recorded[new..] {
        out::say(format!("taken up `{}`: {}", migration.name, operations(&migration.operations)))?;
    }
    follow(&made, &project.declared, so_far.as_ref() == Some(&made))
}

/// The snapshot that a folder's files give, each of them proven.
pub(super) async fn of_files(
    context: &Context,
    recorded: &[Migration],
    declared: &DeclaredSchema,
    so_far: Option<&Snapshot>,
) -> Result<Snapshot, Failure> {
    let Some(last) = recorded.last() else { return Ok(Snapshot::default()) };
    let scratch = Scratch::start(context)?;
    let schema = proof::replay(&scratch, &scratch.database("scratch").await?, recorded, declared).await?;
    let made = Snapshot { base: base(context), ..used::snapshot(so_far, recorded, declared, &last.name, schema) };
    if Snapshot::parse(&made.to_yaml())? != made {
        return Err(Failure::new("the snapshot is not the same after it was written and read back; this is a bug in Diptych"));
    }
    Ok(made)
}

/// Says what is between the snapshot and the structs.
fn follow(snapshot: &Snapshot, declared: &DeclaredSchema, is_unchanged: bool) -> Result<(), Failure> {
    let differs = match diff::diff(snapshot, declared) {
        Ok(pending) if pending.is_empty() && is_unchanged => {
            return out::say("nothing to record: files, snapshot and structs agree");
        }
        Ok(pending) if pending.is_empty() => {
            return out::say("files, snapshot and structs agree\nnext: review and commit the folder");
        }
        Ok(pending) if is_unchanged => {
            return Err(Failure::hinted(
                format!("the structs differ from the snapshot: {}", operations(&pending)),
                "give the change a name: cargo xtask migrate record NAME",
            ));
        }
        Ok(pending) => operations(&pending),
        Err(error) => error.message().to_owned(),
    };
    out::say(format!(
        "the structs differ from it: {differs}\nnext: let the structs follow, or record what they change with `cargo xtask migrate record NAME`"
    ))
}

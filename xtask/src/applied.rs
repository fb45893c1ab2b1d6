//! What a database has applied stays as it is: whoever changes a recorded file asks the database first, where one is given.

use diptych::migrator::VersionState;
use diptych_core::Migration;

use crate::config::{Context, Failure};
use crate::out;

/// Fails where the database that is given has applied one of these migrations of the folder; without a database it says that nobody knows.
pub(crate) async fn refuse_applied(context: &Context, recorded: &[Migration], touched: &[&Migration]) -> Result<(), Failure> {
    let names = touched.iter().map(|migration| format!("`{}`", migration.name)).collect::<Vec<_>>().join(", ");
    if !context.has_url() {
        let is = if touched.len() == 1 { "it is" } else { "they are" };
        return out::say(format!(
            "note: no database is given with --url or DATABASE_URL, so nobody knows whether one has applied {names}; {is} taken as not deployed"
        ));
    }
    let asked = async { Ok::<_, Failure>(context.migrator().await?.status(recorded).await?) };
    let status = asked.await.map_err(|failure| {
        Failure::hinted(
            format!("the database cannot tell whether it has applied {names}: {}", failure.message),
            "give a database that can be reached with --url; without --url and DATABASE_URL none is asked",
        )
    })?;
    let Some(applied) = touched.iter().find(|migration| !status.unstarted.contains(&migration.name)) else { return Ok(()) };
    let name = &applied.name;
    let pending = status.pending.filter(|pending| pending.version == *name);
    Err(match pending.map(|pending| pending.state) {
        Some(VersionState::Completing) | None => Failure::hinted(
            format!("the database has applied `{name}`, so its file stays as it is"),
            "record what is to change as a new migration: cargo xtask migrate record NAME; of two with one number, rebase the one that no database has",
        ),
        Some(_) => Failure::hinted(
            format!("`{name}` is started in the database, so its file stays as it is"),
            "run `cargo xtask migrate rollback` first, then this again",
        ),
    })
}

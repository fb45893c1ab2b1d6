//! `resume`: a paused start goes on.

use diptych::{Files, Outcome};

use crate::config::{Context, Failure};
use crate::{out, render};

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let migrator = context.migrator().await?;
    let outcome = migrator.resume().await?;
    out::say(render::outcome("resumed", &outcome))?;
    if matches!(outcome, Outcome::Done(_)) && migrator.status(Files::unknown()).await?.run.is_none() {
        out::tell("no process is running it: run `start` again, or `rollback`");
    }
    Ok(())
}

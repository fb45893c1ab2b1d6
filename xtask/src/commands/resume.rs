//! `resume`: a paused start goes on.

use diptych::{Files, Outcome};

use crate::config::{Context, Failure};
use crate::{out, report};

pub(crate) async fn run(context: &Context, json: bool) -> Result<(), Failure> {
    report::end("resume", json, "resumed", resume(context).await)
}

async fn resume(context: &Context) -> Result<Outcome, Failure> {
    let migrator = context.migrator().await?;
    let outcome = migrator.resume().await?;
    if matches!(outcome, Outcome::Done(_)) && migrator.status(Files::unknown()).await?.run.is_none() {
        out::tell("no process is running it: run `start` again, or `rollback`");
    }
    Ok(outcome)
}

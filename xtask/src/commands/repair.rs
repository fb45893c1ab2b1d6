//! `repair`: what a start has made, put back.

use diptych::Outcome;

use crate::config::{Context, Failure};
use crate::{out, render};

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let outcome = context.migrator().await?.repair().await?;
    out::say(render::outcome("put back:", &outcome))?;
    if let Outcome::Done(_) = outcome {
        out::tell(
            "warning: rows that one version wrote meanwhile may lack the other's form\nhint: compare them, and write those anew that differ; or run `rollback`, which keeps the older version's",
        );
    }
    Ok(())
}

//! `repair`: what a start has made, put back.

use diptych::Outcome;

use crate::config::{Context, Failure};
use crate::{out, render};

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let outcome = context.migrator().await?.repair().await?;
    let Outcome::Done(damage) = &outcome else { return out::say(render::outcome("put back", &outcome)) };
    for what in damage {
        out::say(format!("{what}: put back"))?;
    }
    out::tell(
        "warning: rows that one version wrote meanwhile may lack the other version's values\nhint: compare them, and write those that differ again; or run `rollback`, which keeps the older version's rows",
    );
    Ok(())
}

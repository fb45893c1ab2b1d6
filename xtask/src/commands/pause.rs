//! `pause`: a start waits, whoever runs it.

use diptych::Outcome;

use crate::config::{Context, Failure};
use crate::report;

pub(crate) async fn run(context: &Context, json: bool) -> Result<(), Failure> {
    report::end("pause", json, "paused", pause(context).await)
}

async fn pause(context: &Context) -> Result<Outcome, Failure> {
    Ok(context.migrator().await?.pause().await?)
}

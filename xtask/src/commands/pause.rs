//! `pause`: a start waits, whoever runs it.

use crate::config::{Context, Failure};
use crate::{out, render};

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let outcome = context.migrator().await?.pause().await?;
    out::say(render::outcome("paused", &outcome))
}

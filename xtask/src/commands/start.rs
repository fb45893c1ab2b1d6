//! `start`: expand and publish.

use diptych::PublishedState;

use crate::Lacking;
use crate::config::{Context, Failure};
use crate::progress::Teller;
use crate::{folder, out, render};

pub(crate) async fn run(
    context: &Context,
    to: Option<&str>,
    published_state: PublishedState,
    lacking: Lacking,
) -> Result<(), Failure> {
    let migrations = folder::migrations(&context.dir)?;
    let outcome = context.migrator_starting(published_state, lacking).await?.start(&migrations, to, &mut Teller::new()).await?;
    out::say(render::outcome("started", &outcome))?;
    Ok(())
}

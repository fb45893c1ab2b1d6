//! `start`: expand and publish.

use crate::Starting;
use crate::config::{Context, Failure};
use crate::ending::Ending;
use crate::progress::Teller;
use crate::{folder, out, render};

pub(crate) async fn run(context: &Context, starting: &Starting) -> Result<(), Failure> {
    let migrations = folder::migrations(&context.dir)?;
    let mut migrator = context.migrator_starting(starting).await?;
    let ending = Ending::listen("start")?;
    let outcome = migrator.start(&migrations, starting.to.as_deref(), &mut Teller::ending(&ending)).await;
    let outcome = outcome.map_err(|error| Failure::ended(error, &ending))?;
    out::say(render::outcome("started", &outcome))?;
    Ok(())
}

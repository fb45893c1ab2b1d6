//! `rollback`: undo a start.

use crate::Leaving;
use crate::config::{Context, Failure};
use crate::ending::Ending;
use crate::progress::Teller;
use crate::{out, render};

pub(crate) async fn run(context: &Context, leaving: Leaving) -> Result<(), Failure> {
    let mut migrator = context.migrator_leaving(leaving).await?;
    let ending = Ending::listen("rollback")?;
    let outcome = migrator.rollback(&mut Teller::ending(&ending)).await.map_err(|error| Failure::ended(error, &ending))?;
    out::say(render::outcome("rolled back", &outcome))?;
    Ok(())
}

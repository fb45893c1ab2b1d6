//! `rollback`: undo a start.

use crate::Leaving;
use crate::config::{Context, Failure};
use crate::progress::Teller;
use crate::{out, render};

pub(crate) async fn run(context: &Context, leaving: Leaving) -> Result<(), Failure> {
    let outcome = context.migrator_leaving(leaving).await?.rollback(&mut Teller::new()).await?;
    out::say(render::outcome("rolled back", &outcome))?;
    Ok(())
}

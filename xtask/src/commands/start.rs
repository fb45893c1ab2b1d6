//! `start`: expand and publish.

use crate::Starting;
use crate::config::{Context, Failure};
use crate::progress::Teller;
use crate::{folder, out, render};

pub(crate) async fn run(context: &Context, starting: &Starting) -> Result<(), Failure> {
    let migrations = folder::migrations(&context.dir)?;
    let mut migrator = context.migrator_starting(starting).await?;
    let outcome = migrator.start(&migrations, starting.to.as_deref(), &mut Teller::new()).await?;
    out::say(render::outcome("started", &outcome))?;
    Ok(())
}

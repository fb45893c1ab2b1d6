//! `start`: expand and publish.

use diptych::Outcome;

use crate::Starting;
use crate::config::{Context, Failure};
use crate::folder;
use crate::report::Report;

pub(crate) async fn run(context: &Context, starting: &Starting) -> Result<(), Failure> {
    let mut report = Report::new("start", starting.telling);
    let outcome = carry_out(context, starting, &mut report).await;
    report.end("started", outcome).await
}

async fn carry_out(context: &Context, starting: &Starting, report: &mut Report) -> Result<Outcome, Failure> {
    report.prepare(context)?;
    let migrations = folder::migrations(&context.dir)?;
    let mut migrator = context.migrator_starting(starting).await?;
    report.listen()?;
    let outcome = migrator.start(&migrations, starting.to.as_deref(), report).await;
    report.came_to(outcome)
}

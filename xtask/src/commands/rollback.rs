//! `rollback`: undo a start.

use diptych::Outcome;

use crate::Leaving;
use crate::config::{Context, Failure};
use crate::report::Report;

pub(crate) async fn run(context: &Context, leaving: Leaving) -> Result<(), Failure> {
    let mut report = Report::new("rollback", leaving.telling);
    let outcome = carry_out(context, leaving, &mut report).await;
    report.end("rolled back", outcome).await
}

async fn carry_out(context: &Context, leaving: Leaving, report: &mut Report) -> Result<Outcome, Failure> {
    report.prepare(context)?;
    let mut migrator = context.migrator_leaving(leaving).await?;
    report.listen()?;
    let outcome = migrator.rollback(report).await;
    report.came_to(outcome)
}

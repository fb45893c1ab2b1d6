//! `complete`: contract, when the sign for it has come.

use std::path::Path;
use std::time::Instant;

use diptych::{Outcome, Sign, connect};

use crate::Completing;
use crate::config::{Context, Failure};
use crate::report::{NO_SIGN, Report};

pub(crate) async fn run(context: &Context, completing: &Completing) -> Result<(), Failure> {
    let mut report = Report::new("complete", completing.leaving.telling);
    let outcome = carry_out(context, completing, &mut report).await;
    report.end("completed", outcome).await
}

async fn carry_out(context: &Context, completing: &Completing, report: &mut Report) -> Result<Outcome, Failure> {
    report.prepare(context)?;
    let (sign, since) = (sign(completing)?, Instant::now());
    let mut migrator = context.migrator_leaving(completing.leaving).await?;
    report.listen()?;
    if let Some(sign) = sign {
        // what can be refused is refused by now; the sessions may not outlast the wait
        drop(migrator);
        let waited = sign.wait(connect::parse(context.url()?)?, &context.options(), report).await;
        report.came_to(waited)?;
        migrator = context.migrator_leaving(completing.leaving.since(since)).await?;
    }
    let outcome = migrator.complete(report).await;
    report.came_to(outcome)
}

/// What is waited for, where anything is.
fn sign(completing: &Completing) -> Result<Option<Sign>, Failure> {
    let Completing { when, after, leaving } = completing;
    if when.is_none() && after.is_none() {
        return Ok(None);
    }
    let when = when.as_deref().map(query).transpose()?;
    Ok(Some(Sign { when, after: *after, within: leaving.wait }))
}

/// The query itself, or that of a file.
fn query(given: &str) -> Result<String, Failure> {
    let path = Path::new(given);
    if path.extension().is_none_or(|ending| ending != "sql") {
        return Ok(given.to_owned());
    }
    std::fs::read_to_string(path).map_err(|error| Failure {
        code: NO_SIGN,
        ..Failure::hinted(
            format!("cannot read the query of --when in `{given}`: {error}"),
            "name a file that can be read, or write the query itself; nothing was changed",
        )
    })
}

//! `status`: how the database stands, and what of the folder does not fit it.

use std::process::ExitCode;

use diptych::{Problem, Status};

use crate::config::{Context, Failure};
use crate::{folder, out, render};

/// What the exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Whether the files fit the database.
    Fit,
    /// And whether there is nothing to start and nothing to complete.
    Rest,
}

/// What it ends with where there is.
const UNREST: u8 = 3;

pub(crate) async fn run(context: &Context, json: bool, asks: Asks) -> Result<ExitCode, Failure> {
    let status = read(context).await?;
    let fits = status.problems.is_empty();
    if json {
        out::json(&status)?;
    } else {
        out::say(render::status(&status))?;
    }
    let rests = asks == Asks::Fit || (status.pending.is_none() && status.unstarted.is_empty());
    Ok(match (fits, rests) {
        (false, _) => ExitCode::FAILURE,
        (true, false) => ExitCode::from(UNREST),
        (true, true) => ExitCode::SUCCESS,
    })
}

/// How the database stands, with what of the folder cannot be read among the problems.
pub(crate) async fn read(context: &Context) -> Result<Status, Failure> {
    let survey = folder::survey(&context.dir);
    let mut status = context.migrator().await?.status(survey.files()).await?;
    let problem = |failure: Failure| Problem { message: failure.message, hint: failure.hint.unwrap_or_default() };
    status.problems.splice(0..0, survey.failures.into_iter().map(problem));
    Ok(status)
}

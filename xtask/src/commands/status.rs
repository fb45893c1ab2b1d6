//! `status`: how the database stands, and what of the folder does not fit it.

use std::process::ExitCode;

use diptych::Problem;

use crate::config::{Context, Failure};
use crate::{folder, out, render};

pub(crate) async fn run(context: &Context, json: bool) -> Result<ExitCode, Failure> {
    let survey = folder::survey(&context.dir);
    let mut status = context.migrator().await?.status(survey.files()).await?;
    let problem = |failure: Failure| Problem { message: failure.message, hint: failure.hint.unwrap_or_default() };
    let fits = status.problems.is_empty() && survey.failures.is_empty();
    status.problems.splice(0..0, survey.failures.into_iter().map(problem));
    if json {
        out::json(&status)?;
    } else {
        out::say(render::status(&status))?;
    }
    Ok(if fits { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! `plan`: what a command would run.

use diptych_core::plan::Command;

use crate::config::{Context, Failure};
use crate::summary::{Form, Summary, folded};
use crate::{Lacking, Shown, folder, out, render};

pub(crate) async fn run(
    context: &Context,
    command: &str,
    to: Option<&str>,
    shown: &Shown,
    lacking: Lacking,
) -> Result<(), Failure> {
    let command = match command {
        "complete" => Command::Complete,
        "rollback" => Command::Rollback,
        _ => Command::Start,
    };
    let migrations = folder::migrations(&context.dir)?;
    let migrator = context.migrator_lacking(lacking).await?;
    if shown.summary || shown.markdown {
        let Some([start, complete, _]) = migrator.plans(&migrations, to).await? else {
            return if shown.json { out::say("null") } else { out::say("nothing to do") };
        };
        let summary = Summary::of(&start, &complete);
        if shown.json {
            return out::json(&summary);
        }
        let form = if shown.markdown { Form::Markdown } else { Form::Text };
        out::print(summary.told(&form))?;
        for plan in [&start, &complete].into_iter().filter(|_| shown.markdown) {
            out::print(folded(plan, &render::plan(plan)))?;
        }
        return Ok(());
    }
    match migrator.plan(command, &migrations, to).await? {
        Some(plan) if shown.json => {
            out::say(serde_json::to_string_pretty(&plan).map_err(|error| Failure::new(error.to_string()))?)?;
        }
        Some(plan) => out::print(render::plan(&plan))?,
        None if shown.json => out::say("null")?,
        None => out::say("nothing to do")?,
    }
    Ok(())
}

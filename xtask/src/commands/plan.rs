//! `plan`: what a command would run.

use diptych_core::plan::Command;

use crate::Lacking;
use crate::config::{Context, Failure};
use crate::{folder, out, render};

pub(crate) async fn run(context: &Context, command: &str, to: Option<&str>, json: bool, lacking: Lacking) -> Result<(), Failure> {
    let command = match command {
        "complete" => Command::Complete,
        "rollback" => Command::Rollback,
        _ => Command::Start,
    };
    let migrations = folder::migrations(&context.dir)?;
    let plan = context.migrator_lacking(lacking).await?.plan(command, &migrations, to).await?;
    match plan {
        Some(plan) if json => {
            out::say(serde_json::to_string_pretty(&plan).map_err(|error| Failure::new(error.to_string()))?)?;
        }
        Some(plan) => out::print(render::plan(&plan))?,
        None if json => out::say("null")?,
        None => out::say("nothing to do")?,
    }
    Ok(())
}

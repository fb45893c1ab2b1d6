//! `plan`: what a command would run, and what a start may need.

use std::path::Path;

use diptych::{Estimate, Migration, Migrator};
use diptych_core::plan::{Command, Plan};
use serde::Serialize;

use crate::config::{Context, Failure};
use crate::page::{self, Facts};
use crate::summary::{Form, Summary, folded};
use crate::{Lacking, Shown, folder, out, render};

/// A plan as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    estimate: Option<Estimate>,
}

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
    if let Some(file) = &shown.html {
        return page(context, &migrator, &migrations, to, file).await;
    }
    if shown.summary || shown.markdown {
        return summary(&migrator, &migrations, to, shown).await;
    }
    let Some(plan) = migrator.plan(command, &migrations, to).await? else { return nothing(shown) };
    let estimate = if command == Command::Start { migrator.estimate(&migrations, to).await? } else { None };
    if shown.json {
        let printed = serde_json::to_string_pretty(&Printed { plan: &plan, estimate });
        return out::say(printed.map_err(|error| Failure::new(error.to_string()))?);
    }
    out::print(render::plan(&plan, estimate.filter(|estimate| estimate.is_large())))
}

async fn summary(migrator: &Migrator, migrations: &[Migration], to: Option<&str>, shown: &Shown) -> Result<(), Failure> {
    let Some([start, complete, _]) = migrator.plans(migrations, to).await? else { return nothing(shown) };
    let estimate = migrator.estimate(migrations, to).await?;
    let summary = Summary::of(&start, &complete, estimate);
    if shown.json {
        return out::json(&summary);
    }
    let form = if shown.markdown { Form::Markdown } else { Form::Text };
    out::print(summary.told(&form))?;
    for plan in [&start, &complete].into_iter().filter(|_| shown.markdown) {
        out::print(folded(plan, &render::plan(plan, None)))?;
    }
    Ok(())
}

async fn page(
    context: &Context,
    migrator: &Migrator,
    migrations: &[Migration],
    to: Option<&str>,
    file: &Path,
) -> Result<(), Failure> {
    let (plans, chain) = (migrator.plans(migrations, to).await?, migrator.chain(migrations, to).await?);
    let (Some([start, complete, rollback]), Some(chain)) = (plans, chain) else { return out::say("nothing to do") };
    let summary = Summary::of(&start, &complete, migrator.estimate(migrations, to).await?);
    // as it is while two releases run
    let rollback = rollback.after(start.reached(|_| true));
    let plans = [start, complete, rollback];
    let lock_timeout = context.options().lock_timeout;
    let page = page::page(&Facts { summary: &summary, plans: &plans, chain: &chain, lock_timeout });
    folder::write(file, &page)?;
    out::say(format!("wrote {}", file.display()))
}

fn nothing(shown: &Shown) -> Result<(), Failure> {
    out::say(if shown.json { "null" } else { "nothing to do" })
}

//! `repair`: what a start has made, put back.

use diptych::{Damage, Outcome};

use crate::config::{Context, Failure};
use crate::events::Event;
use crate::{out, render};

pub(crate) async fn run(context: &Context, json: bool) -> Result<(), Failure> {
    let outcome = repair(context).await;
    match &outcome {
        Ok(Outcome::Done(objects)) if json => Event::Repaired { objects }.tell("repair")?,
        outcome if json => Event::of(outcome).tell("repair")?,
        Ok(Outcome::Done(objects)) => objects.iter().try_for_each(|what| out::say(format!("{what}: put back")))?,
        Ok(nothing) => out::say(render::outcome("put back", nothing))?,
        Err(_) => {}
    }
    if matches!(outcome?, Outcome::Done(_)) {
        out::tell(
            "warning: rows that one version wrote meanwhile may lack the other version's values\nhint: compare them, and write those that differ again; or run `rollback`, which keeps the older version's rows",
        );
    }
    Ok(())
}

async fn repair(context: &Context) -> Result<Outcome, Failure> {
    Ok(context.migrator().await?.repair().await?)
}

/// Shows what it would do; fails where it would.
pub(crate) async fn show(context: &Context, json: bool) -> Result<(), Failure> {
    let found = find(context).await;
    match &found {
        Err(failure) if json => Event::failed(failure).tell("repair")?,
        Ok(objects) if json => Event::Damage { objects }.tell("repair")?,
        Ok(objects) if objects.is_empty() => out::say("nothing to do: nothing of a started version was dropped or changed")?,
        Ok(objects) => objects.iter().try_for_each(|object| out::say(line(object)))?,
        Err(_) => {}
    }
    if found?.iter().any(|object| object.put_back.is_none()) {
        return Err(Failure::hinted(
            "`repair` cannot put back all of it, and nothing was changed",
            "run `rollback`, which keeps the older version's rows, and then `start`",
        ));
    }
    Ok(())
}

async fn find(context: &Context) -> Result<Vec<Damage>, Failure> {
    Ok(context.migrator().await?.damage().await?)
}

fn line(Damage { what, put_back, .. }: &Damage) -> String {
    match put_back {
        Some(sql) => format!("{what}: would be put back by\n  {}", sql.trim_end().replace('\n', "\n  ")),
        None => format!("{what}: cannot be put back"),
    }
}

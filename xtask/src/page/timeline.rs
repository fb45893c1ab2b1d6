//! When what happens: which release runs in each of the three stages, what a stage does, which locks it takes, and what rollback undoes.

use diptych_core::plan::{Phase, Plan};

use super::html::{Element, el, list, prose};
use super::{Facts, section, waits};
use crate::summary::Topic;

pub(super) fn draw(facts: &Facts<'_>) -> Element {
    let [start, _, rollback] = facts.plans;
    let budget = format!(
        "A statement of an application waits {} at most for one of these locks (`--lock-timeout`). A lock that is not had by then is given up, and asked for again later.",
        waits(facts.lock_timeout)
    );
    let made = section("timeline", "When what happens");
    let stages = match start.from {
        Some(_) => vec![starts(facts), both(facts, rollback), completes(facts)],
        None => vec![starts(facts), completes(facts)],
    };
    made.with(lanes(start)).with(el("p").all(prose(&budget))).with(el("ol").class("stages").all(stages))
}

/// Which release works on which version.
fn lanes(plan: &Plan) -> Element {
    let head = |text: &str| el("th").set("scope", "col").all(prose(text));
    let stages: &[&str] =
        if plan.from.is_some() { &["`start`", "two releases", "`complete`"] } else { &["`start`", "`complete`"] };
    let lane = |name: &str, class: &'static str, cells: &[(&'static str, &'static str)]| {
        let cell = |(text, class): &(&'static str, &'static str)| el("td").class(class).with(*text);
        el("tr").class(class).with(el("th").set("scope", "row").with(name)).all(cells.iter().map(cell))
    };
    let (runs, not) = ("runs", "rests");
    let older = plan.from.as_deref().map(|name| lane(name, "older", &[("runs", runs), ("runs", runs), ("has ended", not)]));
    let newer: &[_] = match older {
        Some(_) => &[("is made", not), ("runs", runs), ("runs", runs)],
        None => &[("is made", not), ("runs", runs)],
    };
    el("table")
        .class("lanes")
        .with(el("caption").with("Which release runs when"))
        .with(el("thead").with(el("tr").with(el("td")).all(stages.iter().map(|text| head(text)))))
        .with(el("tbody").all(older).with(lane(&plan.to, "newer", newer)))
}

fn stage(heading: &str) -> Element {
    el("li").with(el("h3").all(prose(heading)))
}

fn starts(facts: &Facts<'_>) -> Element {
    let (_, points) = facts.part(Topic::Start);
    let [plan, ..] = facts.plans;
    let told = format!(
        "{} Applications go on as before. If it is stopped, the same command goes on, or `rollback` undoes it.",
        phases(plan)
    );
    stage("`start` makes the newer version beside the older one").with(el("p").all(prose(&told))).with(list(&points))
}

/// The phases with the number of their steps, in order.
fn phases(plan: &Plan) -> String {
    let runs = plan.steps.chunk_by(|one, other| one.phase == other.phase);
    let told = |steps: &[diptych_core::plan::Step]| match steps[0].phase {
        Phase::Preflight => format!("{} checks that only read", steps.len()),
        phase => format!("{phase} ({})", steps.len()),
    };
    format!("{}.", runs.map(told).collect::<Vec<_>>().join(", then "))
}

fn both(facts: &Facts<'_>, rollback: &Plan) -> Element {
    let (heading, points) = facts.part(Topic::Older);
    let told = "You deploy the newer release. Each release reads what the other writes, for as long as you like.";
    let undone: Vec<String> = rollback.journalled().map(|step| step.title.clone()).collect();
    let summary = format!("`rollback` leads back until `complete`: what it undoes, in {} steps", undone.len());
    stage("Two releases run")
        .with(el("p").with(told))
        .with(el("h4").with(heading))
        .with(list(&points))
        .with(el("details").with(el("summary").all(prose(&summary))).with(list(&undone)))
}

fn completes(facts: &Facts<'_>) -> Element {
    let (_, points) = facts.part(Topic::Complete);
    let [_, plan, _] = facts.plans;
    let (_, back) = facts.part(Topic::Back);
    let heading =
        if plan.from.is_some() { "`complete` removes what only the older version needed" } else { "`complete` ends it" };
    let made = stage(heading).with(el("p").all(prose(&phases(plan))));
    let made = if points.is_empty() { made } else { made.with(list(&points)) };
    made.with(el("h4").with("The way back")).with(list(&back))
}

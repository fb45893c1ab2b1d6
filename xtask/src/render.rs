//! Plans, outcomes and status as text for people.

use diptych::internal::{PROCESSES, printable};
use diptych::migrator::VersionState;
use diptych::{Estimate, Listed, Outcome, PendingVersion, Problem, Status};
use diptych_core::plan::{Action, Command, Plan, Verdict};

use crate::table::{UNKNOWN, moment, table, took};

/// A plan: how each change is made and why, then every step with its phase, locks, hazards and SQL.
pub(crate) fn plan(plan: &Plan, estimate: Option<Estimate>) -> String {
    let from = plan.from.as_deref().map_or_else(String::new, |from| format!(" (from `{from}`)"));
    let mut text = format!("-- {} of `{}`{from}, schema `{}`: {} steps\n", plan.command, plan.to, plan.base, plan.steps.len());
    if let Some(estimate) = estimate {
        text.push_str(&format!("-- needs {estimate}\n"));
    }
    for note in &plan.notes {
        text.push_str(&format!("-- {note}\n"));
    }
    for step in &plan.steps {
        text.push_str(&format!("\n-- [{}] {}: {}\n", step.id, step.phase, step.title));
        if let Some(lock) = &step.lock {
            text.push_str(&format!("-- lock: {lock}\n"));
        }
        for hazard in &step.hazards {
            text.push_str(&format!("-- hazard: {hazard}\n"));
        }
        if let Some(manner) = manner(&step.action) {
            text.push_str(&format!("-- {manner}\n"));
        }
        for statement in step.action.statements() {
            text.push_str(statement.as_str());
            text.push_str(";\n");
        }
    }
    text
}

/// How the statements of a step are run, where there is something to say.
pub(crate) fn manner(action: &Action) -> Option<String> {
    Some(match action {
        Action::Check { refusal, verdict: Verdict::Refuse, .. } => format!("must give no rows, else: {refusal}"),
        Action::Check { refusal, verdict: Verdict::Warn, .. } => format!("warns about rows: {refusal}"),
        Action::Script(script) if script.has_two_ways() => "in one transaction, with its journal row: first over the version's views; if that does not do, it is undone and run again on the tables themselves (the statements after the checks)".to_owned(),
        Action::Transaction { .. } | Action::Script(_) => "in one transaction, with its journal row".to_owned(),
        Action::Backfill { .. } => "over ranges of the heap; then the scan that must find nothing".to_owned(),
        Action::Delete { .. } => "over ranges of the heap, until the scan finds nothing".to_owned(),
        _ => return None,
    })
}

/// What a command came to.
pub(crate) fn outcome(verb: &str, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(versions) => versions.iter().map(|version| format!("{verb} `{version}`")).collect::<Vec<_>>().join("\n"),
        Outcome::Nothing(reason) => format!("nothing to do: {reason}"),
    }
}

/// How a base schema stands.
pub(crate) fn status(status: &Status) -> String {
    let mut lines = Vec::new();
    if !status.migrations.is_empty() {
        lines.extend([migrations(status), String::new()]);
    }
    lines.push(format!("schema   {}", status.schema));
    lines.push(format!("live     {}", status.live.as_deref().unwrap_or("no version")));
    if let Some(pending) = &status.pending {
        lines
            .push(format!("pending  {} ({}, {} of {} steps)", pending.version, pending.state, pending.steps_done, pending.steps));
    }
    lines.extend(status.published.iter().map(|on| format!("path     {}: {}", on.version, on.search_path)));
    let step = status.pending.as_ref().and_then(step);
    if let Some(run) = &status.run {
        let waits = run.waits_for.as_ref().map_or_else(String::new, |waits| format!("; {waits}"));
        lines.push(format!("running  {run}: {}{waits}", step.as_deref().unwrap_or("preflight")));
    } else if let (Some(step), Some(pending)) = (step, &status.pending) {
        lines.push(format!("stopped  at {step}; no process is running it{}", way_on(pending)));
    }
    if let Some(pause) = status.pending.as_ref().and_then(|pending| pending.paused.as_ref()) {
        lines.push(format!("paused   {pause}; `resume` lets it go on"));
    }
    let waiting = if status.unstarted.is_empty() { "nothing".to_owned() } else { status.unstarted.join(", ") };
    lines.push(format!("waiting  {waiting}"));
    if !status.trimmed.is_empty() {
        lines.push(format!("retired  {} (no longer in the folder)", status.trimmed.join(", ")));
    }
    lines.extend(status.leases.iter().take(PROCESSES).map(|lease| format!("in use   {}: {lease}", lease.version)));
    if let Some(more) = status.leases.len().checked_sub(PROCESSES).filter(|more| *more > 0) {
        lines.push(format!("in use   and by {more} more (--json lists them all)"));
    }
    for object in &status.foreign {
        lines.push(format!("foreign  {object}: goes to schema `{}` with its version, if its name is free there", status.schema));
    }
    for there in &status.drift {
        lines.push(format!("drift    {}", there.told("the version", "the database")));
    }
    for item in &status.damage {
        lines.push(format!("damage   {item}"));
    }
    if !status.damage.is_empty() {
        lines.push(
            "         `repair` puts back triggers, functions and views; `rollback` keeps the older version's rows".to_owned(),
        );
    }
    for Problem { message, hint } in &status.problems {
        lines.push(format!("problem  {}", message.replace('\n', "\n         ")));
        if !hint.is_empty() {
            lines.push(format!("         hint: {hint}"));
        }
    }
    lines.join("\n")
}

/// Every migration, with how it stands.
fn migrations(status: &Status) -> String {
    let row = |of: &Listed| {
        let state = match of.state.as_str() {
            state @ ("starting" | "started" | "completing" | "rolling_back") => {
                format!("in transition ({})", state.replace('_', " "))
            }
            state => state.replace('_', " "),
        };
        // a version has its last migration's name
        let version = of.version.as_deref().filter(|version| *version != of.migration);
        let state = version.map_or(state.clone(), |version| format!("{state}, in {version}"));
        let by = match (&of.role, &of.host) {
            (Some(role), Some(host)) => format!("{role} on {host}"),
            _ => UNKNOWN.to_owned(),
        };
        let checksum = of.checksum.chars().take(8).collect();
        [of.migration.clone(), state, moment(of.began_at.as_deref()), by, took(of.milliseconds), checksum]
            .map(|cell| printable(&cell))
    };
    let rows: Vec<_> = status.migrations.iter().map(row).collect();
    table(["migration", "state", "started (UTC)", "by", "took", "checksum"], &rows)
}

/// The step that is being done or comes next, with how much of it is done.
fn step(pending: &PendingVersion) -> Option<String> {
    let step = pending.step.as_ref()?;
    let Some(percent) = pending.percent else { return Some(step.clone()) };
    let rows = pending.rows.map(|rows| format!("{rows} rows"));
    let speed = pending.rows_per_second.map(|rows| format!("{rows} rows/s"));
    let left = pending.seconds_left.map(|seconds| format!("{} left", span(seconds)));
    let more: Vec<String> = [rows, speed, left].into_iter().flatten().collect();
    let colon = if more.is_empty() { "" } else { ": " };
    Some(format!("{step} ({percent} %){colon}{}", more.join(", ")))
}

/// What to run; again, where that was stopped.
fn way_on(pending: &PendingVersion) -> String {
    let stopped = match pending.state {
        VersionState::Completing => Command::Complete,
        VersionState::RollingBack => Command::Rollback,
        _ => Command::Start,
    };
    let words = |command: &Command| if *command == stopped { format!("`{command}` again") } else { format!("`{command}`") };
    let ways: Vec<String> = pending.next.iter().map(words).collect();
    if ways.is_empty() { String::new() } else { format!(": run {}", ways.join(", or ")) }
}

/// Seconds for people: the two largest units at most.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} days {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_span_is_told_in_units_that_fit() {
        let told = [0, 119, 121, 7_199, 7_260, 180_000].map(span);
        assert_eq!(told, ["0 s", "119 s", "3 min", "120 min", "2 h 1 min", "2 days 2 h"]);
    }
}

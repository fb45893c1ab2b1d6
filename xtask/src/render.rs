//! Plans, outcomes and status as text for people.

use diptych::core::plan::{Action, Plan, Verdict};
use diptych::{Outcome, Status};

/// A plan: which way each change goes and why, then every step with its phase, locks, hazards and SQL.
pub(crate) fn plan(plan: &Plan) -> String {
    let from = plan.from.as_deref().map_or_else(String::new, |from| format!(" (from `{from}`)"));
    let mut text = format!("-- {} of `{}`{from}, schema `{}`: {} steps\n", plan.command, plan.to, plan.base, plan.steps.len());
    for way in &plan.ways {
        text.push_str(&format!("-- {way}\n"));
    }
    for step in &plan.steps {
        text.push_str(&format!("\n-- [{}] {}: {}\n", step.id, step.phase, step.title));
        if let Some(lock) = &step.lock {
            text.push_str(&format!("-- lock: {lock}\n"));
        }
        for hazard in &step.hazards {
            text.push_str(&format!("-- hazard: {hazard}\n"));
        }
        match &step.action {
            Action::Check { refusal, verdict: Verdict::Refuse, .. } => {
                text.push_str(&format!("-- must give no rows, else: {refusal}\n"));
            }
            Action::Check { refusal, verdict: Verdict::Warn, .. } => text.push_str(&format!("-- rows are told: {refusal}\n")),
            Action::Transaction { .. } => text.push_str("-- in one transaction, with its journal row\n"),
            Action::Script(script) if script.has_two_ways() => text.push_str(
                "-- in one transaction, with its journal row: first over views; where that does not do, undone and begun anew with the tables themselves set right for it (the statements behind the checks)\n",
            ),
            Action::Script(_) => text.push_str("-- in one transaction, with its journal row\n"),
            Action::Backfill { .. } => text.push_str("-- over ranges of the heap; then the scan that must find nothing\n"),
            _ => {}
        }
        for statement in step.action.statements() {
            text.push_str(statement.as_str());
            text.push_str(";\n");
        }
    }
    text
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
    let mut lines = vec![format!("schema   {}", status.schema)];
    lines.push(format!("live     {}", status.live.as_deref().unwrap_or("no version")));
    if let Some(pending) = &status.pending {
        lines
            .push(format!("pending  {} ({}, {} of {} steps)", pending.version, pending.state, pending.steps_done, pending.steps));
    }
    let waiting = if status.unstarted.is_empty() { "nothing".to_owned() } else { status.unstarted.join(", ") };
    lines.push(format!("waiting  {waiting}"));
    for lease in &status.leases {
        lines.push(format!("in use   {}: {lease}", lease.version));
    }
    for object in &status.foreign {
        lines.push(format!("foreign  {object}: goes to schema `{}` with its version, if its name is free there", status.schema));
    }
    lines.join("\n")
}

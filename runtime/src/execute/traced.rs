//! A command as `tracing` gets it, by its progress.

use std::fmt::{Debug, Display};
use std::time::Instant;

use diptych_core::plan::Step;
use tracing::{Span, debug, info, info_span, warn};

use crate::error::{Error, Result};
use crate::execute::estimate::Estimate;
use crate::execute::progress::{Filled, Moment, Progress, Wait};
use crate::lease::Lease;
use crate::session::observer::Blocker;

/// Progress that is told to `tracing` as well: a span of the command, and in it one of each step.
pub(crate) struct Traced<'a> {
    told: &'a mut dyn Progress,
    command: Span,
    step: Option<(Span, Instant)>,
}

pub(crate) fn command<'a>(command: &str, schema: &str, told: &'a mut dyn Progress) -> Traced<'a> {
    let command = info_span!(target: "diptych", "command", command, schema);
    Traced { told, command, step: None }
}

impl Traced<'_> {
    pub(crate) fn progress(&mut self) -> &mut dyn Progress {
        self
    }

    pub(crate) fn ended(&self, outcome: &Result<impl Debug>) {
        match outcome {
            Ok(outcome) => info!(target: "diptych", parent: &self.command, ?outcome, "done"),
            Err(error) => tracing::error!(target: "diptych", parent: self.span(), error = error.message(), "failed"),
        }
    }

    /// Of the step that is under way, or of the command.
    fn span(&self) -> &Span {
        self.step.as_ref().map_or(&self.command, |(span, _)| span)
    }
}

fn list(of: &[impl Display]) -> String {
    of.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Progress for Traced<'_> {
    fn step(&mut self, number: usize, of: usize, step: &Step) {
        let Step { id, title, .. } = step;
        let phase = step.phase.to_string();
        let span = info_span!(target: "diptych", parent: &self.command, "step", number, of, id, phase, title);
        self.step = Some((span, Instant::now()));
        self.told.step(number, of, step);
    }

    fn step_ended(&mut self, number: usize, of: usize, step: &Step) {
        if let Some((span, began)) = self.step.take() {
            let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            info!(target: "diptych", parent: &span, milliseconds, title = step.title, "step ended");
        }
        self.told.step_ended(number, of, step);
    }

    fn backfill(&mut self, table: &str, filled: &Filled) {
        let Filled { blocks, of, rows, rows_per_second, .. } = filled;
        debug!(target: "diptych", parent: self.span(), table, blocks, of, rows, rows_per_second, "batch");
        self.told.backfill(table, filled);
    }

    fn waiting(&mut self, blockers: &[Blocker]) {
        warn!(target: "diptych", parent: self.span(), blockers = list(blockers), "waiting for a lock");
        self.told.waiting(blockers);
    }

    fn estimate(&mut self, estimate: &Estimate) {
        info!(target: "diptych", parent: self.span(), needs = estimate.to_string(), "estimate");
        self.told.estimate(estimate);
    }

    fn held(&mut self, wait: &Wait) {
        debug!(target: "diptych", parent: self.span(), wait = wait.to_string(), "held");
        self.told.held(wait);
    }

    fn warning(&mut self, warning: &Error) {
        warn!(target: "diptych", parent: self.span(), hint = warning.hint_text(), "{}", warning.message());
        self.told.warning(warning);
    }

    fn in_use(&mut self, leases: &[Lease]) {
        info!(target: "diptych", parent: self.span(), leases = list(leases), "waiting for processes to leave");
        self.told.in_use(leases);
    }

    fn retry(&mut self, step: &Step, reason: &str) {
        warn!(target: "diptych", parent: self.span(), title = step.title, reason, "again");
        self.told.retry(step, reason);
    }

    fn statement(&mut self, sql: &str) {
        tracing::trace!(target: "diptych", parent: self.span(), sql, "statement");
        self.told.statement(sql);
    }

    fn before(&mut self, moment: Moment, version: &str, from: Option<&str>) -> Result<(), String> {
        self.told.before(moment, version, from)
    }

    fn after(&mut self, moment: Moment, version: &str, from: Option<&str>) {
        self.told.after(moment, version, from);
    }

    fn ends(&mut self) -> bool {
        self.told.ends()
    }
}

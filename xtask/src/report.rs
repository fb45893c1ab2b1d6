//! What a command that changes a database tells, to whom, and how signals end it.

use clap::Args;
use diptych::{Blocker, Error, Estimate, Filled, Lease, Outcome, Progress, Quiet, Wait};
use diptych_core::plan::Step;

use crate::config::Failure;
use crate::ending::Ending;
use crate::events::{Event, Events};
use crate::progress::Teller;
use crate::{out, render};

/// How much is told, and in which form.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Telling {
    /// Print what goes on as JSON, an event on each line (docs/output.schema.json)
    #[arg(long)]
    pub(crate) json: bool,
    /// Tell nothing but errors
    #[arg(short, long, conflicts_with_all = ["json", "verbose"])]
    quiet: bool,
    /// Tell each statement as well
    #[arg(short, long)]
    verbose: bool,
}

/// A command on its way.
pub(crate) struct Report {
    command: &'static str,
    telling: Telling,
    shown: Box<dyn Progress>,
    ending: Ending,
}

impl Report {
    pub(crate) fn new(command: &'static str, telling: Telling) -> Self {
        let shown: Box<dyn Progress> = match telling {
            Telling { json: true, .. } => Box::new(Events::new(command)),
            Telling { quiet: true, .. } => Box::new(Quiet),
            _ => Box::new(Teller::new()),
        };
        Report { command, telling, shown, ending: Ending::default() }
    }

    /// Signals end it from here on: what comes before changes nothing.
    pub(crate) fn listen(&mut self) -> Result<(), Failure> {
        self.ending = Ending::listen(self.command, self.telling.json)?;
        Ok(())
    }

    /// What the engine's word for its end is here.
    pub(crate) fn came_to(&self, outcome: diptych::Result<Outcome>) -> Result<Outcome, Failure> {
        outcome.map_err(|error| {
            let code = self.ending.code().filter(|_| error.is_interrupted());
            Failure { code: code.unwrap_or(1), ..Failure::from(error) }
        })
    }

    /// Tells what it came to, in the words of its past tense.
    pub(crate) fn end(self, verb: &str, outcome: Result<Outcome, Failure>) -> Result<(), Failure> {
        let Report { command, telling, shown, .. } = self;
        // a bar on the terminal goes first
        drop(shown);
        match &outcome {
            outcome if telling.json => Event::of(outcome).tell(command)?,
            Ok(outcome) if !telling.quiet => out::say(render::outcome(verb, outcome))?,
            _ => {}
        }
        outcome.map(drop)
    }
}

impl Progress for Report {
    fn step(&mut self, number: usize, total: usize, step: &Step) {
        self.shown.step(number, total, step);
    }

    fn step_ended(&mut self, number: usize, total: usize, step: &Step) {
        self.shown.step_ended(number, total, step);
    }

    fn backfill(&mut self, table: &str, filled: &Filled) {
        self.shown.backfill(table, filled);
    }

    fn waiting(&mut self, blockers: &[Blocker]) {
        self.shown.waiting(blockers);
    }

    fn estimate(&mut self, estimate: &Estimate) {
        self.shown.estimate(estimate);
    }

    fn held(&mut self, wait: &Wait) {
        self.shown.held(wait);
    }

    fn warning(&mut self, warning: &Error) {
        self.shown.warning(warning);
    }

    fn in_use(&mut self, leases: &[Lease]) {
        self.shown.in_use(leases);
    }

    fn retry(&mut self, step: &Step, reason: &str) {
        self.shown.retry(step, reason);
    }

    fn statement(&mut self, sql: &str) {
        if self.telling.verbose {
            self.shown.statement(sql);
        }
    }

    fn ends(&mut self) -> bool {
        self.ending.code().is_some()
    }
}

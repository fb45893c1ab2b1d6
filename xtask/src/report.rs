//! What a command that changes a database tells, to whom, and how signals end it.

use std::collections::BTreeSet;

use clap::Args;
use diptych::internal;
use diptych::{Blocker, Error, Estimate, Filled, Lease, Moment, Outcome, Progress, Quiet, Wait, connect};
use diptych_core::plan::Step;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, block_in_place};

use crate::config::{Context, Failure};
use crate::ending::Ending;
use crate::events::{Event, Events, kind, told};
use crate::hooks::{self, Facts, Hooks, Trouble};
use crate::progress::Teller;
use crate::{out, render};

/// After the failure of a hook that comes too late to stop anything.
const NOT_STOPPED: &str = "the command does not hang on it: run the hook by hand where it is needed";

/// What a command ends with whose sign cannot be asked for.
pub(crate) const NO_SIGN: u8 = 4;

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
    hooks: Hooks,
    facts: Facts,
    /// The hooks that have run, each for what: a command may come to the same twice.
    ran: BTreeSet<(&'static str, String)>,
    /// Those that nobody waits for.
    beside: Vec<JoinHandle<Option<String>>>,
}

impl Report {
    pub(crate) fn new(command: &'static str, telling: Telling) -> Self {
        let shown: Box<dyn Progress> = match telling {
            Telling { json: true, .. } => Box::new(Events::new(command)),
            Telling { quiet: true, .. } => Box::new(Quiet),
            _ => Box::new(Teller::new().with_statements(telling.verbose)),
        };
        let facts = Facts {
            hook: "",
            command,
            schema: String::new(),
            version: None,
            from: None,
            url: None,
            step: None,
            waiting_for: None,
            error: None,
        };
        let (hooks, ran) = (Hooks::default(), BTreeSet::new());
        Report { command, telling, shown, ending: Ending::default(), hooks, facts, ran, beside: Vec::new() }
    }

    /// Looks for the hooks, before anything else can fail.
    pub(crate) fn prepare(&mut self, context: &Context) -> Result<(), Failure> {
        self.hooks = Hooks::of(context)?;
        self.facts.schema.clone_from(&context.base);
        self.facts.url = context.url().ok().and_then(|url| connect::without_password(url).ok());
        Ok(())
    }

    /// Signals end it from here on: what comes before changes nothing.
    pub(crate) fn listen(&mut self) -> Result<(), Failure> {
        self.ending = Ending::listen(self.command, self.telling.json)?;
        Ok(())
    }

    /// What the engine's word for its end is here.
    pub(crate) fn came_to<T>(&self, outcome: diptych::Result<T>) -> Result<T, Failure> {
        outcome.map_err(|error| {
            let code = match self.ending.code() {
                Some(code) if error.is_interrupted() => code,
                _ if error.is_sign() => NO_SIGN,
                _ => 1,
            };
            Failure { code, ..Failure::from(error) }
        })
    }

    /// Runs a hook, and waits for it: whoever carries out the command stands still meanwhile.
    fn hook(&mut self, hook: &'static str) -> Result<(), String> {
        if !self.hooks.has(hook) {
            return Ok(());
        }
        let facts = Facts { hook, ..self.facts.clone() };
        block_in_place(|| Handle::current().block_on(self.hooks.run(&facts, &self.ending)))
    }

    /// A hook whose failure is no more than a warning.
    fn hook_or_warn(&mut self, hook: &'static str) {
        if let Err(message) = self.hook(hook) {
            self.warn(message);
        }
    }

    fn warn(&mut self, message: String) {
        self.shown.warning(&internal::warning(message, NOT_STOPPED));
    }

    /// Runs `on-waiting` beside the command, once for each step and each kind of wait.
    fn wait(&mut self, kind: &str, message: String) {
        let of = format!("{kind} {}", self.facts.step.as_deref().unwrap_or_default());
        if !self.hooks.has("on-waiting") || !self.ran.insert(("on-waiting", of)) {
            return;
        }
        let facts = Facts { hook: "on-waiting", waiting_for: Some(message), ..self.facts.clone() };
        let (hooks, ending) = (self.hooks.clone(), self.ending.clone());
        self.beside.push(tokio::spawn(async move { hooks.run(&facts, &ending).await.err() }));
    }

    /// Waits for the hooks beside the command, and runs `on-failure` where it has failed.
    async fn rest(&mut self, outcome: &Result<Outcome, Failure>) {
        for beside in std::mem::take(&mut self.beside) {
            let ended = tokio::time::timeout(hooks::REST, beside).await;
            let failed = ended.map_or(Some("the hook on-waiting outlasts the command".to_owned()), |ended| ended.ok().flatten());
            failed.into_iter().for_each(|message| self.warn(message));
        }
        if let Err(Failure { message, hint, code, .. }) = outcome {
            self.facts.error = Some(Trouble { message: message.clone(), hint: hint.clone(), code: *code });
            let facts = Facts { hook: "on-failure", ..self.facts.clone() };
            // what has ended the command does not end this as well
            if let Err(message) = self.hooks.run(&facts, &Ending::default()).await {
                self.warn(message);
            }
        }
    }

    /// Tells what it came to, in the words of its past tense.
    pub(crate) async fn end(mut self, verb: &str, outcome: Result<Outcome, Failure>) -> Result<(), Failure> {
        self.rest(&outcome).await;
        let Report { command, telling, shown, .. } = self;
        // a bar on the terminal goes first
        drop(shown);
        if telling.quiet { outcome.map(drop) } else { end(command, telling.json, verb, outcome) }
    }
}

/// Tells what a command came to: its last event, or its only one.
pub(crate) fn end(command: &str, json: bool, verb: &str, outcome: Result<Outcome, Failure>) -> Result<(), Failure> {
    match &outcome {
        outcome if json => Event::of(outcome).tell(command)?,
        Ok(outcome) => out::say(render::outcome(verb, outcome))?,
        Err(_) => {}
    }
    outcome.map(drop)
}

impl Progress for Report {
    fn step(&mut self, number: usize, total: usize, step: &Step) {
        self.facts.step = Some(step.title.clone());
        self.shown.step(number, total, step);
    }

    fn step_ended(&mut self, number: usize, total: usize, step: &Step) {
        self.shown.step_ended(number, total, step);
        self.facts.step = None;
    }

    fn backfill(&mut self, table: &str, filled: &Filled) {
        self.shown.backfill(table, filled);
    }

    fn waiting(&mut self, blockers: &[Blocker]) {
        self.shown.waiting(blockers);
        self.wait("lock", told("a lock held by", blockers));
    }

    fn estimate(&mut self, estimate: &Estimate) {
        self.shown.estimate(estimate);
    }

    fn held(&mut self, wait: &Wait) {
        self.shown.held(wait);
        self.wait(kind(wait), wait.to_string());
    }

    fn warning(&mut self, warning: &Error) {
        self.shown.warning(warning);
    }

    fn in_use(&mut self, leases: &[Lease]) {
        self.shown.in_use(leases);
        self.wait("leases", told("processes to leave:", leases));
    }

    fn retry(&mut self, step: &Step, reason: &str) {
        self.shown.retry(step, reason);
    }

    fn statement(&mut self, sql: &str) {
        if self.telling.verbose {
            self.shown.statement(sql);
        }
    }

    fn before(&mut self, moment: Moment, version: &str, from: Option<&str>) -> Result<(), String> {
        (self.facts.version, self.facts.from) = (Some(version.to_owned()), from.map(str::to_owned));
        let hook = match moment {
            Moment::Start => "before-start",
            Moment::Backfill => "before-backfill",
            Moment::Publish => "before-publish",
            Moment::Complete => "before-complete",
            Moment::Rollback => "before-rollback",
            _ => return Ok(()),
        };
        if self.ran.insert((hook, version.to_owned())) { self.hook(hook) } else { Ok(()) }
    }

    fn after(&mut self, moment: Moment, version: &str, from: Option<&str>) {
        (self.facts.version, self.facts.from) = (Some(version.to_owned()), from.map(str::to_owned));
        match moment {
            Moment::Start => self.hook_or_warn("after-start"),
            Moment::Complete => self.hook_or_warn("after-complete"),
            Moment::Rollback => self.hook_or_warn("after-rollback"),
            _ => {}
        }
    }

    fn ends(&mut self) -> bool {
        self.ending.code().is_some()
    }
}

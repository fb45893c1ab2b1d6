//! The steps of a plan, one after another: journalled, retried, with the way on where one fails.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::SqlState;

use crate::error::{Error, Kind, Result};
use crate::execute::executor::{
    Executor, ask, go_on, is_of_end, is_passing, jittered, locks_within, rest, timeouts, work_within,
};
use crate::execute::index::Build;
use crate::execute::progress::{Moment, Progress};
use crate::execute::throttle::Throttle;
use crate::execute::walk::{Job, Work};
use crate::execute::{backfill, partitions};
use crate::text::{few, printable};
use diptych_core::Sql;
use diptych_core::plan::{Action, Command, Felt, Lock, Phase, Plan, Step, Verdict};

/// How much of what a check has found is told.
const FOUND: usize = 20;
/// Between short steps, a start looks for its pause no more often.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Executor<'_> {
    /// Runs every step that the journal does not have.
    pub(crate) async fn run(&self, plan: &Plan, progress: &mut dyn Progress) -> Result<()> {
        let mut done = self.done(plan).await?;
        let (total, mut phase, mut looked) = (plan.journalled().count(), None, None::<Instant>);
        for (at, step) in plan.journalled().enumerate() {
            if done.contains(&step.id) {
                continue;
            }
            let begins = if phase.replace(step.phase) == Some(step.phase) { None } else { moment(plan, step) };
            let ran = match begins.map_or(Ok(()), |moment| self.ask(plan, moment, &way_on(plan, &done), progress)) {
                Ok(()) => {
                    looked = looked.filter(|looked| begins.is_none() && looked.elapsed() < LOOK_EVERY);
                    self.turn(plan, step, (at + 1, total), &mut looked, progress).await
                }
                Err(error) => Err(error),
            };
            ran.map_err(|error| match is_of_end(&error, progress) {
                true => interrupted(plan, step, &done),
                false => error.with_way_on(&way_on(plan, &done)),
            })?;
            done.insert(step.id.clone());
        }
        Ok(())
    }

    fn ask(&self, plan: &Plan, moment: Moment, way_on: &str, progress: &mut dyn Progress) -> Result<()> {
        ask(moment, &plan.to, plan.from.as_deref(), way_on, progress)
    }

    /// Runs a step when its turn has come; looks for a pause, unless it was looked for a moment ago.
    async fn turn(
        &self,
        plan: &Plan,
        step: &Step,
        (number, total): (usize, usize),
        looked: &mut Option<Instant>,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        go_on(progress)?;
        if plan.command == Command::Start && step.phase > Phase::Expand && looked.is_none() {
            Throttle::default().wait(self, progress).await?;
            *looked = Some(Instant::now());
        }
        progress.step(number, total, step);
        self.run_step(plan, step, progress).await?;
        progress.step_ended(number, total, step);
        Ok(())
    }

    /// Runs the plan's checks alone: they change nothing and are not journalled.
    pub(crate) async fn preflight(&self, plan: &Plan, progress: &mut dyn Progress) -> Result<()> {
        for step in plan.steps.iter().filter(|step| step.phase == Phase::Preflight) {
            self.check(step, progress).await?;
        }
        Ok(())
    }

    async fn done(&self, plan: &Plan) -> Result<BTreeSet<String>> {
        let rows = self
            .client
            .query(
                "SELECT step FROM diptych.journal WHERE base = $1 AND version = $2 AND command = $3",
                &[&plan.base, &plan.to, &plan.command.to_string()],
            )
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn run_step(&self, plan: &Plan, step: &Step, progress: &mut dyn Progress) -> Result<()> {
        let since = Instant::now();
        let mut pause = Duration::from_millis(50);
        let mut attempts = 0;
        self.observer.seen().clear();
        loop {
            let error = match self.attempt(attempts, plan, step, progress).await {
                Ok(()) => return Ok(()),
                Err(error) if is_passing(&error) && !progress.ends() => error,
                Err(error) => return Err(error),
            };
            if since.elapsed() >= self.limits.timeout {
                return Err(self.gave_up(&step.title).await);
            }
            progress.retry(step, error.message());
            // growing, jittered pauses, so that the application gets its turn
            rest(jittered(pause), progress).await;
            go_on(progress)?;
            pause = (pause * 2).min(Duration::from_secs(2));
            attempts += 1;
        }
    }

    /// Runs a step once, with its journal row.
    async fn attempt(&self, attempt: usize, plan: &Plan, step: &Step, progress: &mut dyn Progress) -> Result<()> {
        match &step.action {
            Action::Check { .. } => {
                let found = self.check(step, progress).await;
                let undo =
                    |error: Error| if error.is_refused() { error.hint_first("`rollback` what has run so far") } else { error };
                found.map_err(undo)?;
            }
            Action::Transaction { locks, statements } => {
                let locks = Locks::of(locks, attempt);
                return self.transaction(plan, step, &locks, statements, progress).await;
            }
            Action::Script(script) => return self.script(attempt, plan, step, script, progress).await,
            Action::Statement { sql } => self.statement(step, sql, self.gentle(), progress).await?,
            Action::CreateIndex { schema, name, sql, drop, bind, shape } => {
                let build = Build { schema, name, sql, drop, bind, shape: shape.as_ref() };
                self.create_index(step, &build, progress).await?;
            }
            Action::CreatePartitionedIndex { schema, table, name, stem, sql, bind } => {
                let bound = if bind.is_empty() { sql.clone() } else { self.bind(step, bind, progress).await? };
                let index = partitions::Index { schema, table, name: name.as_deref(), stem, sql: &bound };
                partitions::create_index(self, step, &index, progress).await?;
            }
            Action::Backfill { schema, table, partitioned, update, verify, vacuum } => {
                let (work, partitioned) = (Work::Fill, *partitioned);
                let job = Job { work, plan, step, schema, table, partitioned, update, verify, vacuum };
                backfill::run(self, &job, progress).await?;
            }
            Action::Delete { schema, table, partitioned, delete: update, verify, vacuum } => {
                let (work, partitioned) = (Work::Delete, *partitioned);
                let job = Job { work, plan, step, schema, table, partitioned, update, verify, vacuum };
                backfill::run(self, &job, progress).await?;
            }
        }
        self.journal(plan, step).await
    }

    async fn check(&self, step: &Step, progress: &mut dyn Progress) -> Result<()> {
        let Action::Check { before, sql, refusal, hint, verdict } = &step.action else { return Ok(()) };
        progress.statement(sql.as_str());
        let text = step.look().unwrap_or_default();
        let asked = self.watched(self.client.simple_query(text.as_str()), progress).await;
        if asked.is_err() && !before.is_empty() {
            self.client.batch_execute("ROLLBACK").await?;
        }
        let rows = match asked {
            Err(error)
                if [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE].iter().any(|code| error.code() == Some(code)) =>
            {
                return Err(self.gave_up("preflight").await);
            }
            // the check could not be made, so that what it would refuse is not said
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                let hint = "grant it, or connect as a role that has it, and run the command again";
                let doing = format!("the role lacks a right, without which it cannot be told whether {}", step.title);
                return Err(Error::during(doing, error).or_hint(hint).of_check());
            }
            asked => asked.map_err(|error| Error::during(refusal, error).hint_first(hint).of_check())?,
        };
        let (mut samples, mut mends) = (Vec::new(), Vec::new());
        for message in &rows {
            if let SimpleQueryMessage::Row(row) = message {
                samples.push(printable(row.get(0).unwrap_or("NULL")));
                mends.extend((row.len() > 1).then(|| row.get(1)).flatten().map(str::to_owned));
            }
        }
        if samples.is_empty() {
            return Ok(());
        }
        let hint = if mends.is_empty() { hint.clone() } else { format!("{hint}: {}", few(&mends, FOUND, "; ")) };
        let found = Error::refused(format!("{refusal}: {}", few(&samples, FOUND, "; "))).hint(hint);
        if *verdict == Verdict::Warn {
            progress.warning(&found);
            return Ok(());
        }
        Err(found)
    }

    /// The step's statements and its journal row, in one transaction under one budget (docs/traps.md F5).
    ///
    /// Everything behind the first lock that applications feel, COMMIT included, is one request: how long they wait does not hang on
    /// the network.
    async fn transaction(
        &self,
        plan: &Plan,
        step: &Step,
        locks: &Locks,
        statements: &[Sql],
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let mut request = self.begin();
        if !locks.gentle.is_empty() {
            request.push(timeouts(self.gentle(), Duration::ZERO));
            request.extend(locks.gentle.iter().cloned());
            self.in_transaction(step, &request, progress).await?;
            request.clear();
        }
        let budget = self.budget();
        request.extend(locks_within(budget, locks.strong.iter().cloned()));
        request.extend(work_within(budget, statements.iter().cloned()));
        request.extend([self.journal_row(plan, step), Sql::trusted("COMMIT")]);
        self.in_transaction(step, &request, progress).await
    }
}

/// The locks at the head of a transaction: those that only maintenance feels, then the others.
pub(crate) struct Locks {
    pub gentle: Vec<Sql>,
    pub strong: Vec<Sql>,
}

impl Locks {
    pub(crate) fn of(locks: &[Lock], attempt: usize) -> Self {
        let of = |felt| locks.iter().filter(|lock| lock.felt == felt).map(|lock| lock.at_attempt(attempt).clone()).collect();
        Locks { gentle: of(Felt::ByMaintenance), strong: of(Felt::ByApplications) }
    }
}

/// What begins with the first step of a phase, where somebody may want to know of it.
fn moment(plan: &Plan, step: &Step) -> Option<Moment> {
    match step.phase {
        Phase::Backfill if plan.command == Command::Start => Some(Moment::Backfill),
        Phase::Publish if plan.command == Command::Start => Some(Moment::Publish),
        _ => None,
    }
}

/// The end of a command that somebody has interrupted at a step.
fn interrupted(plan: &Plan, step: &Step, done: &BTreeSet<String>) -> Error {
    let Plan { command, to, .. } = plan;
    Error::new(
        Kind::Interrupted,
        format!("`{command}` of version `{to}` was interrupted before the end of this step: {}", step.title),
    )
    .hint(format!("{}; nothing is half done, and `{command}` goes on where it stopped", way_on(plan, done)))
}

/// What there is to do when a step has failed: the command goes on where it stopped, and what has not begun to contract can be undone.
fn way_on(plan: &Plan, done: &BTreeSet<String>) -> String {
    let again = format!("run `{}` again", plan.command);
    match plan.command {
        Command::Start => format!("{again}, or run `rollback`"),
        Command::Complete if plan.is_untouched(|id| done.contains(id)) => format!("{again}, or run `rollback`"),
        _ => again,
    }
}

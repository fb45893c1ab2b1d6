//! Runs the steps of a plan: journalled, under the lock budget, retried, with blockers told.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::error::{Error, Kind, Result};
use crate::lease::Lease;
use crate::observer::{self, Blocker, Observer};
use crate::session::Server;
use crate::text::{few, printable};
use crate::{backfill, partitions};
use diptych_core::names;
use diptych_core::plan::{Action, Command, Felt, Lock, Phase, Plan, Script, Shape, Step, Verdict};
use diptych_core::sql::{ident, join, literal, qualified};
use diptych_core::statements::path::Path;
use diptych_core::{Sql, sql};

/// Told what goes on; every method may be left as it is.
pub trait Progress: Send {
    /// A step begins: its number from 1, of how many.
    fn step(&mut self, _number: usize, _total: usize, _step: &Step) {}
    /// A backfill moved on: blocks done, of how many, rows so far.
    fn backfill(&mut self, _table: &str, _done: u64, _total: u64, _rows: u64) {}
    /// A lock has to be waited for, because of these sessions.
    fn waiting(&mut self, _blockers: &[Blocker]) {}
    /// Something that is no reason to refuse, but that somebody should know before it happens.
    fn warning(&mut self, _warning: &Error) {}
    /// `complete` or `rollback` waits for these processes to leave the version that goes.
    fn in_use(&mut self, _leases: &[Lease]) {}
    /// A step is tried again: why.
    fn retry(&mut self, _step: &Step, _reason: &str) {}
    /// A statement of a step is about to be sent.
    fn statement(&mut self, _sql: &str) {}
}

/// Progress that nobody wants to hear of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {}

/// How patient a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long applications may wait behind one transaction of the tool.
    pub lock_timeout: Duration,
    /// How long a step may be retried.
    pub timeout: Duration,
    /// How long one transaction of a backfill should hold its rows.
    pub batch: Duration,
}

/// A run under way: its session, its token, its limits.
pub(crate) struct Executor<'a> {
    pub client: &'a Client,
    pub observer: &'a Observer,
    pub base: &'a str,
    pub server: Server,
    pub limits: Limits,
    pub token: i64,
}

/// How long the leftover of an index build may hold up its end.
const LEFTOVER_WITHIN: Duration = Duration::from_secs(5);

/// How much of what a check has found is told.
const FOUND: usize = 20;

/// An index to be built.
struct Build<'a> {
    schema: &'a str,
    name: &'a str,
    sql: &'a Sql,
    drop: &'a Sql,
    bind: &'a [Sql],
    shape: Option<&'a Shape>,
}

impl Executor<'_> {
    /// Runs every step that the journal does not have.
    pub(crate) async fn run(&self, plan: &Plan, progress: &mut dyn Progress) -> Result<()> {
        let mut done = self.done(plan).await?;
        let total = plan.journalled().count();
        for (at, step) in plan.journalled().enumerate() {
            if done.contains(&step.id) {
                continue;
            }
            progress.step(at + 1, total, step);
            let ran = self.run_step(plan, step, progress).await;
            ran.map_err(|error| error.with_way_on(&way_on(plan, &done)))?;
            done.insert(step.id.clone());
        }
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
        loop {
            let error = match self.attempt(plan, step, progress).await {
                Ok(()) => return Ok(()),
                Err(error) if is_passing(&error) => error,
                Err(error) => return Err(error),
            };
            if since.elapsed() >= self.limits.timeout {
                return Err(self.gave_up(&step.title).await);
            }
            progress.retry(step, error.message());
            // growing, jittered pauses, so that the application gets its turn
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    pub(crate) async fn gave_up(&self, doing: &str) -> Error {
        let (seconds, blockers) = (self.limits.timeout.as_secs(), self.last_blockers().await);
        Error::new(Kind::Timeout, format!("{doing}: no lock within {seconds} s{blockers}"))
            .hint("end what holds it up and run the same command again; it goes on where it stopped")
    }

    /// Runs a step once, with its journal row.
    async fn attempt(&self, plan: &Plan, step: &Step, progress: &mut dyn Progress) -> Result<()> {
        match &step.action {
            Action::Check { .. } => {
                let found = self.check(step, progress).await;
                let undo =
                    |error: Error| if error.is_refused() { error.hint_first("`rollback` what has run so far") } else { error };
                found.map_err(undo)?;
            }
            Action::Transaction { locks, statements } => return self.transaction(plan, step, locks, statements, progress).await,
            Action::Script(script) => return self.script(plan, step, script, progress).await,
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
                let job = backfill::Job { plan, step, schema, table, partitioned: *partitioned, update, verify, vacuum };
                backfill::run(self, &job, progress).await?;
            }
        }
        self.journal(plan, step).await
    }

    async fn check(&self, step: &Step, progress: &mut dyn Progress) -> Result<()> {
        let Action::Check { sql, refusal, hint, verdict } = &step.action else { return Ok(()) };
        progress.statement(sql.as_str());
        // two statements in one request are one transaction
        let text = if step.path.is_own() { sql.clone() } else { sql!("{}; {}", step.path.set_local(), sql) };
        let asked = self.watched(self.client.simple_query(text.as_str()), progress).await;
        let rows = match asked {
            Err(error)
                if [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE].iter().any(|code| error.code() == Some(code)) =>
            {
                return Err(self.gave_up("preflight").await);
            }
            asked => asked.map_err(|error| Error::during(refusal, error).or_hint(hint).of_check())?,
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

    /// How long a session of the run waits for a lock where nothing else is said: the clock runs whoever holds it, and without a second
    /// session too.
    pub(crate) fn patience(&self) -> String {
        patience(self.limits.timeout)
    }

    /// Waits that nobody feels: above `deadlock_timeout`, so that an autovacuum yields (docs/traps.md F7).
    fn gentle(&self) -> Duration {
        Duration::from_millis(self.server.deadlock_timeout + 1_000)
    }

    /// What a transaction may make applications wait: below half of `deadlock_timeout`, so that in a deadlock the tool is the
    /// one that gives up (docs/traps.md F6).
    fn budget(&self) -> Duration {
        self.limits.lock_timeout.min(Duration::from_millis(self.server.deadlock_timeout / 2))
    }

    /// The step's statements and its journal row, in one transaction under one budget (docs/traps.md F5).
    ///
    /// Everything behind the first lock that applications feel, COMMIT included, is one request: how long they wait does not hang on
    /// the network.
    async fn transaction(
        &self,
        plan: &Plan,
        step: &Step,
        locks: &[Lock],
        statements: &[Sql],
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let (gentle, strong): (Vec<&Lock>, Vec<&Lock>) = locks.iter().partition(|lock| lock.felt == Felt::ByMaintenance);
        let mut request = self.begin();
        if !gentle.is_empty() {
            request.push(timeouts(self.gentle(), Duration::ZERO));
            request.extend(gentle.into_iter().map(|lock| lock.sql.clone()));
            self.in_transaction(step, &request, progress).await?;
            request.clear();
        }
        let budget = self.budget();
        if !strong.is_empty() {
            request.push(timeouts(budget, budget));
            request.extend(strong.into_iter().map(|lock| lock.sql.clone()));
        }
        // the locks that the statements take on their own count as well, until the budget is used up
        request.push(sql!("SET LOCAL statement_timeout = 0; {}", rest_of(budget)));
        request.extend(statements.iter().cloned());
        request.extend([self.journal_row(plan, step), Sql::trusted("COMMIT")]);
        self.in_transaction(step, &request, progress).await
    }

    /// Statements of the user's own: the first way, and where that does not do the second, from the beginning.
    async fn script(&self, plan: &Plan, step: &Step, script: &Script, progress: &mut dyn Progress) -> Result<()> {
        let first = match self.script_in_scope(plan, step, script, progress).await {
            Ok(true) => return Ok(()),
            Ok(false) => None,
            Err(error) if script.has_two_ways() && may_be_the_scope(&error) => Some(error),
            Err(error) => return Err(error),
        };
        let mut request = self.begin();
        let budget = self.budget();
        let (gentle, strong): (Vec<&Lock>, Vec<&Lock>) = script.locks.iter().partition(|lock| lock.felt == Felt::ByMaintenance);
        request.push(timeouts(self.gentle(), Duration::ZERO));
        request.extend(gentle.into_iter().map(|lock| lock.sql.clone()));
        request.push(timeouts(budget, budget));
        request.extend(strong.into_iter().map(|lock| lock.sql.clone()));
        request.push(sql!("SET LOCAL statement_timeout = 0; {}", rest_of(budget)));
        request.extend(script.aside.iter().cloned());
        request.extend([script.path.clone(), script.text.clone(), Path::own().set_local()]);
        request.extend(script.back.iter().chain(&script.after).cloned());
        request.extend([self.journal_row(plan, step), Sql::trusted("COMMIT")]);
        self.in_transaction(step, &request, progress).await.map_err(|second| match first {
            // what is wrong has nothing to do with the way
            Some(first) if first.code() == second.code() => first,
            _ if second.code() != Some(&SqlState::UNDEFINED_COLUMN) || script.locks.is_empty() => second,
            _ => second.hint_first(
                "make two `sql` operations of it: one with the statements that read and write rows, one with those that change what tables are, in which tables that operations above have changed are not written",
            ),
        })
    }

    /// The first way; false where the statements did more to the views in it than they can carry, and nothing is done.
    async fn script_in_scope(&self, plan: &Plan, step: &Step, script: &Script, progress: &mut dyn Progress) -> Result<bool> {
        let mut request = self.begin();
        request.push(sql!("SET LOCAL statement_timeout = 0; {}", rest_of(self.budget())));
        request.extend(script.scope.iter().cloned());
        self.in_transaction(step, &request, progress).await?;
        let before = self.watch(script, progress).await?;
        let text = [script.path.clone(), script.text.clone(), Path::own().set_local()];
        self.in_transaction(step, &text, progress).await?;
        if self.watch(script, progress).await? != before {
            self.client.batch_execute("ROLLBACK").await?;
            return Ok(false);
        }
        let mut request: Vec<Sql> = script.leave.iter().chain(&script.after).cloned().collect();
        request.extend([self.journal_row(plan, step), Sql::trusted("COMMIT")]);
        self.in_transaction(step, &request, progress).await?;
        Ok(true)
    }

    async fn watch(&self, script: &Script, progress: &mut dyn Progress) -> Result<Option<String>> {
        let Some(sql) = &script.watch else { return Ok(None) };
        progress.statement(sql.as_str());
        match self.client.query_one(sql.as_str(), &[]).await {
            Ok(row) => Ok(Some(row.get(0))),
            Err(error) => {
                self.client.batch_execute("ROLLBACK").await?;
                Err(Error::during("cannot watch what a script does", error))
            }
        }
    }

    /// The beginning of every transaction that changes something: not once another run has taken over (docs/traps.md H3).
    pub(crate) fn begin(&self) -> Vec<Sql> {
        vec![Sql::trusted("BEGIN"), sql!("SELECT diptych.fence({}, {})", literal(self.base), self.token)]
    }

    /// Statements of a transaction, which is undone where one of them fails.
    async fn in_transaction(&self, step: &Step, statements: &[Sql], progress: &mut dyn Progress) -> Result<()> {
        let sent = self.send_all(step, statements, progress).await;
        if sent.is_err() {
            self.client.batch_execute("ROLLBACK").await?;
        }
        sent
    }

    /// A statement in a transaction of its own under the budget, which may be run again.
    pub(crate) async fn briefly(&self, step: &Step, sql: &Sql, progress: &mut dyn Progress) -> Result<()> {
        let mut request = self.begin();
        request.extend([timeouts(self.budget(), Duration::ZERO), step.path.set_local(), sql.clone(), Sql::trusted("COMMIT")]);
        self.in_transaction(step, &request, progress).await
    }

    /// A statement of its own: VALIDATE, DROP INDEX CONCURRENTLY.
    async fn statement(&self, step: &Step, sql: &Sql, lock_timeout: Duration, progress: &mut dyn Progress) -> Result<()> {
        self.client.batch_execute(&format!("SET lock_timeout = {}; {}", lock_timeout.as_millis(), step.path.set())).await?;
        let outcome = self.send(step, sql, progress).await;
        self.client.batch_execute(&format!("{}; {}", self.patience(), Path::own().set())).await?;
        outcome
    }

    /// The index is there and valid, or it is built; what an interrupted build left is removed first.
    async fn create_index(&self, step: &Step, build: &Build<'_>, progress: &mut dyn Progress) -> Result<()> {
        let place = qualified(build.schema, build.name);
        let found = self
            .client
            .query_opt(
                "SELECT index.indisvalid, own.relname::pg_catalog.text, index.indisunique, index.indpred IS NOT NULL, ARRAY(\
                 SELECT attribute.attname::pg_catalog.text FROM pg_catalog.unnest(index.indkey::pg_catalog.int2[]) WITH ORDINALITY AS key (number, place) \
                 LEFT JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = key.number ORDER BY key.place) \
                 FROM pg_catalog.pg_index AS index JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid JOIN pg_catalog.pg_class AS own ON own.oid = index.indrelid \
                 JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace WHERE space.nspname = $1 AND class.relname = $2",
                &[&build.schema, &build.name],
            )
            .await?;
        let there =
            found.as_ref().map(|row| Shape { table: row.get(1), unique: row.get(2), partial: row.get(3), columns: row.get(4) });
        if let (Some(wanted), Some(there)) = (build.shape, &there)
            && wanted != there
        {
            return Err(Error::refused(format!("{}: another index `{}` has come meanwhile", step.title, build.name)).hint(
                format!(
                    "rename it and run `start` again: ALTER INDEX {place} RENAME TO {}",
                    ident(&names::shortened(&format!("{}_by_hand", build.name)))
                ),
            ));
        }
        let is_valid = found.map(|row| row.get(0));
        if is_valid == Some(true) {
            return Ok(());
        }
        let bound = if build.bind.is_empty() { build.sql.clone() } else { self.bind(step, build.bind, progress).await? };
        self.build_index(step, is_valid, &bound, build.drop, progress).await
    }

    /// One `CREATE INDEX CONCURRENTLY`, unless the index is there and valid. No invalid one stays: a unique one would go on refusing
    /// writes (docs/traps.md H6).
    pub(crate) async fn build_index(
        &self,
        step: &Step,
        is_valid: Option<bool>,
        sql: &Sql,
        drop: &Sql,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        match is_valid {
            Some(true) => return Ok(()),
            Some(false) => self.send(step, drop, progress).await?,
            None => {}
        }
        self.client.batch_execute(step.path.set().as_str()).await?;
        let built = self.send(step, sql, progress).await;
        self.client.batch_execute(Path::own().set().as_str()).await?;
        if built.is_err() {
            // what held up the build may hold this up as well: then it is left to the next `start` or `rollback`
            let bound = self.limits.timeout.min(LEFTOVER_WITHIN);
            let drop = format!("{}; {drop}; {}", patience(bound), self.patience());
            if self.client.batch_execute(&drop).await.is_err() {
                self.client.batch_execute(&self.patience()).await?;
            }
        }
        built
    }

    /// The statement that a transaction gives, of which nothing else stays.
    async fn bind(&self, step: &Step, statements: &[Sql], progress: &mut dyn Progress) -> Result<Sql> {
        self.client.batch_execute("BEGIN").await?;
        let outcome = self.bind_body(step, statements, progress).await;
        let ended = self.client.batch_execute("ROLLBACK").await;
        let bound = outcome?;
        ended?;
        Ok(bound)
    }

    async fn bind_body(&self, step: &Step, statements: &[Sql], progress: &mut dyn Progress) -> Result<Sql> {
        let Some((last, before)) = statements.split_last() else { return Ok(Sql::default()) };
        for statement in before {
            self.send(step, statement, progress).await?;
        }
        progress.statement(last.as_str());
        let row = self.watched(self.client.query_one(last.as_str(), &[]), progress).await;
        Ok(Sql::trusted(row.map_err(|error| Error::during(&step.title, error))?.get::<_, String>(0)))
    }

    /// Sends one statement, watched.
    pub(crate) async fn send(&self, step: &Step, sql: &Sql, progress: &mut dyn Progress) -> Result<()> {
        self.send_all(step, std::slice::from_ref(sql), progress).await
    }

    /// Sends statements in one round trip, watched.
    async fn send_all(&self, step: &Step, statements: &[Sql], progress: &mut dyn Progress) -> Result<()> {
        for sql in statements {
            progress.statement(sql.as_str());
        }
        let text = statements.iter().map(Sql::as_str).collect::<Vec<_>>().join(";\n");
        self.watched(self.client.batch_execute(&text), progress).await.map_err(|error| match error.code().map(SqlState::code) {
            Some("DPT01") => fenced_off(error),
            _ => Error::during(&step.title, error),
        })
    }

    /// Waits for the session's answer. Whoever holds it up meanwhile is named; what is held up for longer than the run's patience
    /// is cancelled.
    pub(crate) async fn watched<T>(&self, answer: impl Future<Output = T> + Send, progress: &mut dyn Progress) -> T {
        tokio::pin!(answer);
        let mut wait = Duration::from_millis(200);
        let mut held_up: Option<Instant> = None;
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(Duration::from_secs(1));
            // asked on a session of its own: this one is busy
            let blockers = self.observer.blockers().await;
            if blockers.is_empty() {
                held_up = None;
                continue;
            }
            progress.waiting(&blockers);
            if held_up.get_or_insert_with(Instant::now).elapsed() >= self.limits.timeout {
                self.observer.cancel().await;
            }
        }
    }

    /// Waits for an answer that has to come within moments; whoever holds it up meanwhile takes the place of those seen before.
    pub(crate) async fn observed<T>(&self, answer: impl Future<Output = T>, holders: &mut Vec<Blocker>) -> T {
        tokio::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
            }
            let blockers = self.observer.blockers().await;
            if !blockers.is_empty() {
                *holders = blockers;
            }
        }
    }

    /// Long transactions, for the message with which a wait is given up.
    pub(crate) async fn last_blockers(&self) -> String {
        let blockers: Vec<String> = observer::open_transactions(self.client).await.iter().map(ToString::to_string).collect();
        if blockers.is_empty() { String::new() } else { format!("; open transactions: {}", blockers.join(", ")) }
    }

    async fn journal(&self, plan: &Plan, step: &Step) -> Result<()> {
        Ok(self.client.batch_execute(self.journal_row(plan, step).as_str()).await?)
    }

    fn journal_row(&self, plan: &Plan, step: &Step) -> Sql {
        let command = plan.command.to_string();
        let values = [&plan.base, &plan.to, &command, &step.id].map(|text| literal(text));
        sql!("INSERT INTO diptych.journal (base, version, command, step) VALUES ({}) ON CONFLICT DO NOTHING", join(values, ", "))
    }
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

/// The setting of a session that waits for locks as long as a run is patient.
pub(crate) fn patience(timeout: Duration) -> String {
    format!("SET lock_timeout = {}", milliseconds(timeout).clamp(1, u64::from(i32::MAX.unsigned_abs())))
}

/// How long a lock, and a statement, may take from here on; not bounded where zero.
pub(crate) fn timeouts(lock: Duration, statement: Duration) -> Sql {
    let (lock, statement) = (milliseconds(lock), milliseconds(statement));
    sql!("SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}", lock, statement)
}

/// Leaves a lock what is left of the budget since the request has come.
fn rest_of(budget: Duration) -> Sql {
    let gone = "1000 * extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp())";
    let left = sql!("greatest(1, {} - {})", milliseconds(budget), Sql::trusted(gone));
    sql!("SELECT pg_catalog.set_config('lock_timeout', ({})::pg_catalog.int4::pg_catalog.text, true)", left)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The server's word for a run that another one has taken over.
pub(crate) fn fenced_off(error: tokio_postgres::Error) -> Error {
    if error.code().is_some_and(|code| code.code() == "DPT01") {
        return Error::refused("another run took over").hint("run `status` to see how it stands");
    }
    error.into()
}

/// Whether the same statement may well succeed a moment later.
pub(crate) fn is_passing(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        [
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::QUERY_CANCELED,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
        ]
        .contains(code)
    })
}

/// Whether an error of a script may come of the views in the place of tables: names, kinds of objects, dependencies, what is not
/// supported. What data are like has nothing to do with them.
fn may_be_the_scope(error: &Error) -> bool {
    error.code().is_some_and(|code| ["42", "0A", "2B"].iter().any(|class| code.code().starts_with(class)))
}

/// A pause of half to one and a half times the given one, so that competitors do not meet again.
pub(crate) fn jittered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0) % 1000;
    pause.mul_f64(0.5 + f64::from(u32::try_from(random).unwrap_or_default()) / 1000.0)
}

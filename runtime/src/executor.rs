//! Runs the steps of a plan: journalled, under the lock budget, retried, with blockers told.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use crate::connect::Target;
use crate::error::{Error, Kind, Result};
use crate::lease::Lease;
use crate::session::Server;
use crate::{backfill, partitions};
use diptych_core::Sql;
use diptych_core::plan::{Action, Felt, Lock, Phase, Plan, Step, Verdict};

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

/// A session that holds a lock which the tool needs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Blocker {
    /// Its process id on the server.
    pub pid: i32,
    /// Its application name.
    pub application: String,
    /// Its state: `active`, `idle in transaction`, …
    pub state: String,
    /// Age of its transaction, in seconds.
    pub seconds: i64,
}

impl std::fmt::Display for Blocker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "pid {} (application `{}`, {}, for {} s)", self.pid, self.application, self.state, self.seconds)
    }
}

/// Statements of a transaction without a lock that are sent one by one.
const FEW: usize = 100;

/// How patient a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long applications may wait behind one transaction of the tool.
    pub lock_timeout: Duration,
    /// How long a step may be retried.
    pub timeout: Duration,
}

/// A run under way: its session, its token, its limits.
pub(crate) struct Executor<'a> {
    pub client: &'a Client,
    pub target: &'a Target,
    pub base: &'a str,
    pub server: Server,
    pub limits: Limits,
    pub token: i64,
}

impl Executor<'_> {
    /// Runs every step that the journal does not have.
    pub(crate) async fn run(&self, plan: &Plan, progress: &mut dyn Progress) -> Result<()> {
        let done = self.done(plan).await?;
        for (at, step) in plan.steps.iter().enumerate() {
            if done.contains(&step.id) || step.phase == Phase::Preflight {
                continue;
            }
            progress.step(at + 1, plan.steps.len(), step);
            self.run_step(plan, step, progress).await?;
        }
        Ok(())
    }

    /// Runs the plan's checks alone: they change nothing and are not journalled.
    pub(crate) async fn preflight(&self, plan: &Plan, progress: &mut dyn Progress) -> Result<()> {
        for step in plan.steps.iter().filter(|step| step.phase == Phase::Preflight) {
            if let Action::Check { sql, refusal, hint, verdict } = &step.action {
                self.check(sql, refusal, hint, *verdict, progress).await?;
            }
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

    async fn gave_up(&self, doing: &str) -> Error {
        let (seconds, blockers) = (self.limits.timeout.as_secs(), self.last_blockers().await);
        Error::new(Kind::Timeout, format!("{doing}: no lock within {seconds} s{blockers}"))
            .hint("end what holds it up and run the same command again; it goes on where it stopped")
    }

    /// Runs a step once, with its journal row.
    async fn attempt(&self, plan: &Plan, step: &Step, progress: &mut dyn Progress) -> Result<()> {
        match &step.action {
            Action::Check { sql, refusal, hint, verdict } => {
                let found = self.check(sql, refusal, hint, *verdict, progress).await;
                let undo =
                    |error: Error| if error.is_refused() { error.hint_first("`rollback` what has run so far") } else { error };
                found.map_err(undo)?;
            }
            Action::Transaction { locks, statements } => return self.transaction(plan, step, locks, statements, progress).await,
            Action::Statement { sql } => self.statement(step, sql, self.gentle(), progress).await?,
            Action::CreateIndex { schema, name, sql, drop, bind } => {
                self.create_index(step, [schema, name], sql, drop, bind, progress).await?;
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

    async fn check(&self, sql: &Sql, refusal: &str, hint: &str, verdict: Verdict, progress: &mut dyn Progress) -> Result<()> {
        progress.statement(sql.as_str());
        let asked = self.watched(self.client.simple_query(sql.as_str()), progress).await;
        let rows = match asked {
            Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => return Err(self.gave_up("preflight").await),
            asked => asked.map_err(|error| Error::during(refusal, error).or_hint(hint).of_check())?,
        };
        let samples: Vec<String> = rows
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
                _ => None,
            })
            .collect();
        if samples.is_empty() {
            return Ok(());
        }
        let found = Error::refused(format!("{refusal}: {}", samples.join("; "))).hint(hint);
        if verdict == Verdict::Warn {
            progress.warning(&found);
            return Ok(());
        }
        Err(found)
    }

    /// Waits that nobody feels: above `deadlock_timeout`, so that an autovacuum yields (TRAPS F7).
    fn gentle(&self) -> Duration {
        Duration::from_millis(self.server.deadlock_timeout + 1_000)
    }

    /// What a transaction may make applications wait: below half of `deadlock_timeout`, so that in a deadlock the tool is the
    /// one that gives up (TRAPS F6).
    fn budget(&self) -> Duration {
        self.limits.lock_timeout.min(Duration::from_millis(self.server.deadlock_timeout / 2))
    }

    /// The step's statements and its journal row, in one transaction under one budget (TRAPS F5).
    async fn transaction(
        &self,
        plan: &Plan,
        step: &Step,
        locks: &[Lock],
        statements: &[Sql],
        progress: &mut dyn Progress,
    ) -> Result<()> {
        self.client.batch_execute("BEGIN").await?;
        let outcome = self.transaction_body(plan, step, locks, statements, progress).await;
        let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.client.batch_execute(end).await;
        outcome?;
        Ok(ended?)
    }

    async fn transaction_body(
        &self,
        plan: &Plan,
        step: &Step,
        locks: &[Lock],
        statements: &[Sql],
        progress: &mut dyn Progress,
    ) -> Result<()> {
        self.fence().await?;
        let mut since: Option<Instant> = None;
        for lock in locks {
            match lock.felt {
                Felt::ByMaintenance => self.set_timeouts(self.gentle(), Duration::ZERO).await?,
                Felt::ByApplications => {
                    let left = self.left(*since.get_or_insert_with(Instant::now));
                    self.set_timeouts(left, left).await?;
                }
            }
            self.send(step, &lock.sql, progress).await?;
        }
        // the locks that the statements take on their own count as well, until the budget is used up
        let since = since.unwrap_or_else(Instant::now);
        // hundreds of views are one round trip: they wait for nobody, and no application waits for them
        let together = if locks.is_empty() && statements.len() > FEW { statements.len() } else { 1 };
        for group in statements.chunks(together) {
            self.set_timeouts(self.left(since), Duration::ZERO).await?;
            self.send_all(step, group, progress).await?;
        }
        self.journal(plan, step).await
    }

    fn left(&self, since: Instant) -> Duration {
        self.budget().saturating_sub(since.elapsed()).max(Duration::from_millis(1))
    }

    async fn set_timeouts(&self, lock: Duration, statement: Duration) -> Result<()> {
        let text =
            format!("SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}", lock.as_millis(), statement.as_millis());
        Ok(self.client.batch_execute(&text).await?)
    }

    /// A statement in a transaction of its own under the budget, which may be run again.
    pub(crate) async fn briefly(&self, step: &Step, sql: &Sql, progress: &mut dyn Progress) -> Result<()> {
        self.client.batch_execute("BEGIN").await?;
        let outcome = async {
            self.fence().await?;
            self.set_timeouts(self.budget(), Duration::ZERO).await?;
            self.send(step, sql, progress).await
        };
        let outcome = outcome.await;
        let ended = self.client.batch_execute(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
        outcome?;
        Ok(ended?)
    }

    /// A statement of its own: VALIDATE, DROP INDEX CONCURRENTLY.
    async fn statement(&self, step: &Step, sql: &Sql, lock_timeout: Duration, progress: &mut dyn Progress) -> Result<()> {
        self.client.batch_execute(&format!("SET lock_timeout = {}", lock_timeout.as_millis())).await?;
        let outcome = self.send(step, sql, progress).await;
        self.client.batch_execute("SET lock_timeout = 0").await?;
        outcome
    }

    /// The index is there and valid, or it is built; what an interrupted build left is removed first.
    async fn create_index(
        &self,
        step: &Step,
        [schema, name]: [&str; 2],
        sql: &Sql,
        drop: &Sql,
        bind: &[Sql],
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let found = self
            .client
            .query_opt(
                "SELECT index.indisvalid FROM pg_catalog.pg_index AS index JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid \
                 JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace WHERE space.nspname = $1 AND class.relname = $2",
                &[&schema, &name],
            )
            .await?;
        let is_valid = found.map(|row| row.get(0));
        if is_valid == Some(true) {
            return Ok(());
        }
        let bound = if bind.is_empty() { sql.clone() } else { self.bind(step, bind, progress).await? };
        self.build_index(step, is_valid, &bound, drop, progress).await
    }

    /// One `CREATE INDEX CONCURRENTLY`, unless the index is there and valid. No invalid one stays: a unique one would go on refusing
    /// writes (TRAPS H6).
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
        let built = self.send(step, sql, progress).await;
        if built.is_err() {
            self.client.batch_execute(drop.as_str()).await?;
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
        self.watched(self.client.batch_execute(&text), progress).await.map_err(|error| {
            Error::during(&step.title, error)
                .or_hint("nothing of this step was done: correct the cause and run the same command again, or run `rollback`")
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
            let Ok(observer) = crate::session::connect(self.target, self.base).await else { continue };
            match self.blockers(&observer).await {
                Ok(blockers) if !blockers.is_empty() => progress.waiting(&blockers),
                _ => {
                    held_up = None;
                    continue;
                }
            }
            if held_up.get_or_insert_with(Instant::now).elapsed() >= self.limits.timeout {
                let cancel = "SELECT pg_catalog.pg_cancel_backend(pid) FROM diptych.runs WHERE base = $1";
                let _ = observer.execute(cancel, &[&self.base]).await;
            }
        }
    }

    /// Who holds up the run's session.
    async fn blockers(&self, observer: &Client) -> Result<Vec<Blocker>> {
        let rows = observer
            .query(
                "SELECT activity.pid, coalesce(nullif(activity.application_name, ''), activity.backend_type, ''), \
                 coalesce(activity.state, activity.backend_type, ''), \
                 coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - activity.xact_start), 0)::pg_catalog.int8 \
                 FROM diptych.runs AS run, pg_catalog.pg_stat_activity AS activity \
                 WHERE run.base = $1 AND activity.pid = ANY (pg_catalog.pg_blocking_pids(run.pid))",
                &[&self.base],
            )
            .await?;
        Ok(rows.iter().map(blocker).collect())
    }

    /// Long transactions: whoever waits for a row cannot be told whose it is, but these are the ones to look at.
    pub(crate) async fn open_transactions(&self) -> Vec<Blocker> {
        let found = self
            .client
            .query(
                "SELECT pid, coalesce(application_name, ''), coalesce(state, ''), extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)::pg_catalog.int8 \
                 FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() \
                 AND xact_start < pg_catalog.clock_timestamp() - interval '1 second' ORDER BY xact_start LIMIT 3",
                &[],
            )
            .await;
        let blocker = |row: &Row| Blocker { pid: row.get(0), application: row.get(1), state: row.get(2), seconds: row.get(3) };
        found.unwrap_or_default().iter().map(blocker).collect()
    }

    /// The same for the message with which a wait is given up.
    pub(crate) async fn last_blockers(&self) -> String {
        let blockers: Vec<String> = self.open_transactions().await.iter().map(ToString::to_string).collect();
        if blockers.is_empty() { String::new() } else { format!("; open transactions: {}", blockers.join(", ")) }
    }

    /// The run still is the one that may change things: its row is held until the transaction ends (TRAPS H3).
    pub(crate) async fn fence(&self) -> Result<()> {
        let held = self
            .client
            .query_opt("SELECT 1 FROM diptych.runs WHERE base = $1 AND token = $2 FOR SHARE", &[&self.base, &self.token])
            .await?;
        match held {
            Some(_) => Ok(()),
            None => Err(Error::refused("another run took over").hint("run `status` to see how it stands")),
        }
    }

    async fn journal(&self, plan: &Plan, step: &Step) -> Result<()> {
        self.client
            .execute(
                "INSERT INTO diptych.journal (base, version, command, step) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                &[&plan.base, &plan.to, &plan.command.to_string(), &step.id],
            )
            .await?;
        Ok(())
    }
}

fn blocker(row: &Row) -> Blocker {
    Blocker { pid: row.get(0), application: row.get(1), state: row.get(2), seconds: row.get(3) }
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

/// A pause of half to one and a half times the given one, so that competitors do not meet again.
pub(crate) fn jittered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0) % 1000;
    pause.mul_f64(0.5 + f64::from(u32::try_from(random).unwrap_or_default()) / 1000.0)
}

//! A run's session: how its statements are sent, under which budget, and who holds them up.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::error::{Error, Kind, Result};
use crate::execute::progress::{Moment, Progress};
use crate::session::Server;
use crate::session::observer::{self, Blocker, Observer};
use crate::text::{PROCESSES, few};
use diptych_core::plan::{Plan, Step};
use diptych_core::sql::{join, literal};
use diptych_core::statements::path::Path;
use diptych_core::{Sql, sql};

/// How patient a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long applications may wait behind one transaction of the tool.
    pub lock_timeout: Duration,
    /// How long a step may be retried.
    pub timeout: Duration,
    /// How long one transaction of a backfill should hold its rows.
    pub batch: Duration,
    /// How many sessions may fill a table.
    pub workers: usize,
    /// How many rows they may fill in a second.
    pub max_rate: Option<NonZeroU32>,
    /// How far standbys and slots may be behind while they do.
    pub max_lag: Option<Duration>,
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

impl Executor<'_> {
    pub(crate) async fn gave_up(&self, doing: &str) -> Error {
        let (seconds, seen) = (self.limits.timeout.as_secs(), self.observer.seen().clone());
        let blockers = if seen.is_empty() { self.open_transactions().await } else { named("last held up by", &seen) };
        Error::new(Kind::Timeout, format!("{doing}: no lock within {seconds} s{blockers}"))
            .hint("end what blocks it and run the same command again; it goes on where it stopped")
    }

    /// How long a session of the run waits for a lock where nothing else is said: the clock runs whoever holds it, and without a second
    /// session too.
    pub(crate) fn patience(&self) -> String {
        patience(self.limits.timeout)
    }

    /// Waits that nobody feels: above `deadlock_timeout`, so that an autovacuum yields (docs/traps.md F7).
    pub(crate) fn gentle(&self) -> Duration {
        Duration::from_millis(self.server.deadlock_timeout + 1_000)
    }

    /// What a transaction may make applications wait: below half of `deadlock_timeout`, so that in a deadlock the tool is the
    /// one that gives up (docs/traps.md F6).
    pub(crate) fn budget(&self) -> Duration {
        self.limits.lock_timeout.min(Duration::from_millis(self.server.deadlock_timeout / 2))
    }

    /// The beginning of every transaction that changes something: not once another run has taken over (docs/traps.md H3).
    pub(crate) fn begin(&self) -> Vec<Sql> {
        vec![Sql::trusted("BEGIN"), sql!("SELECT diptych.fence({}, {})", literal(self.base), self.token)]
    }

    /// Statements of a transaction, which is undone where one of them fails.
    pub(crate) async fn in_transaction(&self, step: &Step, statements: &[Sql], progress: &mut dyn Progress) -> Result<()> {
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
    pub(crate) async fn statement(
        &self,
        step: &Step,
        sql: &Sql,
        lock_timeout: Duration,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        self.client.batch_execute(&format!("SET lock_timeout = {}; {}", lock_timeout.as_millis(), step.path.set())).await?;
        let outcome = self.send(step, sql, progress).await;
        self.client.batch_execute(&format!("{}; {}", self.patience(), Path::own().set())).await?;
        outcome
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
            if progress.ends() {
                self.observer.cancel().await;
                continue;
            }
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

    /// Waits for what nobody holds up for long, however long it takes: it is cancelled where the run is to end.
    pub(crate) async fn cancellable<T>(&self, answer: impl Future<Output = T>, progress: &mut dyn Progress) -> T {
        tokio::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
            if progress.ends() {
                self.observer.cancel().await;
            }
        }
    }

    /// Waits for an answer that has to come within moments; whoever holds it up meanwhile is seen.
    pub(crate) async fn observed<T>(&self, answer: impl Future<Output = T>) -> T {
        tokio::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
            }
            self.observer.blockers().await;
        }
    }

    /// Long transactions, for the message with which a wait for nobody in particular is given up.
    pub(crate) async fn open_transactions(&self) -> String {
        named("open transactions:", &observer::open_transactions(self.client).await)
    }

    /// Writes down how far the run is, which a crash may undo.
    pub(crate) async fn note(&self, save: &Sql) -> Result<()> {
        let around = [Sql::trusted("SET LOCAL synchronous_commit = off"), save.clone(), Sql::trusted("COMMIT")];
        let request = join(self.begin().into_iter().chain(around), "; ");
        let noted = self.client.batch_execute(request.as_str()).await;
        if noted.is_err() {
            self.client.batch_execute("ROLLBACK").await?;
        }
        noted.map_err(fenced_off)
    }

    pub(crate) async fn journal(&self, plan: &Plan, step: &Step) -> Result<()> {
        Ok(self.client.batch_execute(self.journal_row(plan, step).as_str()).await?)
    }

    pub(crate) fn journal_row(&self, plan: &Plan, step: &Step) -> Sql {
        let command = plan.command.to_string();
        let values = [&plan.base, &plan.to, &command, &step.id].map(|text| literal(text));
        sql!("INSERT INTO diptych.journal (base, version, command, step) VALUES ({}) ON CONFLICT DO NOTHING", join(values, ", "))
    }
}

/// The end of a message.
fn named(what: &str, blockers: &[Blocker]) -> String {
    let blockers: Vec<String> = blockers.iter().map(ToString::to_string).collect();
    if blockers.is_empty() { String::new() } else { format!("; {what} {}", few(&blockers, PROCESSES, ", ")) }
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

/// Locks, of which each may take what is left of the budget since the request has come: together they hold nobody up for longer.
pub(crate) fn locks_within(budget: Duration, locks: impl IntoIterator<Item = Sql>) -> impl Iterator<Item = Sql> {
    locks.into_iter().map(move |lock| sql!("{}; {}", rest_of(budget, &["lock_timeout", "statement_timeout"]), lock))
}

/// Statements that take as long as they take. What they wait for locks counts as well, until the budget is used up; the budget is set
/// also where there are none, for what follows in the same transaction.
pub(crate) fn work_within(budget: Duration, statements: impl IntoIterator<Item = Sql>) -> impl Iterator<Item = Sql> {
    let rest = rest_of(budget, &["lock_timeout"]);
    let free = std::iter::once(sql!("SET LOCAL statement_timeout = 0; {}", rest));
    free.chain(statements.into_iter().map(move |statement| sql!("{}; {}", rest, statement)))
}

fn rest_of(budget: Duration, settings: &[&str]) -> Sql {
    let gone = "1000 * extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp())";
    let left = sql!("greatest(1, {} - {})::pg_catalog.int4::pg_catalog.text", milliseconds(budget), Sql::trusted(gone));
    let set = settings.iter().map(|setting| sql!("pg_catalog.set_config({}, {}, true)", literal(setting), left));
    sql!("SELECT {}", join(set, ", "))
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

/// A safe point: nothing is under way that would be half done.
pub(crate) fn go_on(progress: &mut dyn Progress) -> Result<()> {
    if progress.ends() { Err(Error::new(Kind::Interrupted, "interrupted")) } else { Ok(()) }
}

/// The command ends where whoever is told of a part of it does not let it begin.
pub(crate) fn ask(moment: Moment, version: &str, from: Option<&str>, way_on: &str, progress: &mut dyn Progress) -> Result<()> {
    progress.before(moment, version, from).or_else(|message| {
        go_on(progress)?;
        let kind = match moment {
            Moment::Backfill | Moment::Publish => Kind::Failed,
            Moment::Start | Moment::Complete | Moment::Rollback => Kind::Refused,
        };
        Err(Error::new(kind, message).hint(format!("let it succeed, and {way_on}")))
    })
}

/// Whether an error came of the end that somebody has asked for: what was under way was cancelled for it, or waited too long for others.
pub(crate) fn is_of_end(error: &Error, progress: &mut dyn Progress) -> bool {
    progress.ends() && (error.is_interrupted() || error.is_timeout() || is_passing(error))
}

/// Sleeps, unless the run is to end.
pub(crate) async fn rest(time: Duration, progress: &mut dyn Progress) {
    let since = Instant::now();
    while !progress.ends() && since.elapsed() < time {
        tokio::time::sleep((time - since.elapsed().min(time)).min(Duration::from_millis(100))).await;
    }
}

/// A pause of half to one and a half times the given one, so that competitors do not meet again.
pub(crate) fn jittered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0) % 1000;
    pause.mul_f64(0.5 + f64::from(u32::try_from(random).unwrap_or_default()) / 1000.0)
}

//! Start, complete, rollback and status over a database.

mod baseline;
pub(crate) mod drift;
pub mod embedded;
pub(crate) mod listed;
mod pause;
pub(crate) mod roles;
pub(crate) mod sign;
mod start;
pub(crate) mod status;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

use crate::connect::Published;
use crate::error::{Error, Kind, Result};
use crate::execute::executor::{Executor, Limits, ask, go_on, is_of_end, jittered, patience, rest};
use crate::execute::progress::{Moment, Progress, Quiet};
use crate::execute::traced;
use crate::lease;
use crate::migrator::roles::VersionRole;
use crate::migrator::status::Status;
use crate::session::observer::Observer;
use crate::session::{self, Server};
use crate::state::folder::{self, Files, Missing};
use crate::state::log::{self, Logged};
use crate::state::made::{self, Damage, Extent};
use crate::state::pauses;
use crate::state::{self, Holders, Parsed, Recorded, State};
pub use crate::state::{PublishedState, VersionState};
use crate::target::Target;
use crate::text::{PROCESSES, few};
use diptych_core::Migration;
use diptych_core::layout::chain::Chain;
use diptych_core::model::book::Book;
use diptych_core::model::differences::Difference;
use diptych_core::plan::{Command, Plan};
use diptych_core::transition::stage::Stage;

/// How a run behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The schema that holds the tables.
    pub base: String,
    /// How long one transaction of the tool may make an application wait (500 ms).
    pub lock_timeout: Duration,
    /// How long a step is retried; after that the command gives up, and the step has changed nothing (10 minutes).
    pub timeout: Duration,
    /// How long one transaction of a backfill holds its row locks, approximately (25 ms). A shorter time disturbs apps less, and the whole
    /// backfill takes longer.
    pub batch: Duration,
    /// How many sessions fill a large table while no other statement runs on the server (2). At any other time it is one, as far as the
    /// role may see what others do (`pg_read_all_stats`).
    pub workers: usize,
    /// How many rows a second a backfill fills at most, all of its sessions together (no bound).
    pub max_rate: Option<NonZeroU32>,
    /// A backfill waits while a standby or a replication slot has been behind for longer (it does not wait). Standbys are seen by a role with
    /// `pg_read_all_stats`, slots by every role.
    pub max_lag: Option<Duration>,
    /// How many bytes are free where tables, indexes and the log lie: a start that may need more is refused (not known, and not asked: the
    /// server tells nobody).
    pub free_space: Option<u64>,
    /// Whether a start fills rows as soon as it can (it does).
    pub begin: Begin,
    /// What `complete` and `rollback` do while processes use the version that they drop (refuse at once).
    pub guard: Guard,
    /// What a command does if the recorded migrations lack one that the database has applied (refuse).
    pub missing: Missing,
    /// What the first command does if a publication of all tables would publish the state (refuse).
    pub published_state: PublishedState,
}

/// How a start begins to fill rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// As soon as the tables are ready.
    AtOnce,
    /// Paused: once the tables are ready, it waits for [`Migrator::resume`].
    Paused,
}

/// What to do while processes hold a lease on the version that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Wait this long for them to end, then refuse.
    Wait(Duration),
    /// Cut them off: their statements will fail.
    Force,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            base: "public".to_owned(),
            lock_timeout: Duration::from_millis(500),
            timeout: Duration::from_secs(600),
            batch: Duration::from_millis(25),
            workers: 2,
            max_rate: None,
            max_lag: None,
            free_space: None,
            begin: Begin::AtOnce,
            guard: Guard::Wait(Duration::ZERO),
            missing: Missing::Refuse,
            published_state: PublishedState::Refuse,
        }
    }
}

/// Carries plans out on one database.
#[derive(Debug)]
pub struct Migrator {
    client: Client,
    observer: Observer,
    options: Options,
    server: Server,
    /// What `complete` and `rollback` compare with what the database has applied.
    recorded: Option<(Vec<Migration>, Vec<String>)>,
    parsed: Parsed,
    /// Whether somebody asks again and again: that a version is in use is nothing for the history then.
    asks_again: bool,
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The command was carried out, for these versions.
    Done(Vec<String>),
    /// There was nothing to do, for this reason.
    Nothing(String),
}

/// How often a command says that it waits for another one.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// The version that a command removes.
#[derive(Clone, Copy, Debug)]
enum Goes {
    /// `complete` does.
    Older,
    /// `rollback` does.
    Newer,
}

impl Goes {
    fn command(self) -> Command {
        match self {
            Goes::Older => Command::Complete,
            Goes::Newer => Command::Rollback,
        }
    }
}

impl Migrator {
    /// Connects to what [`parse`](crate::connect::parse) made of a URL, or to a driver's configuration.
    ///
    /// # Errors
    ///
    /// Also where a pooler gives a session's transactions to several sessions of the server: nothing is set on these then.
    pub async fn connect(target: impl Into<Target>, options: Options) -> Result<Self> {
        let target = target.into();
        let (client, second) = session::connect_two(&target).await?;
        let server = Server::ask(&client).await?;
        if server.major < 14 {
            return Err(Error::refused(format!("the server is PostgreSQL {}", server.major)).hint("use PostgreSQL 14 or newer"));
        }
        let observer = Observer::new(&target, &options.base, second);
        Ok(Migrator { client, observer, options, server, recorded: None, parsed: Parsed::default(), asks_again: false })
    }

    /// The same, whose `complete` and `rollback` compare these recorded migrations with what the database has applied, as `start` does
    /// with those that it is given: they are refused where one is missing ([`Options::missing`]). Without, these two compare nothing.
    #[must_use]
    pub fn recorded<'a>(self, files: impl Into<Files<'a>>) -> Self {
        Migrator { recorded: files.into().owned(), ..self }
    }

    /// The state of the database. Changes nothing. Recorded migrations that do not fit are listed, and are no error.
    pub async fn status<'a>(&self, files: impl Into<Files<'a>>) -> Result<Status> {
        status::read(&self.client, &self.options.base, files.into()).await
    }

    /// The commands that were carried out, the newest first: the last thousand of the base schema. Changes nothing.
    pub async fn log(&self) -> Result<Vec<Logged>> {
        // what is to be read is looked at first
        self.load().await?;
        let run = status::run(&self.client, &self.options.base).await?;
        log::read(&self.client, &self.options.base, run.map(|run| run.pid)).await
    }

    /// The versions that sessions can be put on, the older one first. Changes nothing.
    pub async fn published(&self) -> Result<Vec<Published>> {
        Ok(status::published(&self.options.base, &self.load().await?))
    }

    /// Makes a role for each version that there is, and drops those of versions that have gone: for apps behind a pooler, which passes no
    /// startup options on. Such a role is a member of the application's, inherits its rights, and its sessions in this database are on
    /// the version. Called again, it does what is left to do.
    ///
    /// # Errors
    ///
    /// Where the migration role may not make roles (CREATEROLE), or a role that goes owns something.
    pub async fn roles(&mut self, application: &str, progress: &mut dyn Progress) -> Result<Vec<VersionRole>> {
        let state = self.load().await?;
        roles::settle(&mut self.client, &self.options.base, &state, application, None, progress).await
    }

    /// The same, where the roles that are made get a password. It does not leave this process: the server gets the SCRAM-SHA-256 verifier
    /// that it would make of it. Roles that were there keep theirs.
    ///
    /// # Errors
    ///
    /// As [`roles`](Self::roles).
    pub async fn roles_with_password(
        &mut self,
        application: &str,
        password: &[u8],
        progress: &mut dyn Progress,
    ) -> Result<Vec<VersionRole>> {
        let state = self.load().await?;
        roles::settle(&mut self.client, &self.options.base, &state, application, Some(password), progress).await
    }

    /// In what the tables differ from what they were when the version at rest came to rest: then first, now second. Nothing while a version
    /// is on its way, when tables have both versions' columns. Changes nothing.
    pub async fn drift(&self) -> Result<Vec<Difference>> {
        drift::find(&self.client, &self.options.base, &self.load().await?).await
    }

    /// The plan that a command would carry out now, or `None` if there is nothing to do. Changes nothing.
    pub async fn plan(&self, command: Command, migrations: &[Migration], to: Option<&str>) -> Result<Option<Plan>> {
        let state = self.load().await?;
        self.agreed(&state, command, migrations.into())?;
        if let Some(pending) = state.pending() {
            let pending = &self.as_it_stands(pending).await?;
            let stored = state::stored_plan(&self.client, &self.options.base, pending, command).await?;
            return match stored {
                Some(plan) if command == Command::Rollback => {
                    Ok(Some(plan.after(state::reached(&self.client, &self.options.base, pending).await?)))
                }
                Some(plan) => Ok(Some(plan)),
                None if command == Command::Start => self.plan_start(&state, migrations, to).await,
                None => Ok(None),
            };
        }
        if command == Command::Start { self.plan_start(&state, migrations, to).await } else { Ok(None) }
    }

    /// The plans of `start`, `complete` and `rollback` for the version that is on its way, or that a start would begin now; `None` if there is
    /// nothing to start. Changes nothing.
    pub async fn plans(&self, migrations: &[Migration], to: Option<&str>) -> Result<Option<[Plan; 3]>> {
        let state = self.load().await?;
        self.agreed(&state, Command::Start, migrations.into())?;
        let Some(pending) = state.pending() else { return self.plans_of_start(&state, migrations, to).await };
        let mut plans = Vec::new();
        for command in [Command::Start, Command::Complete, Command::Rollback] {
            plans.extend(state::read_plan(&self.client, &self.options.base, pending, command).await?);
        }
        Ok(plans.try_into().ok())
    }

    /// Both versions of the change that is on its way, or that a start would begin now, and how the one becomes the other; `None` if there is
    /// nothing to start. Changes nothing.
    pub async fn chain(&self, migrations: &[Migration], to: Option<&str>) -> Result<Option<Chain>> {
        let state = self.load().await?;
        self.agreed(&state, Command::Start, migrations.into())?;
        let Some(pending) = state.pending() else { return self.chain_to_start(&state, migrations, to).await };
        let older = state.parent(pending).cloned();
        let mut stage = Stage::identity(&older.as_ref().map(|older| older.schema.clone()).unwrap_or_default());
        // which table and column became which is known without the server; what is not known has two sides of one name
        let _ = pending.migrations.iter().try_for_each(|migration| migration.apply(&mut stage));
        let base = self.options.base.clone();
        Ok(Some(Chain { base, older, newer: pending.version.clone(), stage, server: self.server.major }))
    }

    /// Makes something of what the server says of the texts of the user's own (see [`diptych_core::model::book`]): `make` is called again as long
    /// as it leaves open questions in its book. Changes nothing.
    pub async fn settle<T>(&self, make: impl Fn(&mut Book) -> diptych_core::Result<T>) -> Result<T> {
        self.load().await?.settle(&self.client, &self.options.base, make).await
    }

    /// Expands and publishes the recorded migrations that are not started yet, up to a version or to the last one.
    ///
    /// If no version is live yet, nobody can use an older one: all versions but the last are completed at once.
    pub async fn start(&mut self, migrations: &[Migration], to: Option<&str>, progress: &mut dyn Progress) -> Result<Outcome> {
        let mut told = traced::command("start", &self.options.base, progress);
        let outcome = self.start_told(migrations, to, told.progress()).await;
        told.ended(&outcome);
        outcome
    }

    async fn start_told(&mut self, migrations: &[Migration], to: Option<&str>, progress: &mut dyn Progress) -> Result<Outcome> {
        state::prepare(&self.client, self.options.published_state, self.options.timeout).await?;
        let token = self.take_run("start", progress).await?;
        let outcome = self.start_locked(migrations, to, token, progress).await;
        self.end("start", token, outcome, progress).await
    }

    /// Contracts: drops what only the older version needed.
    pub async fn complete(&mut self, progress: &mut dyn Progress) -> Result<Outcome> {
        self.remove(Goes::Older, progress).await
    }

    /// Undoes a start, finished or not.
    pub async fn rollback(&mut self, progress: &mut dyn Progress) -> Result<Outcome> {
        self.remove(Goes::Newer, progress).await
    }

    /// Removes a version, as soon as nobody is on it if the guard waits for that.
    async fn remove(&mut self, goes: Goes, progress: &mut dyn Progress) -> Result<Outcome> {
        let mut told = traced::command(&goes.command().to_string(), &self.options.base, progress);
        let outcome = self.remove_told(goes, told.progress()).await;
        told.ended(&outcome);
        outcome
    }

    async fn remove_told(&mut self, goes: Goes, progress: &mut dyn Progress) -> Result<Outcome> {
        state::prepare(&self.client, self.options.published_state, self.options.timeout).await?;
        let since = Instant::now();
        loop {
            let command = goes.command().to_string();
            let token = self.take_run(&command, progress).await?;
            let outcome = match (self.as_recorded(goes.command()).await, goes) {
                (Err(error), _) => Err(error),
                (Ok(()), Goes::Older) => self.complete_locked(token, progress).await,
                (Ok(()), Goes::Newer) => self.rollback_locked(token, progress).await,
            };
            match outcome {
                Err(error) if self.waits_for_leases(&error, since) => {
                    // not while the run is held: the other command may come first
                    self.release().await;
                    rest(Duration::from_millis(500), progress).await;
                }
                outcome => return self.end(&command, token, outcome, progress).await,
            }
        }
    }

    async fn complete_locked(&mut self, token: i64, progress: &mut dyn Progress) -> Result<Outcome> {
        let state = self.read().await?;
        let Some(pending) = state.pending() else {
            return Ok(Outcome::Nothing("no version is started".to_owned()));
        };
        let name = pending.version.name.clone();
        match pending.state {
            VersionState::Started | VersionState::Completing => {}
            VersionState::Starting => {
                let refusal = Error::refused(format!("the start of version `{name}` is not finished"))
                    .hint("run `start` again, which goes on where it stopped, or `rollback`");
                let is_paused = pauses::find(&self.client, &self.options.base).await?.is_some();
                return Err(if is_paused { refusal.hint_first("run `resume`, for it is paused") } else { refusal });
            }
            _ => {
                return Err(
                    Error::refused(format!("version `{name}` is being rolled back")).hint("run `rollback` until it is done")
                );
            }
        }
        let base = self.options.base.clone();
        let plan = self.stored(pending, Command::Complete).await?;
        let older = state.parent(pending);
        if pending.state == VersionState::Started {
            let damage = made::damage(&self.client, &base, &pending.version, older).await?;
            if !damage.is_empty() {
                return Err(made::refusal(&name, &damage));
            }
            // as long as nothing is entered, there is a way back
            self.preflight(&plan, progress).await?;
        }
        let from = older.map(|version| version.name.as_str());
        ask(Moment::Complete, &name, from, "run `complete` again", progress)?;
        if pending.state == VersionState::Started {
            self.begin(pending, VersionState::Completing, from, progress).await?;
        }
        self.run(&plan, token, progress).await?;
        state::end_complete(&mut self.client, &base, pending, older).await?;
        progress.after(Moment::Complete, &name, from);
        Ok(Outcome::Done(vec![name]))
    }

    /// Puts back triggers, functions and views of a started version that somebody has dropped or changed. Rows that one version wrote meanwhile
    /// may lack the other version's values.
    ///
    /// # Errors
    ///
    /// If something else was dropped or changed, which cannot be put back: nothing is, then. Run `rollback`.
    pub async fn repair(&mut self) -> Result<Outcome> {
        state::prepare(&self.client, self.options.published_state, self.options.timeout).await?;
        let token = self.take_run("repair", &mut Quiet).await?;
        let outcome = self.repair_locked(token).await;
        self.end("repair", token, outcome, &mut Quiet).await
    }

    /// What [`repair`](Self::repair) would put back, and what it could not. Changes nothing.
    pub async fn damage(&self) -> Result<Vec<Damage>> {
        let state = self.load().await?;
        let Some(pending) = state.pending().filter(|pending| pending.state == VersionState::Started) else {
            return Ok(Vec::new());
        };
        made::damage(&self.client, &self.options.base, &pending.version, state.parent(pending)).await
    }

    async fn repair_locked(&mut self, token: i64) -> Result<Outcome> {
        let state = self.read().await?;
        let Some(pending) = state.pending().filter(|pending| pending.state == VersionState::Started) else {
            return Ok(Outcome::Nothing("no version is started".to_owned()));
        };
        let (base, older) = (self.options.base.clone(), state.parent(pending));
        let damage = made::damage(&self.client, &base, &pending.version, older).await?;
        if damage.is_empty() {
            return Ok(Outcome::Nothing("everything is as the start made it".to_owned()));
        }
        // a table without half of what keeps it in sync takes writes that the other version never sees: all of it, or nothing
        if damage.iter().any(|item| item.put_back.is_none()) {
            return Err(made::refusal(&pending.version.name, &damage));
        }
        log::enter(&self.client, &base, token, &pending.version.name).await?;
        made::put_back(&mut self.client, &damage, Extent::Whole).await?;
        let rest = made::damage(&self.client, &base, &pending.version, older).await?;
        if rest.is_empty() {
            return Ok(Outcome::Done(damage.into_iter().map(|item| item.what).collect()));
        }
        let rest: Vec<Damage> = rest.into_iter().map(|item| Damage { put_back: None, ..item }).collect();
        Err(made::refusal(&pending.version.name, &rest))
    }

    async fn rollback_locked(&mut self, token: i64, progress: &mut dyn Progress) -> Result<Outcome> {
        let state = self.read().await?;
        let Some(pending) = state.pending() else {
            return Ok(Outcome::Nothing("no version is started".to_owned()));
        };
        let pending = &self.as_it_stands(pending).await?;
        let name = pending.version.name.clone();
        if pending.state == VersionState::Completing {
            return Err(Error::refused(format!("`complete` of version `{name}` has begun, and the older version may be gone"))
                .hint("run `complete` until it is done"));
        }
        let base = self.options.base.clone();
        let reached = state::reached(&self.client, &self.options.base, pending).await?;
        let plan = self.stored(pending, Command::Rollback).await?.after(reached);
        let from = pending.parent.clone();
        ask(Moment::Rollback, &name, from.as_deref(), "run `rollback` again", progress)?;
        if pending.state == VersionState::Started {
            let damage = made::damage(&self.client, &base, &pending.version, state.parent(pending)).await?;
            if !damage.is_empty() {
                progress.warning(&made::refusal(&name, &damage));
                // the plan undoes what the start made, and finds it
                made::put_back(&mut self.client, &damage, Extent::AsFarAsItGoes).await?;
            }
        }
        if pending.state != VersionState::RollingBack {
            self.preflight(&plan, progress).await?;
            self.begin(pending, VersionState::RollingBack, Some(&name), progress).await?;
        }
        self.run(&plan, token, progress).await?;
        state::end_rollback(&self.client, &base, pending).await?;
        progress.after(Moment::Rollback, &name, from.as_deref());
        Ok(Outcome::Done(vec![name]))
    }

    /// A version whose completion was entered and has changed nothing is as it was.
    async fn as_it_stands(&self, pending: &Recorded) -> Result<Recorded> {
        let mut pending = pending.clone();
        if pending.state == VersionState::Completing && state::is_untouched(&self.client, &self.options.base, &pending).await? {
            pending.state = VersionState::Started;
        }
        Ok(pending)
    }

    /// The plan that the start has stored for a command.
    async fn stored(&self, pending: &Recorded, command: Command) -> Result<Plan> {
        let plan = state::stored_plan(&self.client, &self.options.base, pending, command).await?;
        plan.ok_or_else(|| {
            let name = &pending.version.name;
            Error::refused(format!("version `{name}` is {}, for which there is no {command}", pending.state)).hint("run `status`")
        })
    }

    /// Enters a command, unless somebody is on the version that it removes.
    async fn begin(
        &mut self,
        pending: &Recorded,
        state: VersionState,
        goes: Option<&str>,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let base = self.options.base.clone();
        let unused = goes.filter(|_| self.options.guard != Guard::Force);
        let since = Instant::now();
        loop {
            let list: Vec<String> = match state::begin(&mut self.client, pending, &base, state, unused).await? {
                Holders::None => return Ok(()),
                // a lease is taken within milliseconds
                Holders::Sessions(_) if since.elapsed() < Duration::from_secs(2) => {
                    tokio::time::sleep(jittered(Duration::from_millis(50))).await;
                    continue;
                }
                Holders::Sessions(sessions) => sessions.iter().map(|session| format!("{session} is taking a lease")).collect(),
                Holders::Leases(leases) => {
                    progress.in_use(&leases);
                    leases.iter().map(ToString::to_string).collect()
                }
            };
            return Err(Error::new(Kind::InUse, format!("version `{}` is in use: {}", goes.unwrap_or_default(), few(&list, PROCESSES, "; ")))
                .hint(format!(
                    "stop these processes (a killed one counts for {} s more), or give --wait DURATION to wait for them; --force cuts them off",
                    lease::EXPIRES_AFTER.as_secs()
                )));
        }
    }

    fn waits_for_leases(&self, error: &Error, since: Instant) -> bool {
        error.is_in_use() && matches!(self.options.guard, Guard::Wait(patience) if since.elapsed() < patience)
    }

    async fn run(&self, plan: &Plan, token: i64, progress: &mut dyn Progress) -> Result<()> {
        log::enter(&self.client, &self.options.base, token, &plan.to).await?;
        self.executor(token).run(plan, progress).await
    }

    /// The plan's checks, before anything is written down.
    async fn preflight(&self, plan: &Plan, progress: &mut dyn Progress) -> Result<()> {
        self.executor(0).preflight(plan, progress).await
    }

    fn executor(&self, token: i64) -> Executor<'_> {
        Executor {
            client: &self.client,
            observer: &self.observer,
            base: &self.options.base,
            server: self.server,
            limits: Limits {
                lock_timeout: self.options.lock_timeout,
                timeout: self.options.timeout,
                batch: self.options.batch,
                workers: self.options.workers,
                max_rate: self.options.max_rate,
                max_lag: self.options.max_lag,
            },
            token,
        }
    }

    /// The state, once it is seen that nobody else can have written it.
    async fn load(&self) -> Result<State> {
        State::load(&self.client, &self.options.base).await
    }

    /// The state within a run, which has looked at that when it was made ready.
    async fn read(&self) -> Result<State> {
        State::read(&self.client, &self.options.base, &self.parsed).await
    }

    async fn extend(&self, state: &State, migrations: &[Migration]) -> Result<Option<Chain>> {
        state.extend(&self.client, &self.options.base, migrations, self.server.major).await
    }

    /// The recorded migrations that are not started, in order, unless they do not fit what is.
    fn unstarted(&self, state: &State, migrations: &[Migration]) -> Result<Vec<Migration>> {
        self.agreed(state, Command::Start, migrations.into())?;
        let comparison = folder::compare(&self.options.base, state, migrations.into());
        Ok(comparison.unstarted.into_iter().cloned().collect())
    }

    /// The recorded migrations let a command be carried out.
    fn agreed(&self, state: &State, command: Command, files: Files<'_>) -> Result<()> {
        let comparison = folder::compare(&self.options.base, state, files);
        comparison.refusal(command, self.options.missing).map_or(Ok(()), |problem| Err(problem.into()))
    }

    /// The same for those that this migrator knows of, if it does.
    async fn as_recorded(&self, command: Command) -> Result<()> {
        let Some((migrations, unreadable)) = &self.recorded else { return Ok(()) };
        self.agreed(&self.read().await?, command, Files::from(migrations).with_unreadable(unreadable))
    }

    async fn schema_exists(&self) -> Result<()> {
        let base = &self.options.base;
        let row = self.client.query_opt("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", &[base]).await?;
        match row {
            Some(_) => Ok(()),
            None => Err(Error::refused(format!("there is no schema `{base}`"))
                .hint(format!("create it, or name another with --schema: CREATE SCHEMA {}", diptych_core::sql::ident(base)))),
        }
    }

    /// Becomes the one run of this base schema: polled, since a session that is blocked in a lock and a concurrent index
    /// build wait for each other.
    async fn take_run(&self, command: &str, progress: &mut dyn Progress) -> Result<i64> {
        self.client.batch_execute(&patience(self.options.timeout)).await?;
        let way = state::way_key(&self.options.base);
        let asks = command == "rollback" && state::try_lock(&self.client, way).await?;
        let free = self.wait_for_run(progress).await;
        if asks {
            state::unlock(&self.client, way).await?;
        }
        free.map_err(|error| ended(command, error, progress))?;
        let token = state::take_token(&self.client, &self.options.base, command).await?;
        if let Err(lack) = self.observer.open().await {
            progress.warning(&lack);
        }
        Ok(token)
    }

    async fn wait_for_run(&self, progress: &mut dyn Progress) -> Result<()> {
        let base = &self.options.base;
        let (key, since) = (state::lock_key(base), Instant::now());
        let mut told = since;
        go_on(progress)?;
        while !state::try_lock(&self.client, key).await? {
            if since.elapsed() >= self.options.timeout {
                let held = state::held_by_others(&self.client, key, &format!("another run holds schema `{base}`")).await?;
                let is_paused = pauses::find(&self.client, base).await?.is_some();
                return Err(if is_paused { held.hint_first("run `resume`, for that start is paused") } else { held });
            }
            // one that is soon over is not worth a word
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                progress.waiting(&state::lock_holders(&self.client, key).await?);
            }
            rest(jittered(Duration::from_millis(100)), progress).await;
            go_on(progress)?;
        }
        Ok(())
    }

    /// The end of a run: what it came to is entered, and the next one may come.
    async fn end(&mut self, command: &str, token: i64, outcome: Result<Outcome>, progress: &mut dyn Progress) -> Result<Outcome> {
        let outcome = outcome.map_err(|error| ended(command, error, progress));
        // what had nothing to do is not entered
        let is_asked_again = self.asks_again && outcome.as_ref().is_err_and(Error::is_in_use);
        if !matches!(outcome, Ok(Outcome::Nothing(_))) && !is_asked_again {
            log::end(&mut self.client, &self.options.base, token, outcome.as_ref().err()).await;
        }
        self.release().await;
        outcome
    }

    async fn release(&self) {
        // a lost session has let go by itself
        let _ = state::unlock(&self.client, state::lock_key(&self.options.base)).await;
    }
}

/// What became of a command that somebody has ended outside the steps of a plan, where nothing is under way.
fn ended(command: &str, error: Error, progress: &mut dyn Progress) -> Error {
    if !is_of_end(&error, progress) || (error.is_interrupted() && error.hint_text().is_some()) {
        return error;
    }
    Error::new(Kind::Interrupted, format!("`{command}` was interrupted")).hint(format!(
        "run `{command}` again: nothing is half done, and it goes on where it stopped; `status` shows the ways back"
    ))
}

//! The start of what is recorded: one version beside the live one, or, while none is live, one after the other.

use super::{Begin, Migrator, Outcome, drift};
use crate::catalog::functions;
use crate::error::{Error, Result};
use crate::execute::estimate::{Estimate, estimate};
use crate::execute::executor::{ask, go_on};
use crate::execute::lag;
use crate::execute::progress::{Moment, Progress};
use crate::state::{self, Plans, State, VersionState, pauses};
use diptych_core::Migration;
use diptych_core::layout::chain::Chain;
use diptych_core::plan::{Command, Phase, Plan, growth, start};

/// The way on where a start is not let begin.
const AGAIN: &str = "run `start` again";

/// What a start does next.
enum Turn {
    /// Goes on with the start that is not finished.
    Resume(String),
    /// Completes the first version, which has no older one beside it.
    Complete,
    /// Starts what is waiting.
    Next,
    /// Nothing more.
    Rest,
}

impl Migrator {
    pub(super) async fn start_locked(
        &mut self,
        migrations: &[Migration],
        to: Option<&str>,
        token: i64,
        progress: &mut dyn Progress,
    ) -> Result<Outcome> {
        let mut done = Vec::new();
        loop {
            go_on(progress)?;
            let state = self.read().await?;
            let waiting = up_to(&state, self.unstarted(&state, migrations)?, to)?;
            match turn(&state, &waiting)? {
                Turn::Resume(name) => {
                    let from = state.pending().and_then(|pending| pending.parent.clone());
                    ask(Moment::Start, &name, from.as_deref(), AGAIN, progress)?;
                    self.resume_start(&state, token, progress).await?;
                    progress.after(Moment::Start, &name, from.as_deref());
                    done.push(name);
                }
                Turn::Complete => {
                    self.complete_locked(token, progress).await?;
                }
                Turn::Next => match self.start_next(&state, &waiting, token, progress).await? {
                    Some(name) => done.push(name),
                    None => break,
                },
                Turn::Rest => break,
            }
        }
        if done.is_empty() {
            return Ok(Outcome::Nothing(self.why_nothing(migrations, to).await?));
        }
        Ok(Outcome::Done(done))
    }

    /// Starts what is waiting; the version's name, or nothing where nothing is to be started.
    async fn start_next(
        &mut self,
        state: &State,
        waiting: &[Migration],
        token: i64,
        progress: &mut dyn Progress,
    ) -> Result<Option<String>> {
        // without a live version there is nobody to keep alive: one after the other
        let next = if state.live().is_none() { &waiting[..waiting.len().min(1)] } else { waiting };
        let Some(chain) = self.extend(state, next).await? else { return Ok(None) };
        if next.len() > 1 && chain.stage.is_opaque() {
            return Err(Error::refused(
                "several migrations are waiting, and one of them has an `sql` operation, which can only run when the migration before it is completed",
            )
            .hint(format!("run `start --to {}`, then `complete`, then `start` again", next[0].name)));
        }
        self.schema_exists().await?;
        let plans = Plans::of(&chain);
        self.look_before(state, &chain, &plans.start, progress).await?;
        let estimate = estimate(&self.client, &self.options.base, &growth(&chain, &plans.start)).await?;
        estimate.within(self.options.free_space, &chain.newer.name)?;
        if estimate.is_large() {
            progress.estimate(&estimate);
        }
        let (name, from) = (&chain.newer.name, chain.older.as_ref().map(|older| older.name.as_str()));
        ask(Moment::Start, name, from, AGAIN, progress)?;
        state::begin_start(&mut self.client, &chain, next, &plans).await?;
        let state = self.read().await?;
        self.resume_start(&state, token, progress).await.map_err(|error| drift::with_way_in(&chain, error))?;
        progress.after(Moment::Start, name, from);
        Ok(Some(chain.newer.name))
    }

    /// Nothing is entered for a plan whose preflight refuses, or whose tables were changed by hand.
    async fn look_before(&self, state: &State, chain: &Chain, plan: &Plan, progress: &mut dyn Progress) -> Result<()> {
        let preflight = self.preflight(plan, progress).await;
        match state.live() {
            Some(live) => {
                let found = drift::find(&self.client, &self.options.base, state).await?;
                drift::judge(&live.version.name, &found, preflight, progress)?;
            }
            None => preflight?,
        }
        if let Some(warning) = functions::look(&self.client, chain).await? {
            progress.warning(&warning);
        }
        Ok(())
    }

    pub(super) async fn resume_start(&mut self, state: &State, token: i64, progress: &mut dyn Progress) -> Result<()> {
        let Some(pending) = state.pending() else { return Ok(()) };
        let base = self.options.base.clone();
        let plan = self.stored(pending, Command::Start).await?;
        let done = state::journal(&self.client, &base, pending, Command::Start).await?;
        if plan.journalled().any(|step| step.phase == Phase::Backfill && !done.contains(&step.id)) {
            self.before_backfill(progress).await?;
        }
        self.run(&plan, token, progress).await?;
        state::end_start(&mut self.client, &base, pending, state.parent(pending)).await
    }

    /// What the options ask for before rows are filled.
    async fn before_backfill(&self, progress: &mut dyn Progress) -> Result<()> {
        if self.options.begin == Begin::Paused {
            pauses::enter(&self.client, &self.options.base).await?;
        }
        if self.options.max_lag.is_some()
            && let Some(warning) = lag::unseen(&self.client).await?
        {
            progress.warning(&warning);
        }
        Ok(())
    }

    /// Why there was nothing to start.
    async fn why_nothing(&self, migrations: &[Migration], to: Option<&str>) -> Result<String> {
        let state = self.read().await?;
        let there = to.and_then(|to| state.applied().find(|(migration, _)| migration.name == to));
        Ok(match there {
            Some((migration, of)) if migration.name == of.version.name => {
                format!("version `{}` is {}", migration.name, of.state)
            }
            Some((migration, of)) => {
                format!("migration `{}` is part of version `{}`, which is {}", migration.name, of.version.name, of.state)
            }
            None if migrations.is_empty() => "no migration is recorded".to_owned(),
            None => "every recorded migration is started".to_owned(),
        })
    }

    /// What a start of these migrations may need on the disk; nothing where there is nothing to start. Changes nothing.
    pub async fn estimate(&self, migrations: &[Migration], to: Option<&str>) -> Result<Option<Estimate>> {
        let state = self.load().await?;
        if state.pending().is_some() {
            return Ok(None);
        }
        let Some(chain) = self.chain_to_start(&state, migrations, to).await? else { return Ok(None) };
        estimate(&self.client, &self.options.base, &growth(&chain, &start(&chain))).await.map(Some)
    }

    pub(super) async fn plan_start(&self, state: &State, migrations: &[Migration], to: Option<&str>) -> Result<Option<Plan>> {
        Ok(self.chain_to_start(state, migrations, to).await?.map(|chain| start(&chain)))
    }

    pub(super) async fn plans_of_start(
        &self,
        state: &State,
        migrations: &[Migration],
        to: Option<&str>,
    ) -> Result<Option<[Plan; 3]>> {
        let plans = self.chain_to_start(state, migrations, to).await?.map(|chain| Plans::of(&chain));
        Ok(plans.map(|plans| [plans.start, plans.complete, plans.rollback]))
    }

    pub(super) async fn chain_to_start(
        &self,
        state: &State,
        migrations: &[Migration],
        to: Option<&str>,
    ) -> Result<Option<Chain>> {
        let wanted = up_to(state, self.unstarted(state, migrations)?, to)?;
        let wanted = if state.live().is_none() { &wanted[..wanted.len().min(1)] } else { &wanted[..] };
        self.extend(state, wanted).await
    }
}

/// What the version on its way lets a start do.
fn turn(state: &State, waiting: &[Migration]) -> Result<Turn> {
    let Some(pending) = state.pending() else { return Ok(Turn::Next) };
    let name = &pending.version.name;
    match pending.state {
        VersionState::Starting => Ok(Turn::Resume(name.clone())),
        VersionState::Started if waiting.is_empty() => Ok(Turn::Rest),
        VersionState::Started if state.live().is_none() && pending.parent.is_none() => Ok(Turn::Complete),
        VersionState::Started => Err(Error::refused(format!(
            "version `{name}` is started but not completed, and `{}` has to wait for that",
            waiting[0].name
        ))
        .hint("run `complete` first, or `rollback`")),
        VersionState::Completing => {
            Err(Error::refused(format!("version `{name}` is being completed")).hint("run `complete` until it is done"))
        }
        _ => Err(Error::refused(format!("version `{name}` is being rolled back")).hint("run `rollback` until it is done")),
    }
}

/// Those of the migrations up to a version; none where that version is started already.
fn up_to(state: &State, migrations: Vec<Migration>, to: Option<&str>) -> Result<Vec<Migration>> {
    let Some(to) = to else { return Ok(migrations) };
    if state.applied().any(|(there, _)| there.name == to) {
        return Ok(Vec::new());
    }
    match migrations.iter().position(|migration| migration.name == to) {
        Some(at) => Ok(migrations.into_iter().take(at + 1).collect()),
        None => {
            let names: Vec<String> = migrations.iter().map(|migration| format!("`{}`", migration.name)).collect();
            let hint = match names.len() {
                0 => "every recorded migration is started; `status` shows the versions".to_owned(),
                _ => format!("the migrations that are not started are {}", names.join(", ")),
            };
            Err(Error::refused(format!("there is no migration `{to}` to start")).hint(hint))
        }
    }
}

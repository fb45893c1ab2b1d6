//! The pause of a start, and its end, from any process.

use super::{Migrator, Outcome};
use crate::error::{Error, Result};
use crate::state::{self, State, VersionState, pauses};

impl Migrator {
    /// Pauses the start that is under way, whichever process carries it out, or that was interrupted. It stops between two transactions of
    /// a backfill, or before its next step, within a second unless a single statement takes longer; it locks no row and holds no snapshot while
    /// it waits. It stays paused if its process ends and `start` is run again. Where it is paused, nothing changes.
    ///
    /// # Errors
    ///
    /// Where no version is being started.
    pub async fn pause(&self) -> Result<Outcome> {
        let state = self.load().await?;
        let name = starting(&state)?;
        state::prepare(&self.client, self.options.published_state, self.options.timeout).await?;
        if pauses::enter(&self.client, &self.options.base).await? {
            return Ok(Outcome::Done(vec![name.to_owned()]));
        }
        match pauses::find(&self.client, &self.options.base).await? {
            Some(pause) => Ok(Outcome::Nothing(format!("the start of version `{name}` is paused {pause}"))),
            // it has ended meanwhile
            None => starting(&self.load().await?).map(|name| Outcome::Nothing(format!("the start of version `{name}` goes on"))),
        }
    }

    /// Lets a paused start go on: the process that waits, or the next `start`. Nothing changes where none is paused.
    pub async fn resume(&self) -> Result<Outcome> {
        let state = self.load().await?;
        let Ok(name) = starting(&state) else { return Ok(Outcome::Nothing("no start is paused".to_owned())) };
        state::prepare(&self.client, self.options.published_state, self.options.timeout).await?;
        if pauses::lift(&self.client, &self.options.base).await? {
            return Ok(Outcome::Done(vec![name.to_owned()]));
        }
        Ok(Outcome::Nothing(format!("the start of version `{name}` is not paused")))
    }
}

/// The version that is being started: nothing else is paused.
fn starting(state: &State) -> Result<&str> {
    let Some(pending) = state.pending() else {
        return Err(Error::refused("no version is being started, so that there is nothing to pause")
            .hint("run `start --pause`, which makes the tables ready and fills no row until `resume`"));
    };
    let (name, hint) =
        (&pending.version.name, "each of its transactions is short: end its process if it has to stop, and run it again later");
    match pending.state {
        VersionState::Starting => Ok(name),
        VersionState::Completing => {
            Err(Error::refused(format!("version `{name}` is being completed, which is not paused")).hint(hint))
        }
        VersionState::RollingBack => {
            Err(Error::refused(format!("version `{name}` is being rolled back, which is not paused")).hint(hint))
        }
        _ => Err(Error::refused(format!("the start of version `{name}` is done, so that there is nothing to pause"))
            .hint("run `complete` when the applications have moved, or `rollback`")),
    }
}

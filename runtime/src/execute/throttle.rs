//! What a start waits for between its transactions, with no row locked and no snapshot held: that somebody resumes it.

use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};
use crate::execute::executor::Executor;
use crate::execute::progress::{Progress, Wait};
use crate::state::{self, pauses};

/// How often it is looked whether there is something to wait for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Between two transactions.
#[derive(Default)]
pub(crate) struct Throttle {
    looked: Option<Instant>,
}

impl Throttle {
    /// Waits for as long as there is a reason to. Says whether there was one.
    pub(crate) async fn wait(&mut self, executor: &Executor<'_>, progress: &mut dyn Progress) -> Result<bool> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return Ok(false);
        }
        let mut waited = false;
        while let Some(wait) = reason(executor).await? {
            waited = true;
            progress.held(&wait);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.looked = Some(Instant::now());
        Ok(waited)
    }
}

async fn reason(executor: &Executor<'_>) -> Result<Option<Wait>> {
    let Some(pause) = pauses::find(executor.client, executor.base).await? else { return Ok(None) };
    if let Some(asks) = state::lock_holders(executor.client, state::way_key(executor.base)).await?.first() {
        return Err(Error::new(Kind::Failed, format!("the start is paused {pause}, and gives way to the rollback of {asks}"))
            .hint("run `start` again when the rollback is done, if the change is still wanted"));
    }
    Ok(Some(Wait::Paused(pause)))
}

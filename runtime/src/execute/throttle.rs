//! What a start waits for between its transactions, with no row locked and no snapshot held: that somebody resumes it, that whoever follows
//! the server's log catches up, that its rows are due.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};
use crate::execute::executor::{Executor, Limits, go_on};
use crate::execute::lag::Lag;
use crate::execute::meter::{Meter, Speed};
use crate::execute::pace::Unit;
use crate::execute::progress::{Progress, Wait};
use crate::state::{self, pauses};
use diptych_core::sql::literal;
use diptych_core::{Sql, sql};

/// How often it is looked whether there is something to wait for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often the state says what is waited for.
const NOTE_EVERY: Duration = Duration::from_secs(2);
/// How many passes a second a rate is spread over.
const PASSES: u32 = 10;
/// The most rows that a block can have: what is assumed of a table of which nothing has been seen.
const DENSEST: f64 = 291.0;

/// Between two transactions.
#[derive(Default)]
pub(crate) struct Throttle {
    looked: Option<Instant>,
    lag: Option<Lag>,
    rate: Option<Rate>,
    meter: Meter,
    /// When the run has said in the state what it waits for.
    noted: Option<Instant>,
}

impl Throttle {
    /// For a backfill.
    pub(crate) fn new(limits: &Limits) -> Self {
        Throttle { lag: limits.max_lag.map(Lag::new), rate: limits.max_rate.map(Rate::new), ..Throttle::default() }
    }

    /// Waits for as long as there is a reason to. Says whether it was for others.
    pub(crate) async fn wait(&mut self, executor: &Executor<'_>, progress: &mut dyn Progress) -> Result<bool> {
        let mut waited = false;
        loop {
            go_on(progress)?;
            if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
                if let Some(wait) = self.reason(executor).await? {
                    waited = true;
                    progress.held(&wait);
                    self.note(executor, Some(&wait)).await?;
                    self.meter.forget();
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
                self.looked = Some(Instant::now());
                self.note(executor, self.held_back().as_ref()).await?;
            }
            let Some(rest) = self.rate.as_ref().and_then(Rate::rest) else { return Ok(waited) };
            tokio::time::sleep(rest.min(LOOK_EVERY)).await;
        }
    }

    /// When everything is filled: what comes after it is not held back.
    pub(crate) async fn end(&mut self, executor: &Executor<'_>, progress: &mut dyn Progress) -> Result<()> {
        self.wait(executor, progress).await?;
        self.note(executor, None).await
    }

    /// Says in the state what it waits for, for whoever looks from elsewhere; again from time to time, for that changes.
    async fn note(&mut self, executor: &Executor<'_>, wait: Option<&Wait>) -> Result<()> {
        // a pause is there already
        let wait = wait.filter(|wait| !matches!(wait, Wait::Paused(_)));
        if wait.is_some() == self.noted.is_some() && self.noted.is_none_or(|noted| noted.elapsed() < NOTE_EVERY) {
            return Ok(());
        }
        let waits = wait.map_or(Sql::trusted("NULL"), |wait| literal(&wait.to_string()));
        let base = literal(executor.base);
        let mut update = sql!("UPDATE diptych.runs SET waits = {} WHERE base = {}", waits, base);
        if matches!(wait, Some(Wait::Lag { .. })) {
            let stands = "UPDATE diptych.backfill SET rows_per_second = 0, blocks_per_second = 0 WHERE base =";
            update = sql!("{}; {} {}", update, Sql::trusted(stands), base);
        }
        executor.note(&update).await?;
        self.noted = wait.map(|_| Instant::now());
        Ok(())
    }

    /// Why it is no faster, where it waits for nobody.
    pub(crate) fn held_back(&self) -> Option<Wait> {
        self.rate.as_ref().filter(|rate| rate.is_felt).map(|rate| Wait::Rate(rate.most))
    }

    async fn reason(&mut self, executor: &Executor<'_>) -> Result<Option<Wait>> {
        if let Some(pause) = pauses::find(executor.client, executor.base).await? {
            if let Some(asks) = state::lock_holders(executor.client, state::way_key(executor.base)).await?.first() {
                return Err(Error::new(
                    Kind::Failed,
                    format!("the start is paused {pause}, and gives way to the rollback of {asks}"),
                )
                .hint("run `start` again when the rollback is done, if the change is still wanted"));
            }
            return Ok(Some(Wait::Paused(pause)));
        }
        let Some(lag) = &mut self.lag else { return Ok(None) };
        let behind = lag.look(executor.client).await?;
        Ok((!behind.is_empty()).then_some(Wait::Lag { behind, most: lag.most }))
    }

    /// As much of a unit as a pass of so many sessions may do.
    pub(crate) fn bounded(&self, unit: Unit, sessions: usize) -> Unit {
        self.rate.as_ref().map_or(unit, |rate| rate.bounded(unit, sessions))
    }

    /// After a pass: when it began, its rows, its blocks. How fast that is.
    pub(crate) fn done(&mut self, began: Instant, rows: u64, blocks: i64) -> Speed {
        let mut end = Instant::now();
        if let Some(rate) = &mut self.rate {
            rate.done(began, rows, blocks);
            end = end.max(rate.due);
        }
        self.meter.done(began, end, rows, blocks)
    }
}

/// So many rows a second, whichever session fills them.
struct Rate {
    most: NonZeroU32,
    /// When the next pass may begin.
    due: Instant,
    /// The most rows to a block that a pass has met.
    density: Option<f64>,
    /// Whether the last pass was done before its time.
    is_felt: bool,
}

impl Rate {
    fn new(most: NonZeroU32) -> Self {
        Rate { most, due: Instant::now(), density: None, is_felt: false }
    }

    /// How long the next pass has to wait.
    fn rest(&self) -> Option<Duration> {
        let rest = self.due.saturating_duration_since(Instant::now());
        (!rest.is_zero()).then_some(rest)
    }

    fn bounded(&self, unit: Unit, sessions: usize) -> Unit {
        let rows = (self.most.get() / PASSES).max(1);
        let blocks = (f64::from(rows) / self.density.unwrap_or(DENSEST) / sessions.max(1) as f64) as i64;
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        match unit {
            Unit::Blocks(_) if blocks == 0 => Unit::Rows(rows),
            Unit::Blocks(most) => Unit::Blocks(most.min(blocks)),
            Unit::Rows(most) => Unit::Rows(most.min(rows)),
            Unit::LongRow => Unit::LongRow,
        }
    }

    fn done(&mut self, began: Instant, rows: u64, blocks: i64) {
        self.due = began + Duration::from_secs_f64(rows as f64 / f64::from(self.most.get()));
        self.is_felt = self.due > Instant::now();
        if rows > 0 && blocks > 0 {
            self.density = Some(self.density.unwrap_or_default().max(rows as f64 / blocks as f64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;
    use crate::execute::pace::Unit;
    use std::num::NonZeroU32;
    use std::time::Duration;

    #[test]
    fn a_pass_is_a_tenth_of_a_second_of_what_is_known_of_the_table() {
        let mut rate = Rate::new(NonZeroU32::new(10_000).unwrap());
        let began = rate.due;
        assert_eq!(rate.bounded(Unit::Blocks(64), 1), Unit::Blocks(3));
        rate.done(began, 150, 3);
        assert_eq!(rate.due - began, Duration::from_millis(15));
        assert_eq!(rate.bounded(Unit::Blocks(64), 1), Unit::Blocks(20));
        assert_eq!(rate.bounded(Unit::Blocks(64), 2), Unit::Blocks(10));
        assert_eq!(rate.bounded(Unit::Blocks(4), 2), Unit::Blocks(4));
        // rows that were in sync say nothing of those to come
        rate.done(began, 0, 20);
        assert_eq!(rate.bounded(Unit::Blocks(64), 1), Unit::Blocks(20));
        let slow = Rate::new(NonZeroU32::MIN);
        assert_eq!((slow.bounded(Unit::Blocks(1), 2), slow.bounded(Unit::LongRow, 2)), (Unit::Rows(1), Unit::LongRow));
    }
}

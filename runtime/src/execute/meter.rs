//! How fast a backfill is: over the last moments, without those in which it waited for others.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far back it looks.
const OVER: Duration = Duration::from_secs(10);

/// What the passes of the last moments have done: when each began, its rows and its blocks.
#[derive(Default)]
pub(crate) struct Meter(VecDeque<(Instant, u64, i64)>);

/// What is done in a second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Speed {
    pub rows: f64,
    pub blocks: f64,
}

impl Meter {
    /// After a pass: when it began and ended, what it did.
    pub(crate) fn done(&mut self, began: Instant, now: Instant, rows: u64, blocks: i64) -> Speed {
        self.0.push_back((began, rows, blocks));
        while self.0.front().is_some_and(|pass| now - pass.0 > OVER) && self.0.len() > 1 {
            self.0.pop_front();
        }
        let first = self.0.front().map_or(began, |pass| pass.0);
        let each = |sum: f64| sum / (now - first).as_secs_f64().max(1e-6);
        let (rows, blocks) = self.0.iter().fold((0, 0), |sum, pass| (sum.0 + pass.1, sum.1 + pass.2));
        Speed { rows: each(rows as f64), blocks: each(blocks as f64) }
    }

    /// After a wait for others: what was before it says nothing of now.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

impl Speed {
    /// How many seconds it takes to do so many blocks, where that can be told.
    pub(crate) fn seconds_for(self, blocks: u64) -> Option<u64> {
        (self.blocks > 0.0).then(|| (blocks as f64 / self.blocks).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;
    use std::time::{Duration, Instant};

    #[test]
    fn the_last_moments_count_and_no_wait() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut meter = Meter::default();
        let first = meter.done(start, start + second, 100, 0);
        assert_eq!((first.rows, first.seconds_for(50)), (100.0, None));
        let speed = meter.done(start + second, start + 2 * second, 300, 10);
        assert_eq!((speed.rows, speed.blocks, speed.seconds_for(51)), (200.0, 5.0, Some(11)));
        meter.forget();
        let late = meter.done(start + 60 * second, start + 61 * second, 7, 1);
        assert_eq!((late.rows, late.blocks), (7.0, 1.0));
        // a pass that is long ago is dropped, the newest never
        let later = meter.done(start + 80 * second, start + 100 * second, 40, 2);
        assert_eq!((later.rows, later.blocks), (2.0, 0.1));
    }
}

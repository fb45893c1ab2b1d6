//! How much of a table a backfill takes on at a time: as much as a moment allows, down to a single row.

use std::time::Duration;

/// What one pass does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// So many blocks.
    Blocks(i64),
    /// So many rows of one block.
    Rows(usize),
    /// One row that takes longer than the backfill's statements may: for as long as the run is patient. It is locked only while its
    /// new version is written.
    LongRow,
}

/// The unit of the next pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) unit: Unit,
    /// How long a transaction should hold its rows.
    target: Duration,
}

const FIRST_BLOCKS: i64 = 64;
const MOST_BLOCKS: i64 = 1024;
const MOST_ROWS: usize = 64;
/// What a pass that has seen nothing of the table yet may read, large values included.
const FIRST_BYTES: i64 = FIRST_BLOCKS * 16 * 1024;
/// By what a unit shrinks where one was given up, so that few tries are for nothing.
const SHRINK: u8 = 4;

impl Pace {
    /// The first unit for a table of so many blocks and bytes.
    pub(crate) fn first(blocks: i64, bytes: i64, target: Duration) -> Self {
        let each = bytes / blocks.max(1);
        let unit = match FIRST_BYTES / each.max(1) {
            0 => Unit::Rows(1),
            blocks => Unit::Blocks(blocks.min(FIRST_BLOCKS)),
        };
        Pace { unit, target }
    }

    /// After a pass whose transactions took so long each, the longest that a statement may.
    pub(crate) fn done(&mut self, each: Duration, bound: Duration) {
        self.unit = match self.unit {
            Unit::LongRow if each > bound / 2 => Unit::LongRow,
            Unit::LongRow => Unit::Rows(1),
            // row by row nothing is pruned between the passes: not for a slow moment alone
            Unit::Blocks(1) if each > self.target && each < bound / 2 => Unit::Blocks(1),
            unit => scaled(unit, self.target.as_secs_f64() / each.as_secs_f64().max(1e-6)),
        }
    }

    /// After one that was given up since others held its rows.
    pub(crate) fn blocked(&mut self) {
        self.unit = smaller(self.unit, SHRINK);
    }

    /// After one that took too long; false where there is nothing smaller.
    pub(crate) fn too_long(&mut self) -> bool {
        let one = matches!(self.unit, Unit::Rows(1) | Unit::LongRow);
        let is_left = self.unit != Unit::LongRow;
        self.unit = if one { Unit::LongRow } else { smaller(self.unit, SHRINK) };
        is_left
    }
}

/// So many times as much, from half to twice.
fn scaled(unit: Unit, factor: f64) -> Unit {
    let percent = (factor.clamp(0.5, 2.0) * 100.0) as u32;
    match unit {
        Unit::Blocks(1) if percent == 50 => Unit::Rows(MOST_ROWS),
        Unit::Blocks(blocks) => Unit::Blocks((blocks * i64::from(percent) / 100).clamp(1, MOST_BLOCKS)),
        Unit::Rows(MOST_ROWS..) if percent == 200 => Unit::Blocks(1),
        Unit::Rows(rows) => Unit::Rows((rows * percent as usize / 100).clamp(1, MOST_ROWS)),
        Unit::LongRow => Unit::LongRow,
    }
}

fn smaller(unit: Unit, by: u8) -> Unit {
    match unit {
        Unit::Blocks(1) => Unit::Rows(MOST_ROWS),
        Unit::Blocks(blocks) => Unit::Blocks((blocks / i64::from(by)).max(1)),
        Unit::Rows(rows) => Unit::Rows((rows / usize::from(by)).max(1)),
        Unit::LongRow => Unit::LongRow,
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Unit};
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_unit_is_chosen_by_bytes() {
        let first = |blocks, bytes| Pace::first(blocks, bytes, MS).unit;
        assert_eq!(first(10_000, 10_000 * 8192), Unit::Blocks(64));
        assert_eq!(first(0, 0), Unit::Blocks(64));
        assert_eq!(first(100, 100 * 256 * 1024), Unit::Blocks(4));
        assert_eq!(first(1, 90 << 20), Unit::Rows(1));
    }

    #[test]
    fn what_takes_too_long_is_tried_a_few_times_and_then_once_with_patience() {
        let mut pace = Pace { unit: Unit::Blocks(1024), target: 25 * MS };
        let mut tries = 0;
        while pace.too_long() {
            tries += 1;
        }
        assert_eq!((pace.unit, tries), (Unit::LongRow, 10));
        // patience ends with the first row that needs none
        pace.done(300 * MS, 250 * MS);
        assert_eq!(pace.unit, Unit::LongRow);
        pace.done(30 * MS, 250 * MS);
        assert_eq!(pace.unit, Unit::Rows(1));
        for _ in 0..20 {
            pace.done(MS, 250 * MS);
        }
        assert_eq!(pace.unit, Unit::Blocks(1024));
    }

    #[test]
    fn a_lock_is_no_reason_for_patience() {
        let mut pace = Pace { unit: Unit::Blocks(64), target: 25 * MS };
        for _ in 0..20 {
            pace.blocked();
        }
        assert_eq!(pace.unit, Unit::Rows(1));
    }
}

//! What a run tells while it goes on.

use crate::error::Error;
use crate::execute::estimate::Estimate;
use crate::execute::lag::Follower;
use crate::lease::Lease;
use crate::session::observer::Blocker;
use crate::state::pauses::Pause;
use crate::text::{PROCESSES, few, printable};
use diptych_core::plan::Step;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// What a start waits for between its transactions, and a complete before it begins: it locks no row meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// Somebody has paused it.
    Paused(Pause),
    /// Standbys or replication slots are behind.
    Lag {
        /// Which.
        behind: Vec<Follower>,
        /// How long they may be.
        most: Duration,
    },
    /// It fills as many rows a second as it may.
    Rate(NonZeroU32),
    /// The sign for a complete has not come.
    Sign(Awaited),
}

/// What of a sign has not come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Awaited {
    /// The version that is published.
    pub version: String,
    /// How much longer it has to be.
    pub left: Option<Duration>,
    /// What the query gives.
    pub found: Option<&'static str>,
}

impl fmt::Display for Awaited {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.left.map(|left| {
            format!("until version `{}` has been published for {} s more", printable(&self.version), left.as_secs().max(1))
        });
        let found = self.found.map(|found| format!("until the query of --when gives true: it gives {found}"));
        write!(out, "waits {}", [left, found].into_iter().flatten().collect::<Vec<_>>().join(", and "))
    }
}

/// How far the backfill of a table, or of one of its partitions, is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filled {
    /// Blocks that are done.
    pub blocks: u64,
    /// Of how many.
    pub of: u64,
    /// Rows that were filled, by earlier runs too; not those that were in sync, since the application has written them.
    pub rows: u64,
    /// How many of them in a second, over the last moments.
    pub rows_per_second: u64,
    /// How long the rest takes at this speed, where that can be told.
    pub seconds_left: Option<u64>,
    /// Why it is no faster, where it is held back.
    pub wait: Option<Wait>,
}

impl fmt::Display for Wait {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Paused(pause) => write!(out, "paused {pause}; `resume` lets it go on"),
            Wait::Lag { behind, most } => {
                let list: Vec<String> = behind.iter().map(ToString::to_string).collect();
                write!(out, "waits for {}: for longer than --max-lag {most:?}", few(&list, PROCESSES, "; "))
            }
            Wait::Sign(awaited) => awaited.fmt(out),
            Wait::Rate(rows) => write!(out, "held back by --max-rate {rows}"),
        }
    }
}

/// A part of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Moment {
    /// A start, or the rest of one that was interrupted.
    Start,
    /// Within a start: rows are filled.
    Backfill,
    /// Within a start: the new version appears.
    Publish,
    /// A complete, or its rest.
    Complete,
    /// A rollback, or its rest.
    Rollback,
}

/// Told what goes on; every method may be left as it is.
pub trait Progress: Send {
    /// A step begins: its number from 1, of how many.
    fn step(&mut self, _number: usize, _total: usize, _step: &Step) {}
    /// A step has ended, of those that were begun.
    fn step_ended(&mut self, _number: usize, _total: usize, _step: &Step) {}
    /// A backfill moved on.
    fn backfill(&mut self, _table: &str, _filled: &Filled) {}
    /// A lock has to be waited for, because of these sessions.
    fn waiting(&mut self, _blockers: &[Blocker]) {}
    /// What a start may need on the disk, before it changes anything; not told where that is nothing to speak of.
    fn estimate(&mut self, _estimate: &Estimate) {}
    /// A start waits between its transactions, or a complete for its sign; told again and again until it goes on.
    fn held(&mut self, _wait: &Wait) {}
    /// Something that is no reason to refuse, but that somebody should know before it happens.
    fn warning(&mut self, _warning: &Error) {}
    /// `complete` or `rollback` waits for these processes to leave the version that goes.
    fn in_use(&mut self, _leases: &[Lease]) {}
    /// A step is tried again: why.
    fn retry(&mut self, _step: &Step, _reason: &str) {}
    /// A statement of a step is about to be sent.
    fn statement(&mut self, _sql: &str) {}
    /// A part of a command is about to begin for a version, which comes after another one if there is any. An error's text ends the command
    /// there: before a start, a complete and a rollback nothing is changed. It may be told more than once of the same.
    fn before(&mut self, _moment: Moment, _version: &str, _from: Option<&str>) -> Result<(), String> {
        Ok(())
    }
    /// A start, a complete or a rollback has ended; the next command waits until this returns.
    fn after(&mut self, _moment: Moment, _version: &str, _from: Option<&str>) {}
    /// Whether the command is to end at the next safe point: asked between transactions, and while something is waited for. What takes long on
    /// the server is cancelled then, and the same command goes on where this one has stopped.
    fn ends(&mut self) -> bool {
        false
    }
}

/// Progress that nobody wants to hear of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {}

//! How much a start makes the disk and the log grow, told before it changes anything.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tokio_postgres::Client;
use tokio_postgres::types::Json;

use crate::error::{Error, Result};
use diptych_core::plan::Growth;

/// What a start may need, in bytes: rather too much than too little. What applications write meanwhile comes on top.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// The tables whose rows are filled, each with how many it has: as they were last counted.
    pub filled: BTreeMap<String, u64>,
    /// By how much tables grow, with what is stored out of line. In most cases it is half of that, since room is used again.
    pub tables: u64,
    /// By how much indexes grow, those that are built among them.
    pub indexes: u64,
    /// How much is written to the log.
    pub wal: u64,
    /// How much of that the server may keep at a time: all of it where slots or an archive may need it.
    pub wal_kept: u64,
}

/// Below which there is nothing to tell.
const LEAST: u64 = 1 << 20;

impl Estimate {
    /// About how long a table's rows take to fill, at 100,000 rows a second: half of what one session does where rows are small and the server
    /// is at rest, and more than it does where rows or conversions are large. Nothing where that is no time to speak of.
    pub fn time(&self, table: &str) -> Option<Duration> {
        let seconds = self.filled.get(table)? / 100_000;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// What has to be free on the volume, where tables, indexes and the log share one.
    pub fn disk(&self) -> u64 {
        self.tables + self.indexes + self.wal_kept
    }

    /// Whether it is anything to speak of.
    pub fn is_large(&self) -> bool {
        self.tables + self.indexes + self.wal >= LEAST
    }

    /// Refuses what does not fit.
    pub(crate) fn within(&self, free: Option<u64>, version: &str) -> Result<()> {
        match free {
            Some(free) if free < self.disk() => Err(Error::refused(format!(
                "the start of version `{version}` may need {self}, and {} are free by --free-space",
                Size(free)
            ))
            .hint("make room and say so with --free-space; or leave --free-space out, and nothing is refused for want of room")),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [all, tables, indexes, kept, wal] = [self.disk(), self.tables, self.indexes, self.wal_kept, self.wal].map(Size);
        write!(
            out,
            "up to {all} of disk ({tables} in tables, {indexes} in indexes, {kept} of WAL at a time) and {wal} of WAL in all"
        )
    }
}

/// Bytes for people.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..LEAST => write!(out, "{} kB", self.0 >> 10),
            LEAST..10_737_418_240 => write!(out, "{} MB", self.0 >> 20),
            _ => write!(out, "{} GB", self.0 >> 30),
        }
    }
}

/// What a table and its indexes are like.
struct Sizes {
    heap: f64,
    /// Stored out of line, where the new columns may be as well.
    toast: f64,
    indexes: f64,
    rows: f64,
    /// By how many bytes a row grows.
    more: f64,
    /// Bytes of a row's entries in the indexes that are built.
    entries: f64,
    is_filled: bool,
}

impl Sizes {
    /// Each row is written once more, and found by each index once more, as if nothing of the older rows were used again. The log has an
    /// image of each page that is changed, and what is written.
    fn estimate(&self) -> Estimate {
        let built = self.rows * self.entries;
        let (tables, indexes, wal) = if self.is_filled {
            let tables = MAPS * (self.heap + self.rows * self.more + self.toast);
            let written = tables + self.rows * RECORD + RECORDS * self.indexes;
            (tables, self.indexes, self.heap + self.indexes + written)
        } else {
            (0.0, 0.0, 0.0)
        };
        let [tables, indexes, wal] = [tables, indexes + built, wal + built].map(|bytes| bytes as u64);
        Estimate { tables, indexes, wal, wal_kept: wal, ..Estimate::default() }
    }
}

/// How many times its size a heap, or what is stored out of line, is with the maps of its free space and of what is visible, and with pages
/// that were added and are not used yet.
const MAPS: f64 = 1.05;
/// Bytes of the log that go with each row, besides what is in it.
const RECORD: f64 = 120.0;
/// How many times its size the entries of an index come to in the log.
const RECORDS: f64 = 3.0;

/// What a start that makes these tables grow may need.
pub(crate) async fn estimate(client: &Client, base: &str, growth: &[Growth]) -> Result<Estimate> {
    let rows = client.query(include_str!("sizes.sql"), &[&base, &Json(growth)]).await?;
    let mut all = Estimate::default();
    for row in &rows {
        let [heap, toast, indexes, rows, more, entries] = [1, 2, 3, 4, 5, 6].map(|at| row.get::<_, f64>(at));
        if row.get(7) {
            all.filled.insert(row.get(0), rows as u64);
        }
        let own = Sizes { heap, toast, indexes, rows, more, entries, is_filled: row.get(7) }.estimate();
        all.tables += own.tables;
        all.indexes += own.indexes;
        all.wal += own.wal;
    }
    let kept: Option<i64> = client.query_one(KEPT, &[]).await?.get(0);
    all.wal_kept = kept.map_or(all.wal, |kept| all.wal.min(kept.unsigned_abs()));
    Ok(all)
}

/// How much of the log is kept, in bytes; NULL where that has no bound.
const KEPT: &str = "SELECT CASE WHEN pg_catalog.current_setting('archive_mode') = 'off' AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots) \
     THEN (SELECT sum(setting::pg_catalog.int8) * 1048576 FROM pg_catalog.pg_settings WHERE name IN ('max_wal_size', 'wal_keep_size'))::pg_catalog.int8 END";

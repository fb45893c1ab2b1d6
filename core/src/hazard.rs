//! Named hazards: what a plan cannot promise, said before it happens.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A hazard of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hazard {
    /// A REPEATABLE READ transaction that updates a row which the backfill has touched gets 40001.
    RepeatableRead,
    /// What does not wait for a row lock meets those of the backfill.
    RowLocks,
    /// `INSERT … ON CONFLICT` on a converted unique key may meet the other version's index: 23505.
    UpsertOnConvertedKey,
    /// `INSERT … ON CONFLICT` on a key of a partitioned table, which only its partitions have until complete: 42P10.
    UpsertOnPartitions,
    /// What foreign keys do to rows that point at one that goes is not the same in both versions.
    ForeignKeyActions,
    /// The older version's writes are held to a new constraint as well.
    OldWritesMayFail,
    /// Statements of the user's own: their locks and their time are theirs.
    OpaqueSql,
    /// Data of the older version goes.
    DataGoes,
    /// A default of a converted column that stays as it is.
    DefaultStays,
    /// A conversion reads other tables.
    SubSelect,
    /// What the triggers cost while two versions are live.
    SyncCost,
    /// A foreign key's drop needs both of its tables at one moment.
    ForeignKeyDrop,
    /// Readers on a hot standby may be cancelled when it replays a lock or a cleanup.
    Standby,
    /// Prepared statements that name the base table rather than a version's view.
    PreparedOnBase,
    /// A table without a replica identity that is published.
    ReplicaIdentity,
    /// Partitions that leave a table in transition, or come to it ready-made.
    Partitions,
}

impl Hazard {
    /// What it means, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Hazard::RepeatableRead => {
                "a REPEATABLE READ transaction that updates a backfilled row fails with 40001 and has to be retried"
            }
            Hazard::RowLocks => {
                "the backfill locks each row for about 25 ms (--batch), or for as long as a large or slowly converted row takes to write; meanwhile NOWAIT and a shorter lock_timeout fail with 55P03, and SKIP LOCKED skips the row"
            }
            Hazard::UpsertOnConvertedKey => {
                "INSERT … ON CONFLICT on this key may be refused by the other version's unique index (23505) while both are live"
            }
            Hazard::UpsertOnPartitions => {
                "until complete, each partition that was there has this key, and the partitioned table and partitions that come have not: INSERT … ON CONFLICT on it fails in the newer version with 42P10, and `complete` refuses rows of new partitions that are equal in it"
            }
            Hazard::ForeignKeyActions => {
                "while both versions are live, the foreign keys of both act on every DELETE and UPDATE, by whichever version: what one of them cascades to, sets to NULL or refuses holds for the other version, too"
            }
            Hazard::OldWritesMayFail => "writes of the older version that break the new constraint fail",
            Hazard::OpaqueSql => "Diptych does not know what your own statements lock, and for how long",
            Hazard::DataGoes => {
                "this step deletes data: of columns and tables that only the older version has, or the rows that `delete` names"
            }
            Hazard::DefaultStays => {
                "the default of a converted column is not converted with `up`; set `default` in the operation if the newer version needs another one"
            }
            Hazard::SubSelect => {
                "a conversion reads other tables; it runs with the migration role's rights, since the writer may have none on them, and it does not run again when those tables change"
            }
            Hazard::SyncCost => {
                "while both versions are live, a row trigger runs for every UPDATE of this table, also for unrelated ones: about 55 bytes of WAL and 10 to 30 µs for a statement of one row; it reads and compares the values of converted columns, which takes milliseconds where they are large and stored out of line"
            }
            Hazard::ForeignKeyDrop => {
                "the drop locks both tables of the foreign key at once; under long transactions both may not be free together within --timeout, and the command has to be run again"
            }
            Hazard::Standby => {
                "a hot standby may cancel a query on this table, or end its session, when it replays this lock or removes row versions that the query may still see; the query has to be retried"
            }
            Hazard::PreparedOnBase => {
                "a prepared `SELECT *` on the base table itself fails once (cached plan must not change result type); one on a version's view does not"
            }
            Hazard::ReplicaIdentity => {
                "from here on, subscribers of logical replication get other columns of old rows; with NOTHING, a published table refuses UPDATE and DELETE"
            }
            Hazard::Partitions => {
                "a partition that is detached before complete or rollback keeps the new columns and their constraints until then, and takes no new rows; a table that was prepared before the start lacks the new columns and cannot be attached: create partitions with PARTITION OF, or with LIKE … INCLUDING ALL after the start"
            }
        }
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        write!(out, "{name}: {}", self.meaning())
    }
}

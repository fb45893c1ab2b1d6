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
                "a REPEATABLE READ transaction that updates a backfilled row is refused with 40001 and has to be retried"
            }
            Hazard::RowLocks => {
                "a row that the backfill is at is locked for some 25 ms (--batch; one that is large or converted slowly for as long as it takes to write): meanwhile NOWAIT and a shorter lock_timeout are refused with 55P03, SKIP LOCKED passes it over"
            }
            Hazard::UpsertOnConvertedKey => {
                "INSERT … ON CONFLICT on this key may be refused by the other version's unique index (23505) while both are live"
            }
            Hazard::OldWritesMayFail => "writes of the older version that break the new constraint are refused",
            Hazard::OpaqueSql => "statements of your own: what they lock, and for how long, is not known to Diptych",
            Hazard::DataGoes => "the data of the older version's columns and tables is gone after this step",
            Hazard::DefaultStays => {
                "the default of a converted column stays as it is, and does not go through `up`; say `default` in the operation to give another one"
            }
            Hazard::SubSelect => {
                "a conversion reads other tables: with the rights of the migration role, since the writer may have none on them; it is not run again when those tables change"
            }
            Hazard::SyncCost => {
                "while both versions are live a row trigger stands before every UPDATE of this table, also an unrelated one: about 55 bytes of WAL and 25 µs for a statement of one row; values of converted columns that are stored out of line are read and compared, which takes milliseconds where they are large"
            }
            Hazard::ForeignKeyDrop => {
                "the foreign key's two tables are locked in one moment: under long transactions that moment may not come within --timeout, and the command has to be run again"
            }
            Hazard::Standby => {
                "a query on a hot standby that uses this table may be cancelled, or its session ended, when the standby replays the lock, or what was cleaned up behind rows that the query may still see: it has to be retried"
            }
            Hazard::PreparedOnBase => {
                "a prepared `SELECT *` on the base table itself fails once (cached plan must not change result type); through a version's view it goes on"
            }
            Hazard::ReplicaIdentity => {
                "subscribers of logical replication are told other columns of old rows from here on; with NOTHING a published table takes no UPDATE or DELETE"
            }
            Hazard::Partitions => {
                "until complete or rollback a partition that is detached keeps the new columns with their rules, and takes no new rows then; one that was made ready before cannot be attached, for it lacks them: make it with PARTITION OF, or LIKE … INCLUDING ALL after the start"
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

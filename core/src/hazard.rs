//! Named hazards: what a plan cannot promise, said before it happens.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A hazard of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hazard {
    /// A REPEATABLE READ transaction that updates a row which the backfill has touched gets 40001.
    RepeatableRead,
    /// `INSERT … ON CONFLICT` on a converted unique key may meet the other version's index: 23505.
    UpsertOnConvertedKey,
    /// The older version's writes are held to a new constraint as well.
    OldWritesMayFail,
    /// Statements of the user's own: their locks and their time are theirs.
    OpaqueSql,
    /// Data of the older version goes.
    DataGoes,
}

impl Hazard {
    /// What it means, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Hazard::RepeatableRead => {
                "a REPEATABLE READ transaction that updates a backfilled row is refused with 40001 and has to be retried"
            }
            Hazard::UpsertOnConvertedKey => {
                "INSERT … ON CONFLICT on this key may be refused by the other version's unique index (23505) while both are live"
            }
            Hazard::OldWritesMayFail => "writes of the older version that break the new constraint are refused",
            Hazard::OpaqueSql => "statements of your own: what they lock, and for how long, is not known to Diptych",
            Hazard::DataGoes => "the data of the older version's columns and tables is gone after this step",
        }
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        write!(out, "{name}: {}", self.meaning())
    }
}

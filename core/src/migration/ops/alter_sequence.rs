//! `alter_sequence`: a sequence with another type, step, range, start, cache, cycle or comment.
//!
//! Both versions draw from one counter, which is never set back. A longer step comes at start: whoever takes a block of numbers with each
//! draw, as the allocators of some libraries do, must not meet those of the other version. Everything else comes at complete, a shorter step
//! among it: until then each version gets the numbers that the older one expects, and rollback finds the counter within its range. A range
//! that the counter has left is refused, before the start and before the complete.
//!
//! `ALTER SEQUENCE` waits for transactions that have drawn, and whoever draws waits for it: within the lock budget, one sequence at a time.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::rules::{check_change_of_sequence, check_sequence};
use crate::model::sequence::Sequence;
use crate::transition::stage::Stage;
use crate::yaml::present;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlterSequence {
    /// The sequence's name.
    pub name: String,
    /// The new type; as it is where absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub sql_type: Option<String>,
    /// Where a fresh sequence begins; `null` for PostgreSQL's own, absence leaves it alone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub start: Option<Option<i64>>,
    /// The new step; as it is where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub increment: Option<i64>,
    /// The new smallest number; `null` for PostgreSQL's own, absence leaves it alone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub min: Option<Option<i64>>,
    /// The new largest number; `null` for PostgreSQL's own, absence leaves it alone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub max: Option<Option<i64>>,
    /// How many numbers a session takes at once; as it is where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<i64>,
    /// Whether it is to begin again behind its last number; as it is where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<bool>,
    /// The new comment; `null` drops it, absence leaves it alone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub comment: Option<Option<String>>,
}

impl Operate for AlterSequence {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let before = stage.to.sequence(&self.name)?.clone();
        if *self == (AlterSequence { name: self.name.clone(), ..AlterSequence::default() }) {
            return Err(Error::new(format!("no change is given for sequence `{}`", self.name))
                .hint("add what changes: type, start, increment, min, max, cache, cycle or comment"));
        }
        let after = self.changed(&before);
        check_sequence(&self.name, &after)?;
        check_change_of_sequence(&self.name, &before, &after)?;
        stage.alter_sequence(&self.name, after)
    }
}

impl AlterSequence {
    /// The sequence as it is to be.
    fn changed(&self, before: &Sequence) -> Sequence {
        Sequence {
            sql_type: self.sql_type.clone().unwrap_or_else(|| before.sql_type.clone()),
            start: self.start.unwrap_or(before.start),
            increment: self.increment.unwrap_or(before.increment),
            min: self.min.unwrap_or(before.min),
            max: self.max.unwrap_or(before.max),
            cache: self.cache.unwrap_or(before.cache),
            cycle: self.cycle.unwrap_or(before.cycle),
            comment: self.comment.clone().unwrap_or_else(|| before.comment.clone()),
        }
        .normal()
    }

    /// The operation that leads from one form of a sequence to another; none where they are the same.
    pub fn between(name: &str, before: &Sequence, after: &Sequence) -> Option<Self> {
        let change = AlterSequence {
            name: name.to_owned(),
            sql_type: (before.sql_type != after.sql_type).then(|| after.sql_type.clone()),
            start: (before.start != after.start).then_some(after.start),
            increment: (before.increment != after.increment).then_some(after.increment),
            min: (before.min != after.min).then_some(after.min),
            max: (before.max != after.max).then_some(after.max),
            cache: (before.cache != after.cache).then_some(after.cache),
            cycle: (before.cycle != after.cycle).then_some(after.cycle),
            comment: (before.comment != after.comment).then(|| after.comment.clone()),
        };
        (change != AlterSequence { name: name.to_owned(), ..AlterSequence::default() }).then_some(change)
    }
}

//! `create_sequence`: a new sequence that no column owns.
//!
//! Made in the base schema before every table, so that defaults of the same migration may draw from it; rollback drops it. No table is
//! locked. Both versions may draw from it at once.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::Result;
use crate::model::rules::check_sequence;
use crate::model::sequence::Sequence;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSequence {
    /// The sequence's name.
    pub name: String,
    /// `smallint`, `integer` or `bigint`, which it is where absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub sql_type: Option<String>,
    /// The number to begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
    /// The step from one number to the next; 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub increment: Option<i64>,
    /// The smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// How many numbers a session takes at once; 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<i64>,
    /// Whether it begins again behind its last number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cycle: bool,
    /// The sequence's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Operate for CreateSequence {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let sequence = self.sequence();
        check_sequence(&self.name, &sequence)?;
        stage.create_sequence(&self.name, sequence)
    }
}

impl CreateSequence {
    /// The model of the sequence.
    fn sequence(&self) -> Sequence {
        let plain = Sequence::default();
        Sequence {
            sql_type: self.sql_type.clone().unwrap_or(plain.sql_type),
            start: self.start,
            increment: self.increment.unwrap_or(plain.increment),
            min: self.min,
            max: self.max,
            cache: self.cache.unwrap_or(plain.cache),
            cycle: self.cycle,
            comment: self.comment.clone(),
        }
        .normal()
    }

    /// The operation that leads to this sequence.
    pub fn of(name: &str, sequence: &Sequence) -> Self {
        let plain = Sequence::default();
        let Sequence { sql_type, start, increment, min, max, cache, cycle, comment } = sequence.clone();
        CreateSequence {
            name: name.to_owned(),
            sql_type: Some(sql_type).filter(|sql_type| *sql_type != plain.sql_type),
            start,
            increment: Some(increment).filter(|increment| *increment != plain.increment),
            min,
            max,
            cache: Some(cache).filter(|cache| *cache != plain.cache),
            cycle,
            comment,
        }
    }
}

//! Free sequences: counters of the schema's own that no column owns.

use serde::{Deserialize, Serialize};

use crate::model::types;
use crate::sql;
use crate::sql::{Sql, join, type_name};

/// A sequence by `CREATE SEQUENCE` that no column owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sequence {
    /// The type of its numbers: `smallint`, `integer` or `bigint`.
    #[serde(rename = "type", skip_serializing_if = "is_bigint")]
    pub sql_type: String,
    /// `START WITH …`, where it is not the end of the range at which PostgreSQL begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
    /// `INCREMENT BY …`.
    #[serde(skip_serializing_if = "is_one")]
    pub increment: i64,
    /// `MINVALUE …`, where it is not PostgreSQL's own for the type and the direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// `MAXVALUE …`, where it is not PostgreSQL's own for the type and the direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// `CACHE …`: how many numbers a session takes at once.
    #[serde(skip_serializing_if = "is_one")]
    pub cache: i64,
    /// `CYCLE`: it begins again behind its last number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cycle: bool,
    /// `COMMENT ON SEQUENCE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Default for Sequence {
    fn default() -> Self {
        let (start, min, max, comment) = (None, None, None, None);
        Sequence { sql_type: "bigint".to_owned(), start, increment: 1, min, max, cache: 1, cycle: false, comment }
    }
}

impl Sequence {
    /// The same with its type in PostgreSQL's spelling, and without what PostgreSQL says by itself.
    #[must_use]
    pub fn normal(mut self) -> Self {
        self.sql_type = types::normalize(&self.sql_type);
        let plain = Sequence { sql_type: self.sql_type.clone(), increment: self.increment, ..Sequence::default() };
        self.min = self.min.filter(|min| *min != plain.least());
        self.max = self.max.filter(|max| *max != plain.most());
        let first = Sequence { start: None, ..self.clone() }.first();
        self.start = self.start.filter(|start| *start != first);
        self
    }

    /// Whether it counts down.
    pub fn descends(&self) -> bool {
        self.increment < 0
    }

    /// The smallest number that it gives.
    pub fn least(&self) -> i64 {
        self.min.unwrap_or(if self.descends() { self.limits().0 } else { 1 })
    }

    /// The largest number that it gives.
    pub fn most(&self) -> i64 {
        self.max.unwrap_or(if self.descends() { -1 } else { self.limits().1 })
    }

    /// The number that it gives first.
    pub fn first(&self) -> i64 {
        self.start.unwrap_or_else(|| if self.descends() { self.most() } else { self.least() })
    }

    /// The numbers of its type.
    pub fn limits(&self) -> (i64, i64) {
        match self.sql_type.as_str() {
            "smallint" => (i16::MIN.into(), i16::MAX.into()),
            "integer" => (i32::MIN.into(), i32::MAX.into()),
            _ => (i64::MIN, i64::MAX),
        }
    }

    /// Whether it gives the same numbers to the same draws: all but where a fresh one begins, its cache and its comment.
    pub fn counts_as(&self, other: &Sequence) -> bool {
        let plain = |own: &Sequence| Sequence { start: None, cache: 1, comment: None, ..own.clone() };
        plain(self) == plain(other)
    }

    /// The same but for its comment.
    pub fn is_defined_as(&self, other: &Sequence) -> bool {
        let plain = |own: &Sequence| Sequence { comment: None, ..own.clone() };
        plain(self) == plain(other)
    }

    /// What it is while two versions draw from it: the older version's, in the longer of the two steps. Whoever takes a block of numbers with
    /// each draw, of the length of its own step, then meets no number of the other's.
    #[must_use]
    pub fn shared_with(&self, newer: &Sequence) -> Self {
        let longer = if newer.increment.unsigned_abs() > self.increment.unsigned_abs() { newer } else { self };
        Sequence { increment: longer.increment, ..self.clone() }
    }

    /// What `CREATE SEQUENCE` and `ALTER SEQUENCE` are told: every option, so that none follows from what was there before.
    pub fn definition(&self) -> Sql {
        let Sequence { sql_type, increment, cache, cycle, .. } = self;
        let parts = [
            sql!("AS {}", type_name(sql_type)),
            sql!("INCREMENT BY {}", *increment),
            sql!("MINVALUE {}", self.least()),
            sql!("MAXVALUE {}", self.most()),
            sql!("START WITH {}", self.first()),
            sql!("CACHE {}", *cache),
            Sql::trusted(if *cycle { "CYCLE" } else { "NO CYCLE" }),
        ];
        join(parts, " ")
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_one(number: &i64) -> bool {
    *number == 1
}

fn is_bigint(sql_type: &str) -> bool {
    sql_type == "bigint"
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    #[test]
    fn what_postgresql_says_by_itself_is_left_out() {
        let plain = |sql_type: &str, increment, min, max, start| {
            Sequence { sql_type: sql_type.to_owned(), increment, min, max, start, ..Sequence::default() }.normal()
        };
        assert_eq!(plain("int8", 1, Some(1), Some(i64::MAX), Some(1)), Sequence::default());
        let down = plain("int2", -2, Some(-32768), Some(-1), Some(-1));
        assert_eq!((down.min, down.max, down.start), (None, None, None));
        assert_eq!((down.least(), down.most(), down.first()), (-32768, -1, -1));
        // from the range that is given, not from the type's
        let of_range = plain("integer", 5, Some(100), None, Some(100));
        assert_eq!((of_range.start, of_range.first(), of_range.most()), (None, 100, 2_147_483_647));
        assert_eq!(plain("integer", 5, None, None, Some(1000)).start, Some(1000));
    }

    #[test]
    fn two_versions_share_the_longer_step() {
        let of = |increment| Sequence { increment, max: Some(99), ..Sequence::default() };
        for (older, newer, shared) in [(1, 50, 50), (50, 1, 50), (-1, -5, -5), (-5, -1, -5)] {
            let newer = Sequence { max: Some(7), cycle: true, ..of(newer) };
            assert_eq!(of(older).shared_with(&newer), of(shared));
        }
    }
}

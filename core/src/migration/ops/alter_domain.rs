//! `alter_domain`: a domain with another default or comment, or with fewer rules.
//!
//! A rule that goes is in force until complete, for both versions; then it goes in an instant, and no table is locked or read. Of a default
//! each version's views have their own.
//!
//! A new rule is refused. PostgreSQL has it hold for every write from the moment it is there, `NOT VALID` or not: the older version would be
//! refused what it could write before. Nor can it come at complete: to prove it, PostgreSQL reads every table with a column of the domain
//! under SHARE locks, which it keeps to the end, and whoever writes waits. The ways out are those of the hint: another domain, to which the
//! columns are converted, or a check of each table, which is proven beside writers.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::domain::Domain;
use crate::model::expression::Expression;
use crate::model::rules::{check_change_of_domain, check_domain};
use crate::transition::stage::Stage;
use crate::yaml::present;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlterDomain {
    /// The domain's name.
    pub name: String,
    /// Whether it is to be NOT NULL; as it is where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_null: Option<bool>,
    /// The new default; `null` drops it, absence leaves it alone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub default: Option<Option<String>>,
    /// The checks to be; as they are where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<BTreeMap<String, String>>,
    /// The new comment; `null` drops it, absence leaves it alone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub comment: Option<Option<String>>,
}

impl Operate for AlterDomain {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let before = stage.to.domain(&self.name)?.clone();
        if *self == (AlterDomain { name: self.name.clone(), ..AlterDomain::default() }) {
            return Err(Error::new(format!("no change is given for domain `{}`", self.name))
                .hint("add what changes: not_null, default, checks or comment"));
        }
        let after = self.changed(&before);
        check_domain(&self.name, &after)?;
        check_change_of_domain(&self.name, &before, &after)?;
        stage.alter_domain(&self.name, after)
    }
}

impl AlterDomain {
    /// The domain as it is to be.
    fn changed(&self, before: &Domain) -> Domain {
        let text = |text: &String| Expression::from(text.clone());
        let checks = self.checks.as_ref().map(|checks| checks.iter().map(|(name, check)| (name.clone(), text(check))).collect());
        Domain {
            sql_type: before.sql_type.clone(),
            collation: before.collation.clone(),
            not_null: self.not_null.unwrap_or(before.not_null),
            default: self.default.as_ref().map_or_else(|| before.default.clone(), |default| default.as_ref().map(text)),
            checks: checks.unwrap_or_else(|| before.checks.clone()),
            comment: self.comment.clone().unwrap_or_else(|| before.comment.clone()),
        }
        .normal()
    }

    /// The operation that leads from one form of a domain to another of the same type; none where they are the same.
    pub fn between(name: &str, before: &Domain, after: &Domain) -> Option<Self> {
        let text = |text: &Expression| text.as_str().to_owned();
        let same = |one: &Option<Expression>, other: &Option<Expression>| Expression::same(one, other);
        let checks = |of: &Domain| Domain { checks: of.checks.clone(), ..Domain::default() };
        let change = AlterDomain {
            name: name.to_owned(),
            not_null: (before.not_null != after.not_null).then_some(after.not_null),
            default: (!same(&before.default, &after.default)).then(|| after.default.as_ref().map(text)),
            checks: (!checks(before).says_the_same(&checks(after)))
                .then(|| after.checks.iter().map(|(name, check)| (name.clone(), text(check))).collect()),
            comment: (before.comment != after.comment).then(|| after.comment.clone()),
        };
        (change != AlterDomain { name: name.to_owned(), ..AlterDomain::default() }).then_some(change)
    }
}

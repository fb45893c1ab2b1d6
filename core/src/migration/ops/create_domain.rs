//! `create_domain`: a new domain, which columns of the same migration may have for a type already.
//!
//! Made in the base schema before every table, so that both versions could use it; rollback drops it. No table is locked. PostgreSQL writes a
//! table anew where it gets a column of a domain that has rules: preflight refuses that for a table that is too large for it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::operate::Operate;
use crate::error::Result;
use crate::model::domain::Domain;
use crate::model::expression::Expression;
use crate::model::rules::check_domain;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateDomain {
    /// The domain's name.
    pub name: String,
    /// The type that it is based on.
    #[serde(rename = "type")]
    pub sql_type: String,
    /// `COLLATE …`.
    #[serde(rename = "collate", default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// `NOT NULL`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_null: bool,
    /// `DEFAULT …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// `CHECK (…)` over `VALUE`, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, String>,
    /// The domain's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Operate for CreateDomain {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let domain = self.domain();
        check_domain(&self.name, &domain)?;
        stage.create_domain(&self.name, domain)
    }
}

impl CreateDomain {
    /// The model of the domain.
    fn domain(&self) -> Domain {
        let text = |text: &String| Expression::from(text.clone());
        Domain {
            sql_type: self.sql_type.clone(),
            collation: self.collation.clone(),
            not_null: self.not_null,
            default: self.default.as_ref().map(text),
            checks: self.checks.iter().map(|(name, check)| (name.clone(), text(check))).collect(),
            comment: self.comment.clone(),
        }
        .normal()
    }

    /// The operation that leads to this domain.
    pub fn of(name: &str, domain: &Domain) -> Self {
        let text = |text: &Expression| text.as_str().to_owned();
        CreateDomain {
            name: name.to_owned(),
            sql_type: domain.sql_type.clone(),
            collation: domain.collation.clone(),
            not_null: domain.not_null,
            default: domain.default.as_ref().map(text),
            checks: domain.checks.iter().map(|(name, check)| (name.clone(), text(check))).collect(),
            comment: domain.comment.clone(),
        }
    }
}

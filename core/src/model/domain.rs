//! Domains: types of the schema's own that are another type with a default and rules.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::model::expression::{self, Expression};
use crate::model::types;
use crate::sql;
use crate::sql::{Sql, dotted, ident, join, type_name, user};

/// A domain by `CREATE DOMAIN`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// The type that it is based on, in PostgreSQL's spelling.
    #[serde(rename = "type")]
    pub sql_type: String,
    /// `COLLATE …`, where it is not that type's own.
    #[serde(rename = "collate", default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// `NOT NULL`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_null: bool,
    /// `DEFAULT …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Expression>,
    /// `CHECK (…)` over `VALUE`, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Expression>,
    /// `COMMENT ON DOMAIN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Domain {
    /// The same with its type in PostgreSQL's spelling, and without a default that is NULL.
    #[must_use]
    pub fn normal(mut self) -> Self {
        self.sql_type = types::normalize(&self.sql_type);
        self.default = self.default.and_then(|text| Expression::default_of(&text));
        self
    }

    /// Whether it is another's equal, but for letter case and spaces of its texts.
    pub fn says_the_same(&self, other: &Domain) -> bool {
        expression::alike(self, other, Domain::texts, Domain::texts_mut)
    }

    /// The same but for its comment.
    pub fn means_the_same(&self, other: &Domain) -> bool {
        let plain = |domain: &Domain| Domain { comment: None, ..domain.clone() };
        plain(self).says_the_same(&plain(other))
    }

    /// What can be compared of it whatever the words of its texts.
    pub fn shape(&self) -> (&str, Option<&str>, bool, bool, Vec<&String>) {
        let Domain { sql_type, collation, not_null, default, checks, .. } = self;
        (sql_type, collation.as_deref(), *not_null, default.is_some(), checks.keys().collect())
    }

    /// Whether values or writes can be refused for its sake.
    pub fn has_rules(&self) -> bool {
        self.not_null || !self.checks.is_empty()
    }

    /// What `CREATE DOMAIN … AS` is told.
    pub fn definition(&self) -> Sql {
        let mut parts = vec![type_name(&self.sql_type)];
        parts.extend(self.collation.as_deref().map(|name| sql!("COLLATE {}", dotted(name))));
        parts.extend(self.default.as_deref().map(|text| sql!("DEFAULT {}", user(text))));
        parts.extend(self.not_null.then(|| Sql::trusted("NOT NULL")));
        parts.extend(self.checks.iter().map(|(name, check)| sql!("CONSTRAINT {} CHECK {}", ident(name), user(check))));
        join(parts, " ")
    }

    fn texts(&self) -> Vec<&Expression> {
        self.default.iter().chain(self.checks.values()).collect()
    }

    fn texts_mut(&mut self) -> Vec<&mut Expression> {
        self.default.iter_mut().chain(self.checks.values_mut()).collect()
    }
}
